package memory

import (
	"context"
	"fmt"

	"github.com/pgqrs/pgqrs/core/backend"
)

// WorkerRegister implements backend.WorkerBackend; ErrQueueNotFound when there is
// no such queue.
func (b *Backend) WorkerRegister(ctx context.Context, p *backend.WorkerRegisterParams) (*backend.Worker, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	s, now := b.store, b.moment(p.At)
	if _, err := s.find(p.QueueID); err != nil {
		return nil, err
	}
	s.lastWorker++
	w := &backend.Worker{
		ID: s.lastWorker, Name: p.Name, QueueID: p.QueueID, Hostname: p.Hostname, Port: p.Port,
		Status: backend.WorkerReady, StartedAt: now, HeartbeatAt: now,
	}
	if w.Name == "" {
		w.Name = fmt.Sprintf("%s-%d", w.Hostname, w.ID)
	}
	s.workers[w.ID] = w
	r := *w
	return &r, nil
}

// WorkerStop implements backend.WorkerBackend. A worker that has stopped keeps
// the moment when it did.
func (b *Backend) WorkerStop(ctx context.Context, p *backend.WorkerStopParams) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	w := b.store.workers[p.ID]
	if w == nil {
		return backend.Errorf(backend.ErrWorkerNotFound, "worker %d does not exist", p.ID)
	}
	if w.Status != backend.WorkerStopped {
		w.Status, w.ShutdownAt = backend.WorkerStopped, b.moment(p.At)
	}
	return nil
}
