package pgqrs

import (
	"context"
	"os"
	"slices"
	"sync"

	"github.com/pgqrs/pgqrs/core/backend"
)

// workers are the rows that this store has made: one per Producer and Consumer
// object, and one per queue for what streams deliver.
type workers struct {
	mu      sync.Mutex
	streams map[int64]int64           // by queue
	own     map[int64]*backend.Worker // as far as we know; not those whose row is gone
	all     []int64                   // theirs too
	changes int64                     // counts beginnings and ends of changes of state
	beating bool
	stopped bool // the store closes
}

func (ws *workers) register(ctx context.Context, s *Store, p *backend.WorkerRegisterParams, forStreams bool) (*backend.Worker, error) {
	if p.Hostname == "" {
		p.Hostname, _ = os.Hostname() // an empty name is one, too
	}
	w, err := s.backend.WorkerRegister(ctx, p)
	if err != nil {
		return nil, err
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.stopped {
		return nil, errClosed()
	}
	s.ledger.addWorker(w.ID, w.QueueID, forStreams)
	if ws.own == nil {
		ws.own, ws.streams = make(map[int64]*backend.Worker), make(map[int64]int64)
	}
	known := *w
	ws.own[w.ID] = &known
	ws.all = append(ws.all, w.ID)
	if forStreams {
		ws.streams[w.QueueID] = w.ID
	}
	if !ws.beating {
		ws.beating = s.tasks.start(s.beat)
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
	w, err := ws.register(ctx, s, &backend.WorkerRegisterParams{QueueID: q.ID, Status: backend.WorkerPolling}, true)
	if err != nil {
		return 0, err
	}
	return w.ID, nil
}

// has says whether this store has registered a worker, be its row gone or not.
func (ws *workers) has(id int64) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return slices.Contains(ws.all, id)
}

// status is the state of a worker of this store as far as we know, which is as of
// the last heartbeat where another process has changed it. One that has no row any
// more works on.
func (ws *workers) status(id int64) backend.WorkerStatus {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w := ws.own[id]; w != nil {
		return w.Status
	}
	return backend.WorkerPolling
}

// changing says that the state of a worker may be about to change, until the
// function that it returns is called. What a heartbeat that was on its way meanwhile
// says of states may be older than the change.
func (ws *workers) changing() (finished func()) {
	count := func() {
		ws.mu.Lock()
		defer ws.mu.Unlock()
		ws.changes++
	}
	count()
	return count
}

func (ws *workers) countChanges() int64 {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.changes
}

// changed takes note of a row, and says whether it is of a worker of this store
// whose state is another now. Streams that begin after theirs was stopped are given
// another worker.
func (ws *workers) changed(w *backend.Worker) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	known := ws.own[w.ID]
	if known == nil || known.Status == w.Status {
		return false
	}
	known.Status = w.Status
	if w.Status == backend.WorkerStopped && ws.streams[w.QueueID] == w.ID {
		delete(ws.streams, w.QueueID)
	}
	return true
}

// running lists the workers of this store that have not stopped.
func (ws *workers) running() []int64 {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var ids []int64
	for id, w := range ws.own {
		if w.Status != backend.WorkerStopped {
			ids = append(ids, id)
		}
	}
	return ids
}

// forget takes note that the row of a worker is gone. What the worker holds can still
// be settled. Streams are given another one.
func (ws *workers) forget(id int64) (was bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.own[id]
	if w == nil {
		return false
	}
	delete(ws.own, id)
	if ws.streams[w.QueueID] == id {
		delete(ws.streams, w.QueueID)
	}
	return true
}

// stopAll marks the rows stopped, as far as ctx lasts.
func (ws *workers) stopAll(ctx context.Context, s *Store) {
	ids := ws.running()
	if len(ids) > 0 && ctx.Err() == nil {
		p := &backend.WorkerMoveParams{IDs: ids, From: stops.from, To: stops.to}
		if _, err := s.backend.WorkerMove(ctx, p); err != nil {
			s.log.Debug("the rows of workers were not marked stopped", "workers", ids, "error", err)
		}
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, id := range ws.all {
		s.ledger.removeWorker(id)
	}
	ws.own, ws.streams, ws.all, ws.stopped = nil, nil, nil, true
}
