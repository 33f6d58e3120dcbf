package pgqrs

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// StreamOptions say how a stream fetches and what it keeps alive. The zero value
// is what consume_iter means: adaptive fetches, the store's vt, and delivered
// messages left alone.
type StreamOptions struct {
	// BatchSize bounds what is leased and not delivered; 0: adapts, up to 1000.
	BatchSize int
	// VT is the visibility timeout, MinVT … MaxVT; 0: the queue's own, or
	// Config.DefaultLockTime.
	VT time.Duration
	// KeepDelivered keeps delivered messages alive until they are settled, for
	// at most MaxLease after delivery (0: Config.MaxLease).
	KeepDelivered bool
	MaxLease      time.Duration
	// WorkerID is the consumer, registered by the same store, to which the stream leases;
	// what it delivers can be settled by id through that one alone. 0: a worker of the
	// store's own, which all its streams of a queue share.
	WorkerID int64
	// UntilEmpty ends the stream when no message is ready, all that it fetched is
	// delivered and, with KeepDelivered, settled.
	UntilEmpty bool
}

// Stream is a sequence of batches from one queue, fetched ahead of the reader.
// One goroutine calls Next; any may call Close.
type Stream struct {
	store   *Store
	queue   string
	options StreamOptions

	ended     chan struct{} // Close was called, the store closes, or the queue is empty
	wake      chan struct{} // something may have become ready
	over      chan struct{} // a batch may be over
	abandoned atomic.Bool   // delivered messages are kept no more
	worker    atomic.Int64  // to which it leases; 0: none yet

	mu       sync.Mutex
	isEnded  bool
	err      error  // why it ended; nil: normally. It stays once ended is closed.
	hears    int64  // the queue whose wake-ups it hears; 0: none yet
	deafen   func() // ends that
	live     map[*Batch]struct{}
	fetching *fetch
	size     adaptiveSize
	budget   byteBudget
}

// fetch is one dequeue on its way. It is not tied to the reader's context: what
// it leases is kept for the reader's next call.
type fetch struct {
	done  chan struct{}
	batch *Batch        // nil: none was ready
	full  bool          // then: the reader has not come round to what it has
	next  time.Duration // else: when the next becomes ready; negative: unknown
	told  bool          // and somebody will wake us
	busy  bool          // UntilEmpty: not all was done that was delivered before
	err   error
}

// fullPause is how long a reader that asks for more than it may hold waits.
const fullPause = 10 * time.Millisecond

// OpenStream opens a stream of deliveries. It does not block: the queue is found,
// or made, when Next fetches first.
func (s *Store) OpenStream(queue string, o StreamOptions) (*Stream, error) {
	if err := validateQueueName(queue); err != nil {
		return nil, err
	}
	if o.MaxLease == 0 {
		o.MaxLease = s.config.MaxLease
	}
	if err := validateFetch(o.BatchSize, o.VT); err != nil {
		return nil, err
	}
	if o.WorkerID != 0 && !s.workers.has(o.WorkerID) && !s.isClosed() {
		return nil, backend.Errorf(ErrWorkerNotFound, "worker %d is not registered by this store", o.WorkerID)
	}
	st := &Stream{
		store: s, queue: queue, options: o, live: make(map[*Batch]struct{}),
		ended: make(chan struct{}), wake: make(chan struct{}, 1), over: make(chan struct{}, 1),
		budget: byteBudget{most: s.config.MaxPrefetchBytes},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed() {
		return nil, errClosed()
	}
	s.streams[st] = struct{}{}
	return st, nil
}

func validateFetch(limit int, vt time.Duration) error {
	if limit < 0 || limit > MaxBatchSize {
		return errInvalid("the batch size must be between 1 and %d, not %d", MaxBatchSize, limit)
	}
	if vt != 0 && (vt < MinVT || vt > MaxVT) {
		return errInvalid("vt must be between 0.1 s and 7 days, not %v", vt)
	}
	return nil
}

// Next returns the next batch as soon as messages are ready. io.EOF: the stream or
// the store was closed, or the queue is empty (UntilEmpty). A lost connection does
// not end the stream. When ctx ends first nothing is lost: what is being fetched
// comes with the next call, or goes back at Close.
func (st *Stream) Next(ctx context.Context) (*Batch, error) {
	reconnect := reconnectBackoff()
	poll := &backoff{first: firstPoll, most: slowestPoll}
	for {
		f, err := st.await(ctx)
		if err != nil {
			return nil, err
		}
		if f.err == nil && !f.full {
			st.store.outage.worked()
		}
		switch {
		case f.batch != nil:
			return f.batch, nil
		case f.err != nil:
			st.recover(ctx, f.err, reconnect)
			continue
		case f.full:
			st.wait(ctx, nil, fullPause)
			continue
		}
		reconnect.reset()
		if st.options.UntilEmpty && !f.busy {
			st.end(nil)
			continue
		}
		st.wait(ctx, st.wake, patience(f.told, f.next, poll))
	}
}

// await returns the fetch on its way, or starts one, and waits for it.
func (st *Stream) await(ctx context.Context) (*fetch, error) {
	st.mu.Lock()
	if st.isEnded {
		defer st.mu.Unlock()
		return nil, st.endError()
	}
	if ctx.Err() != nil { // lease nothing for a reader that is gone
		st.mu.Unlock()
		return nil, contextError(ctx)
	}
	f := st.fetching
	if f == nil {
		f = &fetch{done: make(chan struct{})}
		st.fetching = f
		if !st.store.tasks.start(func() { defer close(f.done); st.fetch(f) }) {
			f.err = errClosed()
			close(f.done)
		}
	}
	st.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, contextError(ctx)
	case <-st.ended:
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.isEnded {
		return nil, st.endError() // Close gives back what was fetched
	}
	st.fetching = nil
	return f, nil
}

// fetch leases what the reader has room for.
func (st *Stream) fetch(f *fetch) {
	st.awaitNoSuspect()
	limit, bytes := st.room()
	if f.full = limit <= 0; f.full {
		return
	}
	f.busy = st.isBusy()
	s := st.store
	f.err = s.withQueue(s.ctx, st.queue, func(q *backend.Queue) error {
		st.subscribe(q.ID)
		worker, may, err := st.lessee(q)
		if !may {
			f.next, f.told = -1, true // when it is resumed
			return err
		}
		p := &backend.MessageDequeueParams{QueueID: q.ID, WorkerID: worker, Limit: limit, MaxBytes: bytes, VT: st.options.VT}
		looked := time.Now()
		f.batch, f.next, err = st.dequeue(p)
		if err != nil || f.batch != nil || st.options.UntilEmpty && !f.busy {
			return err
		}
		var fresh bool
		if fresh, f.told = s.waker.announce(s.ctx, q.ID, looked); fresh {
			// The rule: dequeue once more after it was said that we sleep.
			f.batch, f.next, err = st.dequeue(p)
		}
		return err
	})
	if f.batch != nil && f.batch.suspect {
		st.awaitAlone(f.batch)
	}
}

// lessee returns the worker to lease to, which is polling then, and whether it may
// fetch. One whose row was purged is replaced.
func (st *Stream) lessee(q *backend.Queue) (worker int64, may bool, err error) {
	s := st.store
	for {
		if worker = st.options.WorkerID; worker == 0 {
			worker, err = s.workers.ofStream(s.ctx, s, q)
		} else if s.ledger.queueOf(worker) != q.ID {
			err = backend.Errorf(ErrWorkerNotFound, "worker %d is not one of the queue %q", worker, q.Name)
		}
		if err != nil {
			return 0, false, err
		}
		st.worker.Store(worker)
		status := s.workers.status(worker)
		if status == backend.WorkerReady {
			_, err = s.moveWorker(s.ctx, worker, polls)
			switch {
			case errors.Is(err, ErrWorkerNotFound):
				s.workers.forget(worker)
				continue
			case errors.Is(err, ErrStateTransition): // another process was faster
				continue
			case err != nil:
				return 0, false, err
			}
		}
		if status == backend.WorkerStopped || status == backend.WorkerInterrupted {
			return 0, false, errWorker(worker, status)
		}
		return worker, works(status), nil
	}
}

// dequeue waits for its turn, and notes what it leased.
func (st *Stream) dequeue(p *backend.MessageDequeueParams) (*Batch, time.Duration, error) {
	release := st.store.turns.take(p.QueueID)
	defer release()
	b, next, err := st.store.dequeue(st, p)
	if b != nil {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.live[b] = struct{}{}
		st.size.fetched(len(b.ids) >= p.Limit)
		st.budget.fetched(len(b.ids), b.bytes)
	}
	return b, next, err
}

// subscribe hears of messages in the queue from now on.
func (st *Stream) subscribe(queueID int64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.isEnded || st.hears == queueID {
		return
	}
	if st.deafen != nil { // the queue was deleted and made anew
		st.deafen()
	}
	st.hears, st.deafen = queueID, st.store.hub.subscribe(queueID, st.wake)
}

// room is how many more messages, and how many bytes of them, may be leased ahead of
// the reader.
func (st *Stream) room() (messages int, bytes int64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	held, heldBytes := 0, int64(0)
	for b := range st.live {
		n := b.undelivered()
		held += n
		if n > 0 {
			heldBytes += b.bytes // to the last message it lies in memory as a whole
		} else if b.isOver() {
			delete(st.live, b)
		}
	}
	if st.options.BatchSize > 0 {
		messages = st.options.BatchSize - held
	} else {
		// While the reader works on one fetch the next may be leased.
		messages = min(st.size.next()-held/2, largestFetch-held)
	}
	fit, bytes := st.budget.fits(heldBytes)
	if held == 0 {
		fit = max(fit, 1) // one at least, however long it is
	}
	return min(messages, fit), max(bytes, 1)
}

// isBusy says of a stream with UntilEmpty whether it delivered, or has yet to
// deliver, what is not done.
func (st *Stream) isBusy() bool {
	if !st.options.UntilEmpty {
		return false
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for b := range st.live {
		if !b.isOver() {
			return true
		}
	}
	return false
}

// batchEnded is called when a batch of this stream may be over.
func (st *Stream) batchEnded() {
	poke(st.over)
	if st.options.UntilEmpty {
		poke(st.wake)
	}
}

// poke wakes whoever waits for a signal, of which one is enough.
func poke(signal chan<- struct{}) {
	select {
	case signal <- struct{}{}:
	default: // it is there already
	}
}

// recover waits after a failed fetch, or ends the stream when waiting cannot help.
func (st *Stream) recover(ctx context.Context, err error, reconnect *backoff) {
	switch {
	case errors.Is(err, ErrClosed) || st.store.isClosed():
		st.end(nil)
	case !transient(err):
		st.end(err)
	default:
		st.store.outage.failed("fetching messages", err)
		st.wait(ctx, nil, reconnect.delay())
	}
}

// wait sleeps until the signal, the end of the stream or of ctx, or d.
func (st *Stream) wait(ctx context.Context, signal <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-signal:
	case <-t.C:
	case <-st.ended:
	case <-ctx.Done():
	}
}

// end makes Next return io.EOF, or err.
func (st *Stream) end(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.isEnded {
		return
	}
	st.isEnded, st.err = true, err
	close(st.ended)
	if st.deafen != nil {
		st.deafen()
	}
}

func (st *Stream) endError() error {
	if st.err != nil {
		return st.err
	}
	return io.EOF
}

// Close ends the stream and gives back what was not delivered, in its old place
// and with read_ct as before. What was delivered is kept no more: its lease ends at
// its vt. It returns when the server has answered, or ctx has ended. A second call
// does nothing.
func (st *Stream) Close(ctx context.Context) error {
	defer st.store.forget(st)
	st.end(nil)
	st.abandoned.Store(true)
	return st.drain(ctx)
}

// drain gives back what a stream that has ended fetched and did not deliver.
func (st *Stream) drain(ctx context.Context) error {
	st.mu.Lock()
	f := st.fetching
	st.fetching = nil
	st.mu.Unlock()
	if f != nil {
		select {
		case <-f.done:
		case <-ctx.Done():
			st.store.tasks.start(func() { <-f.done; st.store.logGiveBack(nil, st.giveBack(st.store.ctx)) })
			return contextError(ctx)
		}
	}
	return st.giveBack(ctx)
}

// giveBack releases what nobody was handed, and waits for what its freed batches
// gave back before: those are in the same lane, in front of it.
func (st *Stream) giveBack(ctx context.Context) error {
	st.mu.Lock()
	back := make(map[int64][]backend.Delivery, 1) // by queue, which may have been made anew
	if st.hears != 0 {
		back[st.hears] = nil
	}
	for b := range st.live {
		back[b.QueueID] = append(back[b.QueueID], b.takeUndelivered()...)
	}
	clear(st.live)
	st.mu.Unlock()
	var failed error
	for queueID, deliveries := range back {
		_, err := st.store.settleInTurn(ctx, settlement{verb: releasing, queueID: queueID, undelivered: true}, deliveries)
		failed = errors.Join(failed, err)
	}
	return failed
}

func (s *Store) forget(st *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, st)
}
