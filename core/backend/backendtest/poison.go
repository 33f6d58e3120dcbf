package backendtest

import (
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var poisonTests = []test{
	{"a message dies when it was leased as often as allowed", deadAtMaxReadCount},
	{"without a maximum nothing dies", nothingDiesWithoutMaximum},
	{"a message that is given back too often dies too", releasedDies},
	{"the dead do not hide the living", deadDoNotHideTheLiving},
	{"a dead message is held by nobody", deadIsNotHeld},
	{"a suspect of two leases comes back alone", suspectComesAlone},
	{"a suspect of two leases does not come behind others", suspectComesBehindNone},
	{"a message that was released is no suspect", releasedIsNoSuspect},
	{"one message that kills its holder dies alone", poisonDiesAlone},
	{"a message that kills its holder before it settles the others dies alone", poisonTakesNoNeighbour},
}

func deadAtMaxReadCount(f *fixture) {
	ids := f.produce(1)
	p := backend.MessageDequeueParams{Limit: 10, VT: lease, MaxReadCount: 3}
	for i := range 3 {
		r := f.dequeueParams(&p)
		f.wantIDs(r.Messages, ids...)
		if int(r.Messages[0].ReadCount) != i+1 || r.Dead != 0 {
			f.Fatalf("lease %d has read count %d and %d dead", i+1, r.Messages[0].ReadCount, r.Dead)
		}
		f.expire()
	}
	f.wantCounts(backend.MessageCounts{Ready: 1})
	r := f.dequeueParams(&p)
	if len(r.Messages) != 0 || r.Dead != 1 || r.HasNext {
		f.Fatalf("%d messages, %d dead, next %v; want one dead and no more", len(r.Messages), r.Dead, r.HasNext)
	}
	f.wantCounts(backend.MessageCounts{Dead: 1})
	m := f.get(ids[0])
	if m.State != backend.StateDead || m.ReadCount != 3 || !m.ArchivedAt.Equal(f.now) || string(m.Payload) != "0" {
		f.Fatalf("the dead message is %+v", m)
	}
	f.expire()
	if r = f.dequeueParams(&p); len(r.Messages) != 0 || r.Dead != 0 {
		f.Fatalf("%d messages and %d dead after the death", len(r.Messages), r.Dead)
	}
}

func nothingDiesWithoutMaximum(f *fixture) {
	ids := f.produce(1)
	for i := range 40 {
		m := f.dequeue(1)
		f.wantIDs(m, ids...)
		if int(m[0].ReadCount) != i+1 {
			f.Fatalf("read count %d at lease %d", m[0].ReadCount, i+1)
		}
		f.expire()
	}
}

func releasedDies(f *fixture) {
	f.produce(1)
	p := backend.MessageDequeueParams{Limit: 1, VT: lease, MaxReadCount: 2}
	for range 2 {
		f.release(0, deliveriesOf(f.dequeueParams(&p).Messages)...)
		f.later(time.Second)
	}
	if r := f.dequeueParams(&p); len(r.Messages) != 0 || r.Dead != 1 {
		f.Fatalf("%d messages, %d dead, want one dead", len(r.Messages), r.Dead)
	}
}

func deadDoNotHideTheLiving(f *fixture) {
	f.produce(150)
	for i := range 150 { // each in a lease of its own
		if m := f.dequeue(1); len(m) != 1 {
			f.Fatalf("dequeue %d is empty", i)
		}
	}
	f.expire()
	living := f.produce(3)
	p := backend.MessageDequeueParams{Limit: 10, VT: lease, MaxReadCount: 1}
	var got []backend.Message
	dead := 0
	for len(got) < 3 {
		r := f.dequeueParams(&p)
		if len(r.Messages) == 0 {
			f.Fatalf("an empty answer after %d dead and %d messages of 3", dead, len(got))
		}
		got = append(got, r.Messages...)
		dead += r.Dead
	}
	f.wantIDs(got, living...)
	if dead != 150 {
		f.Fatalf("%d dead, want 150", dead)
	}
	f.wantCounts(backend.MessageCounts{Leased: 3, Dead: 150})
}

func deadIsNotHeld(f *fixture) {
	f.produce(1)
	d := deliveryOf(f.dequeue(1)[0])
	f.expire()
	f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: lease, MaxReadCount: 1})
	f.wantNotHeld(d)
	_, err := f.b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: f.queue})
	f.must("QueuePurge", err)
	f.wantCounts(backend.MessageCounts{Dead: 1})
}

// leaseTwice lets n messages be leased together twice and expire each time, as
// far as the backend lets them come back together.
func (f *fixture) leaseTwice(n int) {
	f.Helper()
	f.produce(n)
	for range 2 {
		if got := len(f.dequeueAll(n)); got != n {
			f.Fatalf("leased %d messages, want %d", got, n)
		}
		f.expire()
	}
}

func suspectComesAlone(f *fixture) {
	const n = 40
	f.leaseTwice(n)
	fresh := f.produce(3)
	left := n
	for left > 0 {
		m := f.dequeue(n)
		if len(m) == 0 {
			f.Fatalf("the queue is empty with %d suspects left", left)
		}
		for _, x := range m {
			if x.ReadCount != 3 {
				f.Fatalf("a message with read count %d came with suspects", x.ReadCount)
			}
		}
		if len(m) > max(1, n>>4) {
			f.Fatalf("%d suspects of two leases came together, of %d", len(m), n)
		}
		left -= len(m)
	}
	f.wantIDs(f.dequeue(n), fresh...)
}

func suspectComesBehindNone(f *fixture) {
	waiting := f.produceDelayed(3, lease*3/2) // ready before the suspect is, but not for its leases
	f.leaseTwice(1)
	m := f.dequeue(10)
	f.wantIDs(m, waiting...)
	m = f.dequeue(10)
	if len(m) != 1 || m[0].ReadCount != 3 {
		f.Fatalf("the suspect came as %v", short(m))
	}
}

func releasedIsNoSuspect(f *fixture) {
	const n = 20
	f.produce(n)
	for i := range 4 {
		m := f.dequeue(n)
		if len(m) != n || int(m[0].ReadCount) != i+1 {
			f.Fatalf("dequeued %d messages after %d releases, want all %d", len(m), i, n)
		}
		f.release(0, deliveriesOf(m)...)
		f.later(time.Second)
	}
}

// poisonDiesAlone: the holder archives all that it got unless the poison is among
// them; then it dies before it has archived any.
func poisonDiesAlone(f *fixture) {
	f.poison(func(m []backend.Message, i int) []backend.Message {
		if i >= 0 {
			return nil
		}
		return m
	})
}

// poisonTakesNoNeighbour: the holder archives one after the other, until it comes
// to the poison.
func poisonTakesNoNeighbour(f *fixture) {
	f.poison(func(m []backend.Message, i int) []backend.Message {
		if i >= 0 {
			return m[:i]
		}
		return m
	})
}

// poison runs consumers on 1000 messages of which one kills whoever holds it, and
// wants that one dead and all others archived. settled says what a consumer
// archives of what it got, where i is the index of the poison in it, or -1.
func (f *fixture) poison(settled func(m []backend.Message, i int) []backend.Message) {
	const n = 1000
	ids := f.produce(n)
	poison := ids[n*2/3]
	deaths := 0
	p := backend.MessageDequeueParams{Limit: n, VT: lease, MaxReadCount: 5}
	for range 5 * n {
		r := f.dequeueParams(&p)
		if len(r.Messages) == 0 {
			if !r.HasNext {
				break
			}
			f.later(r.NextDue)
			continue
		}
		at := -1
		for i, m := range r.Messages {
			if m.ID == poison {
				at = i
			}
		}
		if at >= 0 {
			deaths++
		}
		if done := settled(r.Messages, at); len(done) > 0 {
			f.wantOutcomes(f.archive(deliveriesOf(done)...), repeat(backend.Settled, len(done))...)
		}
	}
	f.wantCounts(backend.MessageCounts{Archived: n - 1, Dead: 1})
	if state := f.get(poison).State; state != backend.StateDead {
		f.Fatalf("the poison is %s", state)
	}
	if deaths != 5 {
		f.Fatalf("the poison killed %d holders, want 5", deaths)
	}
}
