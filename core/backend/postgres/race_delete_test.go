package postgres_test

import (
	"fmt"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Messages are deleted from the log only by the ids of the rows that were removed
// for it, as they were when they were locked; a purge goes on until a fresh
// snapshot is empty. What is missing all the same is taken out of its row.
var deletionRaces = []raceTest{
	{"a purge that waits for a split deletes both parts", purgeWaitsForSplit},
	{"a purge that waits for an extension deletes the row that replaces its own", purgeWaitsForExtension},
	{"a purge that waits for an archive leaves what was archived", purgeWaitsForArchive},
	{"a purge that waits for a delete counts what is left", purgeWaitsForDelete},
	{"a purge that waits while a row is leased anew does not wait for earlier leases with it", purgeWaitsForLeaseAnew},
	{"a purge that has locked what changed under its snapshot does not wait for others", purgeHoldsWhatChanged},
	{"a purge leaves what is produced in a transaction that is open", purgeLeavesTheUncommitted},
	{"a delete that waits for a part of its lease to be taken leaves that part", deleteWaitsForSplit},
	{"settling that waits for a purge gets nothing", settlingWaitsForPurge},
	{"messages without a payload do not eat the limit of a dequeue", ghostsDoNotEatTheLimit},
	{"messages without a payload are subtracted from their row", ghostsAreSubtracted},
}

// purge calls pgqrs_purge until nothing is left, as QueuePurge does.
func (s *session) purge() (total int64, err error) {
	for {
		n, err := s.tryPurge()
		if total += n; err != nil || n == 0 {
			return total, err
		}
	}
}

// inLog counts the messages of the queue.
func (r *race) inLog() int64 {
	r.Helper()
	return ask[int64](&r.bench, "select count(*) from pgqrs_log where queue_id = $1", r.queue)
}

func purgeWaitsForSplit(r *race) {
	r.stock(250)
	a, b := r.session(), r.session()
	a.begin()
	a.dequeue(dequeueing{limit: 50})
	purge := blocked(b, b.purge)
	a.commit()
	r.want("purged", wait(r, purge), int64(250))
	r.want("left", r.inLog(), int64(0))
	r.wantSound()
}

// One call of pgqrs_purge is enough: it answers 0 only when nothing is left.
func purgeWaitsForExtension(r *race) {
	r.stock(250)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 250})
	a.begin()
	a.extend(time.Hour, l.all())
	purge := blocked(b, b.tryPurge)
	a.commit()
	r.want("purged", wait(r, purge), int64(250))
	r.want("left", r.inLog(), int64(0))
	r.wantSound()
}

func purgeWaitsForArchive(r *race) {
	ids := r.stock(250)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 250})
	a.begin()
	a.archive(l.of(ids[100], ids[149]))
	purge := blocked(b, b.purge)
	a.commit()
	r.want("purged", wait(r, purge), int64(200))
	r.wantCounts(backend.MessageCounts{Archived: 50})
	r.wantSound()
}

func purgeWaitsForDelete(r *race) {
	ids := r.stock(250)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 250})
	a.begin()
	a.remove(l.of(ids[100], ids[149]))
	purge := blocked(b, b.purge)
	a.commit()
	r.want("purged", wait(r, purge), int64(200))
	r.want("left", r.inLog(), int64(0))
	r.wantSound()
}

// purgeWaitsForLeaseAnew: the row that the purge waits for gets a lease that is
// higher than those of the rows to come. Whoever settles the leases ascending would
// wait for the purge, and the purge for it.
func purgeWaitsForLeaseAnew(r *race) {
	a, b, c, holder := r.session(), r.session(), r.session(), r.session()
	r.stock(1)
	a.dequeue(dequeueing{limit: 1, at: r.long}) // expired
	r.stock(1)
	low := a.dequeue(dequeueing{limit: 1})
	a.begin()
	high := a.dequeue(dequeueing{limit: 1}) // the first message again
	holder.lockLease(low.lease)
	purge := blocked(b, b.purge)
	archive := blocked(c, func() ([]held, error) {
		return c.trySettle("MessageArchive", []held{low.all(), high.all()}, false, nil)
	})
	a.commit()
	r.eventually("the purge is done or waits for the low lease", func() bool {
		select {
		case <-purge.done:
			return true
		default:
		}
		return ask[bool](&r.bench, "select not $1 = any (pg_blocking_pids($2)) and cardinality(pg_blocking_pids($2)) > 0",
			int32(a.c.PgConn().PID()), int32(b.c.PgConn().PID()))
	})
	holder.commit()
	archived, purged := wait(r, archive), wait(r, purge)
	r.want("archived and purged", int64(len(archived))+purged, int64(2))
	r.wantSound()
}

// purgeHoldsWhatChanged: between the purge's snapshot and its lock on a row a part of
// that row is archived. The row is locked then, and not found by its ctid. Should the purge
// wait for another row now, whoever has that one may come to wait for this one.
func purgeHoldsWhatChanged(r *race) {
	holder, a, b := r.session(), r.session(), r.session()
	r.stock(1)
	low := a.dequeue(dequeueing{limit: 1})
	ids := r.stock(2)
	high := a.dequeue(dequeueing{limit: 2})
	holder.lockLease(low.lease)
	r.exec(fmt.Sprintf(`
		create function public.pause_at(lease bigint) returns boolean language plpgsql volatile as $$
		begin
			if lease = %d then
				perform pg_advisory_lock_shared(%d), pg_advisory_unlock_shared(%[2]d);
			end if;
			return true;
		end $$`, high.lease, gate))
	r.Cleanup(func() { r.exec("drop function public.pause_at") })
	r.change("pgqrs_purge", "s.lo <= upto\n            order by", "s.lo <= upto and public.pause_at(s.lease)\n            order by")
	resume := r.closeGate()
	purge := start(b.tryPurge)
	r.paused(1)
	r.want("archived", a.archive(high.of(ids[0], ids[0])), []held{high.of(ids[0], ids[0])})
	resume()
	r.eventually("the purge is done", func() bool {
		select {
		case <-purge.done:
			return true
		default:
		}
		if r.waitsFor(b, holder) {
			r.Fatal("the purge waits while it holds the row that changed")
		}
		return false
	})
	r.want("purged", wait(r, purge), int64(1))
	holder.commit()
	r.wantCounts(backend.MessageCounts{Leased: 1, Archived: 1})
	r.wantSound()
}

func purgeLeavesTheUncommitted(r *race) {
	r.stock(10)
	a, b := r.session(), r.session()
	a.begin()
	a.exec("select pgqrs_enqueue($1, array['1', '2']::json[])", r.queue)
	purged, err := b.purge()
	r.must(err)
	a.commit()
	r.want("purged", purged, int64(10))
	r.wantCounts(backend.MessageCounts{Ready: 2})
	r.wantSound()
}

func deleteWaitsForSplit(r *race) {
	ids := r.stock(100)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 100, at: r.long})
	a.begin()
	taken := a.dequeue(dequeueing{limit: 20})
	remove := blocked(b, func() ([]held, error) { return b.trySettle("MessageDelete", []held{l.all()}) })
	a.commit()
	r.want("deleted", wait(r, remove), []held{l.of(ids[20], ids[99])})
	r.want("left", r.inLog(), int64(20))
	r.wantSound()
	r.want("archived", a.archive(taken.all()), []held{taken.all()})
	r.wantSound()
}

func settlingWaitsForPurge(r *race) {
	for _, query := range []string{"MessageArchive", "MessageDelete", "MessageExtend", "MessageRelease"} {
		rest := map[string][]any{
			"MessageArchive": {false, nil}, "MessageExtend": {time.Hour, true, nil}, "MessageRelease": {true, time.Duration(0), nil},
		}[query]
		r.stock(250)
		a, b := r.session(), r.session()
		l := a.dequeue(dequeueing{limit: 250})
		a.begin()
		n, err := a.tryPurge()
		r.must(err)
		r.want("purged", n, int64(250))
		settle := blocked(b, func() ([]held, error) { return b.trySettle(query, []held{l.all()}, rest...) })
		a.commit()
		r.want(query, wait(r, settle), []held(nil))
		r.want("left", r.inLog(), int64(0))
		r.wantSound()
	}
}

// ghostsDoNotEatTheLimit: what should not happen has happened.
func ghostsDoNotEatTheLimit(r *race) {
	ids := r.stock(250)
	r.exec("delete from pgqrs_log where queue_id = $1 and id < $2", r.queue, ids[247])
	d, err := r.b.MessageDequeue(r.ctx, &backend.MessageDequeueParams{QueueID: r.queue, Limit: 50, VT: time.Hour})
	r.must(err)
	r.want("dequeued", len(d.Messages), 3)
	r.want("first", d.Messages[0].ID, ids[247])
	r.wantCounts(backend.MessageCounts{Leased: 3})
	r.wantSound()
}

func ghostsAreSubtracted(r *race) {
	ids := r.stock(250)
	r.exec("delete from pgqrs_log where queue_id = $1 and id between $2 and $3", r.queue, ids[10], ids[19])
	r.exec("delete from pgqrs_log where queue_id = $1 and id between $2 and $3", r.queue, ids[240], ids[249])
	s := r.session()
	l := s.dequeue(dequeueing{limit: 250})
	r.want("leased", len(l.ids), 230)
	r.wantCounts(backend.MessageCounts{Leased: 230})
	r.wantSound()
	r.want("archived", s.archive(l.of(ids[0], ids[249])), []held{l.of(ids[0], ids[9]), l.of(ids[20], ids[239])})
	r.wantSound()
}
