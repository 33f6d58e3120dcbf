package pgqrs

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// StaleAfter is the age of a heartbeat from which on a worker is taken for dead
// where nothing else is said.
const StaleAfter = time.Minute

// GetWorker returns a worker, or ErrWorkerNotFound.
func (s *Store) GetWorker(ctx context.Context, id int64) (*backend.Worker, error) {
	return administer(ctx, s, func() (*backend.Worker, error) {
		return s.backend.WorkerGet(ctx, &backend.WorkerGetParams{ID: id})
	})
}

// WorkerFilter says of which workers to list a page.
type WorkerFilter struct {
	Queue  string               // empty: of all queues
	Status backend.WorkerStatus // empty: in any state
	Before int64                // those with lower ids; 0: from the newest on
	Limit  int                  // 1 … MaxPage
}

// ListWorkers returns workers, the newest first. The last id of a page leads to the
// next.
func (s *Store) ListWorkers(ctx context.Context, f WorkerFilter) ([]backend.Worker, error) {
	if f.Limit < 1 || f.Limit > MaxPage {
		return nil, errInvalid("limit must be between 1 and %d, not %d", MaxPage, f.Limit)
	}
	if f.Before < 0 {
		return nil, errInvalid("before must not be negative")
	}
	if f.Status != "" && !isWorkerStatus(f.Status) {
		return nil, errInvalid("there is no state %q of a worker", f.Status)
	}
	queueID, err := s.queueToAsk(ctx, f.Queue)
	if err != nil {
		return nil, err
	}
	return administer(ctx, s, func() ([]backend.Worker, error) {
		return s.backend.WorkerList(ctx, &backend.WorkerListParams{
			QueueID: queueID, Status: f.Status, Before: f.Before, Limit: f.Limit,
		})
	})
}

func isWorkerStatus(status backend.WorkerStatus) bool {
	return status == stops.to || slices.Contains(stops.from, status)
}

// queueToAsk is the id of a queue of that name; 0, which is all, where it is empty.
func (s *Store) queueToAsk(ctx context.Context, name string) (int64, error) {
	if name == "" {
		return 0, nil
	}
	q, err := s.GetQueue(ctx, name)
	if err != nil {
		return 0, err
	}
	return q.ID, nil
}

// CheckWorkers counts workers by their state, of one queue or, where its name is
// empty, of all, in one row or a row per queue. A worker that has not stopped and
// was not heard of for staleAfter (0: StaleAfter) is stale.
func (s *Store) CheckWorkers(ctx context.Context, queue string, byQueue bool, staleAfter time.Duration) ([]backend.WorkerHealth, error) {
	if staleAfter == 0 {
		staleAfter = StaleAfter
	}
	if err := validateAge(staleAfter); err != nil {
		return nil, err
	}
	queueID, err := s.queueToAsk(ctx, queue)
	if err != nil {
		return nil, err
	}
	return administer(ctx, s, func() ([]backend.WorkerHealth, error) {
		return s.backend.WorkerHealth(ctx, &backend.WorkerHealthParams{QueueID: queueID, ByQueue: byQueue, SilentFor: staleAfter})
	})
}

func validateAge(age time.Duration) error {
	if age < 0 || age > MaxRetention {
		return errInvalid("an age must be between 0 s and 100 years, not %v", age)
	}
	return nil
}

// LeasesByWorker counts what workers hold, those that hold anything, of one queue or,
// where its name is empty, of all: one row for each worker and queue.
func (s *Store) LeasesByWorker(ctx context.Context, queue string) ([]backend.WorkerLeases, error) {
	queueID, err := s.queueToAsk(ctx, queue)
	if err != nil {
		return nil, err
	}
	return administer(ctx, s, func() ([]backend.WorkerLeases, error) {
		return s.backend.WorkerLeases(ctx, &backend.WorkerLeasesParams{QueueID: queueID})
	})
}

// SuspendWorker, ResumeWorker, InterruptWorker and StopWorker change the state of a
// worker of any process, and return it as it is then: see Worker. Another process
// follows at its next heartbeat.
func (s *Store) SuspendWorker(ctx context.Context, id int64) (*backend.Worker, error) {
	return s.moveWorker(ctx, id, suspends)
}

// ResumeWorker ends a suspension: see SuspendWorker.
func (s *Store) ResumeWorker(ctx context.Context, id int64) (*backend.Worker, error) {
	return s.moveWorker(ctx, id, resumes)
}

// InterruptWorker ends the streams of a worker: see SuspendWorker.
func (s *Store) InterruptWorker(ctx context.Context, id int64) (*backend.Worker, error) {
	return s.moveWorker(ctx, id, interrupts)
}

// StopWorker stops a worker for good: see SuspendWorker.
func (s *Store) StopWorker(ctx context.Context, id int64) (*backend.Worker, error) {
	return s.moveWorker(ctx, id, stops)
}

// BeatWorker tells at once that a worker is alive: see Worker.Heartbeat.
func (s *Store) BeatWorker(ctx context.Context, id int64) error {
	alive, err := administer(ctx, s, func() ([]backend.Worker, error) {
		return s.backend.WorkerBeat(ctx, &backend.WorkerBeatParams{IDs: []int64{id}})
	})
	switch {
	case err != nil:
		return err
	case len(alive) == 0:
		return backend.Errorf(ErrWorkerNotFound, "there is no worker with id %d", id)
	case alive[0].Status == backend.WorkerStopped:
		return errWorker(id, alive[0].Status)
	}
	return nil
}

// PurgeWorkers deletes the rows of workers that stopped, or were not heard of, at
// least olderThan ago, and returns how many. Messages go on naming them. A worker
// that was only slow works on without a row.
func (s *Store) PurgeWorkers(ctx context.Context, olderThan time.Duration) (int64, error) {
	if err := validateAge(olderThan); err != nil {
		return 0, err
	}
	return administer(ctx, s, func() (int64, error) {
		const pieces = 1 << 20 // each takes something away
		return s.purgeWorkers(ctx, olderThan, olderThan, pieces)
	})
}

// ReleaseWorkerMessages makes everything ready again that is leased to a worker of
// any process, and returns how many messages that were: 0 when there is no such
// worker. The worker cannot settle them any more, and may go on.
func (s *Store) ReleaseWorkerMessages(ctx context.Context, id int64) (int64, error) {
	w, err := s.GetWorker(ctx, id)
	if err != nil {
		if errors.Is(err, ErrWorkerNotFound) {
			err = nil
		}
		return 0, err
	}
	return s.releaseHeld(ctx, backend.WorkerHeldParams{QueueID: w.QueueID, WorkerID: id})
}

// ReclaimMessages makes everything ready again that is leased from a queue to
// workers that have not stopped and were not heard of for olderThan (0: StaleAfter),
// and returns how many messages that were. It need not be called, for each comes
// again when its vt has passed; it spares the wait where that is long.
func (s *Store) ReclaimMessages(ctx context.Context, queue string, olderThan time.Duration) (int64, error) {
	if olderThan == 0 {
		olderThan = StaleAfter
	}
	if err := validateAge(olderThan); err != nil {
		return 0, err
	}
	q, err := s.GetQueue(ctx, queue)
	if err != nil {
		return 0, err
	}
	return s.releaseHeld(ctx, backend.WorkerHeldParams{QueueID: q.ID, SilentFor: olderThan})
}

// releaseHeld releases what is asked for, piece by piece, in order of the leases.
func (s *Store) releaseHeld(ctx context.Context, p backend.WorkerHeldParams) (total int64, err error) {
	for p.Limit = settleFlight; ; {
		held, err := administer(ctx, s, func() ([]backend.Delivery, error) { return s.backend.WorkerHeld(ctx, &p) })
		if err != nil || len(held) == 0 {
			return total, err
		}
		released, err := s.Release(ctx, Target{QueueID: p.QueueID, Deliveries: held}, 0)
		if err != nil {
			return total, err
		}
		for _, was := range released {
			if was {
				total++
			}
		}
		p.After = held[len(held)-1]
	}
}
