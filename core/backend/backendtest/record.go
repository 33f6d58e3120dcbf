package backendtest

import (
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var recordTests = []test{
	{"an unknown message is not found", unknownMessage},
	{"a leased message is shown as it was delivered", leasedRecord},
	{"an archived message is shown with its last delivery", archivedRecord},
	{"the state of a message follows its life", stateFollowsLife},
	{"counts follow the life of messages", countsFollowLife},
	{"any message is found by its id among many", anyIsFound},
	{"live messages are listed by id, page by page", liveAreListed},
}

func unknownMessage(f *fixture) {
	for _, id := range []int64{0, -1, 1 << 50} {
		_, err := f.b.MessageGet(f.ctx, &backend.MessageGetParams{ID: id})
		f.wantError("MessageGet", err, backend.ErrMessageNotFound)
	}
}

// wantSame compares a record with what was delivered.
func (f *fixture) wantSame(got *backend.MessageRecord, want backend.Message) {
	f.Helper()
	if got.ID != want.ID || got.QueueID != want.QueueID || string(got.Payload) != string(want.Payload) ||
		!got.EnqueuedAt.Equal(want.EnqueuedAt) || !got.DequeuedAt.Equal(want.DequeuedAt) ||
		got.ReadCount != want.ReadCount || got.ProducerWorkerID != want.ProducerWorkerID ||
		got.ConsumerWorkerID != want.ConsumerWorkerID {
		f.Fatalf("the record is %+v, delivered was %+v", got, want)
	}
}

func leasedRecord(f *fixture) {
	w := f.register(&backend.WorkerRegisterParams{Hostname: "host"}).ID
	f.produce(3)
	f.later(time.Second)
	m := f.dequeueParams(&backend.MessageDequeueParams{WorkerID: w, Limit: 3, VT: lease}).Messages[1]
	r := f.get(m.ID)
	f.wantSame(r, m)
	if r.Lease != m.Lease || !r.VT.Equal(m.VT) || !r.ArchivedAt.IsZero() {
		f.Fatalf("the record is %+v, delivered was %+v", r, m)
	}
}

func archivedRecord(f *fixture) {
	w := f.register(&backend.WorkerRegisterParams{Hostname: "host"}).ID
	f.produce(3)
	f.later(time.Second)
	m := f.dequeueParams(&backend.MessageDequeueParams{WorkerID: w, Limit: 3, VT: lease}).Messages[1]
	f.later(time.Second)
	f.archive(deliveryOf(m))
	r := f.get(m.ID)
	f.wantSame(r, m)
	if r.State != backend.StateArchived || !r.ArchivedAt.Equal(f.now) {
		f.Fatalf("the record is %s since %v, want archived since %v", r.State, r.ArchivedAt, f.now)
	}
}

// stateFollowsLife uses the backend's clock, by which MessageGet tells ready,
// delayed and leased apart.
func stateFollowsLife(f *fixture) {
	f.now = time.Time{}
	ready := f.produce(2)
	delayed := f.produceDelayed(1, time.Hour)
	leased := f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: time.Hour}).Messages
	f.wantIDs(leased, ready[0])
	for id, want := range map[int64]backend.MessageState{
		ready[0]: backend.StateLeased, ready[1]: backend.StateReady, delayed[0]: backend.StateDelayed,
	} {
		if r := f.get(id); r.State != want {
			f.Errorf("message %d is %s, want %s", id, r.State, want)
		}
	}
	f.release(time.Hour, deliveryOf(leased[0]))
	r := f.get(ready[0])
	if r.State != backend.StateDelayed || r.Lease != 0 || r.ReadCount != 1 {
		f.Errorf("the released message is %s with lease %d and read count %d", r.State, r.Lease, r.ReadCount)
	}
}

func countsFollowLife(f *fixture) {
	f.wantCounts(backend.MessageCounts{})
	f.produce(600)
	f.produceDelayed(5, time.Minute)
	f.wantCounts(backend.MessageCounts{Ready: 600, Delayed: 5})
	m := f.dequeue(400)
	f.wantCounts(backend.MessageCounts{Ready: 200, Delayed: 5, Leased: 400})
	f.archive(deliveriesOf(m[:100])...)
	f.delete(deliveriesOf(m[100:150])...)
	f.giveBack(deliveriesOf(m[150:160])...)
	f.release(time.Hour, deliveriesOf(m[160:163])...)
	f.wantCounts(backend.MessageCounts{Ready: 210, Delayed: 8, Leased: 237, Archived: 100})
	f.expire()
	f.wantCounts(backend.MessageCounts{Ready: 447, Delayed: 8, Archived: 100})
	f.later(2 * time.Hour)
	f.wantCounts(backend.MessageCounts{Ready: 455, Archived: 100})
	other := f.queue
	f.queue = f.newQueue()
	f.wantCounts(backend.MessageCounts{})
	f.queue = other
}

func anyIsFound(f *fixture) {
	ids := f.produce(2000)
	m := f.dequeue(900)
	f.archive(deliveriesOf(m[300:600])...)
	for _, i := range []int{0, 1, 249, 250, 299, 300, 599, 600, 899, 900, 1999} {
		r := f.get(ids[i])
		if r.ID != ids[i] || r.QueueID != f.queue {
			f.Fatalf("MessageGet of %d returned %+v", ids[i], r)
		}
		if done := r.State == backend.StateArchived; done != (i >= 300 && i < 600) {
			f.Fatalf("message %d is %s", i, r.State)
		}
		if leased := r.ReadCount == 1; leased != (i < 900) {
			f.Fatalf("message %d has read count %d", i, r.ReadCount)
		}
	}
}

func (f *fixture) listLive(p backend.MessageListParams) []backend.MessageRecord {
	f.Helper()
	p.QueueID, p.At = f.queue, f.now
	page, err := f.b.MessageList(f.ctx, &p)
	f.must("MessageList", err)
	return page
}

// liveAreListed takes messages out of the middle, so that many sets lie between each
// other, and has others of another queue among them.
func liveAreListed(f *fixture) {
	mine, others := f.queue, f.newQueue()
	var ids []int64
	for range 40 {
		ids = append(ids, f.produce(20)...)
		f.queue = others
		f.produce(1)
		f.queue = mine
	}
	ids = append(ids, f.produceDelayed(3, time.Minute)...)
	m := f.dequeue(500)
	f.archive(deliveriesOf(every(m, 3))...)
	f.giveBack(deliveriesOf(every(m[1:], 3))...)
	var want []int64
	for i, id := range ids {
		if i >= len(m) || i%3 != 0 {
			want = append(want, id)
		}
	}
	for _, limit := range []int{1000, 64, 7, 1} {
		var got []int64
		for after := int64(0); ; after = got[len(got)-1] {
			page := f.listLive(backend.MessageListParams{After: after, Limit: limit})
			for _, r := range page {
				got = append(got, r.ID)
				if one := f.get(r.ID); r.Lease != one.Lease || string(r.Payload) != string(one.Payload) || !r.VT.Equal(one.VT) || r.QueueID != mine {
					f.Fatalf("MessageList has %+v, MessageGet %+v", r, one)
				}
			}
			if len(page) == 0 || len(got) > 60 && limit < 10 {
				break
			}
		}
		if !slices.Equal(got, want[:len(got)]) || limit > 10 && len(got) != len(want) {
			f.Fatalf("pages of %d have %v, want %v", limit, short(got), short(want))
		}
	}
	for state, n := range map[backend.MessageState]int{backend.StateReady: 300 + 167, backend.StateLeased: 166, backend.StateDelayed: 3} {
		if page := f.listLive(backend.MessageListParams{State: state, Limit: 1000}); len(page) != n || page[0].State != state {
			f.Errorf("%d messages are %s, want %d", len(page), state, n)
		}
	}
	f.queue = f.newQueue()
	if page := f.listLive(backend.MessageListParams{Limit: 10}); len(page) != 0 {
		f.Errorf("an empty queue has %v", page)
	}
}
