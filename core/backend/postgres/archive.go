package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// ArchiveList implements backend.ArchiveBackend.
func (b *Backend) ArchiveList(ctx context.Context, p *backend.ArchiveListParams) ([]backend.ArchivedMessage, error) {
	return collect(ctx, b, true, readArchived, b.sql.ArchiveList,
		append(filter(&p.ArchiveFilter), moment(p.After.ArchivedAt), p.After.ID, p.Limit)...)
}

// ArchiveCount implements backend.ArchiveBackend.
func (b *Backend) ArchiveCount(ctx context.Context, p *backend.ArchiveCountParams) (n int64, err error) {
	err = b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		return c.QueryRow(ctx, b.sql.ArchiveCount, filter(&p.ArchiveFilter)...).Scan(&n)
	})
	return n, err
}

// ArchiveReplay implements backend.ArchiveBackend.
func (b *Backend) ArchiveReplay(ctx context.Context, p *backend.ArchiveReplayParams) (ids []int64, err error) {
	err = b.transact(ctx, false, b.sql.ArchiveReplay, []any{p.QueueID, p.IDs, moment(p.At)}, func(rows pgx.Rows) error {
		return each(rows, func() error { return nil }, &ids)
	})
	return ids, err
}

// ArchiveDelete implements backend.ArchiveBackend.
func (b *Backend) ArchiveDelete(ctx context.Context, p *backend.ArchiveDeleteParams) (n int64, err error) {
	err = b.transact(ctx, false, b.sql.ArchiveDelete, []any{p.QueueID, p.IDs}, func(rows pgx.Rows) error {
		return each(rows, func() error { return nil }, &n)
	})
	return n, err
}

// ArchivePurge implements backend.ArchiveBackend.
func (b *Backend) ArchivePurge(ctx context.Context, p *backend.ArchivePurgeParams) (int64, error) {
	var upto time.Time // once: what is done with meanwhile stays
	err := b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		return c.QueryRow(ctx, b.sql.ArchivePurgeBound, p.OlderThan, moment(p.At)).Scan(&upto)
	})
	if err != nil {
		return 0, err
	}
	return b.inPieces(ctx, b.sql.ArchivePurge, p.QueueID, upto)
}

// ArchiveExpire implements backend.ArchiveBackend.
func (b *Backend) ArchiveExpire(ctx context.Context, p *backend.ArchiveExpireParams) (n int64, err error) {
	err = b.transact(ctx, true, b.sql.ArchiveExpire, []any{moment(p.At)}, func(rows pgx.Rows) error {
		return each(rows, func() error { return nil }, &n)
	})
	return n, err
}

// MessageHistory implements backend.MessageBackend.
func (b *Backend) MessageHistory(ctx context.Context, p *backend.MessageHistoryParams) ([]backend.Attempt, error) {
	attempts, err := collect(ctx, b, true, readAttempt, b.sql.MessageHistory, p.ID)
	if err == nil && len(attempts) == 0 {
		_, err = b.MessageGet(ctx, &backend.MessageGetParams{ID: p.ID})
	}
	return attempts, err
}

// filter is the parameters that each query of the archive begins with.
func filter(f *backend.ArchiveFilter) []any {
	states := []string{string(backend.StateArchived), string(backend.StateDead)}
	if f.State != "" {
		states = []string{string(f.State)}
	}
	return []any{orNull(f.QueueID), states, orNull(f.WorkerID), moment(f.Since), moment(f.Until)}
}

func readArchived(row pgx.CollectableRow) (m backend.ArchivedMessage, err error) {
	var dequeuedAt *time.Time
	err = row.Scan(&m.ID, &m.QueueID, &m.Payload, &m.EnqueuedAt, &m.ProducerWorkerID, &m.Lease, &m.VT, &m.ReadCount,
		&dequeuedAt, &m.ConsumerWorkerID, &m.State, &m.ArchivedAt, &m.Error)
	if dequeuedAt != nil {
		m.DequeuedAt = *dequeuedAt
	}
	return m, err
}

func readAttempt(row pgx.CollectableRow) (a backend.Attempt, err error) {
	var endedAt *time.Time
	err = row.Scan(&a.Lease, &a.Number, &a.WorkerID, &a.StartedAt, &endedAt, &a.Outcome, &a.Error)
	if endedAt != nil {
		a.EndedAt = *endedAt
	}
	return a, err
}
