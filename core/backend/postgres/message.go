package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// MessageGet implements backend.MessageBackend.
func (b *Backend) MessageGet(ctx context.Context, p *backend.MessageGetParams) (*backend.MessageRecord, error) {
	var m backend.MessageRecord
	var dequeuedAt, archivedAt *time.Time
	err := b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		err := c.QueryRow(ctx, b.sql.MessageGet, p.ID).Scan(
			&m.ID, &m.QueueID, &m.Payload, &m.EnqueuedAt, &m.ProducerWorkerID, &m.Lease, &m.VT, &m.ReadCount,
			&dequeuedAt, &m.ConsumerWorkerID, &m.State, &archivedAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return backend.Errorf(backend.ErrMessageNotFound, "there is no message with id %d", p.ID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if dequeuedAt != nil {
		m.DequeuedAt = *dequeuedAt
	}
	if archivedAt != nil {
		m.ArchivedAt = *archivedAt
	}
	return &m, nil
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
