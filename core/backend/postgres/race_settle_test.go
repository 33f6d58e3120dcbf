package postgres_test

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgqrs/pgqrs/core/backend"
)

// "Not held" is answered only when a snapshot taken behind all locks has no row
// of the lease with the message: rows are split and replaced meanwhile.
var missRaces = []raceTest{
	{"an acknowledgement that waits for a split of its lease finds its message", missSplitByExtend},
	{"an acknowledgement that waits for a part of its lease to be taken finds the rest", missSplitByDequeue},
	{"a message whose row is replaced while its acknowledgement waits for it is found", missReplacedRow},
	{"a message whose row is divided while its acknowledgement waits for it is found", missDividedRow},
	{"a message is found by its id before, while and after it is split off", missByID},
}

func missSplitByExtend(r *race) {
	ids := r.stock(100)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 100})
	five := l.of(ids[4], ids[4])
	a.begin()
	r.want("extended", a.extend(time.Minute, five), []held{five})
	archive := blocked(b, func() ([]held, error) { return b.trySettle("MessageArchive", []held{five}, false, nil) })
	a.commit()
	r.want("archived", wait(r, archive), []held{five})
	r.wantCounts(backend.MessageCounts{Leased: 99, Archived: 1})
	r.wantSound()
}

func missSplitByDequeue(r *race) {
	ids := r.stock(100)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 100, at: r.long})
	a.begin()
	taken := a.dequeue(dequeueing{limit: 20})
	r.want("taken", taken.ids, ids[:20])
	archive := blocked(b, func() ([]held, error) {
		return b.trySettle("MessageArchive", []held{l.of(ids[10], ids[50])}, false, nil)
	})
	a.commit()
	r.want("archived", wait(r, archive), []held{l.of(ids[20], ids[50])})
	r.wantCounts(backend.MessageCounts{Ready: 49, Leased: 20, Archived: 31})
	r.wantSound()
}

// missReplacedRow moves a lease to a new row without the advisory lock of the
// lease, as no operation does now: so the look at a fresh snapshot is tested by
// itself.
func missReplacedRow(r *race) {
	ids := r.stock(100)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 100})
	a.begin()
	a.exec(`
		with old as (delete from pgqrs_spans where queue_id = $1 returning *)
		insert into pgqrs_spans (queue_id, lease, vt, since, read_ct, consumer_worker_id, dequeued_at, n, lo, hi, ids)
		select queue_id, lease, vt, since, read_ct, consumer_worker_id, dequeued_at, n, lo, hi, ids from old`, r.queue)
	archive := blocked(b, func() ([]held, error) { return b.trySettle("MessageArchive", []held{l.of(ids[4], ids[6])}, false, nil) })
	a.commit()
	r.want("archived", wait(r, archive), []held{l.of(ids[4], ids[6])})
	r.wantSound()
}

// As missReplacedRow, but the old row stays with a part of the messages.
func missDividedRow(r *race) {
	ids := r.stock(100)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 100})
	a.begin()
	a.exec(`
		with old as (
			update pgqrs_spans set n = 50, ids = int8multirange(int8range(lower(ids), lower(ids) + 50)) where queue_id = $1 returning *
		)
		insert into pgqrs_spans (queue_id, lease, vt, since, read_ct, consumer_worker_id, dequeued_at, n, lo, hi, ids)
		select queue_id, lease, vt, since, read_ct, consumer_worker_id, dequeued_at, n, lo + 50, hi, int8multirange(int8range(lo + 50, hi, '[]')) from old`, r.queue)
	archive := blocked(b, func() ([]held, error) { return b.trySettle("MessageArchive", []held{l.all()}, false, nil) })
	a.commit()
	r.want("archived", wait(r, archive), []held{l.of(ids[0], ids[99])})
	r.wantSound()
}

func missByID(r *race) {
	ids := r.stock(250)
	wantState := func(want backend.MessageState) {
		r.Helper()
		m, err := r.b.MessageGet(r.ctx, &backend.MessageGetParams{ID: ids[9]})
		r.must(err)
		r.want("state", m.State, want)
	}
	a := r.session()
	wantState(backend.StateReady)
	a.begin()
	l := a.dequeue(dequeueing{limit: 50})
	wantState(backend.StateReady)
	a.commit()
	wantState(backend.StateLeased)
	a.begin()
	a.extend(time.Minute, l.of(ids[9], ids[9]))
	wantState(backend.StateLeased)
	a.commit()
	wantState(backend.StateLeased)
	a.begin()
	a.archive(l.of(ids[9], ids[9]))
	wantState(backend.StateLeased)
	a.commit()
	wantState(backend.StateArchived)
}

// Settling takes the turns of its leases, ascending, before the first snapshot, and
// then locks their rows by id.
var settlingRaces = []raceTest{
	{"two who settle the same leases in opposite order do not deadlock", oppositeOrders},
	{"who settles and who purges do not deadlock", settleAndPurge},
	{"who waited for a row that is leased anew does not wait for its new holder", lockedWhatIsLeasedAnew(false)},
	{"who has locked a row that was leased anew does not wait for its new holder", lockedWhatIsLeasedAnew(true)},
	{"who settles a lease waits for another who does before looking at its rows", settlersTakeTurns},
	{"an expired lease that nobody took may be settled", expiredMayBeSettled},
	{"an expired lease that is being taken is settled only when that is rolled back", expiredBeingTaken},
	{"a keeper that waited for a longer extension does not shorten it", keeperDoesNotShorten},
	{"the end of an extended lease counts from behind the lock", extensionCountsFromLock},
	{"of two who settle one delivery at once the second gets nothing", secondGetsNothing},
	{"who settles one part of a lease does not lose another's part", partsSettledInTurn},
	{"what a deadlock with somebody else's transaction rolled back is done again", deadlockIsRetried},
}

// twoLeases draws two leases of 100 messages each.
func (r *race) twoLeases(s *session) (one, two leased) {
	r.Helper()
	r.stock(100)
	one = s.dequeue(dequeueing{limit: 100})
	r.stock(100)
	two = s.dequeue(dequeueing{limit: 100})
	return one, two
}

// lockLease locks the rows of a lease in a transaction, as a dequeue does with
// those of an expired one.
func (s *session) lockLease(lease int64) {
	s.r.Helper()
	s.begin()
	s.exec("select from pgqrs_spans where queue_id = $1 and lease = $2 for update", s.r.queue, lease)
}

func oppositeOrders(r *race) {
	holder, a, b := r.session(), r.session(), r.session()
	one, two := r.twoLeases(holder)
	holder.lockLease(one.lease)
	// a stands at the first lease. Had b taken the second one before it asks for
	// the first, a would wait for b next, and b for a.
	first := blocked(a, func() ([]held, error) { return a.trySettle("MessageArchive", []held{one.all(), two.all()}, false, nil) })
	second := blocked(b, func() ([]held, error) { return b.trySettle("MessageArchive", []held{two.all(), one.all()}, false, nil) })
	holder.commit()
	r.want("first", wait(r, first), []held{one.all(), two.all()})
	r.want("second", wait(r, second), []held(nil))
	r.wantSound()
}

func settleAndPurge(r *race) {
	holder, a, b := r.session(), r.session(), r.session()
	one, two := r.twoLeases(holder)
	holder.lockLease(one.lease)
	// a stands at the first lease. If b keeps the second one while it waits for the
	// first, a waits for b next, and b for a.
	archive := blocked(a, func() ([]held, error) { return a.trySettle("MessageArchive", []held{one.all(), two.all()}, false, nil) })
	purge := blocked(b, b.purge)
	holder.commit()
	purged, archived := wait(r, purge), wait(r, archive)
	total := purged
	for _, h := range archived {
		total += h.hi - h.lo + 1
	}
	r.want("purged and archived", total, int64(200))
	r.wantSound()
}

// lockedWhatIsLeasedAnew: a row is leased anew between an old holder's snapshot and his
// lock, or while he waits for it, and stays locked by him. Who settles the new lease, and
// one between, must not have what the old holder wants next.
func lockedWhatIsLeasedAnew(unnoticed bool) func(*race) {
	return func(r *race) {
		a, b, c, holder := r.session(), r.session(), r.session(), r.session()
		r.stock(1)
		old := a.dequeue(dequeueing{limit: 1, at: r.long}) // expired
		r.stock(1)
		between := a.dequeue(dequeueing{limit: 1})
		archive := func() ([]held, error) {
			return b.trySettle("MessageArchive", []held{old.all(), between.all()}, false, nil)
		}
		var late *pending[[]held]
		var anew leased
		var goOn func()
		if unnoticed {
			goOn = r.pauseTake(old.lease)
			late = blocked(b, archive)
			anew = a.dequeue(dequeueing{limit: 1})
		} else {
			a.begin()
			anew = a.dequeue(dequeueing{limit: 1})
			late = blocked(b, archive)
			goOn = a.commit
		}
		r.want("leased anew", anew.ids, old.ids)
		holder.lockLease(between.lease)
		later := blocked(c, func() ([]held, error) {
			return c.trySettle("MessageArchive", []held{between.all(), anew.all()}, false, nil)
		})
		goOn()
		r.eventually("the late one goes on to the lease between", func() bool { return r.waitsFor(b, holder) || r.waitsFor(b, c) })
		holder.commit()
		r.want("late", wait(r, late), []held{between.all()})
		r.want("later", wait(r, later), []held{anew.all()})
		r.wantSound()
	}
}

// settlersTakeTurns: rows that replace others may have lower ids, so the order of
// the ids alone does not keep those who wait for rows of one lease from waiting
// for each other.
func settlersTakeTurns(r *race) {
	holder, a := r.session(), r.session()
	one, two := r.twoLeases(holder)
	holder.begin()
	holder.exec("select pg_advisory_xact_lock($1::bigint)", two.lease)
	r.want("another lease", a.archive(one.all()), []held{one.all()})
	archive := blocked(a, func() ([]held, error) { return a.trySettle("MessageArchive", []held{two.all()}, false, nil) })
	r.want("it waits for", ask[string](&r.bench, "select wait_event from pg_stat_activity where pid = $1", a.c.PgConn().PID()), "advisory")
	holder.exec(`
		with old as (delete from pgqrs_spans where queue_id = $1 returning *)
		insert into pgqrs_spans (queue_id, lease, vt, since, read_ct, n, lo, hi, ids)
		select queue_id, lease, vt, since, read_ct, n, lo, hi, ids from old`, r.queue)
	holder.commit()
	r.want("archived", wait(r, archive), []held{two.all()})
	r.wantSound()
}

func expiredMayBeSettled(r *race) {
	ids := r.stock(100)
	s := r.session()
	l := s.dequeue(dequeueing{limit: 100, at: r.long})
	r.wantCounts(backend.MessageCounts{Ready: 100})
	r.want("extend", s.extend(time.Hour, l.of(ids[0], ids[9])), []held{l.of(ids[0], ids[9])})
	r.want("archive", s.archive(l.of(ids[10], ids[19])), []held{l.of(ids[10], ids[19])})
	r.want("delete", s.remove(l.of(ids[20], ids[29])), []held{l.of(ids[20], ids[29])})
	r.want("release", s.giveBack(l.of(ids[30], ids[39])), []held{l.of(ids[30], ids[39])})
	r.wantCounts(backend.MessageCounts{Ready: 70, Leased: 10, Archived: 10})
	r.wantSound()
}

func expiredBeingTaken(r *race) {
	for _, taken := range []bool{true, false} {
		a, b := r.session(), r.session()
		r.stock(1)
		l := a.dequeue(dequeueing{limit: 1, at: r.long})
		a.begin()
		again := a.dequeue(dequeueing{limit: 1})
		r.want("taken", again.ids, l.ids)
		archive := blocked(b, func() ([]held, error) { return b.trySettle("MessageArchive", []held{l.all()}, false, nil) })
		if taken {
			a.commit()
			r.want("archived", wait(r, archive), []held(nil))
			r.want("held by who took it", a.archive(again.all()), []held{again.all()})
			continue
		}
		a.rollback()
		r.want("archived", wait(r, archive), []held{l.all()})
	}
	r.wantSound()
}

func keeperDoesNotShorten(r *race) {
	ids := r.stock(100)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 100})
	a.begin()
	a.extend(time.Hour, l.of(ids[4], ids[4]))
	keep := blocked(b, func() ([]held, error) { return b.trySettle("MessageExtend", []held{l.all()}, time.Minute, true, nil) })
	a.commit()
	r.want("kept", wait(r, keep), []held{l.all()})
	ends := askAll[time.Time](&r.bench, "select vt from pgqrs_spans where queue_id = $1 order by vt", r.queue)
	if len(ends) != 2 || !ends[1].Equal(l.until.Add(time.Hour)) {
		r.Fatalf("the leases end at %v; one was extended to %v", ends, l.until.Add(time.Hour))
	}
	if since := ends[0].Sub(l.takenAt); since < time.Minute || since > 2*time.Minute {
		r.Fatalf("the others were kept for %v, want a minute and what has passed", since)
	}
}

func extensionCountsFromLock(r *race) {
	r.stock(1)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 1})
	a.begin()
	a.extend(time.Second, l.all())
	keep := blocked(b, func() ([]held, error) { return b.trySettle("MessageExtend", []held{l.all()}, time.Hour, true, nil) })
	before := ask[time.Time](&r.bench, "select clock_timestamp()")
	a.commit()
	r.want("kept", wait(r, keep), []held{l.all()})
	if end := ask[time.Time](&r.bench, "select vt from pgqrs_spans where queue_id = $1", r.queue); end.Before(before.Add(time.Hour)) {
		r.Fatalf("the lease ends at %v, before an hour after it was free to be extended (%v)", end, before.Add(time.Hour))
	}
}

func secondGetsNothing(r *race) {
	first := []struct {
		query string
		rest  []any
	}{
		{"MessageArchive", []any{false, nil}},
		{"MessageDelete", nil},
		{"MessageRelease", []any{true, time.Duration(0), nil}},
		{"MessageRelease", []any{false, time.Hour, nil}},
	}
	second := append(first, first[0])
	second[4].query, second[4].rest = "MessageExtend", []any{time.Hour, false, nil}
	for _, f := range first {
		for _, g := range second {
			ids := r.stock(10)
			a, b := r.session(), r.session()
			l := a.dequeue(dequeueing{limit: 10})
			part, rest := l.of(ids[0], ids[4]), l.of(ids[5], ids[9])
			a.begin()
			r.want(f.query, a.settle(f.query, []held{part}, f.rest...), []held{part})
			late := blocked(b, func() ([]held, error) { return b.trySettle(g.query, []held{l.all()}, g.rest...) })
			a.commit()
			r.want(g.query+" after "+f.query, wait(r, late), []held{rest})
			r.wantSound()
			_, err := r.b.QueuePurge(r.ctx, &backend.QueuePurgeParams{QueueID: r.queue})
			r.must(err)
			r.must(errors.Join(a.c.Close(r.ctx), b.c.Close(r.ctx)))
		}
	}
}

func partsSettledInTurn(r *race) {
	ids := r.stock(600)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 600})
	odd, even := []held{}, []held{}
	for i, id := range ids {
		if part := l.of(id, id); i%2 == 0 {
			even = append(even, part)
		} else {
			odd = append(odd, part)
		}
	}
	a.begin()
	r.want("even", a.archive(even...), even)
	archive := blocked(b, func() ([]held, error) { return b.trySettle("MessageArchive", odd, false, nil) })
	a.commit()
	r.want("odd", wait(r, archive), odd)
	r.wantCounts(backend.MessageCounts{Archived: 600})
	r.wantSound()
}

// deadlockIsRetried: a transaction of somebody else has the second lease and asks
// for the first one, which the library has; the server ends the library's. That
// is whoever has waited for deadlock_timeout, a second; should the library have
// waited for longer before the other asks, the schedule is begun again.
func deadlockIsRetried(r *race) {
	for range 5 {
		if r.deadlockOnce() {
			r.wantSound()
			return
		}
	}
	r.Fatal("the server never ended the library's transaction")
}

// deadlockOnce says whether the library's transaction was ended.
func (r *race) deadlockOnce() bool {
	r.Helper()
	other := r.session()
	one, two := r.twoLeases(other)
	var all []backend.Delivery
	for _, l := range []leased{one, two} {
		for _, id := range l.ids {
			all = append(all, backend.Delivery{Lease: l.lease, ID: id})
		}
	}
	other.lockLease(two.lease)
	archive := start(func() ([]backend.Outcome, error) {
		return r.b.MessageArchive(r.ctx, &backend.MessageArchiveParams{QueueID: r.queue, Deliveries: all})
	})
	r.eventually("the library waits for the second lease", func() bool {
		return ask[bool](&r.bench, "select exists (select from pg_stat_activity where $1 = any (pg_blocking_pids(pid)))", int32(other.c.PgConn().PID()))
	})
	other.exec("set deadlock_timeout = '20s'")
	locked, err := other.c.Exec(r.ctx, "select from pgqrs_spans where queue_id = $1 and lease = $2 for update", r.queue, one.lease)
	var server *pgconn.PgError
	if !errors.As(err, &server) || server.Code != "40P01" {
		r.must(err)
		r.want("rows that the library has not archived", locked.RowsAffected(), int64(1))
	}
	other.rollback()
	for i, o := range wait(r, archive) {
		if o != backend.Settled {
			r.Fatalf("delivery %v is %v", all[i], o)
		}
	}
	return err == nil
}
