package pgqrs

import (
	"context"
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// DequeueBatch leases up to limit ready messages (0: the store's default) for vt
// (0: the queue's own, or the store's default) to a registered consumer, in delivery
// order. It does not wait for messages: nil and no error when none is ready. When ctx
// ends first, what is leased goes back.
func (s *Store) DequeueBatch(ctx context.Context, workerID int64, limit int, vt time.Duration) (*Batch, error) {
	type result struct {
		batch *Batch
		err   error
	}
	c := make(chan result, 1)
	s.DequeueAsync(ctx, workerID, limit, vt, func(b *Batch, err error) { c <- result{b, err} })
	select {
	case r := <-c:
		return r.batch, r.err
	case <-ctx.Done():
		s.tasks.start(func() {
			if r := <-c; r.batch != nil {
				r.batch.Free()
			}
		})
		return nil, contextError(ctx)
	}
}

// DequeueAsync is DequeueBatch, but returns at once. done is called exactly once, from
// another goroutine or, when the call is refused at once, from this one. When ctx ends
// first it still gets what was leased by then.
func (s *Store) DequeueAsync(ctx context.Context, workerID int64, limit int, vt time.Duration, done func(*Batch, error)) {
	p, err := s.dequeueParams(workerID, limit, vt)
	if err != nil || !works(s.workers.status(workerID)) {
		// For one that is suspended there is no message, as in a queue that is paused:
		// a loop that asks again and again need not know of it.
		done(nil, err)
		return
	}
	started := s.tasks.start(func() {
		var b *Batch
		err := s.retryWhileSafe(ctx, func() (err error) {
			b, _, err = s.dequeue(nil, p)
			return err
		})
		done(b, err)
	})
	if !started {
		done(nil, errClosed())
	}
}

// dequeueParams checks the arguments of a consumer's dequeue.
func (s *Store) dequeueParams(workerID int64, limit int, vt time.Duration) (*backend.MessageDequeueParams, error) {
	if s.isClosed() {
		return nil, errClosed()
	}
	if limit == 0 {
		limit = s.config.DefaultMaxBatchSize
	}
	if err := validateFetch(limit, vt); err != nil {
		return nil, err
	}
	queueID := s.ledger.queueOf(workerID)
	if queueID == 0 {
		return nil, backend.Errorf(ErrWorkerNotFound, "worker %d is not registered in this process", workerID)
	}
	if status := s.workers.status(workerID); status == backend.WorkerStopped {
		return nil, errWorker(workerID, status)
	}
	return &backend.MessageDequeueParams{QueueID: queueID, WorkerID: workerID, Limit: limit, VT: vt}, nil
}

// works says whether a worker in that state leases, or produces, messages.
func works(status backend.WorkerStatus) bool {
	return status == backend.WorkerReady || status == backend.WorkerPolling
}

// dequeue leases messages and makes them known to the ledger and the keeper. When
// none is ready, next says how long until one becomes so; negative: unknown.
func (s *Store) dequeue(st *Stream, p *backend.MessageDequeueParams) (b *Batch, next time.Duration, err error) {
	p.DefaultVT, p.MaxReadCount = s.config.DefaultLockTime, s.config.MaxReadCount
	asked := time.Now()
	r, err := s.backend.MessageDequeue(s.ctx, p)
	if err != nil {
		return nil, 0, err
	}
	s.logDead(p.QueueID, r.Dead)
	if len(r.Messages) == 0 {
		if !r.HasNext {
			return nil, -1, nil
		}
		return nil, r.NextDue, nil
	}
	b = newBatch(s, st, p, r, asked)
	s.ledger.add(b)
	s.keeper.add(b)
	if len(r.Excess) > 0 { // now: the next dequeue would pass them over
		_, err = s.settleInTurn(s.ctx, settlement{verb: releasing, queueID: p.QueueID, undelivered: true}, r.Excess)
		s.logGiveBack(nil, err)
	}
	return b, 0, nil
}

// turns lets one fetch at a time into a queue: many claimers of one process on
// one head only slow each other down.
type turns struct {
	mu sync.Mutex
	by map[int64]*sync.Mutex
}

// take waits for the turn and returns what ends it.
func (t *turns) take(queueID int64) (release func()) {
	t.mu.Lock()
	if t.by == nil {
		t.by = make(map[int64]*sync.Mutex)
	}
	m := t.by[queueID]
	if m == nil {
		m = new(sync.Mutex)
		t.by[queueID] = m
	}
	t.mu.Unlock()
	m.Lock()
	return m.Unlock
}
