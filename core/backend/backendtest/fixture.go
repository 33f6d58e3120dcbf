package backendtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// fixture is what one test works with: a queue of its own on the store of its
// group, and a clock that only the test moves. Its methods do one operation each,
// at the fixture's now, and fail the test when that returns an error.
type fixture struct {
	testing.TB
	h     Harness
	b     backend.Backend
	ctx   context.Context
	queue int64
	now   time.Time
}

// lease is what the tests lease messages for, when they do not care.
const lease = 30 * time.Second

// timeout ends a test that would otherwise hang.
const timeout = 2 * time.Minute

func newFixture(t testing.TB, h Harness, b backend.Backend) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	t.Cleanup(cancel)
	f := &fixture{TB: t, h: h, b: b, ctx: ctx, now: time.Now().Truncate(time.Microsecond)}
	f.queue = f.newQueue()
	return f
}

// queueNames numbers the queues of a process, so that each test has its own.
var queueNames atomic.Int64

func newQueueName() string { return fmt.Sprintf("test-%d", queueNames.Add(1)) }

func (f *fixture) newQueue() int64 {
	f.Helper()
	q, err := f.b.QueueCreate(f.ctx, &backend.QueueCreateParams{Name: newQueueName()})
	f.must("QueueCreate", err)
	return q.ID
}

func (f *fixture) must(what string, err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("%s: %v", what, err)
	}
}

// later moves the clock.
func (f *fixture) later(d time.Duration) { f.now = f.now.Add(d) }

// ones are n payloads.
func ones(n int) [][]byte { return slices.Repeat([][]byte{[]byte("1")}, n) }

// produce stores n messages whose payloads are their numbers.
func (f *fixture) produce(n int) []int64 {
	f.Helper()
	return f.produceDelayed(n, 0)
}

func (f *fixture) produceDelayed(n int, delay time.Duration) []int64 {
	f.Helper()
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = fmt.Appendf(nil, "%d", i)
	}
	return f.producePayloads(payloads, delay)
}

func (f *fixture) producePayloads(payloads [][]byte, delay time.Duration) []int64 {
	f.Helper()
	ids, err := f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{
		QueueID: f.queue, Payloads: payloads, Delay: delay, At: f.now,
	})
	f.must("MessageProduce", err)
	if len(ids) != len(payloads) {
		f.Fatalf("MessageProduce returned %d ids for %d payloads", len(ids), len(payloads))
	}
	return ids
}

// dequeue leases up to limit messages for 30 s; nothing ever becomes dead.
func (f *fixture) dequeue(limit int) []backend.Message {
	f.Helper()
	return f.dequeueParams(&backend.MessageDequeueParams{Limit: limit, VT: lease}).Messages
}

// dequeueParams fills in queue and moment.
func (f *fixture) dequeueParams(p *backend.MessageDequeueParams) *backend.MessageDequeueResult {
	f.Helper()
	if p.QueueID == 0 {
		p.QueueID = f.queue
	}
	p.At = f.now
	r, err := f.b.MessageDequeue(f.ctx, p)
	f.must("MessageDequeue", err)
	if len(r.Messages) > p.Limit {
		f.Fatalf("MessageDequeue returned %d messages, the limit is %d", len(r.Messages), p.Limit)
	}
	return r
}

// dequeueAll dequeues until the queue is empty and returns what came, in order.
func (f *fixture) dequeueAll(limit int) []backend.Message {
	f.Helper()
	var all []backend.Message
	for {
		messages := f.dequeue(limit)
		if len(messages) == 0 {
			return all
		}
		all = append(all, messages...)
	}
}

// expire moves the clock past every lease of 30 s.
func (f *fixture) expire() { f.later(lease + time.Second) }

func (f *fixture) archive(d ...backend.Delivery) []backend.Outcome {
	f.Helper()
	o, err := f.b.MessageArchive(f.ctx, &backend.MessageArchiveParams{QueueID: f.queue, Deliveries: d, At: f.now})
	f.must("MessageArchive", err)
	return o
}

func (f *fixture) archiveAgain(d ...backend.Delivery) []backend.Outcome {
	f.Helper()
	o, err := f.b.MessageArchive(f.ctx, &backend.MessageArchiveParams{QueueID: f.queue, Deliveries: d, Again: true, At: f.now})
	f.must("MessageArchive again", err)
	return o
}

func (f *fixture) delete(d ...backend.Delivery) []backend.Outcome {
	f.Helper()
	o, err := f.b.MessageDelete(f.ctx, &backend.MessageDeleteParams{QueueID: f.queue, Deliveries: d, At: f.now})
	f.must("MessageDelete", err)
	return o
}

// release gives messages back that the application had, ready after delay.
func (f *fixture) release(delay time.Duration, d ...backend.Delivery) []backend.Outcome {
	f.Helper()
	o, err := f.b.MessageRelease(f.ctx, &backend.MessageReleaseParams{QueueID: f.queue, Deliveries: d, Delay: delay, At: f.now})
	f.must("MessageRelease", err)
	return o
}

// giveBack gives messages back that never reached the application.
func (f *fixture) giveBack(d ...backend.Delivery) []backend.Outcome {
	f.Helper()
	o, err := f.b.MessageRelease(f.ctx, &backend.MessageReleaseParams{QueueID: f.queue, Deliveries: d, Undelivered: true, At: f.now})
	f.must("MessageRelease undelivered", err)
	return o
}

func (f *fixture) extend(mode backend.ExtendMode, by time.Duration, d ...backend.Delivery) []backend.Extension {
	f.Helper()
	x, err := f.b.MessageExtend(f.ctx, &backend.MessageExtendParams{QueueID: f.queue, Deliveries: d, By: by, Mode: mode, At: f.now})
	f.must("MessageExtend", err)
	return x
}

func (f *fixture) get(id int64) *backend.MessageRecord {
	f.Helper()
	r, err := f.b.MessageGet(f.ctx, &backend.MessageGetParams{ID: id})
	f.must("MessageGet", err)
	return r
}

func (f *fixture) counts() backend.MessageCounts {
	f.Helper()
	c, err := f.b.MessageCount(f.ctx, &backend.MessageCountParams{QueueID: f.queue, At: f.now})
	f.must("MessageCount", err)
	return *c
}

func (f *fixture) wantCounts(want backend.MessageCounts) {
	f.Helper()
	if got := f.counts(); got != want {
		f.Fatalf("counts are %+v, want %+v", got, want)
	}
}

func (f *fixture) wantIDs(got []backend.Message, want ...int64) {
	f.Helper()
	if ids := idsOf(got); !slices.Equal(ids, want) {
		f.Fatalf("messages are %v, want %v", short(ids), short(want))
	}
}

func (f *fixture) wantOutcomes(got []backend.Outcome, want ...backend.Outcome) {
	f.Helper()
	if !slices.Equal(got, want) {
		f.Fatalf("outcomes are %v, want %v", short(got), short(want))
	}
}

// wantNotHeld checks that an old delivery settles nothing, in no way.
func (f *fixture) wantNotHeld(d backend.Delivery) {
	f.Helper()
	f.wantOutcomes(f.archive(d), backend.NotHeld)
	f.wantOutcomes(f.archiveAgain(d), backend.NotHeld)
	f.wantOutcomes(f.delete(d), backend.NotHeld)
	f.wantOutcomes(f.release(0, d), backend.NotHeld)
	f.wantOutcomes(f.giveBack(d), backend.NotHeld)
	for _, mode := range []backend.ExtendMode{backend.ExtendGrow, backend.ExtendKeep} {
		if x := f.extend(mode, time.Hour, d); len(x) != 1 || x[0].Held || !x[0].VT.IsZero() {
			f.Fatalf("an extension of an old delivery answers %+v", x)
		}
	}
}

// wantError checks that err is of that kind, and an Error that says something
// unless it is the end of a context.
func (f *fixture) wantError(what string, err, kind error) {
	f.Helper()
	if !errors.Is(err, kind) {
		f.Errorf("%s returned %v, want %v", what, err, kind)
		return
	}
	var e *backend.Error
	if kind != context.Canceled && (!errors.As(err, &e) || e.Message == "" || e.Index != -1) {
		f.Errorf("%s returned %#v, want a backend.Error with a message and without an index", what, err)
	}
}

// short is a slice as text, its middle left out when it is long.
func short[T any](s []T) string {
	if len(s) <= 24 {
		return fmt.Sprint(s)
	}
	return fmt.Sprintf("%v … %v (%d)", s[:12], s[len(s)-8:], len(s))
}

func idsOf(messages []backend.Message) []int64 {
	ids := make([]int64, len(messages))
	for i, m := range messages {
		ids[i] = m.ID
	}
	return ids
}

func deliveryOf(m backend.Message) backend.Delivery {
	return backend.Delivery{Lease: m.Lease, ID: m.ID}
}

func deliveriesOf(messages []backend.Message) []backend.Delivery {
	d := make([]backend.Delivery, len(messages))
	for i, m := range messages {
		d[i] = deliveryOf(m)
	}
	return d
}

func repeat(o backend.Outcome, n int) []backend.Outcome {
	return slices.Repeat([]backend.Outcome{o}, n)
}
