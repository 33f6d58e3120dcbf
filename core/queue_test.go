package pgqrs_test

import (
	"log/slog"
	"reflect"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

func TestAQueueThatWasDeletedIsMadeAnew(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		for range 2 {
			if _, err := s.Produce(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{}); err != nil {
				t.Fatal(err)
			}
			f.failBefore("produce", times(1, backend.Errorf(backend.ErrQueueNotFound, "queue 1 is gone")))
		}
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{})
		f.failBefore("dequeue", times(1, backend.Errorf(backend.ErrQueueNotFound, "queue 1 is gone")))
		take(t, next(t, st))
		closeStream(t, st)
	})
}

func TestOptionsReachTheConfig(t *testing.T) {
	got, want := pgqrs.NewConfig("memory://"), pgqrs.NewConfig("memory://")
	log := slog.New(slog.DiscardHandler)
	for _, o := range []pgqrs.Option{
		pgqrs.WithSchema("s"), pgqrs.WithMaxConnections(2), pgqrs.WithoutAutoInstall(), pgqrs.WithoutAutoCreateQueues(),
		pgqrs.WithConnectTimeout(time.Second), pgqrs.WithDefaultLockTime(2 * time.Second), pgqrs.WithDefaultMaxBatchSize(3),
		pgqrs.WithMaxReadCount(4), pgqrs.WithMaxLease(5 * time.Second), pgqrs.WithLogger(log),
	} {
		o(got)
	}
	want.Schema, want.MaxConnections, want.AutoInstall, want.AutoCreateQueues = "s", 2, false, false
	want.ConnectTimeout, want.DefaultLockTime, want.DefaultMaxBatchSize = time.Second, 2*time.Second, 3
	want.MaxReadCount, want.MaxLease, want.Logger = 4, 5*time.Second, log
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v instead of %+v", got, want)
	}
}

func TestDefaultsOfTheConfigAreUsed(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t, pgqrs.WithDefaultLockTime(time.Hour), pgqrs.WithDefaultMaxBatchSize(3), pgqrs.WithMaxReadCount(1))
		p.produce(t, "tasks", 4)
		c := newConsumer(t, s, "tasks")
		got, err := c.Dequeue(t.Context())
		if err != nil || len(got) != 3 {
			t.Fatal(len(got), err)
		}
		if lease := got[0].VT.Sub(got[0].DequeuedAt); lease != time.Hour {
			t.Errorf("vt is %v", lease)
		}
		answers(t, "release", true)(got[0].Release(t.Context(), 0))
		if got, err = c.Dequeue(t.Context()); err != nil || len(got) != 1 {
			t.Fatal(len(got), err)
		}
		if n := p.counts(t, "tasks"); n.Dead != 1 || p.log.count("dead letters") != 1 {
			t.Errorf("%+v", n)
		}
	})
}

func TestASchemaOfItsOwnIsUsed(t *testing.T) {
	p := onPostgres(t)
	s := p.connect(t, pgqrs.WithSchema(`an "odd" one`))
	ids, err := pgqrs.Enqueue().Message(1).To("tasks").Execute(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if n := p.counts(t, "tasks"); n != (backend.MessageCounts{}) {
		t.Errorf("it is in the schema public: %+v", n)
	}
	if got := dequeue(t, newConsumer(t, s, "tasks"), 1, 60); got[0].ID != ids[0] {
		t.Error(got[0].ID, ids)
	}
}
