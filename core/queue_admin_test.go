package pgqrs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

func createQueue(t *testing.T, s *pgqrs.Store, name string, settings backend.QueueSettings) *backend.Queue {
	t.Helper()
	q, err := s.CreateQueue(t.Context(), name, settings)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestQueuesAreAdministered(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		for _, name := range []string{"b", "a", "c"} {
			createQueue(t, s, name, backend.QueueSettings{})
		}
		if _, err := s.CreateQueue(t.Context(), "a", backend.QueueSettings{}); !errors.Is(err, pgqrs.ErrQueueExists) {
			t.Error(err)
		}
		page, err := s.ListQueues(t.Context(), "a", 1)
		if err != nil || len(page) != 1 || page[0].Name != "b" {
			t.Error(page, err)
		}
		if n, err := s.CountQueues(t.Context()); n != 3 || err != nil {
			t.Error(n, err)
		}
		p.produce(t, "b", 3)
		if n, err := s.PurgeQueue(t.Context(), "b"); n != 3 || err != nil {
			t.Error(n, err)
		}
		for _, limit := range []int{0, pgqrs.MaxPage + 1} {
			if _, err := s.ListQueues(t.Context(), "", limit); !errors.Is(err, pgqrs.ErrInvalid) {
				t.Error(err)
			}
		}
		if _, err := s.PurgeQueue(t.Context(), "nowhere"); !errors.Is(err, pgqrs.ErrQueueNotFound) {
			t.Error(err)
		}
	})
}

func TestAQueueWithMessagesIsDeletedByForceAlone(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		p.produce(t, "tasks", 1)
		err := s.DeleteQueue(t.Context(), "tasks", false)
		if !errors.Is(err, pgqrs.ErrQueueNotEmpty) || !strings.Contains(err.Error(), `"tasks"`) || !strings.Contains(err.Error(), "only by force") {
			t.Error(err)
		}
		if err := s.DeleteQueue(t.Context(), "tasks", true); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteQueue(t.Context(), "tasks", true); !errors.Is(err, pgqrs.ErrQueueNotFound) {
			t.Error(err)
		}
	})
}

// A stream that sleeps, or that has the old queue in mind, finds the new one.
func TestAStreamGoesOnWhenItsQueueIsDeletedAndMadeAnew(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s, other := p.connect(t), p.elsewhere(t)
		c := newConsumer(t, s, "tasks")
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{})
		first := start(t, st)
		p.produce(t, "tasks", 1)
		take(t, receive(t, "a batch", first))
		second := start(t, st)
		if err := other.DeleteQueue(t.Context(), "tasks", true); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Dequeue(t.Context()); !errors.Is(err, pgqrs.ErrQueueNotFound) {
			t.Errorf("a Consumer of a deleted queue: %v", err)
		}
		if _, err := other.Produce(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{}); err != nil {
			t.Fatal(err)
		}
		take(t, receive(t, "a batch of the new queue", second))
		closeStream(t, st)
	})
}

// start asks a stream for its next batch.
func start(t *testing.T, st *pgqrs.Stream) <-chan *pgqrs.Batch {
	t.Helper()
	c := make(chan *pgqrs.Batch, 1)
	go func() {
		if b, err := st.Next(context.WithoutCancel(t.Context())); err == nil {
			c <- b
		}
	}()
	return c
}

func TestAPausedQueueSleepsUntilItIsResumed(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s, other := p.through(t, func(b backend.Backend) backend.Backend { return f.wrap(p.away(b)) }), p.connect(t)
		createQueue(t, s, "tasks", backend.QueueSettings{})
		if _, err := other.PauseQueue(t.Context(), "tasks"); err != nil {
			t.Fatal(err)
		}
		ids := p.produce(t, "tasks", 1)
		if got, err := newConsumer(t, s, "tasks").Dequeue(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("a paused queue gave %d messages, %v", len(got), err)
		}
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{})
		batch := start(t, st)
		before := f.countCalls("dequeue")
		until(t, "the stream has looked", func() bool { return f.countCalls("dequeue") > before+1 })
		q, err := other.ResumeQueue(t.Context(), "tasks")
		if err != nil || !q.PausedAt.IsZero() {
			t.Fatal(q, err)
		}
		got := receive(t, "a batch", batch)
		if m, ok := got.Next(); !ok || m.ID != ids[0] {
			t.Error(m, ok)
		}
		got.Free()
		closeStream(t, st)
	})
}

func TestTheVTOfAQueueCountsWhereTheCallNamesNone(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t, pgqrs.WithDefaultLockTime(time.Minute), pgqrs.WithMaxReadCount(1))
		never := 0
		createQueue(t, s, "tasks", backend.QueueSettings{DefaultVT: time.Hour, MaxReadCount: &never})
		c := newConsumer(t, s, "tasks")
		for _, w := range []struct {
			asked float64
			want  time.Duration
		}{{0, time.Hour}, {30, 30 * time.Second}} {
			p.produce(t, "tasks", 1)
			got := dequeue(t, c, 1, w.asked)
			if vt := got[0].VT.Sub(got[0].DequeuedAt); vt != w.want {
				t.Errorf("vt %v asked for, it is %v", w.asked, vt)
			}
			answers(t, "release", true)(got[0].Release(t.Context(), 0))
			if dequeue(t, c, 1, 30)[0].ID != got[0].ID { // the second time: dead, by the store's limit
				t.Error("another message")
			}
		}
	})
}

// A handler's failure keeps the message away for as long as it was leased for.
func TestAFailureWaitsForTheVTOfTheQueue(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t, pgqrs.WithDefaultLockTime(time.Minute))
		createQueue(t, s, "tasks", backend.QueueSettings{DefaultVT: time.Hour})
		ids := p.produce(t, "tasks", 3)
		fails := func(context.Context, *pgqrs.Message) error { return errors.New("it fails") }
		if err := pgqrs.Dequeue().From("tasks").Batch(1).Handle(fails).UntilEmpty().Execute(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		c := newConsumer(t, s, "tasks")
		for _, id := range ids {
			if r := p.record(t, id); r.State != backend.StateDelayed || time.Until(r.VT) < 50*time.Minute {
				t.Errorf("%s until %v", r.State, r.VT)
			}
		}
		p.produce(t, "tasks", 2)
		got := append(dequeue(t, c, 1, 600), dequeue(t, c, 1, 0)...)
		target := pgqrs.Target{QueueID: got[0].QueueID, WorkerID: c.WorkerID(), Deliveries: []backend.Delivery{
			{Lease: got[1].Lease, ID: got[1].ID}, {ID: got[0].ID}, {Lease: got[1].Lease, ID: 1 << 50},
		}}
		held, err := s.Release(t.Context(), target, pgqrs.DelayVT)
		if err != nil || len(held) != 3 || !held[0] || !held[1] || held[2] {
			t.Fatal(held, err)
		}
		for i, want := range []time.Duration{10 * time.Minute, time.Hour} {
			if left := time.Until(p.record(t, got[i].ID).VT); left > want || left < want-5*time.Minute {
				t.Errorf("message %d is ready in %v, not in %v", i, left, want)
			}
		}
	})
}

func TestSettingsOutOfRangeAreRefused(t *testing.T) {
	p := onMemory(t)
	s := p.connect(t)
	createQueue(t, s, "tasks", backend.QueueSettings{})
	tooOften, tooLong := 1_000_001, pgqrs.MaxRetention+1
	for _, settings := range []backend.QueueSettings{
		{DefaultVT: time.Millisecond}, {DefaultVT: 8 * 24 * time.Hour}, {MaxReadCount: &tooOften}, {Retention: &tooLong},
		{Retry: backend.RetryPolicy{Kind: "often"}},
		{Retry: backend.RetryPolicy{Base: time.Second}},
		{Retry: backend.RetryPolicy{Kind: backend.RetryFixed, Base: -1}},
		{Retry: backend.RetryPolicy{Kind: backend.RetryFixed, Base: 1, Max: 2}},
		{Retry: backend.RetryPolicy{Kind: backend.RetryExponential, Base: 2, Max: 1}},
		{Retry: backend.RetryPolicy{Kind: backend.RetryExponential, Base: 1, Max: pgqrs.MaxDelay + 1}},
		{Retry: backend.RetryPolicy{Kind: backend.RetryFixed, Base: 1, Jitter: 1.5}},
	} {
		if _, err := s.CreateQueue(t.Context(), "others", settings); !errors.Is(err, pgqrs.ErrInvalid) {
			t.Errorf("%+v: %v", settings, err)
		}
		_, err := s.UpdateQueue(t.Context(), backend.QueueUpdateParams{
			Name:         "tasks",
			DefaultVT:    backend.Change[time.Duration]{Given: true, To: settings.DefaultVT},
			MaxReadCount: backend.Change[*int]{Given: true, To: settings.MaxReadCount},
			Retention:    backend.Change[*time.Duration]{Given: true, To: settings.Retention},
			Retry:        backend.Change[backend.RetryPolicy]{Given: true, To: settings.Retry},
		})
		if !errors.Is(err, pgqrs.ErrInvalid) {
			t.Errorf("update to %+v: %v", settings, err)
		}
	}
}
