package backendtest

import (
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var settleTests = []test{
	{"an archived message is done", archivedIsDone},
	{"a deleted message leaves no trace", deletedIsGone},
	{"a message is settled once", settledOnce},
	{"an expired lease that nobody took still settles", expiredStillSettles},
	{"a late holder settles nothing once another took the message", lateHolder},
	{"a late holder settles nothing though it took the message again itself", lateHolderItself},
	{"a message that was given back is not held by its old delivery", givenBackIsNotHeld},
	{"a delivery with lease zero holds nothing", leaseZero},
	{"answers of a batch come in order whatever it mixes", mixedBatch},
	{"a batch of no deliveries has no answers", emptyBatch},
	{"a large batch in any order is settled whole", largeBatch},
	{"archive asked again knows what the first try did", archiveAgainKnows},
	{"archive asked again does the rest", archiveAgainDoesTheRest},
	{"archive asked again tells nothing of another lease, a deletion or the dead", archiveAgainIsStrict},
}

func archivedIsDone(f *fixture) {
	f.produce(3)
	m := f.dequeue(3)
	f.wantOutcomes(f.archive(deliveryOf(m[1])), backend.Settled)
	f.wantCounts(backend.MessageCounts{Leased: 2, Archived: 1})
	f.expire()
	f.wantIDs(f.dequeueAll(10), m[0].ID, m[2].ID)
	if r := f.get(m[1].ID); r.State != backend.StateArchived {
		f.Fatalf("the message is %s", r.State)
	}
}

func deletedIsGone(f *fixture) {
	f.produce(3)
	m := f.dequeue(3)
	f.wantOutcomes(f.delete(deliveryOf(m[1])), backend.Settled)
	f.wantCounts(backend.MessageCounts{Leased: 2})
	_, err := f.b.MessageGet(f.ctx, &backend.MessageGetParams{ID: m[1].ID})
	f.wantError("MessageGet of a deleted message", err, backend.ErrMessageNotFound)
	f.expire()
	f.wantIDs(f.dequeueAll(10), m[0].ID, m[2].ID)
}

func settledOnce(f *fixture) {
	f.produce(2)
	m := f.dequeue(2)
	f.archive(deliveryOf(m[0]))
	f.delete(deliveryOf(m[1]))
	for _, d := range deliveriesOf(m) {
		f.wantOutcomes(f.archive(d), backend.NotHeld)
		f.wantOutcomes(f.delete(d), backend.NotHeld)
		f.wantOutcomes(f.release(0, d), backend.NotHeld)
		f.wantOutcomes(f.giveBack(d), backend.NotHeld)
		if x := f.extend(backend.ExtendGrow, lease, d); x[0].Held {
			f.Errorf("a settled message was extended: %+v", x)
		}
	}
	f.wantCounts(backend.MessageCounts{Archived: 1})
}

func expiredStillSettles(f *fixture) {
	ids := f.produce(4)
	m := f.dequeue(4)
	f.expire()
	f.wantOutcomes(f.archive(deliveryOf(m[0])), backend.Settled)
	f.wantOutcomes(f.delete(deliveryOf(m[1])), backend.Settled)
	f.wantOutcomes(f.giveBack(deliveryOf(m[2])), backend.Settled)
	x := f.extend(backend.ExtendGrow, lease, deliveryOf(m[3]))
	if !x[0].Held || !x[0].VT.Equal(f.now.Add(lease)) {
		f.Fatalf("the extension of an expired lease answers %+v, want %v", x[0], f.now.Add(lease))
	}
	f.wantCounts(backend.MessageCounts{Ready: 1, Leased: 1, Archived: 1})
	f.wantIDs(f.dequeue(10), ids[2])
}

func lateHolder(f *fixture) {
	w1 := f.register(&backend.WorkerRegisterParams{Hostname: "one"}).ID
	w2 := f.register(&backend.WorkerRegisterParams{Hostname: "two"}).ID
	f.produce(1)
	late := f.dequeueParams(&backend.MessageDequeueParams{WorkerID: w1, Limit: 1, VT: lease}).Messages[0]
	f.expire()
	now := f.dequeueParams(&backend.MessageDequeueParams{WorkerID: w2, Limit: 1, VT: lease}).Messages[0]
	f.wantNotHeld(deliveryOf(late))
	f.wantOutcomes(f.archive(deliveryOf(now)), backend.Settled)
	f.wantNotHeld(deliveryOf(late))
}

func lateHolderItself(f *fixture) {
	w := f.register(&backend.WorkerRegisterParams{Hostname: "one"}).ID
	f.produce(3)
	p := backend.MessageDequeueParams{WorkerID: w, Limit: 3, VT: lease}
	late := f.dequeueParams(&p).Messages
	f.expire()
	var now []backend.Message
	for range late {
		if len(now) < len(late) {
			now = append(now, f.dequeueParams(&p).Messages...)
		}
	}
	f.wantIDs(now, idsOf(late)...)
	for i := range late {
		f.wantNotHeld(deliveryOf(late[i]))
	}
	f.wantOutcomes(f.delete(deliveriesOf(now)...), repeat(backend.Settled, 3)...)
}

func givenBackIsNotHeld(f *fixture) {
	f.produce(2)
	m := f.dequeue(2)
	f.release(0, deliveryOf(m[0]))
	f.giveBack(deliveryOf(m[1]))
	for _, d := range deliveriesOf(m) {
		f.wantNotHeld(d)
	}
	if again := f.dequeue(2); len(again) != 2 {
		f.Fatalf("dequeued %d messages, want 2", len(again))
	}
	for _, d := range deliveriesOf(m) {
		f.wantNotHeld(d)
	}
}

func leaseZero(f *fixture) {
	f.produce(2)
	m := f.dequeue(1)
	f.giveBack(deliveryOf(m[0]))
	for _, id := range []int64{m[0].ID, m[0].ID + 1} {
		f.wantNotHeld(backend.Delivery{ID: id})
		f.wantNotHeld(backend.Delivery{ID: id, Lease: -1})
	}
	f.wantCounts(backend.MessageCounts{Ready: 2})
}

// mix makes a batch of held, settled, unknown and crossed deliveries, some named
// twice, and says which are held.
func (f *fixture) mix() (batch []backend.Delivery, held []bool) {
	f.Helper()
	f.queue = f.newQueue()
	f.produce(6)
	a, b := deliveriesOf(f.dequeue(3)), deliveriesOf(f.dequeue(3))
	f.archive(b[1])
	unknown := backend.Delivery{Lease: a[0].Lease, ID: 1 << 50}
	crossed := backend.Delivery{Lease: a[0].Lease, ID: b[0].ID}
	batch = []backend.Delivery{b[2], unknown, a[0], a[0], b[1], crossed, a[2], b[2]}
	return batch, []bool{true, false, true, true, false, false, true, true}
}

func mixedBatch(f *fixture) {
	for _, settle := range []func(...backend.Delivery) []backend.Outcome{
		f.archive, f.delete, f.giveBack,
		func(d ...backend.Delivery) []backend.Outcome { return f.release(0, d...) },
	} {
		batch, held := f.mix()
		want := make([]backend.Outcome, len(batch))
		for i := range held {
			if held[i] {
				want[i] = backend.Settled
			}
		}
		f.wantOutcomes(settle(batch...), want...)
		f.wantOutcomes(settle(batch...), repeat(backend.NotHeld, len(batch))...)
	}
	batch, held := f.mix()
	for i, x := range f.extend(backend.ExtendGrow, time.Second, batch...) {
		want := backend.Extension{Held: held[i]}
		if want.Held {
			want.VT = f.now.Add(lease + time.Second)
		}
		if x.Held != want.Held || !x.VT.Equal(want.VT) {
			f.Fatalf("extension %d is %+v, want %+v", i, x, want)
		}
	}
}

func emptyBatch(f *fixture) {
	if n := len(f.archive()) + len(f.archiveAgain()) + len(f.delete()) + len(f.release(0)) + len(f.giveBack()) + len(f.extend(backend.ExtendGrow, lease)); n != 0 {
		f.Fatalf("%d answers for no deliveries", n)
	}
}

func largeBatch(f *fixture) {
	const n = 1000
	f.produce(n)
	d := deliveriesOf(f.dequeue(n))
	shuffled := make([]backend.Delivery, n)
	for i := range d {
		shuffled[i*387%n] = d[i] // 387 and 1000 have no common divisor
	}
	f.wantOutcomes(f.archive(shuffled[:n/2]...), repeat(backend.Settled, n/2)...)
	f.wantCounts(backend.MessageCounts{Leased: n / 2, Archived: n / 2})
	f.wantOutcomes(f.delete(shuffled[n/2:]...), repeat(backend.Settled, n/2)...)
	f.wantCounts(backend.MessageCounts{Archived: n / 2})
}

func archiveAgainKnows(f *fixture) {
	f.produce(2)
	d := deliveriesOf(f.dequeue(2))
	f.wantOutcomes(f.archiveAgain(d[0]), backend.Settled)
	f.wantOutcomes(f.archiveAgain(d[0], d[0]), backend.SettledBefore, backend.SettledBefore)
	f.wantOutcomes(f.archive(d[0]), backend.NotHeld)
	f.expire()
	f.wantOutcomes(f.archiveAgain(d[0]), backend.SettledBefore)
}

func archiveAgainDoesTheRest(f *fixture) {
	f.produce(600)
	d := deliveriesOf(f.dequeue(600))
	f.archive(d[100:400]...)
	want := repeat(backend.Settled, 600)
	copy(want[100:400], repeat(backend.SettledBefore, 300))
	f.wantOutcomes(f.archiveAgain(d...), want...)
	f.wantCounts(backend.MessageCounts{Archived: 600})
}

func archiveAgainIsStrict(f *fixture) {
	f.produce(2)
	first := deliveriesOf(f.dequeue(2))
	f.wantOutcomes(f.delete(first[1]), backend.Settled)
	f.wantOutcomes(f.archiveAgain(first[1]), backend.NotHeld)
	f.expire()
	second := deliveryOf(f.dequeue(1)[0])
	f.archive(second)
	f.wantOutcomes(f.archiveAgain(first[0]), backend.NotHeld)
	f.wantOutcomes(f.archiveAgain(second), backend.SettledBefore)
	other := f.queue
	f.queue = f.newQueue()
	f.wantOutcomes(f.archiveAgain(second), backend.NotHeld)
	f.queue = other

	f.produce(1)
	dead := deliveryOf(f.dequeue(1)[0])
	f.expire()
	if r := f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: lease, MaxReadCount: 1}); r.Dead != 1 {
		f.Fatalf("%d dead, want 1", r.Dead)
	}
	f.wantOutcomes(f.archiveAgain(dead), backend.NotHeld)
}
