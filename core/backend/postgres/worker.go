package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// WorkerRegister implements backend.WorkerBackend. ErrQueueNotFound when there is
// no such queue.
func (b *Backend) WorkerRegister(ctx context.Context, p *backend.WorkerRegisterParams) (*backend.Worker, error) {
	var w backend.Worker
	err := b.do(ctx, false, func(ctx context.Context, c *pgxpool.Conn) error {
		err := c.QueryRow(ctx, b.sql.WorkerRegister, p.Name, p.QueueID, p.Hostname, p.Port, moment(p.At)).
			Scan(&w.ID, &w.Name, &w.QueueID, &w.Hostname, &w.Port, &w.Status, &w.StartedAt, &w.HeartbeatAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return backend.Errorf(backend.ErrQueueNotFound, "there is no queue with id %d", p.QueueID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &w, nil
}

// WorkerStop implements backend.WorkerBackend. A second stop changes nothing.
func (b *Backend) WorkerStop(ctx context.Context, p *backend.WorkerStopParams) error {
	return b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		done, err := c.Exec(ctx, b.sql.WorkerStop, p.ID, moment(p.At))
		if err == nil && done.RowsAffected() == 0 {
			return backend.Errorf(backend.ErrWorkerNotFound, "there is no worker with id %d", p.ID)
		}
		return err
	})
}
