package postgres

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// WorkerRegister implements backend.WorkerBackend. ErrQueueNotFound when there is
// no such queue.
func (b *Backend) WorkerRegister(ctx context.Context, p *backend.WorkerRegisterParams) (*backend.Worker, error) {
	status := cmp.Or(p.Status, backend.WorkerReady)
	all, err := b.workers(ctx, false, b.sql.WorkerRegister, p.Name, p.QueueID, p.Hostname, p.Port, status, moment(p.At))
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, backend.Errorf(backend.ErrQueueNotFound, "there is no queue with id %d", p.QueueID)
	}
	return &all[0], nil
}

// WorkerMove implements backend.WorkerBackend.
func (b *Backend) WorkerMove(ctx context.Context, p *backend.WorkerMoveParams) ([]backend.Worker, error) {
	return b.workers(ctx, true, b.sql.WorkerMove, p.IDs, p.From, p.To, moment(p.At))
}

// WorkerBeat implements backend.WorkerBackend.
func (b *Backend) WorkerBeat(ctx context.Context, p *backend.WorkerBeatParams) ([]backend.Worker, error) {
	all, err := b.workers(ctx, true, b.sql.WorkerBeat, p.IDs, moment(p.At))
	slices.SortFunc(all, func(x, y backend.Worker) int { return cmp.Compare(x.ID, y.ID) })
	return all, err
}

// WorkerGet implements backend.WorkerBackend.
func (b *Backend) WorkerGet(ctx context.Context, p *backend.WorkerGetParams) (*backend.Worker, error) {
	all, err := b.workers(ctx, true, b.sql.WorkerGet, p.ID, moment(p.At))
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, backend.Errorf(backend.ErrWorkerNotFound, "there is no worker with id %d", p.ID)
	}
	return &all[0], nil
}

// WorkerList implements backend.WorkerBackend.
func (b *Backend) WorkerList(ctx context.Context, p *backend.WorkerListParams) ([]backend.Worker, error) {
	var status any
	if p.Status != "" {
		status = p.Status
	}
	before := cmp.Or(p.Before, math.MaxInt64)
	return b.workers(ctx, true, b.sql.WorkerList, before, orNull(p.QueueID), status, p.Limit, moment(p.At))
}

// workers runs a query for workers.
func (b *Backend) workers(ctx context.Context, twice repeatable, sql string, args ...any) ([]backend.Worker, error) {
	return collect(ctx, b, twice, func(row pgx.CollectableRow) (w backend.Worker, err error) {
		var shutdownAt *time.Time
		err = row.Scan(&w.ID, &w.Name, &w.QueueID, &w.Hostname, &w.Port, &w.Status,
			&w.StartedAt, &w.HeartbeatAt, &w.HeartbeatAge, &shutdownAt)
		if shutdownAt != nil {
			w.ShutdownAt = *shutdownAt
		}
		return w, err
	}, sql, args...)
}

// WorkerHealth implements backend.WorkerBackend.
func (b *Backend) WorkerHealth(ctx context.Context, p *backend.WorkerHealthParams) ([]backend.WorkerHealth, error) {
	all, err := collect(ctx, b, true, func(row pgx.CollectableRow) (h backend.WorkerHealth, err error) {
		err = row.Scan(&h.QueueID, &h.Total, &h.Ready, &h.Polling, &h.Suspended, &h.Interrupted, &h.Stopped, &h.Stale)
		return h, err
	}, b.sql.WorkerHealth, orNull(p.QueueID), p.ByQueue, p.SilentFor, moment(p.At))
	if err == nil && len(all) == 0 && !p.ByQueue {
		all = []backend.WorkerHealth{{}} // nobody is there, which is a row for all, too
	}
	return all, err
}

// WorkerPurge implements backend.WorkerBackend.
func (b *Backend) WorkerPurge(ctx context.Context, p *backend.WorkerPurgeParams) (n int64, err error) {
	err = b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		done, err := c.Exec(ctx, b.sql.WorkerPurge, p.StoppedFor, p.SilentFor, p.Limit, moment(p.At))
		n = done.RowsAffected()
		return err
	})
	return n, err
}

// WorkerLeases implements backend.WorkerBackend.
func (b *Backend) WorkerLeases(ctx context.Context, p *backend.WorkerLeasesParams) ([]backend.WorkerLeases, error) {
	return collect(ctx, b, true, pgx.RowToStructByPos[backend.WorkerLeases], b.sql.WorkerLeases, orNull(p.QueueID), moment(p.At))
}

// WorkerHeld implements backend.WorkerBackend.
func (b *Backend) WorkerHeld(ctx context.Context, p *backend.WorkerHeldParams) ([]backend.Delivery, error) {
	return collect(ctx, b, true, pgx.RowToStructByPos[backend.Delivery], b.sql.WorkerHeld,
		p.QueueID, orNull(p.WorkerID), p.SilentFor, p.After.Lease, p.After.ID, p.Limit, moment(p.At))
}
