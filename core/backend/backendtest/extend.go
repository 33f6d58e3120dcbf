package backendtest

import (
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var extendTests = []test{
	{"grow adds to the vt that is left", growAddsToVT},
	{"keep moves the vt to that long after now", keepMovesVT},
	{"an extension never shortens a lease", extensionNeverShortens},
	{"an extended lease holds until its new vt", extendedLeaseHolds},
	{"a delivery named twice is extended once", extendedOnce},
	{"an extension of some leaves the others as they were", extensionOfSome},
}

// wantVT checks one extension that is held until vt.
func (f *fixture) wantVT(x []backend.Extension, vt time.Time) {
	f.Helper()
	for _, e := range x {
		if !e.Held || !e.VT.Equal(vt) {
			f.Fatalf("the extension is %+v, want held until %v", e, vt)
		}
	}
}

func growAddsToVT(f *fixture) {
	f.produce(1)
	m := f.dequeue(1)[0]
	f.later(10 * time.Second)
	f.wantVT(f.extend(backend.ExtendGrow, 5*time.Second, deliveryOf(m)), m.VT.Add(5*time.Second))
	f.wantVT(f.extend(backend.ExtendGrow, 5*time.Second, deliveryOf(m)), m.VT.Add(10*time.Second))
	f.later(time.Minute) // expired now
	f.wantVT(f.extend(backend.ExtendGrow, 5*time.Second, deliveryOf(m)), f.now.Add(5*time.Second))
}

func keepMovesVT(f *fixture) {
	f.produce(1)
	m := f.dequeue(1)[0]
	f.later(10 * time.Second)
	f.wantVT(f.extend(backend.ExtendKeep, lease, deliveryOf(m)), f.now.Add(lease))
	f.later(time.Minute) // expired now
	f.wantVT(f.extend(backend.ExtendKeep, lease, deliveryOf(m)), f.now.Add(lease))
}

func extensionNeverShortens(f *fixture) {
	f.produce(2)
	m := f.dequeue(2)
	f.wantVT(f.extend(backend.ExtendKeep, time.Second, deliveriesOf(m)...), m[0].VT)
	f.wantVT(f.extend(backend.ExtendGrow, 0, deliveriesOf(m)...), m[0].VT)
	f.wantVT(f.extend(backend.ExtendKeep, 0, deliveryOf(m[1])), m[0].VT)
}

func extendedLeaseHolds(f *fixture) {
	ids := f.produce(1)
	m := f.dequeue(1)[0]
	f.extend(backend.ExtendGrow, lease, deliveryOf(m))
	f.later(2*lease - time.Microsecond)
	f.wantIDs(f.dequeue(1))
	f.later(time.Microsecond)
	f.wantIDs(f.dequeue(1), ids...)
	f.wantNotHeld(deliveryOf(m))
}

func extendedOnce(f *fixture) {
	f.produce(1)
	m := f.dequeue(1)[0]
	d := deliveryOf(m)
	f.wantVT(f.extend(backend.ExtendGrow, time.Second, d, d, d), m.VT.Add(time.Second))
	if vt := f.get(m.ID).VT; !vt.Equal(m.VT.Add(time.Second)) {
		f.Fatalf("vt is %v, want %v", vt, m.VT.Add(time.Second))
	}
}

func extensionOfSome(f *fixture) {
	ids := f.produce(300)
	d := deliveriesOf(f.dequeue(300))
	f.wantVT(f.extend(backend.ExtendGrow, lease, d[2], d[299], d[7]), f.now.Add(2*lease))
	f.expire()
	f.wantCounts(backend.MessageCounts{Ready: 297, Leased: 3})
	f.wantOutcomes(f.archive(d[2], d[3]), backend.Settled, backend.Settled)
	held := map[int64]bool{ids[2]: true, ids[3]: true, ids[7]: true, ids[299]: true}
	for _, m := range f.dequeueAll(1000) {
		if held[m.ID] {
			f.Fatalf("message %d was dequeued although it was held or done", m.ID)
		}
		held[m.ID] = true
	}
	if len(held) != 300 {
		f.Fatalf("%d messages were seen, want 300", len(held))
	}
	f.wantOutcomes(f.archive(d[7], d[299], d[0]), backend.Settled, backend.Settled, backend.NotHeld)
}
