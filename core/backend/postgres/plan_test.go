package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestEveryQueryCanBePrepared finds queries that do not fit the schema.
func TestEveryQueryCanBePrepared(t *testing.T) {
	f := newBench(t)
	for name, sql := range f.b.Queries() {
		switch strings.Fields(sql)[0] {
		case "begin", "commit", "rollback", "set", "listen", "create":
			continue // not statements that a plan is made for
		}
		if _, err := f.c.Prepare(f.ctx, name, sql); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// reads is what a transaction has read of a table.
type reads struct{ seqScans, seqRows, indexRows int64 }

// readsOf runs a statement in a transaction and tells what it read, by table. The
// session's counters hold what it has not yet reported of earlier transactions,
// so the difference counts.
func (f *bench) readsOf(sql string, args ...any) map[string]reads {
	f.Helper()
	tx, err := f.c.Begin(f.ctx)
	f.must(err)
	before := f.counters(tx)
	_, err = tx.Exec(f.ctx, sql, args...)
	f.must(err)
	all := f.counters(tx)
	f.must(tx.Commit(f.ctx))
	for name, r := range all {
		was := before[name]
		all[name] = reads{r.seqScans - was.seqScans, r.seqRows - was.seqRows, r.indexRows - was.indexRows}
	}
	return all
}

func (f *bench) counters(tx pgx.Tx) map[string]reads {
	f.Helper()
	rows, err := tx.Query(f.ctx, `select relname::text, seq_scan, seq_tup_read, coalesce(idx_tup_fetch, 0)
		from pg_stat_xact_user_tables where schemaname = 'public'`)
	f.must(err)
	all := make(map[string]reads)
	var name string
	var r reads
	_, err = pgx.ForEachRow(rows, []any{&name, &r.seqScans, &r.seqRows, &r.indexRows}, func() error {
		all[name] = r
		return nil
	})
	f.must(err)
	return all
}

// wantBounded checks that a statement read the hot tables by indexes alone, and
// no more rows of each than said; 0 for those that are not named.
func (f *bench) wantBounded(what string, most map[string]int64, sql string, args ...any) {
	f.Helper()
	for name, r := range f.readsOf(sql, args...) {
		// A table without any page is scanned for nothing.
		if r.seqScans > 0 && r.seqRows > 0 {
			f.Errorf("%s read %s from end to end: %+v", what, name, r)
		}
		if r.indexRows > most[name] {
			f.Errorf("%s read %d rows of %s, at most %d are needed", what, r.indexRows, name, most[name])
		}
	}
}

// fill stores 100,000 messages in two queues: half of them in large batches, and
// half of them singly, the two queues taking turns, and archives some thousand.
// Autovacuum, which would gather statistics, is off.
func (f *bench) fill() {
	f.Helper()
	for _, table := range []string{"log", "spans", "done", "queues"} {
		f.exec("alter table pgqrs_" + table + " set (autovacuum_enabled = off)")
	}
	for range 5 {
		f.produce(10_000)
	}
	f.exec("select pgqrs_enqueue(case g % 2 when 0 then $1::bigint else $2::bigint end, array['1'::json]) from generate_series(1, 50000) g", f.queue, f.another)
	f.exec(`with leased as (
		select max(new_lease) as lease, array_agg(message_id order by message_id) as ids from pgqrs_dequeue($1, 5000, '1 h', null, 5)
	) select pgqrs_archive($1, array[lease], array[ids[1]], array[ids[5000]]) from leased`, f.queue)
}

// TestReadsAreBounded runs each hot operation on 100,000 messages that nobody has
// analysed, and again when statistics were taken, and counts the rows that were
// read.
func TestReadsAreBounded(t *testing.T) {
	f := newBench(t)
	f.fill()
	for _, when := range []string{"without statistics", "with statistics"} {
		for _, c := range []struct {
			what string
			run  func(f *bench)
		}{
			{"a message is found by its id", (*bench).findByID},
			{"the views start from the sets where few are asked for", (*bench).readFromSets},
			{"a page of messages reads no more than its sets", (*bench).listPages},
			{"an operation reads no more than its batch", (*bench).hotPaths},
			{"the archive is read as far as it is asked for", (*bench).readArchive},
		} {
			t.Run(when+"/"+c.what, func(t *testing.T) {
				c.run(&bench{TB: t, ctx: f.ctx, c: f.c, b: f.b, queue: f.queue, another: f.another})
			})
		}
		f.exec("analyze")
	}
}

// hotPaths runs all seven times: from the sixth time on PostgreSQL would keep a
// generic plan where it is free to choose.
func (f *bench) hotPaths() {
	for range 7 {
		f.operations()
	}
}

func (f *bench) operations() {
	const batch = 100
	queues := map[string]int64{"pgqrs_queues": 1}
	f.wantBounded("produce of one", queues, "select pgqrs_enqueue($1, array['1'::json])", f.queue)
	f.wantBounded("produce of many", queues,
		"select pgqrs_enqueue($1, array(select to_json(g) from generate_series(1, 1000) g))", f.queue)
	f.exec("drop table if exists leased")
	f.wantBounded("dequeue", map[string]int64{"pgqrs_queues": 1, "pgqrs_spans": 2, "pgqrs_log": batch},
		"create temp table leased as select * from pgqrs_dequeue($1, 100, '1 h', null, 5)", f.queue)
	lease := ask[int64](f, "select new_lease from leased where message_id is null")
	ids := askAll[int64](f, "select message_id from leased where message_id is not null")
	if len(ids) != batch {
		f.Fatalf("dequeued %d messages", len(ids))
	}
	f.wantBounded("dequeue of small sets", map[string]int64{"pgqrs_queues": 1, "pgqrs_spans": batch + 2, "pgqrs_log": batch},
		"select pgqrs_dequeue($1, 100, '1 h', null, 5)", f.another)
	empty := ask[int64](f, "select pgqrs_queue_ensure('empty')")
	f.wantBounded("dequeue of an empty queue", queues, "select pgqrs_dequeue($1, 100, '1 h', null, 5)", empty)
	f.wantBounded("purge", map[string]int64{"pgqrs_spans": 12, "pgqrs_log": 1500}, "select pgqrs_purge($1, 1::bigint << 40, 6)", f.queue)
	one := func(i int) []any { return []any{f.queue, []int64{lease}, []int64{ids[i]}, []int64{ids[i]}} }
	f.wantBounded("extend", map[string]int64{"pgqrs_spans": 6}, "select pgqrs_extend_vt($1, $2, $3, $4, '1 h', true)", one(10)...)
	f.wantBounded("release", map[string]int64{"pgqrs_spans": 6}, "select pgqrs_release($1, $2, $3, $4, false, '1 h')", one(20)...)
	f.wantBounded("failure", map[string]int64{"pgqrs_spans": 6, "pgqrs_queues": 1, "pgqrs_attempts": 3},
		"select pgqrs_fail($1, $2, $3, $4, array['boom'], array[null::interval], array['1 h'::interval], 5)", one(25)...)
	f.wantBounded("delete", map[string]int64{"pgqrs_spans": 6, "pgqrs_log": 1}, "select pgqrs_delete($1, $2, $3, $4)", one(30)...)
	f.wantBounded("archive", map[string]int64{"pgqrs_spans": 6}, "select pgqrs_archive($1, $2, $3, $4)", one(40)...)
	f.wantBounded("deletion by id from a holder", map[string]int64{"pgqrs_spans": 8, "pgqrs_log": 3, "pgqrs_done": 40},
		"select pgqrs_seize($1, true, true)", ids[50])
	f.wantBounded("release by id", map[string]int64{"pgqrs_spans": 8, "pgqrs_log": 3, "pgqrs_done": 40},
		"select pgqrs_seize($1, false, true)", ids[60])
	f.wantBounded("deletion by id", map[string]int64{"pgqrs_spans": 8, "pgqrs_log": 2, "pgqrs_done": 40},
		"select pgqrs_seize($1, true, false)", ask[int64](f, "select max(lo) from pgqrs_spans where queue_id = $1 and lease = 0", f.queue))
	leased := ask[int64](f, "select count(*) from pgqrs_spans where lease > 0")
	if r := f.readsOf(f.b.Queries()["WorkerLeases"], nil, nil)["pgqrs_spans"]; r.seqRows > 0 || r.indexRows > leased {
		f.Errorf("what workers hold is in %d rows, and %+v were read", leased, r)
	}
	f.wantBounded("archive again", map[string]int64{"pgqrs_spans": 6, "pgqrs_done": 40},
		"select pgqrs_archive($1, $2, $3, $4, true)", one(40)...)
}

func (f *bench) findByID() {
	live := ask[int64](f, "select lo from pgqrs_spans order by lo desc limit 1")
	for _, c := range []struct{ what, sql string }{
		{"pgqrs_messages", fmt.Sprintf("select * from pgqrs_messages where id = %d", live)},
		{"pgqrs_archive", "select * from pgqrs_archive where id = 17"},
		{"MessageGet", strings.ReplaceAll(f.b.Queries()["MessageGet"], "$1", fmt.Sprint(live))},
	} {
		r := f.readsOf(c.sql)
		// pgqrs_done has a page or two, which it is right to read at once.
		if r["pgqrs_log"].seqRows > 0 || r["pgqrs_spans"].seqRows > 0 || r["pgqrs_log"].indexRows > 1 || r["pgqrs_spans"].indexRows > 1 {
			f.Errorf("%s reads %+v", c.what, r)
		}
	}
}

// readArchive pages through an archive of 20,000 sets of one message, a third of them
// dead, and of one of 5,000 in few sets.
func (f *bench) readArchive() {
	if ask[int64](f, "select count(*) from pgqrs_done where n = 1") < 20_000 {
		f.exec(`with made as (
			select pgqrs_enqueue($1, array['1'::json]) as ids from generate_series(1, 20000)
		)
		insert into pgqrs_done (queue_id, lease, outcome, archived_at, read_ct, vt, n, lo, hi, ids)
		select $1, i, case i % 3 when 0 then 'dead' else 'archived' end, now() + i * interval '1 ms', 1, now(), 1, i, i, int8multirange(int8range(i, i, '[]'))
		from made, unnest(made.ids) i`, f.another)
	}
	// A user's session may plan in parallel; what others read is not in our counters.
	f.exec("set max_parallel_workers_per_gather = 0")
	defer f.exec("reset max_parallel_workers_per_gather")
	queries := f.b.Queries()
	most := map[string]int64{"pgqrs_done": 4 * 52, "pgqrs_log": 0, "pgqrs_queues": 3}
	both, dead := []string{"archived", "dead"}, []string{"dead"}
	for what, args := range map[string][]any{
		"a page of the archive of a queue": {f.another, both, nil, nil, nil, nil, int64(0), 50},
		"a page of dead letters":           {f.another, dead, nil, nil, nil, nil, int64(0), 50},
		"a later page of the archive":      {f.another, both, nil, nil, nil, ask[time.Time](f, "select now() + interval '30 s'"), int64(1) << 60, 50},
		"a page of all queues":             {nil, dead, nil, nil, nil, nil, int64(0), 50},
		"a page of a queue of few":         {f.queue, both, nil, nil, nil, nil, int64(0), 50},
	} {
		f.wantBounded(what, most, "select * from pgqrs_archive_page($1, $2, $3, $4, $5, $6, $7, $8)", args...)
	}
	done := ask[[]int64](f, "select array(select lo from pgqrs_done where queue_id = $1 and n = 1 order by lo limit 10)", f.another)
	f.wantBounded("replay", map[string]int64{"pgqrs_done": 30, "pgqrs_log": 0, "pgqrs_queues": 1}, queries["ArchiveReplay"], f.another, done, nil)
	f.wantBounded("purge of what is done", map[string]int64{"pgqrs_done": 20, "pgqrs_log": 20},
		"select pgqrs_purge_done($1, 'infinity', 10)", f.another)
	r := f.readsOf(queries["MessageHistory"], done[0])
	if r["pgqrs_done"].indexRows > 2 || r["pgqrs_spans"].indexRows > 2 || r["pgqrs_log"].indexRows > 1 || r["pgqrs_log"].seqRows > 0 {
		f.Errorf("history reads %+v", r)
	}
}

// listPages lists at the beginning, and far behind it.
func (f *bench) listPages() {
	for range 7 { // see hotPaths
		f.wantBounded("a page of batches", map[string]int64{"pgqrs_spans": 80, "pgqrs_log": 100}, "select pgqrs_messages_page($1, null, 0, 100)", f.queue)
		last := ask[int64](f, "select max(hi) - 1000 from pgqrs_spans where queue_id = $1", f.another)
		f.wantBounded("a page of single messages", map[string]int64{"pgqrs_spans": 4096 + 300, "pgqrs_log": 100},
			"select pgqrs_messages_page($1, null, $2, 100)", f.another, last)
	}
}

func (f *bench) readFromSets() {
	f.produceDelayed(500)
	// A user's query may be planned in parallel, and what a worker process reads is
	// not in the counters of this session.
	f.exec("set max_parallel_workers_per_gather = 0")
	defer f.exec("reset max_parallel_workers_per_gather")
	r := f.readsOf("select * from pgqrs_messages where queue_id = $1 and vt > now() + interval '10 h'", f.queue)
	if r["pgqrs_log"].seqRows > 0 || r["pgqrs_log"].indexRows < 500 || r["pgqrs_log"].indexRows > 1000 {
		f.Errorf("reads %+v", r)
	}
}

// produceDelayed stores n messages that become ready in a day.
func (f *bench) produceDelayed(n int) {
	f.Helper()
	f.exec("select pgqrs_enqueue($1, array(select to_json(g) from generate_series(1, $2::integer) g), '1 day')", f.queue, n)
}
