package postgres_test

import (
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
)

// single opens another backend on the database, with one connection in its pool.
func (f *bench) single() *postgres.Backend {
	f.Helper()
	b, err := postgres.Open(f.ctx, postgres.Config{DSN: f.dsn, MaxConnections: 1, AutoInstall: true})
	f.must(err)
	f.Cleanup(func() { f.must(b.Close()) })
	return b
}

// everyCall does all that is sent as the hot statements are.
func (f *bench) everyCall(b *postgres.Backend) {
	f.Helper()
	_, err := b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: payloads(8)})
	f.must(err)
	r, err := b.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: f.queue, Limit: 8, VT: time.Minute})
	f.must(err)
	d := deliveries(r.Messages)
	if len(d) != 8 {
		f.Fatalf("%d of 8 messages were leased", len(d))
	}
	archived, err := b.MessageArchive(f.ctx, &backend.MessageArchiveParams{QueueID: f.queue, Deliveries: d[:2]})
	f.must(err)
	deleted, err := b.MessageDelete(f.ctx, &backend.MessageDeleteParams{QueueID: f.queue, Deliveries: d[2:4]})
	f.must(err)
	released, err := b.MessageRelease(f.ctx, &backend.MessageReleaseParams{QueueID: f.queue, Deliveries: d[4:6], Delay: time.Hour})
	f.must(err)
	for _, outcomes := range [][]backend.Outcome{archived, deleted, released} {
		for _, o := range outcomes {
			if o != backend.Settled {
				f.Errorf("a held message was %v", o)
			}
		}
	}
	extended, err := b.MessageExtend(f.ctx, &backend.MessageExtendParams{QueueID: f.queue, Deliveries: d[6:], By: time.Hour})
	f.must(err)
	if !extended[0].Held || !extended[1].Held {
		f.Error("a held message was not extended")
	}
	n, err := b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: f.queue})
	f.must(err)
	if n != 4 {
		f.Errorf("%d of 4 messages were purged", n)
	}
}

func (f *bench) wantMode(b *postgres.Backend, wantNamed, wantExplicit bool) {
	f.Helper()
	if named, explicit := b.CallMode(); named != wantNamed || explicit != wantExplicit {
		f.Errorf("statements are named: %v, transactions explicit: %v", named, explicit)
	}
}

func TestStatementsArePreparedOnAServerOfOnesOwn(t *testing.T) {
	f := newBench(t)
	f.wantMode(f.b, true, false)
	f.everyCall(f.b)
	f.wantMode(f.b, true, false)
}

// A pooler that is not known as one loses what was prepared.
func TestStatementsThatTheServerDoesNotKnowAreSentUnprepared(t *testing.T) {
	f := newBench(t)
	b := f.single()
	f.everyCall(b)
	f.must(b.ExecOnPool(f.ctx, "deallocate all"))
	f.everyCall(b)
	f.wantMode(b, false, false)
}

func TestOperationsAreReadCommittedWhateverTheDatabasesDefaultIs(t *testing.T) {
	f := newBench(t)
	for _, isolation := range []string{"repeatable read", "serializable"} {
		f.exec(`do $$ begin execute format('alter database %I set default_transaction_isolation = ''` + isolation + `''', current_database()); end $$`)
		b := f.single()
		f.everyCall(b)
		f.wantMode(b, true, true)
		f.everyCall(b)
	}
}

// A schema is upgraded under running workers; what they prepared is of the old one.
func TestAFunctionMayBeReplacedUnderAPreparedStatement(t *testing.T) {
	f := newBench(t)
	b := f.single()
	f.everyCall(b)
	f.exec(`do $$
		declare definition text := pg_get_functiondef('public.pgqrs_enqueue'::regproc);
		begin
			drop function public.pgqrs_enqueue;
			execute definition;
		end $$`)
	f.everyCall(b)
	f.wantMode(b, true, false)
}

// TestEachOfManyThatMeetAnotherIsolationIsSentAgain: they were on their way together, and the
// first of them finds out for itself alone.
func TestEachOfManyThatMeetAnotherIsolationIsSentAgain(t *testing.T) {
	f := newBench(t)
	for i := range 3 {
		if !f.b.Adapts("PQ004", "pgqrs_dequeue needs READ COMMITTED") {
			t.Errorf("number %d is not", i)
		}
	}
}

// TestACallWhoseFunctionIsReplacedJustThenIsSentAgain: PostgreSQL reports it as an internal
// error. Others of those are not ours to hide.
func TestACallWhoseFunctionIsReplacedJustThenIsSentAgain(t *testing.T) {
	f := newBench(t)
	for message, want := range map[string]bool{"cache lookup failed for function 32833": true, "could not read block 7": false} {
		if f.b.Adapts("XX000", message) != want {
			t.Errorf("%q is sent again: %v", message, !want)
		}
	}
}
