package backendtest

import (
	"slices"
	"strings"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var dequeueTests = []test{
	{"messages come in the order they were produced", fifo},
	{"messages come by vt before id", byVTBeforeID},
	{"a dequeue returns no more than its limit and no less while there are more", limitIsKept},
	{"all messages of a dequeue share one new lease", oneLease},
	{"leases are never used twice", leasesAreNew},
	{"a leased message is nobody else's", leasedIsHidden},
	{"an empty answer says when the next message is due", nextDue},
	{"an expired lease comes back with a read count one higher", expiredComesBack},
	{"a lease ends at its vt and not before", leaseEndsAtVT},
	{"queues do not mix", queuesDoNotMix},
	{"sparse queues are dequeued in order", interleavedQueues},
	{"a dequeue goes past what others hold", holesAreSkipped},
	{"a dequeue returns no more bytes than it may, but one message at least", bytesAreBounded},
}

func fifo(f *fixture) {
	var want []int64
	for _, n := range []int{1, 2, 300, 1, 60, 1, 1} {
		want = append(want, f.produce(n)...)
		f.later(time.Millisecond)
	}
	for _, limit := range []int{1, 7, 250, 1000} {
		n := min(limit, len(want))
		f.wantIDs(f.dequeue(limit), want[:n]...)
		want = want[n:]
	}
}

func byVTBeforeID(f *fixture) {
	c := f.produceDelayed(2, 3*time.Second)
	a := f.produceDelayed(2, time.Second)
	b := f.produceDelayed(2, 2*time.Second)
	now := f.produce(1)
	f.later(time.Minute)
	f.wantIDs(f.dequeue(10), slices.Concat(now, a, b, c)...)
}

func limitIsKept(f *fixture) {
	f.produce(600)
	left := 600
	for _, limit := range []int{1, 249, 2, 251, 50} {
		if got := len(f.dequeue(limit)); got != limit {
			f.Fatalf("dequeued %d of %d ready, the limit is %d", got, left, limit)
		}
		left -= limit
	}
	if got := len(f.dequeue(10000)); got != left {
		f.Fatalf("dequeued %d of the last %d", got, left)
	}
}

func oneLease(f *fixture) {
	f.produce(300)
	for range 3 {
		f.produce(1)
	}
	r := f.dequeueParams(&backend.MessageDequeueParams{Limit: 1000, VT: 1500 * time.Millisecond})
	if len(r.Messages) != 303 || r.Dead != 0 {
		f.Fatalf("dequeued %d messages, %d dead", len(r.Messages), r.Dead)
	}
	first := r.Messages[0]
	for _, m := range r.Messages {
		if m.Lease <= 0 || m.Lease != first.Lease || m.ReadCount != 1 ||
			!m.VT.Equal(f.now.Add(1500*time.Millisecond)) || !m.DequeuedAt.Equal(f.now) {
			f.Fatalf("message is %+v, the first is %+v, now is %v", m, first, f.now)
		}
	}
}

func leasesAreNew(f *fixture) {
	f.produce(20)
	seen := make(map[int64]bool)
	for range 20 {
		for _, m := range f.dequeue(1) {
			if seen[m.Lease] {
				f.Fatalf("lease %d was drawn twice", m.Lease)
			}
			seen[m.Lease] = true
			f.giveBack(deliveryOf(m))
		}
	}
	if len(seen) != 20 {
		f.Fatalf("%d leases, want 20", len(seen))
	}
}

func leasedIsHidden(f *fixture) {
	ids := f.produce(3)
	other := f.h.second(f, f.b)
	f.wantIDs(f.dequeue(2), ids[:2]...)
	r, err := other.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: f.queue, Limit: 10, VT: lease, At: f.now})
	f.must("MessageDequeue", err)
	f.wantIDs(r.Messages, ids[2])
	f.wantIDs(f.dequeue(10))
}

func nextDue(f *fixture) {
	want := func(has bool, due time.Duration) {
		f.Helper()
		r := f.dequeueParams(&backend.MessageDequeueParams{Limit: 5, VT: 7 * time.Second})
		if len(r.Messages) != 0 || r.HasNext != has || has && r.NextDue != due {
			f.Fatalf("%d messages, next %v in %v, want %v in %v", len(r.Messages), r.HasNext, r.NextDue, has, due)
		}
	}
	want(false, 0)
	f.produceDelayed(1, 20*time.Second)
	f.produceDelayed(1, 10*time.Second)
	want(true, 10*time.Second)
	f.later(4 * time.Second)
	want(true, 6*time.Second)
	f.later(6 * time.Second)
	m := f.dequeueParams(&backend.MessageDequeueParams{Limit: 5, VT: 7 * time.Second}).Messages
	want(true, 7*time.Second)
	f.archive(deliveriesOf(m)...)
	want(true, 10*time.Second)
}

func expiredComesBack(f *fixture) {
	ids := f.produce(3)
	first := f.dequeue(3)
	f.archive(deliveryOf(first[1]))
	f.expire()
	f.wantCounts(backend.MessageCounts{Ready: 2, Archived: 1})
	second := f.dequeueAll(10)
	f.wantIDs(second, ids[0], ids[2])
	for _, m := range second {
		if m.ReadCount != 2 || m.Lease == first[0].Lease {
			f.Fatalf("redelivered with read count %d and lease %d after %d", m.ReadCount, m.Lease, first[0].Lease)
		}
	}
	f.wantCounts(backend.MessageCounts{Leased: 2, Archived: 1})
}

func leaseEndsAtVT(f *fixture) {
	ids := f.produce(1)
	f.dequeue(1)
	f.later(lease - time.Microsecond)
	f.wantIDs(f.dequeue(1))
	f.later(time.Microsecond)
	f.wantIDs(f.dequeue(1), ids...)
}

func queuesDoNotMix(f *fixture) {
	one := f.queue
	a := f.produce(2)
	f.queue = f.newQueue()
	b := f.produce(2)
	held := f.dequeue(10)
	f.wantIDs(held, b...)
	f.queue = one
	f.wantNotHeld(deliveryOf(held[0])) // named with another queue
	f.wantIDs(f.dequeue(10), a...)
	f.wantCounts(backend.MessageCounts{Leased: 2})
}

func interleavedQueues(f *fixture) {
	queues := []int64{f.queue, f.newQueue(), f.newQueue()}
	want := make([][]int64, len(queues))
	for i := range 120 {
		f.queue = queues[i%3]
		want[i%3] = append(want[i%3], f.produce(1)...)
		f.later(time.Millisecond)
	}
	for i, q := range queues {
		f.queue = q
		first := f.dequeue(15)
		f.wantIDs(first, want[i][:15]...)
		f.wantOutcomes(f.archive(deliveriesOf(first)...), repeat(backend.Settled, 15)...)
		f.wantIDs(f.dequeue(100), want[i][15:]...)
	}
}

func holesAreSkipped(f *fixture) {
	ids := f.produce(20)
	held := f.dequeue(10)
	var back []backend.Delivery
	var want []int64
	for i := 0; i < 10; i += 3 {
		back = append(back, deliveryOf(held[i]))
		want = append(want, ids[i])
	}
	f.giveBack(back...)
	f.wantIDs(f.dequeue(100), append(want, ids[10:]...)...)
}

func bytesAreBounded(f *fixture) {
	payload := func(bytes int) []byte { return []byte(`"` + strings.Repeat("x", bytes-2) + `"`) }
	ids := f.producePayloads([][]byte{payload(5000), payload(400), payload(400), payload(300), payload(100), payload(10)}, 0)
	take := func(most int64, want ...int64) {
		f.Helper()
		r := f.dequeueParams(&backend.MessageDequeueParams{Limit: 10, VT: lease, MaxBytes: most})
		f.wantIDs(r.Messages, want...)
		for _, d := range r.Excess {
			if d.Lease != r.Messages[0].Lease || slices.Contains(want, d.ID) {
				f.Fatalf("%+v is too much, beside messages of lease %d", d, r.Messages[0].Lease)
			}
		}
		f.giveBack(r.Excess...)
	}
	take(1000, ids[0])
	take(1000, ids[1:3]...) // though the last ones would fit
	take(300, ids[3])
	take(110, ids[4:]...)
	f.wantCounts(backend.MessageCounts{Leased: 6})
}
