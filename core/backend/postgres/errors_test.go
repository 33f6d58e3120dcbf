package postgres_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
)

// openError opens what cannot be opened.
func openError(t *testing.T, dsn string, timeout time.Duration) *backend.Error {
	t.Helper()
	b, err := postgres.Open(context.Background(), postgres.Config{DSN: dsn, ConnectTimeout: timeout, AutoInstall: true})
	if err == nil {
		_ = b.Close()
		t.Fatalf("connected to %s", dsn)
	}
	var e *backend.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T: %v", err, err)
	}
	return e
}

func TestAnUnreachableServerIsAConnectionErrorInTime(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for _, address := range []string{silent.Addr().String(), closed.Addr().String()} {
		began := time.Now()
		e := openError(t, "postgresql://me:s3cret@"+address+"/db", 300*time.Millisecond)
		if !errors.Is(e, backend.ErrConnection) || !e.SafeToRetry || e.MaybeCommitted {
			t.Errorf("%s: %+v", address, e)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: took %v", address, took)
		}
	}
}

// chain is all that an error and what it wraps say.
func chain(err error) string {
	text := err.Error()
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		if inner := u.Unwrap(); inner != nil {
			text += "\n" + chain(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range u.Unwrap() {
			text += "\n" + chain(inner)
		}
	}
	return text
}

func TestNoErrorHoldsThePassword(t *testing.T) {
	const password = "s3cret"
	for _, dsn := range []string{
		"postgresql://me:s3cret@127.0.0.1:1/db",
		"postgresql://me:s3cret@127.0.0.1:port/db",
		"postgresql://me:s3cret%zz@127.0.0.1/db",
		"postgresql://me:x/s3cret@127.0.0.1:1/db?y",
		"postgresql://me:x#s3cret@127.0.0.1:1/db",
		"postgresql://me:/s3cret@127.0.0.1:1/db",
		"postgresql://me%40home:/s3cret@127.0.0.1:1/db",
		"postgresql://me:x@s3cret@127.0.0.1:y/db",
		"postgresql://127.0.0.1:1/db?password=s3cret&sslmode=odd",
		"postgresql://127.0.0.1:1/db?password=s3cret&pool_max_conns=x",
		"postgresql://s3cret:[::1/db",
		"host=127.0.0.1 port=1 password=s3cret",
		"host=127.0.0.1 port=1 password='s3cret",
		"host=127.0.0.1 password = s3cret port=x",
		"s3cret",
		"mysql://me:s3cret@host/db",
	} {
		e := openError(t, dsn, 300*time.Millisecond)
		if !errors.Is(e, backend.ErrConfig) && !errors.Is(e, backend.ErrConnection) {
			t.Errorf("%s: kind %v", dsn, e.Kind)
		}
		if strings.Contains(chain(e), password) {
			t.Errorf("%s: %s", dsn, chain(e))
		}
	}
}

// FuzzDSN puts a password somewhere into a DSN: nothing panics, and no error tells it.
func FuzzDSN(f *testing.F) {
	const password = "Xq7Zk9Wv"
	for dsn, at := range map[string]int{
		"postgresql://me:@127.0.0.1:1/db":                 16,
		"postgresql://me:%40@[::1]:port/db?sslmode=x":     16,
		"postgresql://h1:1,h2:x/db?password=&options=-c%": 33,
		"host=127.0.0.1 password='":                       25,
		"host=h port=x password=\\ dbname=":               23,
		"postgres://":                                     11,
	} {
		f.Add(dsn, at)
	}
	f.Fuzz(func(t *testing.T, dsn string, at int) {
		at = min(max(at, 0), len(dsn))
		err := postgres.ReadDSN(dsn[:at] + password + dsn[at:])
		if err == nil {
			return
		}
		if !errors.Is(err, backend.ErrConfig) || strings.Contains(chain(err), password) {
			t.Errorf("%q at %d: %s", dsn, at, chain(err))
		}
	})
}

func TestADSNThatCannotBeUsedSaysWhy(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgresql://host:port/db":                                     "port",
		"host=x connect_timeout=soon":                                   "connect_timeout",
		"postgresql://h/d?sslrootcert=/no/such.crt&sslmode=verify-full": "file",
		"tcp://host": "postgresql://",
	} {
		if e := openError(t, dsn, time.Second); !errors.Is(e, backend.ErrConfig) || !strings.Contains(e.Message, want) {
			t.Errorf("%s: %v, want %q", dsn, e, want)
		}
	}
}

func TestAMissingDatabaseIsAConnectionErrorWithItsState(t *testing.T) {
	f := newBench(t)
	config, err := pgx.ParseConfig(f.dsn)
	f.must(err)
	e := openError(t, strings.Replace(f.dsn, config.Database, "no_such_database", 1), 5*time.Second)
	if !errors.Is(e, backend.ErrConnection) || e.SQLState != "3D000" || e.SafeToRetry {
		t.Errorf("%+v", e)
	}
}

// TestALostAnswerOfAProduceMayBeCommitted ends the server process that carries
// out a produce, while it waits for a lock.
func TestALostAnswerOfAProduceMayBeCommitted(t *testing.T) {
	f := newBench(t)
	tx, err := f.c.Begin(f.ctx)
	f.must(err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(f.ctx, "lock table pgqrs_log in exclusive mode")
	f.must(err)
	failed := make(chan error, 1)
	go func() {
		_, err := f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: [][]byte{[]byte("1")}})
		failed <- err
	}()
	f.eventually("the produce waits for the lock", func() bool {
		var n int
		f.must(tx.QueryRow(f.ctx, `select count(pg_terminate_backend(pid)) from pg_stat_activity
			where datname = current_database() and wait_event_type = 'Lock'`).Scan(&n))
		return n > 0
	})
	var e *backend.Error
	if err := <-failed; !errors.As(err, &e) || !errors.Is(err, backend.ErrConnection) || !e.MaybeCommitted || e.SafeToRetry {
		t.Errorf("%+v", err)
	}
}

func TestAQueueThatIsGoneIsNotFound(t *testing.T) {
	f := newBench(t)
	_, err := f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: 1 << 40, Payloads: [][]byte{[]byte("1")}})
	var e *backend.Error
	if !errors.As(err, &e) || !errors.Is(err, backend.ErrQueueNotFound) || e.SQLState != "PQ001" {
		t.Errorf("%+v", err)
	}
}

func TestAPoolWithoutAFreeConnectionIsAConnectionError(t *testing.T) {
	f := newBench(t)
	b, err := postgres.Open(f.ctx, postgres.Config{DSN: f.dsn, MaxConnections: 1, ConnectTimeout: 500 * time.Millisecond})
	f.must(err)
	defer func() { f.must(b.Close()) }()
	tx, err := f.c.Begin(f.ctx)
	f.must(err)
	_, err = tx.Exec(f.ctx, "lock table pgqrs_log in exclusive mode")
	f.must(err)
	produced := make(chan error, 1)
	go func() {
		_, err := b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: [][]byte{[]byte("1")}})
		produced <- err
	}()
	f.eventually("the only connection waits", func() bool {
		var n int
		f.must(tx.QueryRow(f.ctx, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").Scan(&n))
		return n > 0
	})
	_, err = b.QueueGet(f.ctx, &backend.QueueGetParams{Name: "tasks"})
	var e *backend.Error
	if !errors.As(err, &e) || !errors.Is(err, backend.ErrConnection) || !e.SafeToRetry {
		t.Errorf("%+v", err)
	}
	f.must(tx.Commit(f.ctx))
	f.must(<-produced)
}

func TestARemovedSchemaIsAConfigurationError(t *testing.T) {
	f := newBench(t)
	f.exec("drop schema public cascade")
	_, err := f.b.QueueGet(f.ctx, &backend.QueueGetParams{Name: "tasks"})
	if !errors.Is(err, backend.ErrConfig) {
		t.Errorf("%+v", err)
	}
}

// TestWhatAPoolerSaysMayComeAfterACommit: it does not send the unlocalized severity, and
// the server may go on with what the pooler gave up.
func TestWhatAPoolerSaysMayComeAfterACommit(t *testing.T) {
	for _, c := range []struct {
		said  pgconn.PgError
		maybe bool
	}{
		{pgconn.PgError{Severity: "FATAL", Code: "08P01", Message: "server conn crashed?"}, true},
		{pgconn.PgError{Severity: "ERROR", Code: "08P01", Message: "query_wait_timeout"}, true},
		{pgconn.PgError{Severity: "FATAL", Code: "57P01", Message: "the pooler is shutting down"}, true},
		{pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "57014", Message: "cancelled"}, false},
	} {
		var e *backend.Error
		if err := postgres.Failure(&c.said); !errors.As(err, &e) || e.MaybeCommitted != c.maybe {
			t.Errorf("%s %s: %+v", c.said.Severity, c.said.Code, e)
		}
	}
}
