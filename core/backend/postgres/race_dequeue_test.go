package postgres_test

import (
	"fmt"
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// A dequeue is told "empty" only when the earliest vt of the queue, locked rows
// included, is none or in the future.
var emptyRaces = []raceTest{
	{"who finds another inside its dequeue is told that more is due", emptyWhileOneDequeues},
	{"who finds a transaction of somebody else on all rows is told that more is due", emptyWhileLocked},
	{"who finds another replacing a row is told that more is due", emptyWhileReplaced},
	{"16 consumers that collide on one span all get a message", sixteenOnOneSpan},
}

func emptyWhileOneDequeues(r *race) {
	ids := r.stock(250)
	a, b := r.session(), r.session()
	a.begin()
	a.dequeue(dequeueing{limit: 1})
	l := b.dequeue(dequeueing{limit: 1})
	r.want("leased", l.ids, []int64(nil))
	if l.empty || l.due > 0 {
		r.Fatalf("b was told empty %v, due in %v, of 249 messages", l.empty, l.due)
	}
	a.commit()
	r.want("the rest", b.dequeue(dequeueing{limit: 250}).ids, ids[1:])
	l = b.dequeue(dequeueing{limit: 1})
	if l.empty || l.due <= 0 || l.due > leaseTime {
		r.Fatalf("with all leased b was told empty %v, due in %v", l.empty, l.due)
	}
}

func emptyWhileLocked(r *race) {
	ids := r.stock(1)
	a, b := r.session(), r.session()
	a.begin()
	a.exec("select from pgqrs_spans where queue_id = $1 for update", r.queue)
	if l := b.dequeue(dequeueing{limit: 1}); l.ids != nil || l.empty || l.due > 0 {
		r.Fatalf("b got %+v", l)
	}
	a.rollback()
	r.want("leased", b.dequeue(dequeueing{limit: 1}).ids, ids)
}

// The messages move to a new row, which the walk's snapshot does not have.
func emptyWhileReplaced(r *race) {
	ids := r.stock(1)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 1})
	resume := r.pauseDequeue("open walk;")
	dequeue := start(func() (leased, error) { return b.tryDequeue(dequeueing{limit: 1, worker: pausing}) })
	r.paused(1)
	a.giveBack(l.all())
	resume()
	if l := wait(r, dequeue); l.ids != nil || l.empty || l.due > 0 {
		r.Fatalf("b got %+v of a message that was given back meanwhile", l)
	}
	r.want("leased", b.dequeue(dequeueing{limit: 1}).ids, ids)
}

// sixteenOnOneSpan holds the span until every consumer has walked past it.
func sixteenOnOneSpan(r *race) {
	const consumers = 16
	r.stock(250)
	r.exec("create table walked (worker bigint)")
	r.Cleanup(func() { r.exec("drop table walked") })
	r.change("pgqrs_dequeue", "open walk;", "open walk; insert into public.walked values (worker);")
	a := r.session()
	a.begin()
	a.dequeue(dequeueing{limit: 1, worker: consumers + 1})
	var got [consumers]int64
	var wg sync.WaitGroup
	for i := range consumers {
		wg.Go(func() {
			p := backend.MessageDequeueParams{QueueID: r.queue, Limit: 1, VT: time.Hour, WorkerID: int64(i + 1)}
			for {
				d, err := r.b.MessageDequeue(r.ctx, &p)
				switch {
				case err != nil:
					r.Errorf("consumer %d: %v", i, err)
				case len(d.Messages) == 1:
					got[i] = d.Messages[0].ID
				case !d.HasNext || d.NextDue > 0:
					r.Errorf("consumer %d was told %+v of a queue with 249 ready messages", i, d)
				default:
					continue // the span was locked for as long as a dequeue is patient
				}
				return
			}
		})
	}
	r.eventually("all consumers have walked", func() bool {
		return ask[int64](&r.bench, "select count(distinct worker) from walked") >= consumers
	})
	a.commit()
	wg.Wait()
	seen := make(map[int64]bool)
	for i, id := range got {
		if seen[id] {
			r.Errorf("consumer %d got message %d, which another has", i, id)
		}
		seen[id] = true
	}
	r.wantSound()
}

// What a dequeue does with a row it does with the row as it is once it is locked,
// not as it was when the walk began; and it never waits for a lock.
var lockedRowRaces = []raceTest{
	{"a row that shrank before it was locked is leased as it is then", shrankBeforeLock},
	{"a row that shrank before it was locked is cut as it is then", shrankBeforeCut},
	{"a row that was leased before it was locked is passed over", leasedBeforeLock},
	{"a row that was merged away before it was locked is passed over", mergedBeforeLock},
	{"small rows that shrank before they were locked are merged as they are then", shrankBeforeMerge},
	{"a suspect of which messages were archived before it was locked comes without them", archivedBeforeLock},
	{"only what is left of a row dies when others were archived before it was locked", archivedBeforeDeath},
	{"a lease begins behind its locks", leaseBeginsBehindLock},
	{"a dequeue waits for no lock", dequeueWaitsForNothing},
	{"where the default is repeatable read the library reads committed rows", repeatableReadDefault},
}

// meanwhile starts a dequeue, lets f run when its walk has its snapshot, and
// returns the answer.
func (r *race) meanwhile(d dequeueing, f func()) (*session, leased) {
	r.Helper()
	b := r.session()
	d.worker = pausing
	resume := r.pauseDequeue("open walk;")
	dequeue := start(func() (leased, error) { return b.tryDequeue(d) })
	r.paused(1)
	f()
	resume()
	return b, wait(r, dequeue)
}

func shrankBeforeLock(r *race) {
	ids := r.stock(250)
	a := r.session()
	b, l := r.meanwhile(dequeueing{limit: 1000}, func() {
		for i := range 5 {
			r.want("taken", a.dequeue(dequeueing{limit: 1}).ids, ids[i:i+1])
		}
	})
	r.want("leased", l.ids, ids[5:])
	r.wantSound()
	r.wantCounts(backend.MessageCounts{Leased: 250})
	r.want("archived", b.archive(l.of(ids[0], ids[249])), []held{l.of(ids[5], ids[249])})
	r.wantSound()
}

func shrankBeforeCut(r *race) {
	ids := r.stock(250)
	a := r.session()
	b, l := r.meanwhile(dequeueing{limit: 10}, func() { a.dequeue(dequeueing{limit: 5}) })
	r.want("leased", l.ids, ids[5:15])
	r.wantSound()
	r.wantCounts(backend.MessageCounts{Ready: 235, Leased: 15})
	r.want("the rest", b.dequeue(dequeueing{limit: 250}).ids, ids[15:])
	r.wantSound()
}

func leasedBeforeLock(r *race) {
	r.stock(250)
	a := r.session()
	_, l := r.meanwhile(dequeueing{limit: 10}, func() { a.dequeue(dequeueing{limit: 250}) })
	if l.ids != nil || l.due <= 0 {
		r.Fatalf("b got %+v", l)
	}
	r.wantSound()
	r.wantCounts(backend.MessageCounts{Leased: 250})
}

func mergedBeforeLock(r *race) {
	for range 20 {
		r.stock(1)
	}
	a := r.session()
	_, l := r.meanwhile(dequeueing{limit: 20}, func() { a.dequeue(dequeueing{limit: 15}) })
	r.want("leased", len(l.ids), 5)
	r.wantSound()
	r.wantCounts(backend.MessageCounts{Leased: 20})
}

func shrankBeforeMerge(r *race) {
	var ids []int64
	for range 5 {
		ids = append(ids, r.stock(4)...)
	}
	a := r.session()
	b, l := r.meanwhile(dequeueing{limit: 100}, func() { a.dequeue(dequeueing{limit: 2}) })
	r.want("leased", l.ids, ids[2:])
	r.want("archived", b.archive(l.of(ids[0], ids[19])), []held{l.of(ids[2], ids[19])})
	r.wantSound()
}

func archivedBeforeLock(r *race) {
	ids := r.stock(100)
	a := r.session()
	late := a.dequeue(dequeueing{limit: 100, at: r.long})
	_, l := r.meanwhile(dequeueing{limit: 10}, func() {
		r.want("archived", a.archive(late.of(ids[3], ids[6])), []held{late.of(ids[3], ids[6])})
	})
	r.want("leased", l.ids, append(ids[:3:3], ids[7:14]...))
	r.wantSound()
	r.wantCounts(backend.MessageCounts{Ready: 86, Leased: 10, Archived: 4})
}

func archivedBeforeDeath(r *race) {
	ids := r.stock(100)
	a := r.session()
	late := a.dequeue(dequeueing{limit: 100, at: r.long})
	_, l := r.meanwhile(dequeueing{limit: 10, maxReadCount: 1}, func() {
		r.want("archived", a.archive(late.of(ids[3], ids[6])), []held{late.of(ids[3], ids[6])})
	})
	r.want("dead", l.dead, 96)
	r.wantSound()
	r.wantCounts(backend.MessageCounts{Archived: 4, Dead: 96})
}

// A walk may take long; a lease whose time began with it might be over before it
// is told of.
func leaseBeginsBehindLock(r *race) {
	r.stock(250)
	b := r.session()
	resume := r.pauseDequeue("close walk;")
	dequeue := start(func() (leased, error) { return b.tryDequeue(dequeueing{limit: 10, worker: pausing}) })
	r.paused(1)
	before := ask[time.Time](&r.bench, "select clock_timestamp()")
	resume()
	l := wait(r, dequeue)
	if l.takenAt.Before(before) || !l.until.Equal(l.takenAt.Add(leaseTime)) {
		r.Fatalf("leased from %v to %v, though the rows were locked until %v at least", l.takenAt, l.until, before)
	}
}

// dequeueWaitsForNothing: the first wait for a lock would be an error.
func dequeueWaitsForNothing(r *race) {
	a, b, c := r.session(), r.session(), r.session()
	b.exec("set lock_timeout = '1ms'")
	ids := r.stock(100)
	expired := a.dequeue(dequeueing{limit: 100, at: r.long})
	ids = append(ids, r.stock(250)...)
	for _, hold := range []struct {
		what string
		do   func()
	}{
		{"all rows locked", func() { a.exec("select from pgqrs_spans where queue_id = $1 for update", r.queue) }},
		{"all rows changed", func() { a.exec("update pgqrs_spans set read_ct = read_ct where queue_id = $1", r.queue) }},
		{"all rows deleted", func() { a.exec("delete from pgqrs_spans where queue_id = $1", r.queue) }},
		{"a lease being extended", func() { a.extend(time.Hour, expired.all()); a.dequeue(dequeueing{limit: 1}) }},
		{"a lease being archived", func() { a.archive(expired.all()); a.dequeue(dequeueing{limit: 1}) }},
		{"a purge", func() { _, err := a.tryPurge(); r.must(err) }},
	} {
		a.begin()
		hold.do()
		if l := b.dequeue(dequeueing{limit: 10}); l.ids != nil || l.empty || l.due > 0 {
			r.Fatalf("%s: b got %+v", hold.what, l)
		}
		a.rollback()
	}
	// Somebody waits for the very row that the dequeue has locked.
	b.begin()
	l := b.dequeue(dequeueing{limit: 1000})
	archive := blocked(c, func() ([]held, error) { return c.trySettle("MessageArchive", []held{expired.all()}, false, nil) })
	b.commit()
	r.want("taken", l.ids, append(ids[100:], ids[:25]...)) // the suspect became ready last
	r.want("archived", wait(r, archive), []held{expired.of(ids[25], ids[99])})
	r.wantSound()
}

// repeatableReadDefault: in a transaction of one snapshot the row that another
// has changed would be an error.
func repeatableReadDefault(r *race) {
	r.change("pgqrs_dequeue", "close walk;", `close walk;
		if current_setting('transaction_isolation') <> 'read committed' then
			raise 'the walk is %', current_setting('transaction_isolation');
		end if;`)
	for _, level := range []string{"repeatable read", "serializable"} {
		r.exec(fmt.Sprintf("alter role current_user in database %s set default_transaction_isolation = '%s'", r.c.Config().Database, level))
		r.Cleanup(func() {
			r.exec(fmt.Sprintf("alter role current_user in database %s reset default_transaction_isolation", r.c.Config().Database))
		})
		b := open(r.TB, r.dsn) // new connections
		r.want("default", ask[string](&bench{TB: r.TB, ctx: r.ctx, c: r.connect()}, "show default_transaction_isolation"), level)
		ids := r.stock(250)
		resume := r.pauseDequeue("open walk;")
		dequeue := start(func() (*backend.MessageDequeueResult, error) {
			return b.MessageDequeue(r.ctx, &backend.MessageDequeueParams{QueueID: r.queue, Limit: 250, VT: leaseTime, WorkerID: pausing})
		})
		r.paused(1)
		a := r.session()
		a.begin()
		first := a.dequeue(dequeueing{limit: 50})
		a.commit()
		resume()
		got := deliveries(wait(r, dequeue).Messages)
		r.want("dequeued", len(got), 200)
		// Archiving waits for a split.
		a.begin()
		a.extend(time.Hour, first.of(ids[0], ids[9]))
		mine := []backend.Delivery{{Lease: first.lease, ID: ids[0]}, {Lease: first.lease, ID: ids[49]}}
		archive := start(func() ([]backend.Outcome, error) {
			return b.MessageArchive(r.ctx, &backend.MessageArchiveParams{QueueID: r.queue, Deliveries: append(mine, got...)})
		})
		r.eventually("archiving waits", func() bool {
			return ask[bool](&r.bench, "select exists (select from pg_stat_activity where $1 = any (pg_blocking_pids(pid)))", int32(a.c.PgConn().PID()))
		})
		a.commit()
		for i, o := range wait(r, archive) {
			if o != backend.Settled {
				r.Fatalf("delivery %d is %v", i, o)
			}
		}
		r.must(b.Close())
		r.wantSound()
		_, err := r.b.QueuePurge(r.ctx, &backend.QueuePurgeParams{QueueID: r.queue})
		r.must(err)
	}
}
