package postgres_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

func verify(f *bench, b *postgres.Backend) []string {
	f.Helper()
	differences, err := b.SchemaVerify(f.ctx, &backend.SchemaVerifyParams{})
	f.must(err)
	return differences
}

func TestVerifyNamesWhatDiffers(t *testing.T) {
	f := newBench(t)
	if d := verify(f, f.b); len(d) != 0 {
		t.Fatalf("a fresh schema differs: %q", d)
	}
	f.exec("create table others (id bigint)")
	f.exec("create index mine on pgqrs_log (enqueued_at)")
	f.exec("alter table pgqrs_workers add note text")
	if d := verify(f, f.b); len(d) != 0 {
		t.Errorf("what others have added is their affair: %q", d)
	}
	for _, change := range []string{
		"drop index pgqrs_spans_lookup",
		"alter table pgqrs_queues drop column retry_jitter",
		"alter table pgqrs_workers alter column port type bigint",
		"alter table pgqrs_spans set (fillfactor = 100)",
		"drop table pgqrs_waiting",
		"alter table pgqrs_totals drop constraint pgqrs_totals_pkey",
		"create or replace function pgqrs_first_ids(ids int8multirange, k integer) returns int8multirange language sql immutable set search_path = pg_catalog, pg_temp as 'select ids'",
		"alter function pgqrs_purge(bigint, bigint, integer) set jit = on",
		"drop view pgqrs_archive",
		"alter sequence pgqrs_lease no cycle",
		"alter table pgqrs_attempts disable trigger pgqrs_attempts_trim",
	} {
		f.exec(change)
	}
	all := verify(f, f.b)
	for _, want := range []string{
		"index pgqrs_spans_lookup is missing",
		"column pgqrs_queues.retry_jitter is missing",
		"column pgqrs_workers.port is different: it is \"bigint not null\" and should be \"integer not null\"",
		"table pgqrs_spans is different",
		"table pgqrs_waiting is missing",
		"constraint pgqrs_totals_pkey of pgqrs_totals is missing",
		"function pgqrs_first_ids(ids int8multirange, k integer) is different",
		"function pgqrs_purge(",
		"view pgqrs_archive is missing",
		"sequence pgqrs_lease is different",
		"trigger pgqrs_attempts_trim of pgqrs_attempts is different",
	} {
		if !slices.ContainsFunc(all, func(d string) bool { return strings.HasPrefix(d, want) }) {
			t.Errorf("nothing says %q", want)
		}
	}
	f.exec("update pgqrs_schema set version = version + 1")
	if d := verify(f, f.b); len(d) != 1 || !strings.Contains(d[0], "version") {
		t.Errorf("of another version it says %q", d)
	}
}

func TestVerifyAndUninstallWorkForAnySchemaName(t *testing.T) {
	f := newBench(t)
	before := describeSchema(f)
	for _, name := range []string{"jobs", `Odd "name" 'x'`, "$body$ $name$", "{schema} %s $1"} {
		b, err := openSchema(t, f.dsn, name, true)
		f.must(err)
		if d := verify(f, b); len(d) != 0 {
			t.Errorf("%q differs: %q", name, d)
		}
		f.must(b.SchemaUninstall(f.ctx, &backend.SchemaUninstallParams{}))
		if n := ask[int](f, "select count(*) from pg_depend where refclassid = 'pg_namespace'::regclass and refobjid = (select oid from pg_namespace where nspname = $1)", name); n != 0 {
			t.Errorf("%d things are left in %q", n, name)
		}
		f.must(b.SchemaUninstall(f.ctx, &backend.SchemaUninstallParams{})) // again: nothing to do
	}
	if after := describeSchema(f); after != before {
		t.Error("the other schema is not as it was")
	}
}

// TestUninstallRemovesOnlyWhatIsOurs: what somebody else has made on top of it keeps it
// from being done.
func TestUninstallRemovesOnlyWhatIsOurs(t *testing.T) {
	f := newBench(t)
	f.exec("create table others (id bigint)")
	f.exec("create view on_top as select count(*) from pgqrs_messages")
	err := f.b.SchemaUninstall(f.ctx, &backend.SchemaUninstallParams{})
	var e *backend.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "other objects depend on") {
		t.Fatalf("uninstalled under a view: %v", err)
	}
	if d := verify(f, f.b); len(d) != 0 {
		t.Errorf("half uninstalled: %q", d)
	}
	f.exec("drop view on_top")
	f.must(f.b.SchemaUninstall(f.ctx, &backend.SchemaUninstallParams{}))
	left := askAll[string](f, "select relname::text from pg_class where relnamespace = 'public'::regnamespace")
	if !slices.Equal(left, []string{"others"}) {
		t.Errorf("left are %q", left)
	}
	f.must(f.b.SchemaInstall(f.ctx, &backend.SchemaInstallParams{}))
	if d := verify(f, f.b); len(d) != 0 {
		t.Errorf("installed anew it differs: %q", d)
	}
}

// TestUninstallMindsNothingThatIsGoneAlready: somebody began to do it by hand, with one
// view or with all but the table that says what this is.
func TestUninstallMindsNothingThatIsGoneAlready(t *testing.T) {
	f := newBench(t)
	for _, gone := range [][]string{{"drop view pgqrs_metrics"}, {"drop table pgqrs_dedup", "drop sequence pgqrs_lease"}, askAll[string](f, `
		select format('drop %s %I.%I cascade', case relkind when 'v' then 'view' else 'table' end, 'public', relname)
		from pg_class
		where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname <> 'pgqrs_schema'
		order by relkind desc`), askAll[string](f, `
		select format('drop function %s cascade', oid::regprocedure) from pg_proc where pronamespace = 'public'::regnamespace`)} {
		for _, drop := range gone {
			f.exec(drop)
		}
		f.must(f.b.SchemaUninstall(f.ctx, &backend.SchemaUninstallParams{}))
		if left := describeSchema(f); left != "" {
			t.Errorf("left after %q:\n%s", gone[0], left)
		}
		f.must(f.b.SchemaInstall(f.ctx, &backend.SchemaInstallParams{}))
	}
}

// released are the versions of the schema that a release had. None has been made yet.
var released = []int{}

// TestPrintedSQLInstallsAndUpgrades runs what SchemaSQL prints as a person would: from
// nothing, and from each version that was released.
func TestPrintedSQLInstallsAndUpgrades(t *testing.T) {
	for _, from := range append([]int{0}, released...) {
		f := &bench{TB: t, ctx: context.Background(), dsn: testserver.DSN(t)}
		f.c = f.connect()
		steps, err := postgres.Migrations("jobs")
		f.must(err)
		if from > 0 {
			f.exec("create schema jobs")
		}
		for _, step := range steps[:from] {
			f.execAll(step.Up)
		}
		text, err := postgres.SchemaSQL("jobs", from)
		f.must(err)
		f.execAll(text)
		b, err := openSchema(t, f.dsn, "jobs", false)
		f.must(err)
		if d := verify(f, b); len(d) != 0 {
			t.Errorf("from version %d: %q", from, d)
		}
	}
	for _, from := range []int{-1, 1000} {
		if _, err := postgres.SchemaSQL("", from); !errors.Is(err, backend.ErrInvalid) {
			t.Errorf("from version %d: %v", from, err)
		}
	}
	if _, err := postgres.SchemaSQL("pg_x", 0); !errors.Is(err, backend.ErrConfig) {
		t.Error(err)
	}
}

// nextMigration is a step as a later release might have one: it replaces a function that
// is in use, and adds to a table.
const nextMigration = `
	begin;
	alter table pgqrs_queues add column colour text not null default 'none';
	create table pgqrs_colours (queue_id bigint primary key, colour text);
	do $do$ begin
		execute (select replace(pg_get_functiondef(p.oid), 'open walk;', 'perform q.colour from public.pgqrs_queues q where q.id = queue; open walk;')
			from pg_proc p where p.proname = 'pgqrs_dequeue');
		execute (select replace(pg_get_functiondef(p.oid), 'return new_ids;', 'perform 1; return new_ids;') from pg_proc p where p.proname = 'pgqrs_enqueue');
	end $do$;
	update pgqrs_schema set version = version + 1, upgraded_at = now();
	commit`

// TestWorkersGoOnWhileALaterLibraryUpgrades: programs of this version, which the next one
// declares compatible, work while it migrates and afterwards.
func TestWorkersGoOnWhileALaterLibraryUpgrades(t *testing.T) {
	f := newBench(t)
	ctx, stop := context.WithCancel(f.ctx)
	defer stop()
	var mu sync.Mutex
	produced, archived := 0, 0
	done := func(p, a int) {
		mu.Lock()
		defer mu.Unlock()
		produced, archived = produced+p, archived+a
	}
	archivedMore := func(than int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return archived > than
		}
	}
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for ctx.Err() == nil {
				ids, err := f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: payloads(5)})
				if err != nil {
					t.Errorf("MessageProduce: %v", err)
					return
				}
				done(len(ids), 0)
			}
		})
		workers.Go(func() {
			for last := false; !last; {
				last = ctx.Err() != nil // once more after the producers
				r, err := f.b.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: f.queue, Limit: 20, VT: time.Minute})
				if err == nil {
					_, err = f.b.MessageArchive(f.ctx, &backend.MessageArchiveParams{QueueID: f.queue, Deliveries: deliveries(r.Messages)})
				}
				if err != nil {
					t.Errorf("dequeue and archive: %v", err)
					return
				}
				done(0, len(r.Messages))
			}
		})
	}
	f.eventually("messages flow before the migration", archivedMore(100))
	f.execAll(nextMigration)
	mu.Lock()
	before := archived
	mu.Unlock()
	f.eventually("messages flow after it", archivedMore(before+100))
	_, err := openSchema(t, f.dsn, "public", true)
	f.must(err)
	stop()
	workers.Wait()
	left := 0
	for rest := f.dequeue(1000); len(rest) > 0; rest = f.dequeue(1000) {
		left += len(rest)
	}
	if produced != archived+left {
		t.Errorf("produced %d, archived %d, left %d", produced, archived, left)
	}
}
