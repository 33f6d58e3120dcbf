package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/internal/secret"
	"github.com/pgqrs/pgqrs/core/internal/sqlfile"
)

// Config says which schema of which database to use.
type Config struct {
	// DSN is postgresql://… or libpq's key=value form; what it leaves out comes
	// from PGHOST, PGPORT, PGUSER and so on, as in libpq.
	DSN string
	// Schema holds the tables. Empty: "public".
	Schema string
	// MaxConnections bounds the pool; each Listener has one more. 0: 16.
	MaxConnections int
	// ConnectTimeout bounds Open, and the wait of an operation for a connection.
	// 0: 30 s.
	ConnectTimeout time.Duration
	// AnswerTimeout is how long an operation waits for the server's answer. 0: 60 s.
	AnswerTimeout time.Duration
	// AutoInstall lets Open install or upgrade the schema.
	AutoInstall bool
}

// Format prints a Config as fmt does, whatever the verb, without a password.
func (c Config) Format(f fmt.State, verb rune) {
	type plain Config // the same without this method
	shown := plain(c)
	shown.DSN = secret.DSN(c.DSN)
	fmt.Fprintf(f, fmt.FormatString(f, verb), shown)
}

// Backend implements backend.Backend. Make it with Open.
type Backend struct {
	pool           *pgxpool.Pool
	connection     *pgx.ConnConfig // for connections outside of the pool
	schema         string
	sql            queries
	identity       string // of the schema, a UUID
	connectTimeout time.Duration
	answerTimeout  time.Duration
	mode           callMode
	marks          watermarks
	closing        context.Context // ends with Close
	close          context.CancelCauseFunc
	closed         sync.Once
	listeners      sync.Map // of *Listener that are open
}

// queries has the text of each query of sql/, for our schema.
type queries struct {
	Begin, Commit, Rollback, BackendProcess                                                                 string
	SchemaDescribe                                                                                          string
	SchemaState, SchemaLock, SchemaExists, SchemaCreate                                                     string
	QueueGet, QueueCreate, QueueList, QueueCount, QueueUpdate, QueuePause, QueueResume                      string
	QueueDelete, QueuePurgeBound, QueuePurge, QueueMerge                                                    string
	WorkerRegister, WorkerMove, WorkerBeat, WorkerGet, WorkerList, WorkerHealth                             string
	WorkerPurge, WorkerHeld, WorkerLeases                                                                   string
	MessageProduce, MessageDequeue, MessageArchive, MessageDelete, MessageExtend, MessageRelease            string
	MessageProduceTx, MessageDetach, MessageFreeLeases, MessageArchiveTx, MessageDeleteTx                   string
	MessageProduceKeyed, MessageProduceKeyedTx, DedupSweep, DedupPurge                                      string
	MetricsGet, MetricsList, MetricsSystem, MetricsFold                                                     string
	MessageFail, MessageHistory, MessageAttempted, MessageGone, MessageSeize                                string
	ArchiveList, ArchiveCount, ArchiveReplay, ArchiveDelete, ArchivePurgeBound, ArchivePurge, ArchiveExpire string
	MessageGet, MessageList, MessageCount                                                                   string
	ListenerOpen, ListenerSleep, ListenerTest, QueueNotify                                                  string
	RoleGrants                                                                                              string
}

//go:embed sql/*.sql
var queryFiles embed.FS

// Open connects, and installs or upgrades the schema when AutoInstall allows it.
// When it returns, the schema is one that this library can use. It does not
// retry: an unreachable server is ErrConnection at once, or when ConnectTimeout
// has passed.
func Open(ctx context.Context, c Config) (*Backend, error) {
	c = c.withDefaults()
	if err := checkSchemaName(c.Schema); err != nil {
		return nil, err
	}
	pool, err := poolConfig(c)
	if err != nil {
		return nil, err
	}
	b := &Backend{schema: c.Schema, connectTimeout: c.ConnectTimeout, answerTimeout: c.AnswerTimeout}
	b.watchAnswers(pool)
	b.connection = pool.ConnConfig.Copy()
	if err := sqlfile.Fill(&b.sql, queryFiles, "sql", c.Schema); err != nil {
		return nil, err
	}
	b.closing, b.close = context.WithCancelCause(context.Background())
	if b.pool, err = pgxpool.NewWithConfig(b.closing, pool); err != nil {
		return nil, b.failure(ctx, err, true)
	}
	if err := b.prepareSchema(ctx, c.AutoInstall); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (c Config) withDefaults() Config {
	if c.Schema == "" {
		c.Schema = "public"
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 16
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 30 * time.Second
	}
	if c.AnswerTimeout == 0 {
		c.AnswerTimeout = 60 * time.Second
	}
	return c
}

// poolConfig reads the DSN.
func poolConfig(c Config) (*pgxpool.Config, error) {
	p, err := pgxpool.ParseConfig(c.DSN)
	if err != nil {
		return nil, dsnError(err)
	}
	if hasAtInPath(c.DSN) {
		return nil, dsnError(nil)
	}
	p.MaxConns, p.MinConns, p.MinIdleConns = int32(c.MaxConnections), 0, 0
	// What is not asked for otherwise (see callMode) is described once per connection
	// and never prepared under a name: so a pooler may give each transaction another
	// server connection.
	p.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	p.AfterConnect = registerPayloadArray
	if p.ConnConfig.ConnectTimeout == 0 || p.ConnConfig.ConnectTimeout > c.ConnectTimeout {
		p.ConnConfig.ConnectTimeout = c.ConnectTimeout
	}
	if p.ConnConfig.RuntimeParams["application_name"] == "" {
		p.ConnConfig.RuntimeParams["application_name"] = "pgqrs"
	}
	return p, nil
}

// hasAtInPath says whether a URL has an @ behind the slash that ends its host: a
// slash in a password that was not written as %2F is taken for that slash, and the
// rest of the password for the name of the database, which errors tell.
func hasAtInPath(dsn string) bool {
	scheme, url, _ := strings.Cut(dsn, "://")
	if scheme != "postgresql" && scheme != "postgres" {
		return false // a list of key=value, where a password may hold anything
	}
	url, _, _ = strings.Cut(url, "?")
	_, path, _ := strings.Cut(url, "/")
	return strings.Contains(path, "@")
}

// Capabilities implements backend.Backend.
func (b *Backend) Capabilities() backend.Capabilities {
	return backend.Capabilities{Durable: true, Shared: true, Transactions: true}
}

// Identity implements backend.Backend: the UUID that the schema got when it was
// installed.
func (b *Backend) Identity() string { return b.identity }

// Close implements backend.Backend. It waits until all connections are closed.
func (b *Backend) Close() error {
	b.closed.Do(func() {
		b.close(backend.ErrClosed)
		b.listeners.Range(func(l, _ any) bool { return l.(*Listener).Close() == nil })
		b.pool.Close()
	})
	return nil
}

// repeatable says of an operation that doing it twice is the same as once.
type repeatable bool

// tries bounds how often an operation is done again after a deadlock or a
// serialization failure.
const tries = 10

// do runs an operation on a connection of the pool, and runs it again when the
// server rolled it back for the sake of others.
func (b *Backend) do(ctx context.Context, twice repeatable, operate func(ctx context.Context, c *pgxpool.Conn) error) error {
	ctx, cancel := b.bind(ctx)
	defer cancel(nil)
	var err error
	for try := range tries {
		if err = b.pause(ctx, try); err != nil {
			break
		}
		if err = b.once(ctx, operate); !rolledBack(err) && !b.mode.adapts(err) {
			break
		}
	}
	return b.failure(ctx, err, twice)
}

func (b *Backend) once(ctx context.Context, operate func(ctx context.Context, c *pgxpool.Conn) error) error {
	c, err := b.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return b.answering(ctx, func(ctx context.Context) error { return operate(ctx, c) })
}

// bind returns a context that ends with ctx or with Close.
func (b *Backend) bind(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(b.closing, func() { cancel(backend.ErrClosed) })
	return ctx, func(cause error) {
		stop()
		cancel(cause)
	}
}

// acquire takes a connection of the pool, which may have to be made first.
func (b *Backend) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, b.connectTimeout)
	defer cancel()
	c, err := b.pool.Acquire(wait)
	if err != nil && ctx.Err() == nil && errors.Is(wait.Err(), context.DeadlineExceeded) {
		return nil, &noConnectionError{after: b.connectTimeout, cause: err}
	}
	return c, err
}

// each calls take for each row, and closes rows.
func each(rows pgx.Rows, take func() error, into ...any) error {
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := take(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// collect runs a query and reads all its rows.
func collect[R any](ctx context.Context, b *Backend, twice repeatable, read pgx.RowToFunc[R], sql string, args ...any) (all []R, err error) {
	err = b.do(ctx, twice, func(ctx context.Context, c *pgxpool.Conn) error {
		rows, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, read)
		return err
	})
	return all, err
}

// moment is an optional time as a parameter: nil, for the server's clock, when
// it is zero.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// orNull is an optional id or duration as a parameter: nil when it is zero.
func orNull[T int64 | time.Duration](v T) any {
	if v == 0 {
		return nil
	}
	return v
}
