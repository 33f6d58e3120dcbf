package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

// bench is a fresh database with pgqrs in it, a backend, a plain connection
// beside it, and one queue.
type bench struct {
	testing.TB
	ctx     context.Context
	dsn     string
	b       *postgres.Backend
	c       *pgx.Conn
	queue   int64
	another int64
}

func newBench(t testing.TB) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	f := &bench{TB: t, ctx: ctx, dsn: testserver.DSN(t)}
	f.b = open(t, f.dsn)
	t.Cleanup(func() { f.must(f.b.Close()) })
	f.c = f.connect()
	for _, q := range []struct {
		name string
		id   *int64
	}{{"tasks", &f.queue}, {"others", &f.another}} {
		made, err := f.b.QueueCreate(ctx, &backend.QueueCreateParams{Name: q.name})
		f.must(err)
		*q.id = made.ID
	}
	return f
}

func (f *bench) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// connect opens a plain connection to the database.
func (f *bench) connect() *pgx.Conn {
	f.Helper()
	c, err := pgx.Connect(f.ctx, f.dsn)
	f.must(err)
	f.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func (f *bench) exec(sql string, args ...any) {
	f.Helper()
	_, err := f.c.Exec(f.ctx, sql, args...)
	f.must(err)
}

// ask runs a query for one value.
func ask[T any](f *bench, sql string, args ...any) T {
	f.Helper()
	var v T
	f.must(f.c.QueryRow(f.ctx, sql, args...).Scan(&v))
	return v
}

// askAll runs a query for a column of values.
func askAll[T any](f *bench, sql string, args ...any) []T {
	f.Helper()
	rows, err := f.c.Query(f.ctx, sql, args...)
	f.must(err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[T])
	f.must(err)
	return all
}

// produce stores n messages in one call.
func (f *bench) produce(n int) []int64 {
	f.Helper()
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = []byte(`{"task":"send_email"}`)
	}
	ids, err := f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: payloads})
	f.must(err)
	return ids
}

// dequeue leases for ten minutes.
func (f *bench) dequeue(limit int) []backend.Message {
	f.Helper()
	r, err := f.b.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: f.queue, Limit: limit, VT: 10 * time.Minute})
	f.must(err)
	return r.Messages
}

func deliveries(messages []backend.Message) []backend.Delivery {
	all := make([]backend.Delivery, len(messages))
	for i, m := range messages {
		all[i] = backend.Delivery{Lease: m.Lease, ID: m.ID}
	}
	return all
}

// eventually polls until holds, and fails after half a minute.
func (f *bench) eventually(what string, holds func() bool) {
	f.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(end) {
			f.Fatalf("in vain: %s", what)
		}
		select {
		case <-f.ctx.Done():
		case <-time.After(2 * time.Millisecond):
		}
	}
}
