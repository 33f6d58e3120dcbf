package pgqrs

import (
	"context"
	"os"
	"sync"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Role says what a worker does.
type Role int

// The roles of workers.
const (
	RoleProducer Role = 1
	RoleConsumer Role = 2
)

// workers are the rows that this store has made: one per Producer and Consumer
// object, and one per queue for what streams deliver.
type workers struct {
	mu      sync.Mutex
	streams map[int64]int64 // by queue
	all     []int64
	stopped bool // the store closes
}

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
			w, err = s.workers.register(ctx, s, q, hostname, int32(port), false)
			return err
		})
	})
	return w, err
}

func (ws *workers) register(ctx context.Context, s *Store, q *backend.Queue, hostname string, port int32, forStreams bool) (*backend.Worker, error) {
	if hostname == "" {
		hostname, _ = os.Hostname() // an empty name is one, too
	}
	w, err := s.backend.WorkerRegister(ctx, &backend.WorkerRegisterParams{QueueID: q.ID, Hostname: hostname, Port: port})
	if err != nil {
		return nil, err
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.stopped {
		return nil, errClosed()
	}
	s.ledger.addWorker(w.ID, q.ID, forStreams)
	ws.all = append(ws.all, w.ID)
	if forStreams {
		if ws.streams == nil {
			ws.streams = make(map[int64]int64)
		}
		ws.streams[q.ID] = w.ID
	}
	return w, nil
}

// ofStream returns the worker to which the streams of this store on that queue
// lease; made at the first fetch.
func (ws *workers) ofStream(ctx context.Context, s *Store, q *backend.Queue) (int64, error) {
	release := s.turns.take(q.ID) // two streams that start make one row
	defer release()
	ws.mu.Lock()
	id := ws.streams[q.ID]
	ws.mu.Unlock()
	if id != 0 {
		return id, nil
	}
	w, err := ws.register(ctx, s, q, "", 0, true)
	if err != nil {
		return 0, err
	}
	return w.ID, nil
}

// stopAll marks the rows stopped, as far as ctx lasts.
func (ws *workers) stopAll(ctx context.Context, s *Store) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, id := range ws.all {
		if ctx.Err() == nil {
			if err := s.backend.WorkerStop(ctx, &backend.WorkerStopParams{ID: id}); err != nil {
				s.log.Debug("the row of a worker was not marked stopped", "worker_id", id, "error", err)
			}
		}
		s.ledger.removeWorker(id)
	}
	ws.all, ws.streams, ws.stopped = nil, nil, true
}
