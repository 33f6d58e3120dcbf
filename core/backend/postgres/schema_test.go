package postgres_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

var update = flag.Bool("update", false, "write schema.golden anew")

// openSchema opens a backend and closes it at the end of the test.
func openSchema(t testing.TB, dsn, schema string, install bool) (*postgres.Backend, error) {
	t.Helper()
	b, err := postgres.Open(context.Background(), postgres.Config{
		DSN: dsn, Schema: schema, AutoInstall: install, MaxConnections: 2, ConnectTimeout: 20 * time.Second,
	})
	if err == nil {
		t.Cleanup(func() { _ = b.Close() })
	}
	return b, err
}

func TestManyMayInstallAtOnce(t *testing.T) {
	dsn := testserver.DSN(t)
	const processes = 12
	identities := make([]string, processes)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			b, err := openSchema(t, dsn, "jobs", true)
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			identities[i] = b.Identity()
		})
	}
	wg.Wait()
	for _, id := range identities {
		if id != identities[0] || id == "" {
			t.Fatalf("identities %q", identities)
		}
	}
}

func TestAnySchemaNameWorks(t *testing.T) {
	dsn := testserver.DSN(t)
	for _, name := range []string{
		"plain", `Odd "name" 'x'; drop table y; --`, "$body$ $name$", "{schema} %s $1", "schöne Ärgernis", strings.Repeat("x", 63), `\`,
	} {
		b, err := openSchema(t, dsn, name, true)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		ctx := context.Background()
		q, err := b.QueueEnsure(ctx, &backend.QueueEnsureParams{Name: name})
		if err != nil {
			t.Errorf("%q: QueueEnsure: %v", name, err)
			continue
		}
		_, err = b.MessageProduce(ctx, &backend.MessageProduceParams{QueueID: q.ID, Payloads: [][]byte{[]byte("1"), []byte("2")}})
		if err != nil {
			t.Errorf("%q: MessageProduce: %v", name, err)
		}
		r, err := b.MessageDequeue(ctx, &backend.MessageDequeueParams{QueueID: q.ID, Limit: 5, VT: time.Minute})
		if err != nil || len(r.Messages) != 2 {
			t.Errorf("%q: dequeued %+v, %v", name, r, err)
		}
	}
}

func TestImpossibleSchemaNamesAreRefused(t *testing.T) {
	for _, name := range []string{"pg_x", strings.Repeat("x", 64), "a\x00b"} {
		if _, err := openSchema(t, "host=/nowhere", name, true); !errors.Is(err, backend.ErrConfig) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestVersionsDecideWhoMayUseASchema(t *testing.T) {
	f := newBench(t)
	newest := ask[int](f, "select version from pgqrs_schema")
	for _, c := range []struct {
		name                    string
		version, compatibleFrom int
		install                 bool
		want                    string // part of the error; empty: it works
	}{
		{"current", newest, newest, true, ""},
		{"current, nothing to install", newest, newest, false, ""},
		{"newer and compatible", newest + 3, newest, true, ""},
		{"newer and not compatible", newest + 3, newest + 1, true, "upgrade pgqrs"},
		{"older, and no leave to upgrade", newest - 1, 1, false, "pgqrs install"},
	} {
		f.exec("update pgqrs_schema set version = $1, compatible_from = $2", c.version, c.compatibleFrom)
		_, err := openSchema(t, f.dsn, "public", c.install)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (!errors.Is(err, backend.ErrConfig) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestWithoutAutoInstallAMissingSchemaSaysWhatToDo(t *testing.T) {
	for _, schema := range []string{"public", "nowhere"} {
		_, err := openSchema(t, testserver.DSN(t), schema, false)
		if !errors.Is(err, backend.ErrConfig) || !strings.Contains(err.Error(), "pgqrs install") {
			t.Errorf("schema %s: %v", schema, err)
		}
	}
}

// TestACurrentSchemaNeedsOnlyRunTimeGrants connects as a user who may create
// nothing, while another session holds the lock of installers.
func TestACurrentSchemaNeedsOnlyRunTimeGrants(t *testing.T) {
	f := newBench(t)
	f.exec("create role worker_" + ask[string](f, "select current_database()") + " login")
	role := "worker_" + ask[string](f, "select current_database()")
	f.Cleanup(func() { // roles belong to the server, which other tests share
		ctx := context.Background()
		_, _ = f.c.Exec(ctx, "drop owned by "+role)
		_, _ = f.c.Exec(ctx, "drop role "+role)
	})
	f.exec("revoke create on schema public from public")
	f.exec("grant select, insert, update, delete on all tables in schema public to " + role)
	f.exec("grant usage on all sequences in schema public to " + role)
	tx, err := f.c.Begin(f.ctx)
	f.must(err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(f.ctx, "select pg_advisory_xact_lock(hashtextextended('pgqrs schema public', 0))")
	f.must(err)
	config, err := pgx.ParseConfig(f.dsn)
	f.must(err)
	t.Setenv("PGUSER", role) // honoured as by libpq
	t.Setenv("PGHOST", config.Host)
	t.Setenv("PGPORT", ask[string](f, "show port"))
	b, err := openSchema(t, "dbname="+config.Database, "public", true)
	if err != nil {
		t.Fatal(err)
	}
	q, err := b.QueueEnsure(f.ctx, &backend.QueueEnsureParams{Name: "mine"})
	f.must(err)
	_, err = b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: q.ID, Payloads: [][]byte{[]byte("1")}})
	f.must(err)
	r, err := b.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: q.ID, Limit: 1, VT: time.Minute})
	f.must(err)
	_, err = b.MessageDelete(f.ctx, &backend.MessageDeleteParams{QueueID: q.ID, Deliveries: deliveries(r.Messages)})
	f.must(err)
	_, err = b.WorkerRegister(f.ctx, &backend.WorkerRegisterParams{QueueID: q.ID, Hostname: "h"})
	f.must(err)
}

// TestEveryMigrationCanBeTakenBack goes down to nothing and up again, and finds
// each version as it was.
func TestEveryMigrationCanBeTakenBack(t *testing.T) {
	f := newBench(t)
	steps, err := postgres.Migrations("public")
	f.must(err)
	texts := make([]string, len(steps)+1)
	for v := len(steps); v > 0; v-- {
		texts[v] = describeSchema(f)
		f.execAll(steps[v-1].Down)
	}
	if rest := describeSchema(f); rest != "" {
		t.Fatalf("left behind:\n%s", rest)
	}
	for v, step := range steps {
		f.execAll(step.Up)
		if got := describeSchema(f); got != texts[v+1] {
			t.Errorf("version %d differs after going down and up:\n%s\nbefore:\n%s", v+1, got, texts[v+1])
		}
		if version := ask[int](f, "select version from pgqrs_schema"); version != v+1 {
			t.Errorf("migration %d says version %d", v+1, version)
		}
	}
}

// TestAnOlderSchemaIsUpgraded opens each older version.
func TestAnOlderSchemaIsUpgraded(t *testing.T) {
	steps, err := postgres.Migrations("public")
	if err != nil {
		t.Fatal(err)
	}
	for v := 1; v < len(steps); v++ {
		f := &bench{TB: t, ctx: context.Background(), dsn: testserver.DSN(t)}
		f.c = f.connect()
		for _, step := range steps[:v] {
			f.execAll(step.Up)
		}
		identity := ask[string](f, "select identity::text from pgqrs_schema")
		b, err := openSchema(t, f.dsn, "public", true)
		f.must(err)
		if got := ask[int](f, "select version from pgqrs_schema"); got != len(steps) || b.Identity() != identity {
			t.Errorf("from version %d: version %d, identity %s, was %s", v, got, b.Identity(), identity)
		}
	}
}

// TestSchemaIsAsExpected compares the installed schema with a description of it
// that is kept, so that no change of a table, an index or a signature goes by
// unseen. -update writes the description anew.
func TestSchemaIsAsExpected(t *testing.T) {
	const file = "schema.golden"
	got := describeSchema(newBench(t))
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the schema differs from %s (go test -run SchemaIsAsExpected -update); it is\n%s", file, got)
	}
}

// describeSchema lists what is in the schema public, the same on every server
// version.
func describeSchema(f *bench) string {
	f.Helper()
	return strings.Join(askAll[string](f, "select what || ': ' || says || e'\\n' from ("+f.b.Queries()["SchemaDescribe"]+") d", "public"), "")
}

// execAll runs many statements.
func (f *bench) execAll(sql string) {
	f.Helper()
	_, err := f.c.PgConn().Exec(f.ctx, sql).ReadAll()
	f.must(err)
}
