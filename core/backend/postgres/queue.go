package postgres

import (
	"cmp"
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// QueueCreate implements backend.QueueBackend.
func (b *Backend) QueueCreate(ctx context.Context, p *backend.QueueCreateParams) (*backend.Queue, error) {
	q, err := b.queue(ctx, false, b.sql.QueueCreate, append([]any{p.Name}, settingArgs(&p.QueueSettings)...)...)
	if err == nil && q == nil {
		return nil, backend.Errorf(backend.ErrQueueExists, "the queue %q exists already", p.Name)
	}
	return q, err
}

// QueueEnsure implements backend.QueueBackend.
func (b *Backend) QueueEnsure(ctx context.Context, p *backend.QueueEnsureParams) (*backend.Queue, error) {
	create := append([]any{p.Name}, settingArgs(&backend.QueueSettings{})...)
	for {
		// Each in a transaction of its own: the queue that somebody else made just
		// now is in the next snapshot, unless it was deleted again.
		if q, err := b.queue(ctx, true, b.sql.QueueGet, p.Name); q != nil || err != nil {
			return q, err
		}
		if q, err := b.queue(ctx, true, b.sql.QueueCreate, create...); q != nil || err != nil {
			return q, err
		}
	}
}

// QueueGet implements backend.QueueBackend.
func (b *Backend) QueueGet(ctx context.Context, p *backend.QueueGetParams) (*backend.Queue, error) {
	return b.existing(ctx, p.Name, b.sql.QueueGet, p.Name)
}

// QueueUpdate implements backend.QueueBackend.
func (b *Backend) QueueUpdate(ctx context.Context, p *backend.QueueUpdateParams) (*backend.Queue, error) {
	to := settingArgs(&backend.QueueSettings{
		DefaultVT: p.DefaultVT.To, MaxReadCount: p.MaxReadCount.To, Retention: p.Retention.To, Retry: p.Retry.To,
	})
	args := []any{p.Name, p.DefaultVT.Given, to[0], p.MaxReadCount.Given, to[1], p.Retention.Given, to[2], p.Retry.Given}
	return b.existing(ctx, p.Name, b.sql.QueueUpdate, append(args, to[3:]...)...)
}

// QueuePause implements backend.QueueBackend.
func (b *Backend) QueuePause(ctx context.Context, p *backend.QueuePauseParams) (*backend.Queue, error) {
	return b.existing(ctx, p.Name, b.sql.QueuePause, p.Name, moment(p.At))
}

// QueueResume implements backend.QueueBackend.
func (b *Backend) QueueResume(ctx context.Context, p *backend.QueueResumeParams) (*backend.Queue, error) {
	return b.existing(ctx, p.Name, b.sql.QueueResume, p.Name)
}

// QueueList implements backend.QueueBackend.
func (b *Backend) QueueList(ctx context.Context, p *backend.QueueListParams) ([]backend.Queue, error) {
	return b.listQueues(ctx, true, b.sql.QueueList, p.After, p.Limit)
}

// QueueCount implements backend.QueueBackend.
func (b *Backend) QueueCount(ctx context.Context, _ *backend.QueueCountParams) (n int64, err error) {
	err = b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		return c.QueryRow(ctx, b.sql.QueueCount).Scan(&n)
	})
	return n, err
}

// settingArgs are the settings as parameters, in the order of the columns.
func settingArgs(s *backend.QueueSettings) []any {
	return []any{
		orNull(s.DefaultVT), s.MaxReadCount, s.Retention,
		cmp.Or(s.Retry.Kind, backend.RetryNone), s.Retry.Base, s.Retry.Max, s.Retry.Jitter,
	}
}

// existing runs a query for the queue of that name, or returns ErrQueueNotFound.
func (b *Backend) existing(ctx context.Context, name, sql string, args ...any) (*backend.Queue, error) {
	q, err := b.queue(ctx, true, sql, args...)
	if err == nil && q == nil {
		return nil, errNoQueue(name)
	}
	return q, err
}

func errNoQueue(name string) error {
	return backend.Errorf(backend.ErrQueueNotFound, "there is no queue %q", name)
}

// queue runs a query for at most one queue; nil when it gave none.
func (b *Backend) queue(ctx context.Context, twice repeatable, sql string, args ...any) (*backend.Queue, error) {
	all, err := b.listQueues(ctx, twice, sql, args...)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

func (b *Backend) listQueues(ctx context.Context, twice repeatable, sql string, args ...any) ([]backend.Queue, error) {
	return collect(ctx, b, twice, readQueue, sql, args...)
}

// readQueue reads the columns that every query for queues has.
func readQueue(row pgx.CollectableRow) (q backend.Queue, err error) {
	var pausedAt *time.Time
	var vt *time.Duration
	err = row.Scan(&q.ID, &q.Name, &q.CreatedAt, &pausedAt, &vt, &q.MaxReadCount, &q.Retention,
		&q.Retry.Kind, &q.Retry.Base, &q.Retry.Max, &q.Retry.Jitter)
	if pausedAt != nil {
		q.PausedAt = *pausedAt
	}
	if vt != nil {
		q.DefaultVT = *vt
	}
	return q, err
}

// QueueDelete implements backend.QueueBackend. With Force the queue is emptied
// before, in pieces, so that the last transaction, for which those who produce into
// it have to wait, is short.
func (b *Backend) QueueDelete(ctx context.Context, p *backend.QueueDeleteParams) error {
	q, err := b.QueueGet(ctx, &backend.QueueGetParams{Name: p.Name})
	if err != nil {
		return err
	}
	if p.Force {
		if _, err := b.QueuePurge(ctx, &backend.QueuePurgeParams{QueueID: q.ID}); err != nil {
			return err
		}
		if _, err := b.inPieces(ctx, b.sql.ArchivePurge, q.ID, nil); err != nil {
			return err
		}
	}
	var was bool
	err = b.transact(ctx, false, b.sql.QueueDelete, []any{p.Name, p.Force}, func(rows pgx.Rows) error {
		return each(rows, func() error { return nil }, &was)
	})
	if err == nil && !was {
		return errNoQueue(p.Name)
	}
	return err
}

// QueuePurge implements backend.QueueBackend. It works in pieces, each committed
// by itself, so that no lock is held for long.
func (b *Backend) QueuePurge(ctx context.Context, p *backend.QueuePurgeParams) (int64, error) {
	var upto int64
	err := b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		return c.QueryRow(ctx, b.sql.QueuePurgeBound).Scan(&upto)
	})
	if err != nil {
		return 0, err
	}
	purged, err := b.inPieces(ctx, b.sql.QueuePurge, p.QueueID, upto)
	if err == nil {
		_, err = b.inPieces(ctx, b.sql.DedupPurge, p.QueueID)
	}
	return purged, err
}

// inPieces runs a query again and again, each time in a transaction of its own,
// until it says that nothing was left to do, and adds up what it did.
func (b *Backend) inPieces(ctx context.Context, sql string, args ...any) (total int64, err error) {
	for {
		var n int64
		err = b.transact(ctx, true, sql, args, func(rows pgx.Rows) error {
			return each(rows, func() error { return nil }, &n)
		})
		if total += n; err != nil || n == 0 {
			return total, err
		}
	}
}

// QueueNotify implements backend.ListenerBackend.
func (b *Backend) QueueNotify(ctx context.Context, p *backend.QueueNotifyParams) error {
	return b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		_, err := c.Exec(ctx, b.sql.QueueNotify, b.channel(), p.QueueIDs)
		return err
	})
}
