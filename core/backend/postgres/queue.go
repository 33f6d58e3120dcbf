package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// QueueCreate implements backend.QueueBackend.
func (b *Backend) QueueCreate(ctx context.Context, p *backend.QueueCreateParams) (*backend.Queue, error) {
	q, err := b.queue(ctx, false, b.sql.QueueCreate, p.Name)
	if err == nil && q == nil {
		return nil, backend.Errorf(backend.ErrQueueExists, "the queue %q exists already", p.Name)
	}
	return q, err
}

// QueueEnsure implements backend.QueueBackend.
func (b *Backend) QueueEnsure(ctx context.Context, p *backend.QueueEnsureParams) (*backend.Queue, error) {
	for {
		// Each in a transaction of its own: the queue that somebody else made just
		// now is in the next snapshot, unless it was deleted again.
		for _, sql := range []string{b.sql.QueueGet, b.sql.QueueCreate} {
			if q, err := b.queue(ctx, true, sql, p.Name); q != nil || err != nil {
				return q, err
			}
		}
	}
}

// QueueGet implements backend.QueueBackend.
func (b *Backend) QueueGet(ctx context.Context, p *backend.QueueGetParams) (*backend.Queue, error) {
	q, err := b.queue(ctx, true, b.sql.QueueGet, p.Name)
	if err == nil && q == nil {
		return nil, backend.Errorf(backend.ErrQueueNotFound, "there is no queue %q", p.Name)
	}
	return q, err
}

// QueueList implements backend.QueueBackend.
func (b *Backend) QueueList(ctx context.Context, p *backend.QueueListParams) ([]backend.Queue, error) {
	var page []backend.Queue
	err := b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		rows, err := c.Query(ctx, b.sql.QueueList, p.After, p.Limit)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, pgx.RowToStructByPos[backend.Queue])
		return err
	})
	return page, err
}

// QueueCount implements backend.QueueBackend.
func (b *Backend) QueueCount(ctx context.Context, _ *backend.QueueCountParams) (n int64, err error) {
	err = b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		return c.QueryRow(ctx, b.sql.QueueCount).Scan(&n)
	})
	return n, err
}

// queue runs a query for at most one queue; nil when it gave none.
func (b *Backend) queue(ctx context.Context, twice repeatable, sql, name string) (*backend.Queue, error) {
	var q backend.Queue
	err := b.do(ctx, twice, func(ctx context.Context, c *pgxpool.Conn) error {
		return c.QueryRow(ctx, sql, name).Scan(&q.ID, &q.Name, &q.CreatedAt)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &q, nil
}

// QueuePurge implements backend.QueueBackend. It works in pieces, each committed
// by itself, so that no lock is held for long.
func (b *Backend) QueuePurge(ctx context.Context, p *backend.QueuePurgeParams) (int64, error) {
	var upto, total int64
	err := b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		return c.QueryRow(ctx, b.sql.QueuePurgeBound).Scan(&upto)
	})
	for err == nil {
		var n int64
		err = b.transact(ctx, true, false, b.sql.QueuePurge, []any{p.QueueID, upto}, func(rows pgx.Rows) error {
			return each(rows, func() error { return nil }, &n)
		})
		if total += n; n == 0 {
			break
		}
	}
	return total, err
}

// QueueNotify implements backend.ListenerBackend.
func (b *Backend) QueueNotify(ctx context.Context, p *backend.QueueNotifyParams) error {
	return b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		_, err := c.Exec(ctx, b.sql.QueueNotify, b.channel(), p.QueueIDs)
		return err
	})
}
