package backendtest

import (
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var mergeTests = []test{
	{"a merge changes neither messages nor their order", mergeKeepsMessages},
	{"a merge leaves alone what is held, delayed or was delivered", mergeLeavesAlone},
	{"a merge goes on where it stopped", mergeGoesOn},
}

// merge merges all that has been ready for a second, and counts the calls.
func (f *fixture) merge() (calls int) {
	f.Helper()
	p := &backend.QueueMergeParams{QueueID: f.queue, Age: time.Second, At: f.now}
	for {
		r, err := f.b.QueueMerge(f.ctx, p)
		f.must("QueueMerge", err)
		if calls++; r.Upto.IsZero() {
			return calls
		}
		if !r.Upto.After(p.Start) {
			f.Fatalf("QueueMerge stopped at %v, where it began", r.Upto)
		}
		p.Start = r.Upto
	}
}

// singly stores n messages, a millisecond apart.
func (f *fixture) singly(n int) (ids []int64) {
	f.Helper()
	for range n {
		f.later(time.Millisecond)
		ids = append(ids, f.produce(1)...)
	}
	return ids
}

func mergeKeepsMessages(f *fixture) {
	ids := f.singly(40)
	first, other := f.queue, f.newQueue()
	for range 40 { // ids of two queues take turns
		f.queue = other
		f.singly(1)
		f.queue = first
		ids = append(ids, f.singly(1)...)
	}
	f.later(time.Millisecond)
	ids = append(ids, f.produce(60)...)
	ids = append(ids, f.singly(7)...)
	f.later(time.Second)
	young := f.singly(3)
	f.merge()
	f.merge()
	f.wantCounts(backend.MessageCounts{Ready: int64(len(ids) + 3)})
	got := f.dequeueAll(9)
	f.wantIDs(got, append(ids, young...)...)
	for i, m := range got {
		if m.ReadCount != 1 || string(m.Payload) != "0" && i < 80 {
			f.Fatalf("message %d was delivered as %+v", i, m)
		}
	}
	f.archive(deliveriesOf(got)...)
	f.wantCounts(backend.MessageCounts{Archived: int64(len(got))})
}

func mergeLeavesAlone(f *fixture) {
	f.singly(2)
	held := f.dequeueParams(&backend.MessageDequeueParams{Limit: 2, VT: time.Hour}).Messages
	returned := f.singly(2)
	f.release(0, deliveriesOf(f.dequeue(2))...)
	fresh := f.singly(3)
	late := f.produceDelayed(1, time.Minute)
	f.later(2 * time.Second)
	f.merge()
	f.wantOutcomes(f.archive(deliveriesOf(held)...), repeat(backend.Settled, 2)...)
	got := f.dequeue(100)
	f.wantIDs(got, append(returned, fresh...)...)
	for i, m := range got {
		if delivered := m.ReadCount == 2; delivered != (i < 2) {
			f.Errorf("message %d has a read count of %d", m.ID, m.ReadCount)
		}
	}
	f.archive(deliveriesOf(got)...)
	f.later(time.Minute)
	f.wantIDs(f.dequeue(100), late...)
}

func mergeGoesOn(f *fixture) {
	ids := f.singly(1200)
	f.later(time.Minute)
	f.merge()
	f.wantIDs(f.dequeueAll(500), ids...)
}
