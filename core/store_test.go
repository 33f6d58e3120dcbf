package pgqrs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

func TestCloseWithEverythingInFlightHangsNobody(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 20)
		c := newConsumer(t, s, "tasks")
		own := dequeue(t, c, 5, 60)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{BatchSize: 5, VT: time.Minute})
		take(t, next(t, st))
		started := make(chan struct{}, 100)
		l := consume(t, s, pgqrs.Dequeue().From("tasks").VT(60).Batch(2).Handle(func(ctx context.Context, m *pgqrs.Message) error {
			started <- struct{}{}
			return nil
		}))
		receive(t, "a handler", started)
		var busy sync.WaitGroup
		var wrong atomic.Value
		check := func(err error) (again bool) {
			if err != nil && !errors.Is(err, pgqrs.ErrClosed) {
				wrong.Store(err)
			}
			return err == nil
		}
		for i := range 4 {
			busy.Go(func() {
				for check(second(s.Produce(t.Context(), "others", []byte("1"), pgqrs.ProduceOptions{}))) {
				}
			})
			busy.Go(func() {
				for check(second(c.DequeueManyWithDelay(t.Context(), 1, 60))) {
				}
			})
			busy.Go(func() {
				for check(second(own[i].ExtendVT(t.Context(), 0))) {
				}
			})
			busy.Go(func() {
				for check(second(s.Register(t.Context(), pgqrs.RoleProducer, "tasks", "", 0))) {
				}
			})
		}
		idle := openStream(t, s, "nothing here", pgqrs.StreamOptions{})
		ended := make(chan error)
		go func() {
			_, err := idle.Next(t.Context())
			ended <- err
		}()
		until(t, "the streams listen", func() bool { return s.CountListening() == 3 })

		closeStore(t, s)
		if err := receive(t, "the end of the stream", ended); !errors.Is(err, io.EOF) {
			t.Errorf("a stream: %v", err)
		}
		if err := receive(t, "the end of the loop", l.done); err != nil {
			t.Errorf("a loop: %v", err)
		}
		busy.Wait()
		if err := wrong.Load(); err != nil {
			t.Errorf("another call: %v", err)
		}
		closeStore(t, s)
		for what, err := range map[string]error{
			"produce":  second(s.Produce(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{})),
			"dequeue":  second(c.Dequeue(t.Context())),
			"archive":  second(own[0].Archive(t.Context())),
			"producer": second(s.Producer(t.Context(), "tasks")),
			"stream":   second(s.OpenStream("tasks", pgqrs.StreamOptions{})),
		} {
			if !errors.Is(err, pgqrs.ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
		if _, err := st.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("Next after Close: %v", err)
		}
		closeStream(t, st)
		if n := p.counts(t, "tasks"); n.Ready+n.Leased+n.Archived != int64(len(ids)) || n.Archived == 0 {
			t.Errorf("%+v", n)
		}
	})
}

// second is the error of a call.
func second[T any](_ T, err error) error { return err }

func TestCloseGivesBackAndLetsHandlersFinish(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 10)
		started, let := make(chan struct{}), make(chan struct{})
		l := consume(t, s, pgqrs.Dequeue().From("tasks").VT(vt.Seconds()).Handle(func(ctx context.Context, m *pgqrs.Message) error {
			close(started)
			<-let
			return ctx.Err()
		}))
		receive(t, "the handler", started)
		closed := make(chan error)
		go func() { closed <- s.Close(context.Background()) }()
		until(t, "the rest is back", func() bool { return p.counts(t, "tasks").Ready == 9 })
		first := p.record(t, ids[0]).VT
		until(t, "the handler's message is kept", func() bool { return p.record(t, ids[0]).VT.Sub(first) > 2*vt })
		close(let)
		if err := receive(t, "the end of Close", closed); err != nil {
			t.Error(err)
		}
		if err := receive(t, "the end of the loop", l.done); err != nil {
			t.Error(err)
		}
		if n := p.counts(t, "tasks"); n != (backend.MessageCounts{Ready: 9, Archived: 1}) {
			t.Errorf("%+v", n)
		}
	})
}

func TestCloseWaitsNoLongerThanItsContext(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		hang := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
		s := p.through(t, f.wrap)
		p.produce(t, "tasks", 2)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute})
		take(t, next(t, st))
		for _, operation := range []string{"produce", "dequeue", "release"} {
			f.failBefore(operation, hang)
		}
		failed := make(chan error, 2)
		go func() {
			failed <- second(s.Produce(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{}))
		}()
		until(t, "the produce is on its way", func() bool { return f.countCalls("produce") == 1 })
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > promptly {
			t.Errorf("it took %v", took)
		}
		if err := receive(t, "the end of the produce", failed); !errors.Is(err, pgqrs.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestAPanicInTheBackgroundGoesToOnPanic(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		caught := make(chan string, 1)
		s := p.connect(t, func(c *pgqrs.Config) {
			c.OnPanic = func(value any, stack []byte) { caught <- fmt.Sprint(value, "\n", string(stack)) }
		})
		s.Spawn(func() { panic("out of cheese") })
		text := receive(t, "the panic", caught)
		if !strings.Contains(text, "out of cheese") || !strings.Contains(text, "store_test.go") {
			t.Error(text)
		}
	})
}

func TestAPanicOfTheBackendGoesToOnPanic(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		f.failBefore("dequeue", func(context.Context) error { panic("out of cheese") })
		caught := make(chan any, 1)
		s := p.through(t, f.wrap, func(c *pgqrs.Config) { c.OnPanic = func(value any, _ []byte) { caught <- value } })
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := st.Next(ctx)
			ended <- err
		}()
		if value := receive(t, "the panic", caught); value != "out of cheese" {
			t.Error(value)
		}
		f.failBefore("dequeue", nil)
		cancel()
		if err := receive(t, "the end of Next", ended); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestNoErrorHoldsThePassword(t *testing.T) {
	const password = "S3cr3t-0f-th3-house"
	unused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := unused.Addr().(*net.TCPAddr).Port
	_ = unused.Close()
	for name, dsn := range map[string]string{
		"nobody listens":    fmt.Sprintf("postgresql://user:%s@127.0.0.1:%d/db?sslmode=disable&connect_timeout=5", password, nobody),
		"no such database":  strings.Replace(strings.Replace(testserver.DSN(t), "postgres@", "postgres:"+password+"@", 1), "/pgqrs_test_", "/nowhere_", 1),
		"a port of letters": "postgresql://user:" + password + "@127.0.0.1:port/db",
		"a bad escape":      "postgresql://user:%" + password + "@127.0.0.1/db",
		"key=value":         "host=127.0.0.1 port=x password=" + password,
		"a bad option":      "postgresql://user:" + password + "@127.0.0.1/db?sslmode=perhaps",
		"another scheme":    "mysql://user:" + password + "@127.0.0.1/db",
		"embedded":          "embedded:///" + password,
	} {
		s, err := pgqrs.Connect(t.Context(), dsn, pgqrs.WithConnectTimeout(3*time.Second))
		if err == nil {
			closeStore(t, s)
			t.Errorf("%s: no error", name)
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), password) || strings.Contains(fmt.Sprintf("%+v", e), password) {
				t.Errorf("%s: %v", name, e)
			}
		}
		if !errors.Is(err, pgqrs.ErrConfig) && !errors.Is(err, pgqrs.ErrConnection) {
			t.Errorf("%s: the wrong kind of error: %v", name, err)
		}
	}
}

func TestStreamsAndProducersSurviveARestartOfTheServer(t *testing.T) {
	for name, restart := range map[string]func(*testserver.Cluster) error{
		"restart": (*testserver.Cluster).Restart,
		"crash": func(c *testserver.Cluster) error {
			if err := c.Crash(); err != nil {
				return err
			}
			return c.Start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := testserver.Server(t)
			survive(t, observe(t, server.DSN(t)), func() error { return restart(server) })
		})
	}
}

func survive(t *testing.T, p *place, restart func() error) {
	s := p.connect(t)
	var mu sync.Mutex
	stored := make(map[int64]bool)
	handled := make(map[int64]int)
	l := consume(t, s, pgqrs.Dequeue().From("tasks").VT(1).Concurrency(4).Handle(func(_ context.Context, m *pgqrs.Message) error {
		mu.Lock()
		defer mu.Unlock()
		handled[m.ID]++
		return nil
	}))
	idle := newSleeper(t, s, "idle")
	pushing, stop := context.WithCancel(t.Context())
	defer stop()
	var producers sync.WaitGroup
	var pushed atomic.Int64
	for range 4 {
		producers.Go(func() {
			for pushing.Err() == nil {
				// What comes back as MaybeCommitted may be stored or not; anything
				// else is stored, for the store waits for the server.
				ids, err := pgqrs.Enqueue().Message(1).To("tasks").Execute(t.Context(), s)
				var e *pgqrs.Error
				switch {
				case err == nil:
					mu.Lock()
					stored[ids[0]] = true
					mu.Unlock()
					pushed.Add(1)
				case !errors.As(err, &e) || !e.MaybeCommitted:
					t.Errorf("produce: %v", err)
					return
				}
			}
		})
	}
	until(t, "messages flow", func() bool { return pushed.Load() > 100 })
	if err := restart(); err != nil {
		t.Fatal(err)
	}
	before := pushed.Load()
	until(t, "messages flow again", func() bool { return pushed.Load() > before+100 })
	stop()
	producers.Wait()
	until(t, "all that was stored is handled", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for id := range stored {
			if handled[id] == 0 {
				return false
			}
		}
		return true
	})
	since := time.Now()
	ids, err := pgqrs.Enqueue().Message(1).To("idle").Execute(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if took := idle.got(t, ids[0], since); took > promptly {
		t.Errorf("the idle stream took %v", took)
	}
	until(t, "all is archived", func() bool {
		q, err := p.observer.QueueGet(t.Context(), &backend.QueueGetParams{Name: "tasks"})
		if err != nil {
			return false // the observer's connections were cut, too
		}
		c, err := p.observer.MessageCount(t.Context(), &backend.MessageCountParams{QueueID: q.ID})
		return err == nil && c.Ready+c.Leased+c.Delayed == 0
	})
	l.end(t)
}

func TestAnUnreachableServerIsAnErrorInTime(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, by its backlog, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	began := time.Now()
	_, err = pgqrs.Connect(t.Context(), fmt.Sprintf("postgresql://u@%s/db?sslmode=disable", silent.Addr()), pgqrs.WithConnectTimeout(300*time.Millisecond))
	if !errors.Is(err, pgqrs.ErrConnection) && !errors.Is(err, pgqrs.ErrTimeout) {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > promptly {
		t.Errorf("it took %v", took)
	}
}

func TestAClosedStoreLeavesItsWorkersStopped(t *testing.T) {
	p := onPostgres(t)
	s := p.connect(t)
	for range 2 {
		if _, err := s.Producer(t.Context(), "tasks"); err != nil {
			t.Fatal(err)
		}
	}
	newConsumer(t, s, "tasks")
	p.produce(t, "tasks", 1)
	st := openStream(t, s, "tasks", pgqrs.StreamOptions{})
	take(t, next(t, st))
	closeStore(t, s)
	c, err := pgx.Connect(t.Context(), p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	var stopped, all int
	err = c.QueryRow(t.Context(), `select count(*) filter (where status = 'stopped'), count(*) from pgqrs_workers`).Scan(&stopped, &all)
	if err != nil || stopped != 4 || all != 4 {
		t.Errorf("%d of %d are stopped: %v", stopped, all, err)
	}
}
