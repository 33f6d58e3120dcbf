package pgqrs_test

import (
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantStatus(t *testing.T, s *pgqrs.Store, id int64, want backend.WorkerStatus) {
	t.Helper()
	w, err := s.GetWorker(t.Context(), id)
	must(t, err)
	if w.Status != want {
		t.Errorf("worker %d is %s, not %s", id, w.Status, want)
	}
}

func awaitStatus(t *testing.T, s *pgqrs.Store, id int64, want backend.WorkerStatus) {
	t.Helper()
	until(t, "the worker is "+string(want), func() bool {
		w, err := s.GetWorker(t.Context(), id)
		must(t, err)
		return w.Status == want
	})
}

func TestTheDiagramOfAWorkersStatesIsTrue(t *testing.T) {
	text, err := os.ReadFile("../docs/state-machine.md")
	must(t, err)
	drawn := regexp.MustCompile(`(?m)^ +([a-z]+ --> [a-z]+) :`).FindAllStringSubmatch(string(text), -1)
	var documented []string
	for _, line := range drawn {
		documented = append(documented, line[1])
	}
	actual := pgqrs.Transitions()
	slices.Sort(actual)
	slices.Sort(documented)
	if !slices.Equal(documented, actual) {
		t.Errorf("docs/state-machine.md draws %q, there are %q", documented, actual)
	}
}

func TestAWorkerChangesItsStateAsDrawn(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		c := newConsumer(t, s, "tasks")
		if status, err := c.Status(t.Context()); status != backend.WorkerReady || err != nil {
			t.Error(status, err)
		}
		err := c.Interrupt(t.Context())
		if !errors.Is(err, pgqrs.ErrStateTransition) || !regexp.MustCompile(`is ready.* to interrupted`).MatchString(err.Error()) {
			t.Error(err)
		}
		must(t, c.Resume(t.Context()))
		for range 2 {
			must(t, c.Suspend(t.Context()))
		}
		wantStatus(t, s, c.WorkerID(), backend.WorkerSuspended)
		must(t, c.Resume(t.Context()))
		wantStatus(t, s, c.WorkerID(), backend.WorkerReady)
		for range 2 {
			must(t, c.Shutdown(t.Context()))
		}
		for _, move := range []func(context.Context) error{c.Suspend, c.Resume, c.Interrupt, c.Heartbeat} {
			if err := move(t.Context()); !errors.Is(err, pgqrs.ErrStateTransition) {
				t.Error(err)
			}
		}
		if _, err := s.SuspendWorker(t.Context(), 1<<50); !errors.Is(err, pgqrs.ErrWorkerNotFound) {
			t.Error(err)
		}
	})
}

func TestASuspendedConsumerFetchesNothingAndKeepsWhatItHolds(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		c := newConsumer(t, s, "tasks")
		p.produce(t, "tasks", 3)
		held := dequeue(t, c, 1, 60)
		must(t, c.Suspend(t.Context()))
		dequeue(t, c, 0, 60)
		answers(t, "archive", true)(c.Archive(t.Context(), held[0].ID))
		must(t, c.Resume(t.Context()))
		held = dequeue(t, c, 1, 60)
		must(t, c.Shutdown(t.Context()))
		if _, err := c.Dequeue(t.Context()); !errors.Is(err, pgqrs.ErrStateTransition) {
			t.Error(err)
		}
		answers(t, "archive", true)(c.Archive(t.Context(), held[0].ID))
	})
}

func TestASuspendedProducerRefusesToProduce(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		producer, err := s.Producer(t.Context(), "tasks")
		must(t, err)
		must(t, producer.Suspend(t.Context()))
		if _, err := producer.Enqueue(t.Context(), 1); !errors.Is(err, pgqrs.ErrStateTransition) {
			t.Error(err)
		}
		must(t, producer.Resume(t.Context()))
		if _, err := producer.Enqueue(t.Context(), 1); err != nil {
			t.Error(err)
		}
	})
}

// streamWorker is the worker of the only stream of that queue.
func streamWorker(t *testing.T, s *pgqrs.Store, queue string) int64 {
	t.Helper()
	var id int64
	until(t, "a worker polls", func() bool {
		all, err := s.ListWorkers(t.Context(), pgqrs.WorkerFilter{Queue: queue, Status: backend.WorkerPolling, Limit: 10})
		if len(all) > 0 {
			id = all[0].ID
		}
		return err == nil && len(all) == 1
	})
	return id
}

// Another process suspends, resumes, interrupts, stops and purges: the store follows
// at its next heartbeat.
func TestAStreamFollowsWhatOthersDoToItsWorker(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s, other := p.connect(t), p.elsewhere(t)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{BatchSize: 1})
		first := start(t, st)
		p.produce(t, "tasks", 1)
		take(t, receive(t, "a batch", first))
		id := streamWorker(t, s, "tasks")
		_, err := other.SuspendWorker(t.Context(), id)
		must(t, err)
		must(t, s.Beat(t.Context()))
		p.produce(t, "tasks", 1)
		empty := openStream(t, s, "tasks", pgqrs.StreamOptions{UntilEmpty: true})
		if _, err := empty.Next(t.Context()); err != io.EOF {
			t.Errorf("a stream of a suspended worker: %v", err)
		}
		second := start(t, st)
		_, err = other.ResumeWorker(t.Context(), id)
		must(t, err)
		must(t, s.Beat(t.Context()))
		take(t, receive(t, "a batch after the resumption", second))
		awaitStatus(t, s, id, backend.WorkerPolling)

		ends := func() <-chan error {
			c := make(chan error, 1)
			go func() {
				_, err := st.Next(context.WithoutCancel(t.Context()))
				c <- err
			}()
			return c
		}
		interrupted := ends()
		_, err = other.InterruptWorker(t.Context(), id)
		must(t, err)
		must(t, s.Beat(t.Context()))
		if err := receive(t, "the end", interrupted); !errors.Is(err, pgqrs.ErrStateTransition) {
			t.Error(err)
		}
		awaitStatus(t, s, id, backend.WorkerSuspended)
		_, err = other.ResumeWorker(t.Context(), id)
		must(t, err)
		must(t, s.Beat(t.Context()))
		st = openStream(t, s, "tasks", pgqrs.StreamOptions{BatchSize: 1})
		stopped := ends()
		awaitStatus(t, s, id, backend.WorkerPolling)
		_, err = other.StopWorker(t.Context(), id)
		must(t, err)
		must(t, s.Beat(t.Context()))
		if err := receive(t, "the end", stopped); !errors.Is(err, pgqrs.ErrStateTransition) {
			t.Error(err)
		}
		st = openStream(t, s, "tasks", pgqrs.StreamOptions{BatchSize: 1})
		third := start(t, st)
		if again := streamWorker(t, s, "tasks"); again == id {
			t.Error("a stream leases to a worker that has stopped")
		}
		p.produce(t, "tasks", 1)
		take(t, receive(t, "a batch for another worker", third))
	})
}

// A loop that is given a consumer leases to it, and ends with it.
func TestALoopLeasesToTheConsumerThatItIsGiven(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s, other := p.connect(t), p.elsewhere(t)
		c := newConsumer(t, s, "tasks")
		p.produce(t, "tasks", 1)
		handled, held := make(chan *pgqrs.Message), make(chan struct{})
		loop := pgqrs.Dequeue().Worker(c).Handle(func(_ context.Context, m *pgqrs.Message) error {
			handled <- m
			<-held
			return nil
		})
		ended := make(chan error, 1)
		go func() { ended <- loop.Execute(t.Context(), s) }()
		m := receive(t, "a message", handled)
		if m.ConsumerWorkerID != c.WorkerID() || p.record(t, m.ID).ConsumerWorkerID != c.WorkerID() {
			t.Errorf("it is leased to %d, not %d", m.ConsumerWorkerID, c.WorkerID())
		}
		wantStatus(t, s, c.WorkerID(), backend.WorkerPolling)
		answers(t, "by another", false)(newConsumer(t, s, "tasks").Archive(t.Context(), m.ID))
		answers(t, "by id", true)(c.Archive(t.Context(), m.ID))
		close(held)
		must(t, c.Interrupt(t.Context()))
		if err := receive(t, "the end", ended); !errors.Is(err, pgqrs.ErrStateTransition) {
			t.Error(err)
		}
		awaitStatus(t, s, c.WorkerID(), backend.WorkerSuspended)
		if err := loop.Execute(t.Context(), other); !errors.Is(err, pgqrs.ErrWorkerNotFound) {
			t.Errorf("a consumer of another store: %v", err)
		}
		st := openStream(t, s, "others", pgqrs.StreamOptions{WorkerID: c.WorkerID()})
		if _, err := st.Next(t.Context()); !errors.Is(err, pgqrs.ErrWorkerNotFound) {
			t.Errorf("a consumer of another queue: %v", err)
		}
	})
}

func TestAWorkerRestsWhenItsLastStreamHasEnded(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		p.produce(t, "tasks", 2)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{BatchSize: 1})
		take(t, receive(t, "a batch", start(t, st)))
		id := streamWorker(t, s, "tasks")
		must(t, s.Beat(t.Context()))
		wantStatus(t, s, id, backend.WorkerPolling)
		closeStream(t, st)
		must(t, s.Beat(t.Context()))
		wantStatus(t, s, id, backend.WorkerReady)
		// Purged while it rests: the next stream registers another one.
		n, err := s.PurgeWorkers(t.Context(), 0)
		if n != 1 || err != nil {
			t.Error(n, err)
		}
		st = openStream(t, s, "tasks", pgqrs.StreamOptions{BatchSize: 1})
		take(t, receive(t, "a batch", start(t, st)))
		if again := streamWorker(t, s, "tasks"); again == id {
			t.Error("a stream leases to a worker without a row")
		}
	})
}

func TestAHeartbeatIsOneStatementForAllWorkersOfAStore(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap, pgqrs.WithHeartbeatInterval(100*time.Millisecond))
		f.failBefore("beat", times(1, unreachable())) // which does no harm
		c := newConsumer(t, s, "tasks")
		for range 9 {
			newConsumer(t, s, "tasks")
		}
		began, err := s.GetWorker(t.Context(), c.WorkerID())
		must(t, err)
		until(t, "all have a later heartbeat", func() bool {
			all, err := s.ListWorkers(t.Context(), pgqrs.WorkerFilter{Limit: 100})
			must(t, err)
			return len(all) == 10 && !slices.ContainsFunc(all, func(w backend.Worker) bool {
				return !w.HeartbeatAt.After(began.HeartbeatAt) || !w.HeartbeatAt.After(w.StartedAt)
			})
		})
		if healthy, err := c.IsHealthy(t.Context(), 0); !healthy || err != nil {
			t.Error(healthy, err)
		}
		if healthy, err := c.IsHealthy(t.Context(), time.Nanosecond); healthy || err != nil {
			t.Error(healthy, err)
		}
		must(t, c.Heartbeat(t.Context()))
	})
}

func TestAWorkerWithoutARowWorksOn(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s, other := p.connect(t), p.elsewhere(t)
		c := newConsumer(t, s, "tasks")
		p.produce(t, "tasks", 1)
		_, err := other.PurgeWorkers(t.Context(), 0)
		must(t, err)
		must(t, s.Beat(t.Context()))
		answers(t, "archive", true)(c.Archive(t.Context(), dequeue(t, c, 1, 60)[0].ID))
		if err := c.Heartbeat(t.Context()); !errors.Is(err, pgqrs.ErrWorkerNotFound) {
			t.Error(err)
		}
		if healthy, err := c.IsHealthy(t.Context(), 0); healthy || err != nil {
			t.Error(healthy, err)
		}
	})
}

func TestWhatAWorkerHoldsIsReleasedOnDemand(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s, other := p.connect(t), p.elsewhere(t)
		dead, alive := newConsumer(t, s, "tasks"), newConsumer(t, other, "tasks")
		ids := p.produce(t, "tasks", 4)
		held := dequeue(t, dead, 3, 3600)
		dequeue(t, alive, 1, 3600)
		if n, err := other.ReleaseWorkerMessages(t.Context(), dead.WorkerID()); n != 3 || err != nil {
			t.Error(n, err)
		}
		answers(t, "archive", false)(dead.Archive(t.Context(), held[0].ID))
		for range ids[:3] {
			if got := dequeue(t, alive, 1, 3600); got[0].ReadCount != 2 {
				t.Error(got[0].ReadCount)
			}
		}
		if n, err := other.ReleaseWorkerMessages(t.Context(), 1<<50); n != 0 || err != nil {
			t.Error(n, err)
		}
		if n, err := s.ReclaimMessages(t.Context(), "tasks", 0); n != 0 || err != nil {
			t.Error(n, err)
		}
		until(t, "the workers are stale", func() bool {
			health, err := s.CheckWorkers(t.Context(), "tasks", false, time.Millisecond)
			return err == nil && health[0].Stale == 2
		})
		if n, err := s.ReclaimMessages(t.Context(), "tasks", time.Millisecond); n != 4 || err != nil {
			t.Error(n, err)
		}
		if _, err := s.ReclaimMessages(t.Context(), "nowhere", 0); !errors.Is(err, pgqrs.ErrQueueNotFound) {
			t.Error(err)
		}
		for _, health := range [][]any{{"tasks", false}, {"", true}} {
			got, err := s.CheckWorkers(t.Context(), health[0].(string), health[1].(bool), 0)
			if err != nil || len(got) != 1 || got[0].Total != 2 || got[0].Ready != 2 || got[0].Stale != 0 {
				t.Error(got, err)
			}
		}
	})
}

// A process that ends leaves stopped rows, and the next one deletes those of yesterday.
func TestOldRowsOfWorkersAreDeletedByTheNextStore(t *testing.T) {
	p := onPostgres(t)
	s := p.connect(t)
	old := newConsumer(t, s, "tasks")
	must(t, old.Shutdown(t.Context()))
	c, err := pgx.Connect(t.Context(), p.dsn)
	must(t, err)
	_, err = c.Exec(t.Context(), "update pgqrs_workers set shutdown_at = now() - interval '25 h'")
	must(t, errors.Join(err, c.Close(t.Context())))
	next := p.connect(t)
	recent := newConsumer(t, next, "tasks")
	until(t, "the old row is gone", func() bool {
		_, err := next.GetWorker(t.Context(), old.WorkerID())
		return errors.Is(err, pgqrs.ErrWorkerNotFound)
	})
	wantStatus(t, next, recent.WorkerID(), backend.WorkerReady)
}

func TestWhatIsAskedOfWorkersIsChecked(t *testing.T) {
	s := onMemory(t).connect(t)
	for what, err := range map[string]error{
		"limit":  errorOf(s.ListWorkers(t.Context(), pgqrs.WorkerFilter{})),
		"before": errorOf(s.ListWorkers(t.Context(), pgqrs.WorkerFilter{Limit: 1, Before: -1})),
		"state":  errorOf(s.ListWorkers(t.Context(), pgqrs.WorkerFilter{Limit: 1, Status: "busy"})),
		"purge":  errorOf(s.PurgeWorkers(t.Context(), -1)),
		"stale":  errorOf(s.CheckWorkers(t.Context(), "", false, -1)),
	} {
		if !errors.Is(err, pgqrs.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func errorOf[T any](_ T, err error) error { return err }
