package postgres_test

import (
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Who settles in a transaction of the caller, which may stay open for long, makes
// nobody wait who shares the lease: the messages are detached first.
var transactionRaces = []raceTest{
	{"an open transaction that settles keeps nobody waiting who shares the lease", detachedAlone},
	{"without detaching they would wait", attachedWaits},
	{"detaching finds a message whose lease is being split", detachSplitByExtend},
	{"an expired lease is taken by a dequeue or settled by the transaction, never both", detachedExpired},
	{"what the transaction that rolls back has settled is held and can be settled", detachedRolledBack},
	{"who asks without waiting gets what no transaction has, and nothing else", detachedNoWait},
}

// detach gives messages of a lease one of their own.
func (s *session) detach(what ...held) int64 {
	s.r.Helper()
	var lease int64
	for _, h := range what {
		args := []any{s.r.queue, []int64{h.lease}, []int64{h.lo}, []int64{h.hi}}
		s.r.must(s.c.QueryRow(s.r.ctx, s.r.b.Queries()["MessageDetach"], args...).Scan(nil, nil, nil, &lease))
	}
	return lease
}

// archiveInside archives detached messages in the transaction that is open.
func (s *session) archiveInside(lease int64, ids ...int64) []int64 {
	s.r.Helper()
	leases := make([]int64, len(ids))
	for i := range leases {
		leases[i] = lease
	}
	var settled []int64
	s.r.must(s.c.QueryRow(s.r.ctx, s.r.b.Queries()["MessageArchiveTx"], s.r.b.Identity(), s.r.queue, leases, ids).Scan(&settled))
	return settled
}

func detachedAlone(r *race) {
	ids := r.stock(100)
	a, caller := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 100})
	own := a.detach(l.of(ids[4], ids[5]))
	if own <= l.lease {
		r.Fatalf("lease %d is not after %d", own, l.lease)
	}
	r.want("detached under its old lease", a.archive(l.of(ids[4], ids[5])), []held(nil))
	caller.begin()
	r.want("settled", caller.archiveInside(own, ids[4], ids[5]), []int64{ids[4], ids[5]})
	// None of these waits: the test would not come to its end.
	r.want("archived", a.archive(l.of(ids[0], ids[9])), []held{l.of(ids[0], ids[3]), l.of(ids[6], ids[9])})
	r.want("extended", a.extend(time.Minute, l.of(ids[10], ids[99])), []held{l.of(ids[10], ids[99])})
	r.want("given back", a.giveBack(l.of(ids[90], ids[99])), []held{l.of(ids[90], ids[99])})
	r.want("dequeued", a.dequeue(dequeueing{limit: 100}).ids, ids[90:])
	caller.commit()
	r.wantCounts(backend.MessageCounts{Leased: 90, Archived: 10})
	r.wantSound()
}

func attachedWaits(r *race) {
	ids := r.stock(10)
	a, caller := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 10})
	caller.begin()
	r.want("settled", caller.archiveInside(l.lease, ids[0]), ids[:1])
	archive := blocked(a, func() ([]held, error) { return a.trySettle("MessageArchive", []held{l.of(ids[1], ids[9])}, false, nil) })
	caller.commit()
	r.want("archived", wait(r, archive), []held{l.of(ids[1], ids[9])})
}

func detachSplitByExtend(r *race) {
	ids := r.stock(10)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 10})
	a.begin()
	r.want("extended", a.extend(time.Minute, l.of(ids[3], ids[4])), []held{l.of(ids[3], ids[4])})
	detach := blocked(b, func() ([]held, error) { return b.trySettle("MessageDetach", []held{l.of(ids[4], ids[4])}) })
	a.commit()
	r.want("detached", wait(r, detach), []held{l.of(ids[4], ids[4])})
	r.wantCounts(backend.MessageCounts{Leased: 10})
	r.wantSound()
}

func detachedExpired(r *race) {
	ids := r.stock(2)
	a, b, caller := r.session(), r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 2, at: r.long})
	first, second := a.detach(l.of(ids[0], ids[0])), a.detach(l.of(ids[1], ids[1]))
	r.want("dequeued", b.dequeue(dequeueing{limit: 1}).ids, ids[:1])
	caller.begin()
	r.want("settled too late", caller.archiveInside(first, ids[0]), []int64{})
	r.want("settled in time", caller.archiveInside(second, ids[1]), ids[1:])
	if d := b.dequeue(dequeueing{limit: 2}); len(d.ids) != 0 || d.empty {
		r.Errorf("dequeued what a transaction has, or took the queue for empty: %+v", d)
	}
	caller.commit()
	r.wantCounts(backend.MessageCounts{Leased: 1, Archived: 1})
	r.wantSound()
}

func detachedRolledBack(r *race) {
	ids := r.stock(3)
	a, caller := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 3})
	own := a.detach(l.all())
	caller.begin()
	r.want("settled", caller.archiveInside(own, ids...), ids)
	caller.rollback()
	r.wantCounts(backend.MessageCounts{Leased: 3})
	r.want("archived", a.archive(held{own, ids[0], ids[0]}), []held{{own, ids[0], ids[0]}})
	caller.begin()
	r.want("settled anew", caller.archiveInside(own, ids...), ids[1:])
	caller.commit()
	r.wantCounts(backend.MessageCounts{Archived: 3})
	r.wantSound()
}

func detachedNoWait(r *race) {
	ids := r.stock(3)
	a, caller := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 3})
	own := a.detach(l.of(ids[0], ids[0]))
	free := a.detach(l.of(ids[1], ids[1]))
	caller.begin()
	r.want("settled", caller.archiveInside(own, ids[0]), ids[:1])
	asked := []backend.Delivery{{Lease: own, ID: ids[0]}, {Lease: free, ID: ids[1]}}
	outcomes, err := r.b.MessageArchive(r.ctx, &backend.MessageArchiveParams{QueueID: r.queue, Deliveries: asked, NoWait: true})
	r.must(err)
	r.want("archived without waiting", outcomes, []backend.Outcome{backend.NotHeld, backend.Settled})
	caller.rollback()
	outcomes, err = r.b.MessageArchive(r.ctx, &backend.MessageArchiveParams{QueueID: r.queue, Deliveries: asked[:1], NoWait: true})
	r.must(err)
	r.want("archived after the rollback", outcomes, []backend.Outcome{backend.Settled})
	r.wantCounts(backend.MessageCounts{Leased: 1, Archived: 2})
	r.wantSound()
}
