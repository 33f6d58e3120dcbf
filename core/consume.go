package pgqrs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Handler works on one message. nil archives it. An error, or a panic, is logged and
// kept in the history of the message, which is ready again when the retry policy says,
// or a vt later; or dead, when it was delivered as often as it may be. The message is kept alive while the
// handler runs, for at most Config.MaxLease.
type Handler func(ctx context.Context, m *Message) error

// DequeueBuilder collects how to consume a queue: see Dequeue.
type DequeueBuilder struct {
	queue       string
	handler     Handler
	concurrency int
	shutdown    time.Duration
	retry       backend.RetryPolicy
	retryAfter  func(m *Message, err error) time.Duration
	options     StreamOptions
}

// Dequeue begins a consume loop:
//
//	err := pgqrs.Dequeue().From("tasks").Handle(work).Execute(ctx, store)
func Dequeue() *DequeueBuilder {
	return &DequeueBuilder{concurrency: 1, shutdown: 30 * time.Second, options: StreamOptions{KeepDelivered: true}}
}

// From names the queue.
func (b *DequeueBuilder) From(queue string) *DequeueBuilder { b.queue = queue; return b }

// Worker makes the loop lease to a consumer of the same store, from its queue:
// Interrupt, Suspend and Shutdown of that one are about the loop, too.
func (b *DequeueBuilder) Worker(c *Consumer) *DequeueBuilder {
	b.queue, b.options.WorkerID = c.queue, c.WorkerID()
	return b
}

// Handle sets the handler.
func (b *DequeueBuilder) Handle(h Handler) *DequeueBuilder { b.handler = h; return b }

// Batch bounds what is leased ahead of the handlers; by default it adapts.
func (b *DequeueBuilder) Batch(n int) *DequeueBuilder { b.options.BatchSize = n; return b }

// VT sets the visibility timeout in seconds.
func (b *DequeueBuilder) VT(seconds float64) *DequeueBuilder {
	b.options.VT = fromSeconds(seconds)
	return b
}

// Concurrency sets how many handlers run at once; 1 by default.
func (b *DequeueBuilder) Concurrency(n int) *DequeueBuilder { b.concurrency = n; return b }

// UntilEmpty ends the loop when no message is ready and none is being handled.
func (b *DequeueBuilder) UntilEmpty() *DequeueBuilder { b.options.UntilEmpty = true; return b }

// Retry sets when messages come again whose handler failed, instead of the queue's own
// policy.
func (b *DequeueBuilder) Retry(p backend.RetryPolicy) *DequeueBuilder { b.retry = p; return b }

// RetryAfter sets a function that says how long after its failure a message comes
// again; DelayByPolicy leaves it to the policy.
func (b *DequeueBuilder) RetryAfter(f func(m *Message, err error) time.Duration) *DequeueBuilder {
	b.retryAfter = f
	return b
}

// ShutdownTimeout is how long running handlers have to finish once ctx has ended,
// before their context ends too; 30 s by default.
func (b *DequeueBuilder) ShutdownTimeout(d time.Duration) *DequeueBuilder { b.shutdown = d; return b }

// Execute runs until ctx ends, the store is closed, or the queue is empty
// (UntilEmpty), and then returns nil: running handlers have finished, what they
// did is committed, and the rest was given back. An error means that the loop
// could not go on.
func (b *DequeueBuilder) Execute(ctx context.Context, s *Store) error {
	if b.handler == nil {
		return errInvalid("a consume loop needs a handler")
	}
	if b.concurrency < 1 {
		return errInvalid("the concurrency must be 1 or more, not %d", b.concurrency)
	}
	if b.retry.Kind != "" {
		if err := validateRetry(&b.retry); err != nil {
			return err
		}
	}
	st, err := s.OpenStream(b.queue, b.options)
	if err != nil {
		return err
	}
	finish := s.consuming()
	defer finish()
	handling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	l := &consumeLoop{
		DequeueBuilder: b, store: s, stream: st, ctx: handling,
		slots: make(chan struct{}, b.concurrency), answers: make(chan struct{}, maxAnswers),
	}
	err = l.run(ctx)
	stopLate := time.AfterFunc(b.shutdown, cancel)
	defer stopLate.Stop()
	l.end(context.WithoutCancel(ctx))
	return err
}

// maxAnswers bounds the acknowledgements of one loop that are on their way; then
// handlers wait.
const maxAnswers = 2 * largestFetch

// consumeLoop is one Execute.
type consumeLoop struct {
	*DequeueBuilder
	store   *Store
	stream  *Stream
	ctx     context.Context // of the handlers
	slots   chan struct{}
	answers chan struct{}  // one for each acknowledgement on its way
	running sync.WaitGroup // handlers, and acknowledgements on their way
}

// run hands messages to handlers until something ends it.
func (l *consumeLoop) run(ctx context.Context) error {
	for {
		batch, err := l.stream.Next(ctx)
		switch {
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		for {
			select {
			case l.slots <- struct{}{}:
			case <-ctx.Done():
				return nil
			case <-l.stream.ended:
				return l.stream.err
			}
			if ctx.Err() != nil { // select takes either when both are ready
				return nil
			}
			m, ok := batch.Next()
			if !ok {
				<-l.slots
				break
			}
			l.running.Add(1)
			go l.handle(&Message{Message: *m, store: l.store}, batch.vt)
		}
		batch.Free()
	}
}

// end gives back at once what no handler has seen, and waits for handlers and
// their answers. Until then the messages of handlers are kept alive.
func (l *consumeLoop) end(ctx context.Context) {
	grace, stop := context.WithTimeout(ctx, closeGrace)
	defer stop()
	l.stream.end(nil)
	l.store.logGiveBack(nil, l.stream.drain(grace))
	l.running.Wait()
	_ = l.stream.Close(grace) // nothing is left to give back
}

// handle runs the handler and sends its answer on its way. vt is what the message
// was leased for.
func (l *consumeLoop) handle(m *Message, vt time.Duration) {
	defer func() { <-l.slots; l.running.Done() }()
	err := l.call(m)
	delivered := backend.Delivery{Lease: m.Lease, ID: m.ID}
	if m.over.Load() {
		if err != nil {
			l.store.log.Error("a handler failed after it had settled its message", "queue", l.queue, "id", m.ID, "error", err)
		}
		l.store.ledger.handled(delivered)
		return
	}
	key := settlement{verb: archiving, queueID: m.QueueID}
	var why map[int64]backend.Failure
	if err != nil {
		if l.ctx.Err() != nil {
			return // told to stop after the shutdown time-out: the message keeps its vt
		}
		l.store.log.Error("a handler failed; its message is tried again", "queue", l.queue, "id", m.ID, "read_ct", m.ReadCount, "error", err)
		key = settlement{verb: failing, queueID: m.QueueID, retry: l.retry}
		why = map[int64]backend.Failure{m.ID: {Error: errorText(err.Error()), Delay: l.delayAfter(m, err), VT: vt}}
	}
	delivery := delivered
	if leases := l.store.ledger.detached([]backend.Delivery{delivery}); leases != nil {
		// A transaction of the handler settled it. Only if that was rolled back is
		// there anything left to do, and it may be open still.
		delivery.Lease, key.noWait = leases[0], true
	}
	l.answers <- struct{}{}
	l.running.Add(1)
	l.store.settles.add(key, &settling{
		deliveries: []backend.Delivery{delivery}, failures: why,
		done: func(answers []backend.Extension, err error) {
			defer func() { <-l.answers; l.running.Done() }()
			if key.noWait {
				l.store.ledger.handled(delivered)
			}
			switch {
			case transient(err): // as it is for all that end just then
				l.store.outage.failed("storing the answers of handlers, whose messages come again", err)
			case err != nil:
				l.store.log.Error("the answer of a handler was not stored; its message comes again", "queue", l.queue, "id", m.ID, "error", err)
			case !answers[0].Held && !key.noWait:
				l.store.log.Warn("the lease was lost while the handler ran; the message is delivered again", "queue", l.queue, "id", m.ID)
			}
		},
	})
}

// delayAfter asks the caller's function, if there is one, how long after its failure a
// message comes again.
func (l *consumeLoop) delayAfter(m *Message, failure error) (delay time.Duration) {
	if l.retryAfter == nil {
		return DelayByPolicy
	}
	defer func() {
		if v := recover(); v != nil {
			l.store.log.Error("RetryAfter panicked; the retry policy counts", "queue", l.queue, "id", m.ID, "panic", v)
			delay = DelayByPolicy
		}
	}()
	if delay = l.retryAfter(m, failure); delay < 0 {
		return DelayByPolicy
	}
	return min(delay, MaxDelay)
}

func (l *consumeLoop) call(m *Message) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return l.handler(l.ctx, m)
}
