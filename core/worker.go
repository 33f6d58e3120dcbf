package pgqrs

import (
	"context"
	"errors"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Role says what a worker does.
type Role int

// The roles of workers.
const (
	RoleProducer Role = 1
	RoleConsumer Role = 2
)

// Register makes the row of a Producer or Consumer object on a queue, which is
// made where it is missing. hostname may be empty: that of this machine.
func (s *Store) Register(ctx context.Context, role Role, queue, hostname string, port int) (*backend.Worker, error) {
	if s.isClosed() {
		return nil, errClosed()
	}
	if role != RoleProducer && role != RoleConsumer {
		return nil, errInvalid("unknown role %d of a worker", role)
	}
	if port < 0 || port > 65535 {
		return nil, errInvalid("the port must be between 0 and 65535, not %d", port)
	}
	var w *backend.Worker
	err := s.retryWhileSafe(ctx, func() error {
		return s.withQueue(ctx, queue, func(q *backend.Queue) (err error) {
			w, err = s.workers.register(ctx, s, &backend.WorkerRegisterParams{QueueID: q.ID, Hostname: hostname, Port: int32(port)}, false)
			return err
		})
	})
	return w, err
}

// Worker is what a Producer and a Consumer have in common: a row that says that they
// are there, and in which state. docs/state-machine.md draws the states.
type Worker struct {
	store *Store
	queue string
	row   *backend.Worker
}

// WorkerID is the id of its row.
func (w *Worker) WorkerID() int64 { return w.row.ID }

// Status asks for its state.
func (w *Worker) Status(ctx context.Context) (backend.WorkerStatus, error) {
	row, err := w.store.GetWorker(ctx, w.WorkerID())
	if err != nil {
		return "", err
	}
	return row.Status, nil
}

// Suspend makes a Consumer fetch nothing, and a Producer refuse to produce, until
// Resume. What a Consumer holds it keeps, and can settle.
func (w *Worker) Suspend(ctx context.Context) error {
	_, err := w.store.SuspendWorker(ctx, w.WorkerID())
	return err
}

// Resume ends a suspension.
func (w *Worker) Resume(ctx context.Context) error {
	_, err := w.store.ResumeWorker(ctx, w.WorkerID())
	return err
}

// Interrupt ends the streams that lease to it with ErrStateTransition, and suspends it.
// Only a worker that is polling can be interrupted.
func (w *Worker) Interrupt(ctx context.Context) error {
	_, err := w.store.InterruptWorker(ctx, w.WorkerID())
	return err
}

// Shutdown stops it for good. What it holds stays leased until its vt, and can still
// be settled. A second call does nothing.
func (w *Worker) Shutdown(ctx context.Context) error {
	_, err := w.store.StopWorker(ctx, w.WorkerID())
	return err
}

// Heartbeat tells at once that it is alive, which happens by itself every
// Config.HeartbeatInterval. ErrWorkerNotFound: its row is gone; ErrStateTransition:
// it has stopped.
func (w *Worker) Heartbeat(ctx context.Context) error {
	return w.store.BeatWorker(ctx, w.WorkerID())
}

// IsHealthy says whether it has not stopped and its last heartbeat is at most maxAge
// old (0: three times Config.HeartbeatInterval), by the clock of the server.
func (w *Worker) IsHealthy(ctx context.Context, maxAge time.Duration) (bool, error) {
	if maxAge == 0 {
		maxAge = 3 * w.store.config.HeartbeatInterval
	}
	row, err := w.store.GetWorker(ctx, w.WorkerID())
	if errors.Is(err, ErrWorkerNotFound) {
		return false, nil
	}
	return err == nil && row.Status != backend.WorkerStopped && row.HeartbeatAge <= maxAge, err
}
