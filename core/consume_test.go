package pgqrs_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// loop is a consume loop in the background.
type loop struct {
	stop context.CancelFunc
	done chan error
}

func consume(t *testing.T, s *pgqrs.Store, b *pgqrs.DequeueBuilder) *loop {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &loop{cancel, make(chan error, 1)}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		l.done <- b.Execute(ctx, s)
	}()
	t.Cleanup(func() {
		cancel()
		receive(t, "the end of the loop", finished)
	})
	return l
}

// end stops the loop, which must end without an error.
func (l *loop) end(t *testing.T) {
	t.Helper()
	l.stop()
	if err := receive(t, "the end of the loop", l.done); err != nil {
		t.Error(err)
	}
}

func TestThePageInGo(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		type job struct{ Task string }
		ids, err := pgqrs.Enqueue().Message(job{"a"}).Messages(job{"b"}, job{"c"}).To("tasks").Execute(t.Context(), s)
		if err != nil || len(ids) != 3 {
			t.Fatal(ids, err)
		}
		var tasks []string
		var got []int64
		err = pgqrs.Dequeue().From("tasks").UntilEmpty().Handle(func(_ context.Context, m *pgqrs.Message) error {
			var j job
			if err := m.Unmarshal(&j); err != nil {
				return err
			}
			tasks, got = append(tasks, j.Task), append(got, m.ID)
			return nil
		}).Execute(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tasks, []string{"a", "b", "c"}) || !slices.Equal(got, ids) {
			t.Error(tasks, got, ids)
		}
		for _, id := range ids {
			if state := p.state(t, id); state != backend.StateArchived {
				t.Errorf("message %d is %s", id, state)
			}
		}
	})
}

func TestErrorsAndPanicsAreTriedAgainAndNeverEndTheLoop(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 4)
		const vt = 0.2
		var mu sync.Mutex
		seen := make(map[int64][]time.Time)
		reads := make(map[int64][]int32)
		l := consume(t, s, pgqrs.Dequeue().From("tasks").VT(vt).Handle(func(_ context.Context, m *pgqrs.Message) error {
			mu.Lock()
			seen[m.ID] = append(seen[m.ID], time.Now())
			reads[m.ID] = append(reads[m.ID], m.ReadCount)
			first := len(seen[m.ID]) == 1
			mu.Unlock()
			switch {
			case m.ID == ids[1] && first:
				return errors.New("not now")
			case m.ID == ids[2] && first:
				panic("never")
			}
			return nil
		}))
		until(t, "all are archived", func() bool { return p.counts(t, "tasks").Archived == 4 })
		l.end(t)
		for i, id := range ids {
			want := []int32{1}
			if i == 1 || i == 2 {
				want = append(want, 2)
				if again := seen[id][1].Sub(seen[id][0]); again < time.Duration(vt*float64(time.Second)) {
					t.Errorf("message %d came again after %v", i, again)
				}
			}
			if !slices.Equal(reads[id], want) {
				t.Errorf("message %d was delivered with %v", i, reads[id])
			}
		}
		if n := p.log.count("a handler failed"); n != 2 {
			t.Errorf("%d failures in the log:\n%s", n, p.log)
		}
	})
}

func TestConcurrencyIsBoundedAndUsed(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		p.produce(t, "tasks", 60)
		const most = 4
		var running, largest, handled atomic.Int64
		together := make(chan struct{})
		handle := func(context.Context, *pgqrs.Message) error {
			n := running.Add(1)
			defer running.Add(-1)
			for old := largest.Load(); n > old && !largest.CompareAndSwap(old, n); old = largest.Load() {
			}
			if handled.Add(1) == most {
				close(together)
			}
			<-together // the first ones wait for each other
			return nil
		}
		err := pgqrs.Dequeue().From("tasks").Concurrency(most).Batch(7).UntilEmpty().Handle(handle).Execute(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if largest.Load() != most || p.counts(t, "tasks").Archived != 60 {
			t.Errorf("%d at once, %+v", largest.Load(), p.counts(t, "tasks"))
		}
	})
}

func TestAHandlersMessageIsKeptAliveWhileItRuns(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		id := p.produce(t, "tasks", 1)[0]
		started, let := make(chan struct{}), make(chan struct{})
		l := consume(t, s, pgqrs.Dequeue().From("tasks").VT(vt.Seconds()).Handle(func(context.Context, *pgqrs.Message) error {
			close(started)
			<-let
			return nil
		}))
		receive(t, "the handler", started)
		other := newConsumer(t, s, "tasks")
		keptFor(t, p, other, id, 2*vt)
		l.stop()
		keptFor(t, p, other, id, 2*vt) // while the loop waits for it, too
		close(let)
		l.end(t)
		if r := p.record(t, id); r.State != backend.StateArchived || r.ReadCount != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func TestTheEndOfTheContextLetsHandlersFinishAndTheRestGoesBackAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 10)
		started, let := make(chan struct{}, 10), make(chan struct{})
		l := consume(t, s, pgqrs.Dequeue().From("tasks").VT(60).Concurrency(2).Handle(func(ctx context.Context, m *pgqrs.Message) error {
			started <- struct{}{}
			<-let
			return ctx.Err()
		}))
		receive(t, "a handler", started)
		receive(t, "another handler", started)
		l.stop()
		until(t, "the rest is back", func() bool { return p.counts(t, "tasks").Ready == 8 })
		if r := p.record(t, ids[9]); r.ReadCount != 0 {
			t.Errorf("read_ct is %d", r.ReadCount)
		}
		select {
		case <-l.done:
			t.Error("the loop ended before its handlers")
		default:
		}
		close(let)
		l.end(t)
		if c := p.counts(t, "tasks"); c != (backend.MessageCounts{Ready: 8, Archived: 2}) {
			t.Errorf("%+v", c)
		}
	})
}

func TestAfterTheShutdownTimeoutHandlersAreToldToStop(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		id := p.produce(t, "tasks", 1)[0]
		started := make(chan struct{})
		l := consume(t, s, pgqrs.Dequeue().From("tasks").VT(60).ShutdownTimeout(30*time.Millisecond).
			Handle(func(ctx context.Context, m *pgqrs.Message) error {
				close(started)
				<-ctx.Done()
				return ctx.Err()
			}))
		receive(t, "the handler", started)
		l.end(t)
		if r := p.record(t, id); r.State != backend.StateLeased || r.ReadCount != 1 {
			t.Errorf("it does not keep its vt: %+v", r)
		}
	})
}

func TestTheAnswersOfHandlersAreCommittedWhenTheLoopReturns(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		f.failBefore("archive", gate(50*time.Millisecond))
		s := p.through(t, f.wrap)
		p.produce(t, "tasks", 100)
		var handled atomic.Int64
		l := consume(t, s, pgqrs.Dequeue().From("tasks").Handle(func(context.Context, *pgqrs.Message) error {
			handled.Add(1)
			return nil
		}))
		until(t, "some are handled", func() bool { return handled.Load() > 20 })
		l.end(t)
		if c := p.counts(t, "tasks"); c.Archived != handled.Load() || c.Leased != 0 {
			t.Errorf("%d handled, %+v", handled.Load(), c)
		}
	})
}

func TestAHandlerMaySettleItsMessageItself(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 3)
		err := pgqrs.Dequeue().From("tasks").VT(60).UntilEmpty().Handle(func(ctx context.Context, m *pgqrs.Message) error {
			switch m.ID {
			case ids[0]:
				answers(t, "delete", true)(m.Delete(ctx))
			case ids[1]:
				answers(t, "release", true)(m.Release(ctx, time.Hour))
			case ids[2]:
				before := m.VT
				answers(t, "extend", true)(m.ExtendVT(ctx, time.Hour))
				if m.VT.Sub(before) != time.Hour {
					t.Errorf("vt grew by %v", m.VT.Sub(before))
				}
			}
			return nil
		}).Execute(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if c := p.counts(t, "tasks"); c != (backend.MessageCounts{Delayed: 1, Archived: 1}) {
			t.Errorf("%+v", c)
		}
		if n := p.log.count("level=WARN") + p.log.count("level=ERROR"); n != 0 {
			t.Errorf("complaints:\n%s", p.log)
		}
	})
}

func TestALeaseThatIsLostUnderAHandlerIsLogged(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		f.failBefore("extend", always(unreachable()))
		s := p.through(t, f.wrap)
		p.produce(t, "tasks", 1)
		thief := newConsumer(t, p.elsewhere(t), "tasks")
		l := consume(t, s, pgqrs.Dequeue().From("tasks").VT(0.2).Handle(func(ctx context.Context, m *pgqrs.Message) error {
			until(t, "another process takes it", func() bool {
				got, err := thief.DequeueManyWithDelay(t.Context(), 1, 60)
				return err == nil && len(got) == 1
			})
			return nil
		}))
		until(t, "it is logged", func() bool { return p.log.count("the lease was lost while the handler ran") == 1 })
		f.failBefore("extend", nil)
		l.end(t)
		if c := p.counts(t, "tasks"); c != (backend.MessageCounts{Leased: 1}) {
			t.Errorf("%+v", c)
		}
	})
}

func TestALoopWithoutAHandlerOrWithoutConcurrencyIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		if err := pgqrs.Dequeue().From("tasks").Execute(t.Context(), s); !errors.Is(err, pgqrs.ErrInvalid) {
			t.Error(err)
		}
		handle := func(context.Context, *pgqrs.Message) error { return nil }
		if err := pgqrs.Dequeue().From("tasks").Handle(handle).Concurrency(0).Execute(t.Context(), s); !errors.Is(err, pgqrs.ErrInvalid) {
			t.Error(err)
		}
	})
}

func TestMessagesYieldsUntilTheLoopIsLeft(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 6)
		c := newConsumer(t, s, "tasks")
		var got []int64
		for m, err := range c.Messages(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.ID)
			if held, err := c.Archive(t.Context(), m.ID); err != nil || !held {
				t.Error(held, err)
			}
			if len(got) == 4 {
				break
			}
		}
		if !slices.Equal(got, ids[:4]) {
			t.Errorf("%v of %v", got, ids)
		}
		if n := p.counts(t, "tasks"); n != (backend.MessageCounts{Ready: 2, Archived: 4}) {
			t.Errorf("%+v", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for m, err := range c.Messages(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if m.ID == ids[5] {
				cancel()
			}
		}
	})
}
