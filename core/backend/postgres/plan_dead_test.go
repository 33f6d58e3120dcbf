package postgres_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// pagesOf runs a query in a transaction of its own and tells how many pages it looked
// at, those of the functions that it calls included: dead rows count, too.
func (f *bench) pagesOf(sql string, args ...any) int64 {
	f.Helper()
	var text []byte
	f.must(f.c.QueryRow(f.ctx, "explain (analyze, buffers, format json) "+sql, args...).Scan(&text))
	var plans []struct {
		Plan struct {
			Hit  int64 `json:"Shared Hit Blocks"`
			Read int64 `json:"Shared Read Blocks"`
		}
	}
	f.must(json.Unmarshal(text, &plans))
	return plans[0].Plan.Hit + plans[0].Plan.Read
}

// died are the rows of a busy hour: each batch as it was ready, and as it was leased
// twice. So the index that finds a message by its id is the smallest.
const died = `
	insert into pgqrs_spans (queue_id, lease, vt, since, read_ct, n, lo, hi, ids)
	select $1, case i % 3 when 0 then 0 else i end, now() + (i - 40000) * interval '30 ms', now(), 0, 50, lo, lo + 49, int8multirange(int8range(lo, lo + 50))
	from generate_series(1, 75000) i, lateral (select i / 3 * 50 + 1 as lo) k`

// TestWalksPassNoDeadRows: a snapshot is held, so that nothing that is dead can be
// removed, and statistics are taken while a single row is left. All indexes seem
// equally good then, and only one of them leads past the dead rows.
func TestWalksPassNoDeadRows(t *testing.T) {
	f := newBench(t)
	for _, table := range []string{"log", "spans", "done", "tally"} {
		f.exec("alter table pgqrs_" + table + " set (autovacuum_enabled = off)")
	}
	old, err := f.connect().BeginTx(f.ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	f.must(err)
	_, err = old.Exec(f.ctx, "select 1")
	f.must(err)
	f.exec(died, f.queue)
	f.exec("delete from pgqrs_spans")
	f.produce(50)
	f.exec("analyze")
	pages := ask[int64](f, "select relpages from pg_class where relname = 'pgqrs_spans'")
	live := ask[int64](f, "select reltuples::bigint from pg_class where relname = 'pgqrs_spans'")
	const most = 150
	if live != 1 || pages < 2*most {
		f.Fatalf("%d pages with %d live rows show nothing", pages, live)
	}
	f.exec("select pgqrs_enqueue($1, array_fill('{}'::json, array[50]))", f.another)
	f.pagesOfEach(f.another) // what a session reads of the catalogs at first is not meant
	for _, c := range f.pagesOfEach(f.queue) {
		if c.pages > most {
			t.Errorf("%s looked at %d pages", c.what, c.pages)
		}
	}
}

type looked struct {
	what  string
	pages int64
}

// pagesOfEach carries out each operation on one row of 50 messages.
func (f *bench) pagesOfEach(queue int64) (all []looked) {
	f.Helper()
	look := func(what, sql string, args ...any) {
		all = append(all, looked{what, f.pagesOf(sql, args...)})
	}
	floor := ask[time.Time](f, "select vt from pgqrs_spans where queue_id = $1", queue)
	id := ask[int64](f, "select lo from pgqrs_spans where queue_id = $1", queue)
	look("a look for one that lives", "select pgqrs_lives($1, $2)", queue, id)
	look("a deletion by id", "select pgqrs_seize($1, true, false)", id)
	look("a merge", "select pgqrs_merge($1, $2, '0')", queue, floor)
	look("a dequeue of a part", "select pgqrs_dequeue($1, 30, '1 h', null, 5, $2)", queue, floor)
	lease := ask[int64](f, "select max(lease) from pgqrs_spans where queue_id = $1", queue)
	of := func(id int64) []any { return []any{queue, []int64{lease}, []int64{id}, []int64{id}} }
	look("an extension", "select pgqrs_extend_vt($1, $2, $3, $4, '1 h', true)", of(id+1)...)
	look("a release", "select pgqrs_release($1, $2, $3, $4, false, '1 h')", of(id+2)...)
	look("a failure", "select pgqrs_fail($1, $2, $3, $4, array['boom'], array[null::interval], array['1 h'::interval], 5)", of(id+3)...)
	look("a deletion", "select pgqrs_delete($1, $2, $3, $4)", of(id+4)...)
	look("an archive", "select pgqrs_archive($1, $2, $3, $4)", of(id+5)...)
	look("an archive of what is not held", "select pgqrs_archive($1, $2, $3, $4)", of(id+5)...)
	look("a detachment", "select pgqrs_detach($1, $2, $3, $4)", of(id+6)...)
	look("a deletion by id from a holder", "select pgqrs_seize($1, true, true)", id+7)
	look("a dequeue of the rest", "select pgqrs_dequeue($1, 30, '1 h', null, 5, $2)", queue, floor)
	return all
}
