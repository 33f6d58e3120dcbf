package backendtest

import (
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var seizeTests = []test{
	{"a message that nobody holds is deleted by its id", unheldIsDeleted},
	{"a leased message is deleted by its id only from its holder", leasedIsSeized},
	{"a lease that ran out keeps nobody from deleting its message", expiredIsSeized},
	{"a delayed message is made ready by its id", delayedIsReleased},
	{"a leased message is taken from its holder and ready", leasedIsReleased},
	{"what is done, or not there, is not seized", doneIsNotSeized},
}

// seize fills in the moment.
func (f *fixture) seize(p backend.MessageSeizeParams) *backend.MessageSeizeResult {
	f.Helper()
	p.At = f.now
	r, err := f.b.MessageSeize(f.ctx, &p)
	f.must("MessageSeize", err)
	if r.QueueID != f.queue {
		f.Fatalf("MessageSeize names queue %d, not %d", r.QueueID, f.queue)
	}
	return r
}

// wantSeized checks the answer.
func (f *fixture) wantSeized(p backend.MessageSeizeParams, state backend.MessageState, done bool) {
	f.Helper()
	if r := f.seize(p); r.State != state || r.Done != done {
		f.Fatalf("MessageSeize %+v: %+v, want %s, done %v", p, r, state, done)
	}
}

func (f *fixture) wantNoMessage(p backend.MessageSeizeParams) {
	f.Helper()
	p.At = f.now
	_, err := f.b.MessageSeize(f.ctx, &p)
	f.wantError("MessageSeize of what is not there", err, backend.ErrMessageNotFound)
}

func unheldIsDeleted(f *fixture) {
	ids := f.produce(300) // more than one set
	delayed := f.produceDelayed(1, time.Minute)
	for _, i := range []int{0, 100, 249, 250, 299} {
		f.wantSeized(backend.MessageSeizeParams{ID: ids[i], Delete: true}, backend.StateReady, true)
	}
	f.wantSeized(backend.MessageSeizeParams{ID: delayed[0], Delete: true}, backend.StateDelayed, true)
	f.wantNoMessage(backend.MessageSeizeParams{ID: ids[100], Delete: true})
	f.wantCounts(backend.MessageCounts{Ready: 295})
	got := f.dequeueAll(70)
	if len(got) != 295 || got[0].ID != ids[1] || got[99].ID != ids[101] || got[294].ID != ids[298] {
		f.Fatalf("%d messages are left: %v", len(got), short(idsOf(got)))
	}
}

func leasedIsSeized(f *fixture) {
	f.produce(3)
	m := f.dequeue(3)
	p := backend.MessageSeizeParams{ID: m[1].ID, Delete: true}
	f.wantSeized(p, backend.StateLeased, false)
	f.wantCounts(backend.MessageCounts{Leased: 3})
	p.FromHolder = true
	f.wantSeized(p, backend.StateLeased, true)
	f.wantNoMessage(p)
	f.wantOutcomes(f.archive(deliveriesOf(m)...), backend.Settled, backend.NotHeld, backend.Settled)
	f.wantCounts(backend.MessageCounts{Archived: 2})
}

func expiredIsSeized(f *fixture) {
	f.produce(2)
	m := f.dequeue(2)
	f.expire()
	f.wantSeized(backend.MessageSeizeParams{ID: m[0].ID}, backend.StateReady, true) // as it was
	f.wantSeized(backend.MessageSeizeParams{ID: m[1].ID, Delete: true}, backend.StateReady, true)
	f.wantOutcomes(f.archive(deliveriesOf(m)...), backend.Settled, backend.NotHeld)
}

func delayedIsReleased(f *fixture) {
	ids := f.produceDelayed(3, time.Hour)
	f.later(time.Second)
	f.wantSeized(backend.MessageSeizeParams{ID: ids[1]}, backend.StateDelayed, true)
	f.wantSeized(backend.MessageSeizeParams{ID: ids[1]}, backend.StateReady, true)
	f.wantCounts(backend.MessageCounts{Ready: 1, Delayed: 2})
	m := f.dequeue(10)
	f.wantIDs(m, ids[1])
	if m[0].ReadCount != 1 {
		f.Fatalf("read count %d", m[0].ReadCount)
	}
	f.later(time.Hour)
	f.wantIDs(f.dequeueAll(10), ids[1], ids[0], ids[2]) // by vt: a lease of its own ends first
}

func leasedIsReleased(f *fixture) {
	f.produce(3)
	m := f.dequeue(3)
	f.wantSeized(backend.MessageSeizeParams{ID: m[2].ID}, backend.StateLeased, false)
	f.wantSeized(backend.MessageSeizeParams{ID: m[2].ID, FromHolder: true}, backend.StateLeased, true)
	again := f.dequeue(10)
	f.wantIDs(again, m[2].ID)
	if again[0].ReadCount != 2 {
		f.Fatalf("read count %d", again[0].ReadCount)
	}
	f.wantOutcomes(f.archive(deliveriesOf(m)...), backend.Settled, backend.Settled, backend.NotHeld)
	if h := f.history(m[2].ID); len(h) != 2 || h[0].Outcome != backend.AttemptReleased {
		f.Fatalf("the history is %+v", h)
	}
}

func doneIsNotSeized(f *fixture) {
	f.produce(2)
	m := f.dequeue(2)
	f.archive(deliveryOf(m[0]))
	for _, erase := range []bool{false, true} {
		f.wantSeized(backend.MessageSeizeParams{ID: m[0].ID, Delete: erase, FromHolder: true}, backend.StateArchived, false)
		f.wantNoMessage(backend.MessageSeizeParams{ID: 1 << 60, Delete: erase})
	}
	f.wantCounts(backend.MessageCounts{Leased: 1, Archived: 1})
}
