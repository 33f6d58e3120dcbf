package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
)

// rolesSchema is a name that has all that could be taken for something else.
const rolesSchema = `of "roles' {schema} $name$ %I`

// troupe is a database with one role of each kind, and what they may do.
type troupe struct {
	bench
	roles map[string]string
}

// newTroupe makes roles, which belong to the server, and drops them in the end.
func newTroupe(t *testing.T) *troupe {
	f := newBench(t)
	owner, err := openSchema(t, f.dsn, rolesSchema, true)
	f.must(err)
	p := &troupe{bench: *f, roles: make(map[string]string)}
	p.b = owner
	for _, kind := range []string{"owner", "producer", "consumer", "viewer"} {
		role := kind + `'s "%I" of ` + ask[string](f, "select current_database()")
		p.roles[kind] = role
		f.exec("create role " + pgx.Identifier{role}.Sanitize() + " login")
		t.Cleanup(func() {
			ctx := context.Background()
			for _, do := range []string{"reassign owned by %s to current_user", "drop owned by %s", "drop role %s"} {
				if _, err := f.c.Exec(ctx, strings.Replace(do, "%s", pgx.Identifier{role}.Sanitize(), 1)); err != nil {
					t.Errorf("%s: %v", do, err)
				}
			}
		})
	}
	f.exec("revoke create on schema public from public")
	f.must(owner.RoleGrant(f.ctx, &backend.Roles{
		Producers: []string{p.roles["producer"]}, Consumers: []string{p.roles["consumer"]}, Viewers: []string{p.roles["viewer"]},
	}))
	q, err := owner.QueueEnsure(f.ctx, &backend.QueueEnsureParams{Name: "tasks"})
	f.must(err)
	p.queue = q.ID
	return p
}

// as connects as a role, with leave to install.
func (p *troupe) as(t *testing.T, kind string) *postgres.Backend {
	t.Helper()
	config, err := pgx.ParseConfig(p.dsn)
	p.must(err)
	t.Setenv("PGUSER", p.roles[kind]) // honoured as by libpq
	t.Setenv("PGHOST", config.Host)
	t.Setenv("PGPORT", ask[string](&p.bench, "show port"))
	b, err := openSchema(t, "dbname="+config.Database, rolesSchema, true)
	if err != nil {
		t.Fatalf("the %s cannot connect: %v", kind, err)
	}
	return b
}

// work is every operation of a backend, by name.
func (p *troupe) work(b *postgres.Backend) map[string]func() error {
	ctx, queue := p.ctx, p.queue
	one := []backend.Delivery{{Lease: 1, ID: 1}}
	return map[string]func() error{
		"make a queue": func() error {
			_, err := b.QueueEnsure(ctx, &backend.QueueEnsureParams{Name: rand.Text()})
			return err
		},
		"find a queue": func() error {
			_, err := b.QueueGet(ctx, &backend.QueueGetParams{Name: "tasks"})
			return err
		},
		"produce": func() error {
			_, err := b.MessageProduce(ctx, &backend.MessageProduceParams{QueueID: queue, Payloads: payloads(3)})
			return err
		},
		"produce by SQL": func() error {
			return b.Pool().QueryRow(ctx, "select "+pgx.Identifier{rolesSchema, "pgqrs_produce"}.Sanitize()+"('tasks', '1')").Scan(new(int64))
		},
		"produce with a key": func() error {
			for range 2 {
				_, err := b.MessageProduceKeyed(ctx, &backend.MessageProduceKeyedParams{
					MessageProduceParams: backend.MessageProduceParams{QueueID: queue, Payloads: payloads(2)},
					Keys:                 []string{"taken", rand.Text()}, Patience: time.Minute,
				})
				if err != nil {
					return err
				}
			}
			return nil
		},
		"produce with a key by SQL": func() error {
			return b.Pool().QueryRow(ctx, "select "+pgx.Identifier{rolesSchema, "pgqrs_produce"}.Sanitize()+"('tasks', '1', dedup_key => $1)", rand.Text()).Scan(new(int64))
		},
		"sweep keys": func() error {
			_, err := b.DedupSweep(ctx, &backend.DedupSweepParams{})
			return err
		},
		"tell of messages": func() error { return b.QueueNotify(ctx, &backend.QueueNotifyParams{QueueIDs: []int64{queue}}) },
		"be a worker": func() error {
			w, err := b.WorkerRegister(ctx, &backend.WorkerRegisterParams{QueueID: queue, Hostname: "h"})
			if err != nil {
				return err
			}
			_, err = b.WorkerMove(ctx, &backend.WorkerMoveParams{
				IDs: []int64{w.ID}, From: []backend.WorkerStatus{backend.WorkerReady}, To: backend.WorkerStopped,
			})
			if err != nil {
				return err
			}
			// Each store deletes the rows of those that were there before it.
			_, err = b.WorkerPurge(ctx, &backend.WorkerPurgeParams{StoppedFor: time.Hour, SilentFor: time.Hour, Limit: 1})
			return err
		},
		"dequeue": func() error {
			_, err := b.MessageDequeue(ctx, &backend.MessageDequeueParams{QueueID: queue, Limit: 1, VT: time.Hour})
			return err
		},
		"archive": func() error {
			_, err := b.MessageArchive(ctx, &backend.MessageArchiveParams{QueueID: queue, Deliveries: one, Again: true})
			return err
		},
		"delete": func() error {
			_, err := b.MessageDelete(ctx, &backend.MessageDeleteParams{QueueID: queue, Deliveries: one})
			return err
		},
		"extend": func() error {
			_, err := b.MessageExtend(ctx, &backend.MessageExtendParams{QueueID: queue, Deliveries: one, By: time.Hour})
			return err
		},
		"release": func() error {
			_, err := b.MessageRelease(ctx, &backend.MessageReleaseParams{QueueID: queue, Deliveries: one})
			return err
		},
		"seize": func() error {
			ids, err := p.b.MessageProduce(ctx, &backend.MessageProduceParams{QueueID: queue, Payloads: payloads(1)})
			if err != nil {
				return err
			}
			_, err = b.MessageSeize(ctx, &backend.MessageSeizeParams{ID: ids[0], Delete: true})
			return err
		},
		"fail": func() error {
			_, err := b.MessageFail(ctx, &backend.MessageFailParams{QueueID: queue, Failures: []backend.Failure{{Delivery: one[0]}}})
			return err
		},
		"expire": func() error {
			_, err := b.ArchivePurge(ctx, &backend.ArchivePurgeParams{QueueID: queue})
			return err
		},
		"sleep": func() error {
			l, err := b.ListenerOpen(ctx)
			if err != nil {
				return err
			}
			return errors.Join(l.Sleep(ctx, []int64{queue}), l.Close())
		},
		"read a message": func() error {
			_, err := b.MessageGet(ctx, &backend.MessageGetParams{ID: 1})
			return err
		},
		"list messages": func() error {
			_, err := b.MessageList(ctx, &backend.MessageListParams{QueueID: queue, Limit: 1})
			return err
		},
		"count messages": func() error {
			_, err := b.MessageCount(ctx, &backend.MessageCountParams{QueueID: queue})
			return err
		},
		"count leases": func() error {
			_, err := b.WorkerLeases(ctx, &backend.WorkerLeasesParams{})
			return err
		},
		"read the views": func() error {
			return b.Pool().QueryRow(ctx, "select count(*) from "+pgx.Identifier{rolesSchema, "pgqrs_messages"}.Sanitize()).Scan(new(int64))
		},
		"read payloads": func() error {
			return b.Pool().QueryRow(ctx, "select count(payload) from "+pgx.Identifier{rolesSchema, "pgqrs_log"}.Sanitize()).Scan(new(int64))
		},
		"upgrade": func() error {
			_, err := b.Pool().Exec(ctx, "update "+pgx.Identifier{rolesSchema, "pgqrs_schema"}.Sanitize()+" set version = version")
			return err
		},
		"make a table": func() error {
			table := pgx.Identifier{rolesSchema, "mine"}.Sanitize()
			_, err := b.Pool().Exec(ctx, "create table "+table+" (); drop table "+table, pgx.QueryExecModeSimpleProtocol)
			return err
		},
		"change a table": func() error {
			_, err := b.Pool().Exec(ctx, "alter table "+pgx.Identifier{rolesSchema, "pgqrs_done"}.Sanitize()+" set (fillfactor = 100)")
			return err
		},
		"purge": func() error {
			_, err := b.QueuePurge(ctx, &backend.QueuePurgeParams{QueueID: queue})
			return err
		},
		"rename a queue": func() error {
			_, err := b.Pool().Exec(ctx, "update "+pgx.Identifier{rolesSchema, "pgqrs_queues"}.Sanitize()+" set queue_name = 'mine'")
			return err
		},
	}
}

// TestEachRoleCanDoItsWorkAndNothingElse connects as each of them to a current schema,
// where they may create nothing.
func TestEachRoleCanDoItsWorkAndNothingElse(t *testing.T) {
	p := newTroupe(t)
	_, err := p.b.MessageProduce(p.ctx, &backend.MessageProduceParams{QueueID: p.queue, Payloads: payloads(3)})
	p.must(err)
	for kind, may := range map[string][]string{
		"producer": {"make a queue", "find a queue", "produce", "produce by SQL", "produce with a key", "produce with a key by SQL",
			"tell of messages", "be a worker"},
		"consumer": {"make a queue", "find a queue", "tell of messages", "be a worker", "dequeue", "archive", "delete", "extend",
			"release", "seize", "fail", "expire", "sleep", "read a message", "list messages", "count messages", "count leases", "read payloads", "purge",
			"sweep keys"},
		"viewer": {"find a queue", "read a message", "list messages", "count messages", "count leases", "read the views", "read payloads"},
	} {
		t.Run(kind, func(t *testing.T) {
			for name, do := range p.work(p.as(t, kind)) {
				err := do()
				denied := err != nil && (strings.Contains(err.Error(), "permission denied") || strings.Contains(err.Error(), "must be owner"))
				if denied == slices.Contains(may, name) {
					t.Errorf("%s: %s: %v", kind, name, err)
				}
			}
		})
	}
}

func TestAnOwnerMayUpgradeAndGrantInItsTurn(t *testing.T) {
	p := newTroupe(t)
	p.must(p.b.RoleGrant(p.ctx, &backend.Roles{Owner: p.roles["owner"], Viewers: []string{p.roles["viewer"]}}))
	b := p.as(t, "owner")
	for name, do := range p.work(b) {
		if name == "rename a queue" {
			continue // the others need it
		}
		if err := do(); err != nil && !errors.Is(err, backend.ErrMessageNotFound) {
			t.Errorf("the owner: %s: %v", name, err)
		}
	}
	steps, err := postgres.Migrations(rolesSchema)
	p.must(err)
	for i := len(steps); i > 0; i-- {
		if _, err := b.Pool().Exec(p.ctx, steps[i-1].Down, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("the owner takes back migration %d: %v", i, err)
		}
	}
}

// Granting again takes away what is not named any more.
func TestGrantingAgainLeavesExactlyWhatWasAsked(t *testing.T) {
	p := newTroupe(t)
	p.must(p.b.RoleGrant(p.ctx, &backend.Roles{Viewers: []string{p.roles["consumer"]}}))
	b := p.as(t, "consumer")
	if err := p.work(b)["dequeue"](); !errors.Is(err, backend.ErrConfig) || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("who is a viewer now dequeues: %v", err)
	}
	p.must(p.work(b)["count messages"]())
}

func TestAGrantThatCannotBeIsAConfigurationErrorAndDoesNothing(t *testing.T) {
	p := newTroupe(t)
	err := p.b.RoleGrant(p.ctx, &backend.Roles{Viewers: []string{p.roles["producer"], `nobody"; drop table pgqrs_log; --`}})
	if !errors.Is(err, backend.ErrConfig) || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a role that does not exist: %v", err)
	}
	b := p.as(t, "producer")
	p.must(p.work(b)["produce"]())
	if err := b.RoleGrant(p.ctx, &backend.Roles{Viewers: []string{p.roles["producer"]}}); err == nil {
		if err := p.work(b)["read payloads"](); err == nil {
			t.Error("a producer made itself a viewer")
		}
	} else if !errors.Is(err, backend.ErrConfig) {
		t.Errorf("a producer that grants: %v", err)
	}
}

// TestEveryTableIsSomebodysToRead finds tables, views and sequences that role.sql forgot.
func TestEveryTableIsSomebodysToRead(t *testing.T) {
	p := newTroupe(t)
	for _, forgotten := range askAll[string](&p.bench, `
		select c.relname::text from pg_class c
		where c.relnamespace = (select oid from pg_namespace where nspname = $1) and c.relkind in ('r', 'v', 'p')
		  and not has_table_privilege($2, c.oid, 'select')`, rolesSchema, p.roles["viewer"]) {
		t.Errorf("a viewer may not read %s", forgotten)
	}
}

// TestFunctionsAreSafeToCall: none can be led astray by the caller's search_path, and none
// has other rights than its caller.
func TestFunctionsAreSafeToCall(t *testing.T) {
	f := newBench(t)
	for _, wrong := range askAll[string](f, `
		select p.oid::regprocedure::text from pg_proc p
		where p.pronamespace = 'public'::regnamespace
		  and (p.prosecdef or p.proconfig is null or not 'search_path=pg_catalog, pg_temp' = any (p.proconfig))`) {
		t.Errorf("%s is security definer, or has no fixed search_path", wrong)
	}
	if n := ask[int64](f, "select count(*) from pg_proc where pronamespace = 'public'::regnamespace"); n < 15 {
		t.Errorf("only %d functions were looked at", n)
	}
}
