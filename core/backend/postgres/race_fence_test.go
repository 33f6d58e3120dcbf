package postgres_test

import "time"

// A dequeue draws a lease number that is never used again. A delivery is a lease
// and an id; whatever else recurs, this pair does not.
var fenceRaces = []raceTest{
	{"a delivery that was given back and leased again is not held by the old one", givenBackAndLeasedAgain},
	{"a delivery that expired and was leased again is not held by the old one", expiredAndLeasedAgain},
	{"deliveries of two leases settled together do not mix", leasesDoNotMix},
	{"all parts of a split keep the lease", partsKeepTheLease},
	{"lease numbers go on rising when the sequence falls back", leasesRise},
}

// wantNothing checks that no settling operation settles anything of these.
func (s *session) wantNothing(what ...held) {
	s.r.Helper()
	var none []held
	s.r.want("archive", s.archive(what...), none)
	s.r.want("archive again", s.settle("MessageArchive", what, true, nil), none)
	s.r.want("delete", s.remove(what...), none)
	s.r.want("extend", s.extend(time.Hour, what...), none)
	s.r.want("keep", s.settle("MessageExtend", what, time.Hour, true, nil), none)
	s.r.want("release", s.settle("MessageRelease", what, false, time.Duration(0), nil), none)
	s.r.want("give back", s.giveBack(what...), none)
}

// The row, its worker and its read count are the same in both leases.
func givenBackAndLeasedAgain(r *race) {
	ids := r.stock(100)
	s := r.session()
	first := s.dequeue(dequeueing{limit: 100, worker: 7})
	r.want("given back", s.giveBack(first.all()), []held{first.all()})
	second := s.dequeue(dequeueing{limit: 100, worker: 7})
	r.want("leased again", second.ids, ids)
	s.wantNothing(first.all()) // first of all the release, whose answer may have been lost
	r.want("still held", s.archive(second.all()), []held{second.all()})
	r.wantSound()
}

func expiredAndLeasedAgain(r *race) {
	r.stock(1)
	s := r.session()
	first := s.dequeue(dequeueing{limit: 1, worker: 7, at: r.long})
	second := s.dequeue(dequeueing{limit: 1, worker: 7})
	r.want("leased again", second.ids, first.ids)
	s.wantNothing(first.all())
	r.want("still held", s.archive(second.all()), []held{second.all()})
}

// A cross product of leases and ids would archive the late delivery through the
// row of the lease that holds the message now.
func leasesDoNotMix(r *race) {
	ids := r.stock(100)
	s := r.session()
	late := s.dequeue(dequeueing{limit: 100, at: r.long})
	again := s.dequeue(dequeueing{limit: 10})
	r.want("leased again", again.ids, ids[:10])
	r.want("archived", s.archive(late.of(ids[2], ids[2]), again.of(ids[0], ids[0])), []held{again.of(ids[0], ids[0])})
	r.want("deleted", s.remove(late.of(ids[0], ids[9]), again.of(ids[20], ids[29])), []held(nil))
	r.want("left to both", s.archive(late.of(ids[0], ids[99]), again.of(ids[0], ids[99])),
		[]held{late.of(ids[10], ids[99]), again.of(ids[1], ids[9])})
	r.wantSound()
}

func partsKeepTheLease(r *race) {
	ids := r.stock(600)
	s := r.session()
	l := s.dequeue(dequeueing{limit: 600})
	for _, i := range []int{5, 250, 300, 599} {
		part := l.of(ids[i], ids[i])
		r.want("extended", s.extend(time.Hour, part), []held{part})
	}
	r.want("archived", s.archive(l.all()), []held{l.all()})
	r.wantSound()
}

// A crash can set a sequence back to what was written to disk.
func leasesRise(r *race) {
	var last int64
	for range 20 {
		r.stock(1)
		r.exec("alter sequence pgqrs_lease restart")
		s := r.session() // without numbers that another has cached
		l := s.dequeue(dequeueing{limit: 1})
		if l.lease <= last {
			r.Fatalf("lease %d came after lease %d", l.lease, last)
		}
		last = l.lease
		r.must(s.c.Close(r.ctx))
	}
}
