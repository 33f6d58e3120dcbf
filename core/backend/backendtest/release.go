package backendtest

import (
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var releaseTests = []test{
	{"a released message is ready after its delay with its read count", releasedIsReady},
	{"an undelivered message goes back as if it had not been leased", undeliveredGoesBack},
	{"an undelivered rest keeps its place before what came later", undeliveredKeepsPlace},
	{"undelivered parts of one batch keep their order whichever goes back first", undeliveredPartsKeepOrder},
	{"an undelivered message does not overtake what was ready before it", undeliveredDoesNotOvertake},
	{"an undelivered redelivery keeps the place of its redelivery", undeliveredRedelivery},
	{"a consumer that gives back all but one reads the queue in order", oneAtATimeInOrder},
	{"a release of some leaves the others leased", releaseOfSome},
}

func releasedIsReady(f *fixture) {
	ids := f.produce(3)
	m := f.dequeue(2)
	f.later(time.Second)
	f.wantOutcomes(f.release(10*time.Second, deliveryOf(m[0])), backend.Settled)
	f.wantOutcomes(f.release(0, deliveryOf(m[1])), backend.Settled)
	f.wantCounts(backend.MessageCounts{Ready: 2, Delayed: 1})
	again := f.dequeue(10)
	f.wantIDs(again, ids[2], ids[1]) // ready from now on: behind what waited longer
	if again[1].ReadCount != 2 {
		f.Fatalf("read count %d after a release, want 2", again[1].ReadCount)
	}
	f.later(10*time.Second - time.Microsecond)
	f.wantIDs(f.dequeue(10))
	f.later(time.Microsecond)
	f.wantIDs(f.dequeue(10), ids[0])
}

func undeliveredGoesBack(f *fixture) {
	ids := f.produce(1)
	for range 10 {
		r := f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: lease, MaxReadCount: 1})
		f.wantIDs(r.Messages, ids...)
		if r.Messages[0].ReadCount != 1 || r.Dead != 0 {
			f.Fatalf("read count %d and %d dead after releases of what was not delivered", r.Messages[0].ReadCount, r.Dead)
		}
		f.later(time.Second)
		f.wantOutcomes(f.giveBack(deliveryOf(r.Messages[0])), backend.Settled)
		f.wantCounts(backend.MessageCounts{Ready: 1})
	}
}

func undeliveredKeepsPlace(f *fixture) {
	ids := f.produce(10)
	f.later(time.Second)
	ids = append(ids, f.produce(5)...)
	m := f.dequeue(7)
	f.archive(deliveriesOf(m[:2])...)
	f.later(time.Second)
	f.giveBack(deliveriesOf(m[2:])...)
	f.wantIDs(f.dequeue(100), ids[2:]...)
}

func undeliveredPartsKeepOrder(f *fixture) {
	ids := f.produce(1000)
	f.later(time.Second)
	ids = append(ids, f.produce(10)...)
	var held [][]backend.Message
	for _, n := range []int{300, 10, 40, 200, 1} {
		f.later(time.Millisecond)
		held = append(held, f.dequeue(n))
	}
	for _, i := range []int{3, 0, 4, 2, 1} {
		f.later(time.Millisecond)
		f.wantOutcomes(f.giveBack(deliveriesOf(held[i])...), repeat(backend.Settled, len(held[i]))...)
	}
	f.wantIDs(f.dequeue(700), ids[:700]...)
	f.wantIDs(f.dequeue(700), ids[700:]...)
}

func undeliveredDoesNotOvertake(f *fixture) {
	first := f.produce(3)
	held := f.dequeue(3)
	f.later(time.Microsecond)
	second := f.produce(3)
	for range 5 { // the place must not drift
		f.later(time.Second)
		f.giveBack(deliveriesOf(f.dequeue(3))...)
	}
	f.giveBack(deliveriesOf(held)...)
	f.wantIDs(f.dequeue(10), slices.Concat(first, second)...)

	// The later produced was ready first.
	f.queue = f.newQueue()
	late := f.produceDelayed(2, 3*time.Second)
	f.later(time.Second)
	early := f.produce(2)
	f.wantIDs(f.dequeue(2), early...) // and is held by somebody else
	f.later(lease)
	held = f.dequeue(2)
	f.wantIDs(held, late...)
	f.giveBack(deliveriesOf(held)...)
	f.wantIDs(f.dequeueAll(10), slices.Concat(late, early)...)
}

func undeliveredRedelivery(f *fixture) {
	ids := f.produce(2)
	f.dequeue(1)
	f.later(lease)
	later := f.produce(1) // the same moment, a higher id
	f.later(time.Second)
	f.wantIDs(f.dequeue(1), ids[1])
	again := f.dequeue(1)
	f.wantIDs(again, ids[0])
	f.later(time.Second)
	f.giveBack(deliveryOf(again[0]))
	m := f.dequeue(10)
	f.wantIDs(m, ids[0], later[0])
	if m[0].ReadCount != 2 {
		f.Fatalf("read count %d, want 2", m[0].ReadCount)
	}
}

// oneAtATimeInOrder is consume_iter with a break after each message.
func oneAtATimeInOrder(f *fixture) {
	var ids, got []int64
	for _, n := range []int{1, 1, 260, 1, 12} {
		ids = append(ids, f.produce(n)...)
		f.later(time.Millisecond)
	}
	for range ids {
		m := f.dequeue(100)
		if len(m) == 0 {
			f.Fatalf("the queue is empty after %d messages", len(got))
		}
		got = append(got, m[0].ID)
		f.later(time.Millisecond)
		f.archive(deliveryOf(m[0]))
		f.giveBack(deliveriesOf(m[1:])...)
	}
	if !slices.Equal(got, ids) {
		f.Fatalf("read %v, want %v", short(got), short(ids))
	}
}

func releaseOfSome(f *fixture) {
	ids := f.produce(5)
	m := f.dequeue(5)
	f.wantOutcomes(f.release(0, deliveryOf(m[3]), deliveryOf(m[1])), backend.Settled, backend.Settled)
	f.wantCounts(backend.MessageCounts{Ready: 2, Leased: 3})
	f.wantIDs(f.dequeue(10), ids[1], ids[3])
	f.wantOutcomes(f.archive(deliveriesOf(m)...),
		backend.Settled, backend.NotHeld, backend.Settled, backend.NotHeld, backend.Settled)
}
