package pgqrs_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/memory"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// patience bounds what a test waits for.
const patience = 20 * time.Second

// place is where a test keeps its queues: fresh, and looked at by an observer.
type place struct {
	dsn      string
	observer backend.Backend
	log      *logbook
	foreign  atomic.Int64 // numbers the stores that imitate other processes
}

var places atomic.Int64

// onEach runs a test on each backend, and checks that it leaves neither
// goroutine nor connection behind.
func onEach(t *testing.T, test func(t *testing.T, p *place)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, onMemory(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, onPostgres(t)) })
}

func onMemory(t testing.TB) *place {
	t.Helper()
	name := fmt.Sprintf("place-%d", places.Add(1))
	nothingLeft(t)
	p := &place{dsn: "memory://" + name, observer: memory.Open(name), log: &logbook{}}
	t.Cleanup(func() { _ = p.observer.Close() })
	return p
}

func onPostgres(t testing.TB) *place {
	t.Helper()
	dsn := testserver.DSN(t)
	t.Cleanup(func() { noConnectionLeft(t, dsn) })
	return observe(t, dsn)
}

// observe makes a place of a database.
func observe(t testing.TB, dsn string) *place {
	t.Helper()
	nothingLeft(t)
	b, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, AutoInstall: true, MaxConnections: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return &place{dsn: dsn, observer: b, log: &logbook{}}
}

func nothingLeft(t testing.TB) {
	before := goleak.IgnoreCurrent()
	peers := pgqrs.CountPeers()
	t.Cleanup(func() {
		if t.Failed() {
			return // a test that gave up half-way leaves things behind
		}
		goleak.VerifyNone(t, before)
		if n := pgqrs.CountPeers(); n != peers {
			t.Errorf("the process remembers %d databases too many", n-peers)
		}
	})
}

func noConnectionLeft(t testing.TB, dsn string) {
	if t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	var left int
	until(t, "no connection is left on the server", func() bool {
		err = c.QueryRow(ctx, `select count(*) from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid()`).Scan(&left)
		return err != nil || left == 0
	})
	if err != nil {
		t.Fatal(err)
	}
}

// connect opens a store that is closed at the end of the test.
func (p *place) connect(t testing.TB, options ...pgqrs.Option) *pgqrs.Store {
	t.Helper()
	return p.through(t, func(b backend.Backend) backend.Backend { return b }, options...)
}

// through is connect with something between the store and its backend.
func (p *place) through(t testing.TB, wrap func(backend.Backend) backend.Backend, options ...pgqrs.Option) *pgqrs.Store {
	t.Helper()
	c := pgqrs.NewConfig(p.dsn)
	c.Logger = slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, o := range options {
		o(c)
	}
	s, err := pgqrs.ConnectThrough(t.Context(), c, wrap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *pgqrs.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// elsewhere imitates another process: a store that shares nothing with those of
// connect but the backend's queues, and hears of messages from its listener only.
func (p *place) elsewhere(t testing.TB, options ...pgqrs.Option) *pgqrs.Store {
	t.Helper()
	return p.through(t, p.away, options...)
}

func (p *place) away(b backend.Backend) backend.Backend {
	return &otherProcess{Backend: b, n: p.foreign.Add(1)}
}

type otherProcess struct {
	backend.Backend
	n int64
}

func (o *otherProcess) Identity() string {
	return fmt.Sprintf("%s seen from process %d", o.Backend.Identity(), o.n)
}

func (o *otherProcess) Capabilities() backend.Capabilities {
	c := o.Backend.Capabilities()
	c.Shared = true
	return c
}

// produce stores n messages and returns their ids.
func (p *place) produce(t testing.TB, queue string, n int) []int64 {
	t.Helper()
	q, err := p.observer.QueueEnsure(t.Context(), &backend.QueueEnsureParams{Name: queue})
	if err != nil {
		t.Fatal(err)
	}
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = fmt.Appendf(nil, `{"task": %d}`, i)
	}
	ids, err := p.observer.MessageProduce(t.Context(), &backend.MessageProduceParams{QueueID: q.ID, Payloads: payloads})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func (p *place) record(t testing.TB, id int64) *backend.MessageRecord {
	t.Helper()
	r, err := p.observer.MessageGet(t.Context(), &backend.MessageGetParams{ID: id})
	if err != nil {
		t.Fatalf("message %d: %v", id, err)
	}
	return r
}

func (p *place) state(t testing.TB, id int64) backend.MessageState {
	t.Helper()
	return p.record(t, id).State
}

func (p *place) counts(t testing.TB, queue string) backend.MessageCounts {
	t.Helper()
	q, err := p.observer.QueueEnsure(t.Context(), &backend.QueueEnsureParams{Name: queue})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.observer.MessageCount(t.Context(), &backend.MessageCountParams{QueueID: q.ID})
	if err != nil {
		t.Fatal(err)
	}
	return *c
}

// until polls for what must come true.
func until(t testing.TB, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !true(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

// receive takes what must come.
func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("in vain waited for %s", what)
		panic("unreachable")
	}
}

// logbook keeps what a store logs.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logbook) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
