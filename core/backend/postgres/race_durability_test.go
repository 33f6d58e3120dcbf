package postgres_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

// What an operation returned from is committed with the server's
// synchronous_commit. The dequeue alone is not, and the library says so, not the
// function: in somebody's transaction it would make their commit weak too.
var durabilityRaces = []raceTest{
	{"only a dequeue commits without waiting for the disk", onlyDequeueIsSoft},
	{"no function leaves a setting behind in the transaction around it", functionsLeaveNoSetting},
	{"what returned before a crash is there after it", crashLosesNothing},
}

func onlyDequeueIsSoft(r *race) {
	dsn := testserver.DSN(r.TB) // of its own, for the triggers
	b, err := postgres.Open(r.ctx, postgres.Config{DSN: dsn, MaxConnections: 1, AutoInstall: true})
	r.must(err)
	defer func() { r.must(b.Close()) }()
	c, err := pgx.Connect(r.ctx, dsn)
	r.must(err)
	defer func() { r.must(c.Close(r.ctx)) }()
	own := &bench{TB: r.TB, ctx: r.ctx, dsn: dsn, b: b, c: c}
	own.exec(`
		create table seen (pid integer default pg_backend_pid(), commit text default current_setting('synchronous_commit'),
		                   isolation text default current_setting('transaction_isolation'));
		create function see() returns trigger language plpgsql as 'begin insert into public.seen default values; return null; end';
		create trigger see after insert or update or delete on pgqrs_spans for each statement execute function see();`)
	q, err := b.QueueCreate(r.ctx, &backend.QueueCreateParams{Name: "tasks"})
	r.must(err)
	own.queue = q.ID

	own.produce(60)
	d := deliveries(own.dequeue(50))
	_, err = b.MessageArchive(r.ctx, &backend.MessageArchiveParams{QueueID: q.ID, Deliveries: d[:10]})
	r.must(err)
	own.dequeue(1)
	_, err = b.MessageDelete(r.ctx, &backend.MessageDeleteParams{QueueID: q.ID, Deliveries: d[10:20]})
	r.must(err)
	own.dequeue(1)
	_, err = b.MessageExtend(r.ctx, &backend.MessageExtendParams{QueueID: q.ID, Deliveries: d[20:30], By: time.Hour})
	r.must(err)
	own.dequeue(1)
	_, err = b.MessageRelease(r.ctx, &backend.MessageReleaseParams{QueueID: q.ID, Deliveries: d[30:40], Delay: time.Hour})
	r.must(err)
	own.dequeue(1)
	_, err = b.QueuePurge(r.ctx, &backend.QueuePurgeParams{QueueID: q.ID})
	r.must(err)

	own.exec("delete from seen where pid = pg_backend_pid()")
	r.want("connections", ask[int64](own, "select count(distinct pid) from seen"), int64(1))
	r.want("isolation", askAll[string](own, "select distinct isolation from seen"), []string{"read committed"})
	// In the order of the operations, what follows each other and is the same
	// taken together.
	all := slices.Compact(askAll[string](own, "select commit from seen order by ctid"))
	r.want("synchronous_commit", all, []string{"on", "off", "on", "off", "on", "off", "on", "off", "on", "off", "on"})
}

func functionsLeaveNoSetting(r *race) {
	const settings = `select string_agg(name || '=' || setting, ' ' order by name) from pg_settings
		where name in ('synchronous_commit', 'search_path', 'jit', 'enable_seqscan', 'enable_bitmapscan', 'plan_cache_mode',
		               'max_parallel_workers_per_gather', 'transaction_isolation')`
	ids := r.stock(100)
	s := r.session()
	state := func() (text string) {
		r.must(s.c.QueryRow(r.ctx, settings).Scan(&text))
		return text
	}
	s.begin()
	before := state()
	check := func(what string) {
		r.Helper()
		r.want("settings after "+what, state(), before)
	}
	s.exec("select pgqrs_produce_batch('another', array['1', '2']::json[])")
	check("produce")
	s.exec("select pgqrs_dequeue($1, 1, '1 h', null, 5)", r.queue)
	check("dequeue")
	s.commit()
	l := s.dequeue(dequeueing{limit: 100}) // the library's query, which is soft itself
	s.begin()
	s.archive(l.of(ids[1], ids[9]))
	check("archive")
	s.remove(l.of(ids[10], ids[19]))
	check("delete")
	s.extend(time.Hour, l.of(ids[20], ids[29]))
	check("extend")
	s.giveBack(l.of(ids[30], ids[39]))
	check("release")
	_, err := s.tryPurge()
	r.must(err)
	check("purge")
	s.commit()
	s.begin()
	check("commit")
	s.rollback()
}

// crashLosesNothing: the server ends as soon as the operations have returned,
// without another word. Only the last dequeue may be forgotten.
func crashLosesNothing(r *race) {
	server := testserver.Server(r.TB)
	dsn := server.DSN(r.TB)
	b := open(r.TB, dsn)
	defer func() { r.must(b.Close()) }()
	q, err := b.QueueCreate(r.ctx, &backend.QueueCreateParams{Name: "tasks"})
	r.must(err)
	own := &bench{TB: r.TB, ctx: r.ctx, dsn: dsn, b: b, queue: q.ID}
	ids := own.produce(250)
	d := deliveries(own.dequeue(200))
	_, err = b.MessageArchive(r.ctx, &backend.MessageArchiveParams{QueueID: q.ID, Deliveries: d[:10]})
	r.must(err)
	_, err = b.MessageDelete(r.ctx, &backend.MessageDeleteParams{QueueID: q.ID, Deliveries: d[10:30]})
	r.must(err)
	extended, err := b.MessageExtend(r.ctx, &backend.MessageExtendParams{QueueID: q.ID, Deliveries: d[30:40], By: time.Hour})
	r.must(err)
	_, err = b.MessageRelease(r.ctx, &backend.MessageReleaseParams{QueueID: q.ID, Deliveries: d[40:50], Delay: time.Hour})
	r.must(err)
	last := own.produce(7)
	own.dequeue(5)
	other, err := b.QueueCreate(r.ctx, &backend.QueueCreateParams{Name: "keys"})
	r.must(err)
	keyed := &backend.MessageProduceKeyedParams{
		MessageProduceParams: backend.MessageProduceParams{QueueID: other.ID, Payloads: payloads(2)}, Keys: []string{"a", "b"}, Patience: time.Minute,
	}
	taken, err := b.MessageProduceKeyed(r.ctx, keyed)
	r.must(err)
	r.must(server.Crash())
	r.must(server.Start())

	// The pool may still have connections to the server that is no more.
	var counts *backend.MessageCounts
	own.eventually("the backend connects again", func() bool {
		counts, err = b.MessageCount(r.ctx, &backend.MessageCountParams{QueueID: q.ID})
		return err == nil
	})
	var again []backend.Produced
	own.eventually("another of its connections does", func() bool {
		again, err = b.MessageProduceKeyed(r.ctx, keyed)
		return err == nil
	})
	r.want("the keys", again, []backend.Produced{{ID: taken[0].ID, Deduplicated: true}, {ID: taken[1].ID, Deduplicated: true}})
	forgotten := counts.Ready - int64(len(ids)-200+len(last)-5)
	if forgotten != 0 && forgotten != 5 {
		r.Errorf("%d leases were forgotten, want none or those of the last dequeue", forgotten)
	}
	r.want("messages", *counts, backend.MessageCounts{
		Ready: 52 + forgotten, Delayed: 10, Leased: 165 - forgotten, Archived: 10,
	})
	for i, id := range slices.Concat(ids, last) {
		m, err := b.MessageGet(r.ctx, &backend.MessageGetParams{ID: id})
		if deleted := i >= 10 && i < 30; deleted != (err != nil) {
			r.Errorf("message %d: %v", i, err)
		} else if i >= 30 && i < 40 && !m.VT.Equal(extended[i-30].VT) {
			r.Errorf("message %d is leased until %v, was extended until %v", i, m.VT, extended[i-30].VT)
		}
	}
	lease := d[0].Lease
	for _, m := range own.dequeue(100) {
		if m.Lease <= lease {
			r.Errorf("lease %d after the crash, %d before", m.Lease, lease)
		}
	}
}

// An acknowledgement whose answer was lost is asked again, and the archive tells
// what the first try did.
var lostAnswerRaces = []raceTest{
	{"asked again, an archive tells what it had archived before", archivedBefore},
	{"asked again while the first try is on its way, an archive waits for it", archivedMeanwhile},
	{"asked again after the connection broke inside the first try, an archive is done now", archiveWasRolledBack},
	{"asked again, an archive tells of its own lease only", archivedByAnother},
}

// again asks whether these were archived by this very lease, and archives them
// when they were not.
func (r *race) again(l leased) (outcomes []backend.Outcome) {
	r.Helper()
	all := make([]backend.Delivery, len(l.ids))
	for i, id := range l.ids {
		all[i] = backend.Delivery{Lease: l.lease, ID: id}
	}
	outcomes, err := r.b.MessageArchive(r.ctx, &backend.MessageArchiveParams{QueueID: r.queue, Deliveries: all, Again: true})
	r.must(err)
	return outcomes
}

// count returns how many outcomes are of each kind.
func count(outcomes []backend.Outcome) string {
	var n [3]int
	for _, o := range outcomes {
		n[o]++
	}
	return fmt.Sprintf("%d not held, %d settled, %d settled before", n[backend.NotHeld], n[backend.Settled], n[backend.SettledBefore])
}

func archivedBefore(r *race) {
	ids := r.stock(300)
	s := r.session()
	l := s.dequeue(dequeueing{limit: 300})
	s.archive(l.of(ids[0], ids[49]))
	s.archive(l.of(ids[260], ids[269]))
	s.remove(l.of(ids[50], ids[59]))
	r.want("outcomes", count(r.again(l)), "10 not held, 230 settled, 60 settled before")
	r.want("outcomes", count(r.again(l)), "10 not held, 0 settled, 290 settled before")
	r.want("without again", s.archive(l.all()), []held(nil))
	r.wantCounts(backend.MessageCounts{Archived: 290})
	r.wantSound()
}

func archivedMeanwhile(r *race) {
	ids := r.stock(100)
	a := r.session()
	l := a.dequeue(dequeueing{limit: 100})
	a.begin()
	a.archive(l.of(ids[0], ids[29]))
	again := start(func() ([]backend.Outcome, error) { return r.again(l), nil })
	r.eventually("the second try waits", func() bool {
		return ask[bool](&r.bench, "select exists (select from pg_stat_activity where $1 = any (pg_blocking_pids(pid)))", int32(a.c.PgConn().PID()))
	})
	a.commit()
	r.want("outcomes", count(wait(r, again)), "0 not held, 70 settled, 30 settled before")
	r.wantSound()
}

func archiveWasRolledBack(r *race) {
	r.stock(100)
	a := r.session()
	l := a.dequeue(dequeueing{limit: 100})
	a.begin()
	a.archive(l.all())
	again := start(func() ([]backend.Outcome, error) { return r.again(l), nil })
	r.eventually("the second try waits", func() bool {
		return ask[bool](&r.bench, "select exists (select from pg_stat_activity where $1 = any (pg_blocking_pids(pid)))", int32(a.c.PgConn().PID()))
	})
	r.exec("select pg_terminate_backend($1)", int32(a.c.PgConn().PID()))
	r.want("outcomes", count(wait(r, again)), "0 not held, 100 settled, 0 settled before")
	r.wantSound()
}

func archivedByAnother(r *race) {
	r.stock(1)
	s := r.session()
	first := s.dequeue(dequeueing{limit: 1, at: r.long})
	second := s.dequeue(dequeueing{limit: 1})
	s.archive(second.all())
	r.want("by the old lease", s.settle("MessageArchive", []held{first.all()}, true, nil), []held(nil))
	r.want("outcomes", count(r.again(first)), "1 not held, 0 settled, 0 settled before")
	r.want("outcomes", count(r.again(second)), "0 not held, 0 settled, 1 settled before")
}
