package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// MessageGet implements backend.MessageBackend.
func (b *Backend) MessageGet(ctx context.Context, p *backend.MessageGetParams) (*backend.MessageRecord, error) {
	all, err := collect(ctx, b, true, readMessage, b.sql.MessageGet, p.ID)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, backend.Errorf(backend.ErrMessageNotFound, "there is no message with id %d", p.ID)
	}
	return &all[0], nil
}

// MessageList implements backend.MessageBackend.
func (b *Backend) MessageList(ctx context.Context, p *backend.MessageListParams) ([]backend.MessageRecord, error) {
	var state any
	if p.State != "" {
		state = p.State
	}
	return collect(ctx, b, true, readMessage, b.sql.MessageList, p.QueueID, state, p.After, p.Limit, moment(p.At))
}

// MessageSeize implements backend.MessageBackend.
func (b *Backend) MessageSeize(ctx context.Context, p *backend.MessageSeizeParams) (*backend.MessageSeizeResult, error) {
	var r backend.MessageSeizeResult
	known := false
	args := []any{p.ID, p.Delete, p.FromHolder, moment(p.At)}
	err := b.transact(ctx, false, b.sql.MessageSeize, args, func(rows pgx.Rows) error {
		return each(rows, func() error { known = true; return nil }, &r.QueueID, &r.State, &r.Done)
	})
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, backend.Errorf(backend.ErrMessageNotFound, "there is no message with id %d", p.ID)
	}
	return &r, nil
}

// readMessage reads the columns that every query for messages has.
func readMessage(row pgx.CollectableRow) (m backend.MessageRecord, err error) {
	var dequeuedAt, archivedAt *time.Time
	err = row.Scan(&m.ID, &m.QueueID, &m.Payload, &m.EnqueuedAt, &m.ProducerWorkerID, &m.Lease, &m.VT, &m.ReadCount,
		&dequeuedAt, &m.ConsumerWorkerID, &m.State, &archivedAt)
	if dequeuedAt != nil {
		m.DequeuedAt = *dequeuedAt
	}
	if archivedAt != nil {
		m.ArchivedAt = *archivedAt
	}
	return m, err
}

// MessageCount implements backend.MessageBackend.
func (b *Backend) MessageCount(ctx context.Context, p *backend.MessageCountParams) (*backend.MessageCounts, error) {
	var n backend.MessageCounts
	err := b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		return c.QueryRow(ctx, b.sql.MessageCount, p.QueueID, moment(p.At)).
			Scan(&n.Ready, &n.Delayed, &n.Leased, &n.Archived, &n.Dead)
	})
	if err != nil {
		return nil, err
	}
	return &n, nil
}
