package pgqrs

import (
	"context"
	"slices"

	"github.com/pgqrs/pgqrs/core/backend"
)

// transition is one change of a worker's state: from one of some states to another.
// A worker that is in that state already stays in it, and that is no error.
type transition struct {
	from []backend.WorkerStatus
	to   backend.WorkerStatus
}

// The transitions of a worker, all that there are; docs/state-machine.md draws them,
// and a test compares. The backend changes a row only if its state allows it.
var (
	// polls: a stream of the worker waits for messages; rests: none does any more.
	polls = transition{[]backend.WorkerStatus{backend.WorkerReady}, backend.WorkerPolling}
	rests = transition{[]backend.WorkerStatus{backend.WorkerPolling}, backend.WorkerReady}
	// suspends: it fetches, or produces, nothing until it is resumed.
	suspends = transition{[]backend.WorkerStatus{backend.WorkerReady, backend.WorkerPolling, backend.WorkerInterrupted}, backend.WorkerSuspended}
	resumes  = transition{[]backend.WorkerStatus{backend.WorkerSuspended, backend.WorkerInterrupted}, backend.WorkerReady}
	// interrupts: its streams end, and then it is suspended.
	interrupts = transition{[]backend.WorkerStatus{backend.WorkerPolling}, backend.WorkerInterrupted}
	// stops: for good.
	stops = transition{[]backend.WorkerStatus{backend.WorkerReady, backend.WorkerPolling, backend.WorkerSuspended, backend.WorkerInterrupted}, backend.WorkerStopped}
)

// moveWorker changes the state of a worker of any process, and returns it as it is
// then; ErrStateTransition when its state does not allow it.
func (s *Store) moveWorker(ctx context.Context, id int64, t transition) (*backend.Worker, error) {
	return administer(ctx, s, func() (*backend.Worker, error) {
		defer s.workers.changing()()
		for {
			moved, err := s.backend.WorkerMove(ctx, &backend.WorkerMoveParams{IDs: []int64{id}, From: t.from, To: t.to})
			if err != nil {
				return nil, err
			}
			if len(moved) > 0 {
				s.workerIs(&moved[0])
				return &moved[0], nil
			}
			w, err := s.backend.WorkerGet(ctx, &backend.WorkerGetParams{ID: id})
			if err != nil {
				return nil, err
			}
			if slices.Contains(t.from, w.Status) {
				continue // it has changed just now
			}
			s.workerIs(w)
			if w.Status != t.to {
				return nil, backend.Errorf(ErrStateTransition, "worker %d is %s, and cannot go from there to %s", id, w.Status, t.to)
			}
			return w, nil
		}
	})
}

// workerIs takes note of what the row of a worker says. Where the worker is one of
// this store and its state has changed, by this process or another, its streams
// follow: they end when it was interrupted or stopped, and look again when it was
// resumed.
func (s *Store) workerIs(w *backend.Worker) {
	if !s.workers.changed(w) {
		return
	}
	switch w.Status {
	case backend.WorkerStopped:
		s.endStreams(w.ID, errWorker(w.ID, w.Status))
	case backend.WorkerInterrupted:
		s.endStreams(w.ID, errWorker(w.ID, w.Status))
		id := w.ID
		s.tasks.start(func() {
			if _, err := s.moveWorker(s.ctx, id, suspends); err != nil {
				s.log.Debug("an interrupted worker was not suspended", "worker_id", id, "error", err)
			}
		})
	case backend.WorkerReady, backend.WorkerPolling:
		s.hub.wakeUp(w.QueueID)
	}
}

// endStreams ends the streams that lease to a worker.
func (s *Store) endStreams(workerID int64, err error) {
	for _, st := range s.openStreams() {
		if st.worker.Load() == workerID {
			st.end(err)
		}
	}
}

// errWorker says that a worker cannot do what it is asked for in its state.
func errWorker(id int64, status backend.WorkerStatus) error {
	return backend.Errorf(ErrStateTransition, "worker %d is %s", id, status)
}
