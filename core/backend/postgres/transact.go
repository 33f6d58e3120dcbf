package postgres

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// callMode is how the hot statements are sent. It begins with what works everywhere
// and is measured, and is given up for good when the server does not bear it.
type callMode struct {
	// named: statements are prepared under a name once per connection, which saves
	// parsing and planning at each call (a quarter of a small one). A pooler that
	// gives each transaction another server connection would not find them.
	named atomic.Bool
	// explicit: the session's default isolation is not READ COMMITTED, so that a
	// transaction must be begun in it. Otherwise one statement is the transaction.
	explicit atomic.Bool
}

// discover finds out whether there is a pooler in between: it tells a client another
// process number than the server's.
func (m *callMode) discover(ctx context.Context, c *pgxpool.Conn, sql string) error {
	var pid uint32
	if err := c.QueryRow(ctx, sql).Scan(&pid); err != nil {
		return err
	}
	m.named.Store(pid == c.Conn().PgConn().PID())
	return nil
}

// adapts says whether a refused statement may be sent again in another way: then
// nothing was done.
func (m *callMode) adapts(err error) bool {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return false
	}
	switch server.Code {
	case stateIsolation: // of many that are on their way together, each is sent again
		m.explicit.Store(true)
		return true
	case stateNoStatement, stateStatementExists:
		m.named.Store(false)
		return true
	case stateInternal: // a function was replaced between the look at its name and the call
		// Such messages are never translated, and nothing else tells.
		return strings.HasPrefix(server.Message, "cache lookup failed for function")
	case stateFeatureNotSupported: // the schema was upgraded meanwhile; pgx forgets the statement
		return server.Routine == "RevalidateCachedQuery"
	}
	return false
}

// args puts in front of a statement's arguments how to send it.
func (m *callMode) args(args ...any) []any {
	if m.named.Load() {
		return append([]any{pgx.QueryExecModeCacheStatement}, args...)
	}
	return args
}

// transact runs one query in a transaction of its own, READ COMMITTED, in one round
// trip. read gets its rows; what it has read counts only when transact returns nil.
func (b *Backend) transact(ctx context.Context, twice repeatable, sql string, args []any, read func(pgx.Rows) error) error {
	return b.do(ctx, twice, func(ctx context.Context, c *pgxpool.Conn) error {
		if b.mode.explicit.Load() {
			return b.transactExplicitly(ctx, c, sql, args, read)
		}
		rows, err := c.Query(ctx, sql, b.mode.args(args...)...)
		if err != nil {
			return err
		}
		return read(rows)
	})
}

func (b *Backend) transactExplicitly(ctx context.Context, c *pgxpool.Conn, sql string, args []any, read func(pgx.Rows) error) error {
	var batch pgx.Batch
	batch.Queue(b.sql.Begin)
	batch.Queue(sql, args...)
	batch.Queue(b.sql.Commit)
	results := c.SendBatch(ctx, &batch)
	err := readBatch(results, read)
	if err = errors.Join(err, results.Close()); err != nil {
		b.rollback(c)
	}
	return err
}

func readBatch(results pgx.BatchResults, read func(pgx.Rows) error) error {
	if _, err := results.Exec(); err != nil {
		return err
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	if err := read(rows); err != nil {
		return err
	}
	_, err = results.Exec()
	return err
}

// rollback ends a failed transaction, so that the pool can go on using the
// connection. It does not matter whether it succeeds: then the pool drops it.
func (b *Backend) rollback(c *pgxpool.Conn) {
	server := c.Conn().PgConn()
	if server.IsClosed() || server.TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(b.closing, time.Second)
	defer cancel()
	_, _ = server.Exec(ctx, b.sql.Rollback).ReadAll()
}
