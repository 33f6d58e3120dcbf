package pgqrs

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/backendtest"
	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

// The suites of the backends, once more with the coalescer of a store in between. (What
// a stream fetches ahead and gives back is in them: the steps "giveback" of the model.)

func TestContractCoalesced(t *testing.T) {
	for name, h := range coalesced {
		t.Run(name, func(t *testing.T) { backendtest.Exercise(t, h) })
	}
}

func TestModelCoalesced(t *testing.T) {
	for name, h := range coalesced {
		t.Run(name, func(t *testing.T) {
			statements.Store(0)
			scatters.Store(0)
			backendtest.Model(t, h, 6, 200)
			if n, of := statements.Load(), scatters.Load(); 2*n > of {
				t.Errorf("%d calls became %d statements: too many to say that they were coalesced", of, n)
			}
		})
	}
}

// scatters counts the calls of stores, and statements what their coalescers made of them.
var scatters, statements atomic.Int64

var memories atomic.Int64

var coalesced = map[string]backendtest.Harness{
	"memory": {
		Open: func(t testing.TB) backend.Backend {
			return openScattered(t, fmt.Sprintf("memory://scattered-%d", memories.Add(1)))
		},
		Second: secondScattered,
	},
	"postgres": {
		Open:   func(t testing.TB) backend.Backend { return openScattered(t, testserver.DSN(t)) },
		Second: secondScattered,
	},
}

func openScattered(t testing.TB, dsn string) backend.Backend {
	t.Helper()
	c := NewConfig(dsn)
	c.AutoCreateQueues = false
	c.ConnectTimeout = 20 * time.Second
	calls := &calls{of: make(map[int64]call)}
	s, err := ConnectThrough(context.Background(), c, func(b backend.Backend) backend.Backend {
		calls.Backend = b
		return calls
	})
	if err != nil {
		t.Fatal(err)
	}
	return &scattered{Backend: calls, dsn: dsn, store: s, calls: calls}
}

func secondScattered(t testing.TB, b backend.Backend) backend.Backend {
	t.Helper()
	return openScattered(t, b.(*scattered).dsn)
}

// scattered is a backend that takes batches apart: each message goes through a store by
// itself, without waiting for the one before, and the coalescer makes statements of them
// anew. What comes out has to be what the backend answers to the batch.
type scattered struct {
	backend.Backend
	dsn   string
	store *Store
	calls *calls
	names sync.Map // of queues, by id
}

func (b *scattered) Close() error {
	return b.store.Close(context.Background())
}

func (b *scattered) QueueCreate(ctx context.Context, p *backend.QueueCreateParams) (*backend.Queue, error) {
	return b.named(b.Backend.QueueCreate(ctx, p))
}

func (b *scattered) QueueEnsure(ctx context.Context, p *backend.QueueEnsureParams) (*backend.Queue, error) {
	return b.named(b.Backend.QueueEnsure(ctx, p))
}

func (b *scattered) named(q *backend.Queue, err error) (*backend.Queue, error) {
	if err == nil {
		b.names.Store(q.ID, q.Name)
	}
	return q, err
}

// MessageProduce goes straight to the backend where the whole batch is to fail, or where
// the store does not know the queue.
func (b *scattered) MessageProduce(ctx context.Context, p *backend.MessageProduceParams) ([]int64, error) {
	name, known := b.names.Load(p.QueueID)
	for _, payload := range p.Payloads {
		known = known && b.store.checkPayload(payload) == nil
	}
	o := ProduceOptions{Delay: p.Delay, WorkerID: p.WorkerID}
	if !known || ctx.Err() != nil || o.validate() != nil {
		return b.Backend.MessageProduce(ctx, p)
	}
	b.calls.begin(p.QueueID, call{at: p.At})
	ids := make([]int64, len(p.Payloads))
	err := scatter(ctx, len(p.Payloads), func(i int, done func(error)) {
		b.store.ProduceAsync(ctx, name.(string), p.Payloads[i], o, func(id int64, err error) {
			ids[i] = id
			done(err)
		})
	})
	return ids, err
}

func (b *scattered) MessageArchive(ctx context.Context, p *backend.MessageArchiveParams) ([]backend.Outcome, error) {
	if p.Again {
		return b.Backend.MessageArchive(ctx, p)
	}
	key := settlement{verb: archiving, queueID: p.QueueID, noWait: p.NoWait}
	return outcomesOf(b.settle(ctx, key, call{at: p.At}, p.Deliveries, nil))
}

func (b *scattered) MessageDelete(ctx context.Context, p *backend.MessageDeleteParams) ([]backend.Outcome, error) {
	if p.Again {
		return b.Backend.MessageDelete(ctx, p)
	}
	key := settlement{verb: deleting, queueID: p.QueueID, noWait: p.NoWait}
	return outcomesOf(b.settle(ctx, key, call{at: p.At}, p.Deliveries, nil))
}

func (b *scattered) MessageRelease(ctx context.Context, p *backend.MessageReleaseParams) ([]backend.Outcome, error) {
	if p.Again {
		return b.Backend.MessageRelease(ctx, p)
	}
	key := settlement{verb: releasing, queueID: p.QueueID, undelivered: p.Undelivered, by: p.Delay, noWait: p.NoWait}
	return outcomesOf(b.settle(ctx, key, call{at: p.At}, p.Deliveries, nil))
}

func (b *scattered) MessageExtend(ctx context.Context, p *backend.MessageExtendParams) ([]backend.Extension, error) {
	key := settlement{verb: extending, queueID: p.QueueID, by: p.By, mode: p.Mode, noWait: p.NoWait}
	return b.settle(ctx, key, call{at: p.At}, p.Deliveries, nil)
}

func (b *scattered) MessageFail(ctx context.Context, p *backend.MessageFailParams) (*backend.MessageFailResult, error) {
	if p.Again {
		return b.Backend.MessageFail(ctx, p)
	}
	deliveries, failures := make([]backend.Delivery, len(p.Failures)), make(map[backend.Delivery]backend.Failure)
	for i, f := range p.Failures {
		deliveries[i] = f.Delivery
		failures[f.Delivery] = f
	}
	before := b.calls.dead.Load()
	key := settlement{verb: failing, queueID: p.QueueID, retry: p.Retry, noWait: p.NoWait}
	outcomes, err := outcomesOf(b.settle(ctx, key, call{at: p.At, maxReadCount: p.MaxReadCount}, deliveries, failures))
	return &backend.MessageFailResult{Outcomes: outcomes, Dead: int(b.calls.dead.Load() - before)}, err
}

// settle queues a call for each delivery. One that is named twice is settled once, as in
// a batch; of calls that name the same one, only the first would find it.
func (b *scattered) settle(ctx context.Context, key settlement, c call, all []backend.Delivery, failures map[backend.Delivery]backend.Failure) ([]backend.Extension, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.calls.begin(key.queueID, c)
	var distinct []backend.Delivery
	answers := make(map[backend.Delivery]*backend.Extension)
	for _, d := range all {
		if answers[d] == nil {
			answers[d] = &backend.Extension{}
			distinct = append(distinct, d)
		}
	}
	err := scatter(ctx, len(distinct), func(i int, done func(error)) {
		d := distinct[i]
		b.store.settles.add(key, &settling{
			deliveries: []backend.Delivery{d}, failures: map[int64]backend.Failure{d.ID: failures[d]},
			done: func(x []backend.Extension, err error) {
				if err == nil {
					*answers[d] = x[0]
				}
				done(err)
			},
		})
	})
	if err != nil {
		return nil, err
	}
	in := make([]backend.Extension, len(all))
	for i, d := range all {
		in[i] = *answers[d]
	}
	return in, nil
}

// scatter begins n calls one after the other and waits for all.
func scatter(ctx context.Context, n int, begin func(i int, done func(error))) error {
	scatters.Add(int64(n))
	errs := make(chan error, n)
	for i := range n {
		begin(i, func(err error) { errs <- err })
	}
	var first error
	for range n {
		select {
		case err := <-errs:
			if first == nil {
				first = err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return first
}

func outcomesOf(answers []backend.Extension, err error) ([]backend.Outcome, error) {
	outcomes := make([]backend.Outcome, len(answers))
	for i, a := range answers {
		if a.Held {
			outcomes[i] = backend.Settled
		}
	}
	return outcomes, err
}

// calls are what a store does not pass on: the moments of the tests, and the limits that
// are the store's own.
type calls struct {
	backend.Backend
	dead atomic.Int64

	mu sync.Mutex
	of map[int64]call // the last one of each queue
}

type call struct {
	at           time.Time
	maxReadCount int
}

func (c *calls) begin(queueID int64, last call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[queueID] = last
}

func (c *calls) last(queueID int64) call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[queueID]
}

// at is the moment of a call: its own one, or that of the last one that was begun.
func (c *calls) at(queueID int64, own time.Time) time.Time {
	if !own.IsZero() {
		return own
	}
	statements.Add(1)
	return c.last(queueID).at
}

func (c *calls) MessageProduce(ctx context.Context, p *backend.MessageProduceParams) ([]int64, error) {
	p.At = c.at(p.QueueID, p.At)
	return c.Backend.MessageProduce(ctx, p)
}

func (c *calls) MessageArchive(ctx context.Context, p *backend.MessageArchiveParams) ([]backend.Outcome, error) {
	p.At = c.at(p.QueueID, p.At)
	return c.Backend.MessageArchive(ctx, p)
}

func (c *calls) MessageDelete(ctx context.Context, p *backend.MessageDeleteParams) ([]backend.Outcome, error) {
	p.At = c.at(p.QueueID, p.At)
	return c.Backend.MessageDelete(ctx, p)
}

func (c *calls) MessageRelease(ctx context.Context, p *backend.MessageReleaseParams) ([]backend.Outcome, error) {
	p.At = c.at(p.QueueID, p.At)
	return c.Backend.MessageRelease(ctx, p)
}

func (c *calls) MessageExtend(ctx context.Context, p *backend.MessageExtendParams) ([]backend.Extension, error) {
	p.At = c.at(p.QueueID, p.At)
	return c.Backend.MessageExtend(ctx, p)
}

func (c *calls) MessageFail(ctx context.Context, p *backend.MessageFailParams) (*backend.MessageFailResult, error) {
	if p.At.IsZero() {
		p.MaxReadCount = c.last(p.QueueID).maxReadCount
	}
	p.At = c.at(p.QueueID, p.At)
	r, err := c.Backend.MessageFail(ctx, p)
	if err == nil {
		c.dead.Add(int64(r.Dead))
	}
	return r, err
}
