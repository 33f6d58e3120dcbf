package pgqrs_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

func newConsumer(t *testing.T, s *pgqrs.Store, queue string) *pgqrs.Consumer {
	t.Helper()
	c, err := s.Consumer(t.Context(), queue)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dequeue takes exactly n messages.
func dequeue(t *testing.T, c *pgqrs.Consumer, n int, vt float64) []*pgqrs.Message {
	t.Helper()
	all, err := c.DequeueManyWithDelay(t.Context(), n, vt)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != n {
		t.Fatalf("%d messages instead of %d", len(all), n)
	}
	return all
}

// answers checks the answer of a call.
func answers(t *testing.T, what string, want bool) func(bool, error) {
	return func(got bool, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
}

func TestAConsumerSettlesWhatItDequeuedByID(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 8)
		c, other := newConsumer(t, s, "tasks"), newConsumer(t, s, "tasks")
		got := dequeue(t, c, 7, 60)
		for i, m := range got {
			if m.ID != ids[i] || m.ReadCount != 1 || m.ConsumerWorkerID != c.WorkerID() || m.QueueID == 0 || m.DequeuedAt.IsZero() {
				t.Errorf("%+v", m)
			}
		}
		ctx := t.Context()
		answers(t, "foreign archive", false)(other.Archive(ctx, ids[0]))
		answers(t, "foreign delete", false)(other.Delete(ctx, ids[0]))
		answers(t, "foreign extend", false)(other.ExtendVisibility(ctx, ids[0], 60))
		answers(t, "archive", true)(c.Archive(ctx, ids[0]))
		answers(t, "second archive", false)(c.Archive(ctx, ids[0]))
		answers(t, "delete of what is archived", false)(c.Delete(ctx, ids[0]))
		answers(t, "delete", true)(c.Delete(ctx, ids[1]))
		answers(t, "second delete", false)(c.Delete(ctx, ids[1]))
		answers(t, "archive of what is not dequeued", false)(c.Archive(ctx, ids[7]))
		answers(t, "archive of what does not exist", false)(c.Archive(ctx, 1<<60))
		if held, err := c.ArchiveMany(ctx, []int64{ids[2], ids[7], ids[1], ids[3], ids[2]}); err != nil || !slices.Equal(held, []bool{true, false, false, true, true}) {
			t.Error(held, err)
		}
		if held, err := c.DeleteMany(ctx, []int64{ids[4], ids[3]}); err != nil || !slices.Equal(held, []bool{true, false}) {
			t.Error(held, err)
		}
		if held, err := c.ArchiveMany(ctx, nil); err != nil || len(held) != 0 {
			t.Error(held, err)
		}
		before := p.record(t, ids[5]).VT
		answers(t, "extend", true)(c.ExtendVisibility(ctx, ids[5], 100))
		if grown := p.record(t, ids[5]).VT.Sub(before); grown != 100*time.Second {
			t.Errorf("vt grew by %v", grown)
		}
		answers(t, "release", true)(got[6].Release(ctx, time.Hour))
		answers(t, "archive of what was released", false)(c.Archive(ctx, ids[6]))
		if c := p.counts(t, "tasks"); c != (backend.MessageCounts{Ready: 1, Delayed: 1, Leased: 1, Archived: 3}) {
			t.Errorf("%+v", c)
		}
	})
}

func TestOfALeaseThatCameBackTheNewestDeliveryCounts(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		id := p.produce(t, "tasks", 1)[0]
		c := newConsumer(t, s, "tasks")
		old := dequeue(t, c, 1, 2)[0]
		var again []*pgqrs.Message
		until(t, "the message comes back", func() bool {
			var err error
			if again, err = c.DequeueManyWithDelay(t.Context(), 1, 60); err != nil {
				t.Fatal(err)
			}
			return len(again) == 1
		})
		if again[0].ID != id || again[0].ReadCount != 2 || again[0].Lease <= old.Lease {
			t.Fatalf("%+v after %+v", again[0], old)
		}
		answers(t, "archive by the late holder", false)(old.Archive(t.Context()))
		answers(t, "delete by the late holder", false)(old.Delete(t.Context()))
		answers(t, "extend by the late holder", false)(old.ExtendVT(t.Context(), time.Minute))
		answers(t, "release by the late holder", false)(old.Release(t.Context(), 0))
		answers(t, "archive by id", true)(c.Archive(t.Context(), id))
		answers(t, "archive by the newest holder", false)(again[0].Archive(t.Context()))
	})
}

func TestAnExpiredLeaseThatNobodyTookIsStillSettled(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		id := p.produce(t, "tasks", 1)[0]
		c := newConsumer(t, s, "tasks")
		dequeue(t, c, 1, 2)
		until(t, "the lease ends", func() bool { return p.state(t, id) == backend.StateReady })
		answers(t, "archive", true)(c.Archive(t.Context(), id))
	})
}

func TestWhatAStreamDeliveredAnyConsumerOfTheProcessSettlesByID(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s, sibling, stranger := p.connect(t), p.connect(t), p.elsewhere(t)
		ids := p.produce(t, "tasks", 4)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{BatchSize: 4, VT: time.Minute})
		b := next(t, st)
		for range 3 {
			if _, ok := b.Next(); !ok {
				t.Fatal("no message")
			}
		}
		c, near, far := newConsumer(t, s, "tasks"), newConsumer(t, sibling, "tasks"), newConsumer(t, stranger, "tasks")
		elsewhere := newConsumer(t, s, "other tasks")
		answers(t, "of another process", false)(far.Archive(t.Context(), ids[0]))
		answers(t, "of another queue", false)(elsewhere.Archive(t.Context(), ids[0]))
		answers(t, "of the same store", true)(c.Archive(t.Context(), ids[0]))
		answers(t, "of another store", true)(near.Delete(t.Context(), ids[1]))
		answers(t, "extend", true)(near.ExtendVisibility(t.Context(), ids[2], 60))
		// What the consumer holds itself comes before what a stream holds.
		b.Free()
		until(t, "the last one is back", func() bool { return p.state(t, ids[3]) == backend.StateReady })
		own := dequeue(t, c, 1, 60)[0]
		answers(t, "own", true)(c.Archive(t.Context(), own.ID))
	})
}

func TestTwoCallsForOneDeliveryCountEach(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		ids := p.produce(t, "tasks", 3)
		c := newConsumer(t, s, "tasks")
		got := dequeue(t, c, 3, 60)
		for _, operation := range []string{"archive", "extend"} {
			f.failBefore(operation, gate(2*time.Millisecond))
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		archived, extended := 0, 0
		note := func(n *int) func(bool, error) {
			return func(held bool, err error) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if held {
					*n++
				}
			}
		}
		for range 8 {
			all.Go(func() { note(&archived)(c.Archive(t.Context(), ids[0])) })
			all.Go(func() { note(&extended)(c.ExtendVisibility(t.Context(), ids[1], 100)) })
			all.Go(func() { _, _ = c.Archive(t.Context(), ids[2]) })
		}
		all.Wait()
		if archived != 1 || extended != 8 {
			t.Errorf("%d archived and %d extended", archived, extended)
		}
		if grown := p.record(t, ids[1]).VT.Sub(got[1].VT); grown != 800*time.Second {
			t.Errorf("vt grew by %v", grown)
		}
	})
}

// gate makes each operation last a little, so that others meet behind it.
func gate(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestConcurrentAcknowledgementsAreCoalesced(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		const n = 400
		p.produce(t, "tasks", n)
		c := newConsumer(t, s, "tasks")
		f.failBefore("archive", gate(5*time.Millisecond))
		var all sync.WaitGroup
		for _, m := range dequeue(t, c, n, 60) {
			all.Go(func() { answers(t, "archive", true)(m.Archive(t.Context())) })
		}
		all.Wait()
		if calls := f.countCalls("archive"); calls > n/4 {
			t.Errorf("%d acknowledgements took %d statements", n, calls)
		}
		if c := p.counts(t, "tasks"); c.Archived != n {
			t.Errorf("%+v", c)
		}
		if held := s.CountHeld(); held != 0 {
			t.Errorf("the process remembers %d batches", held)
		}
	})
}

func TestAnAcknowledgementWhoseAnswerWasLostCounts(t *testing.T) {
	settle := map[string]func(context.Context, *pgqrs.Message) (bool, error){
		"archive": func(ctx context.Context, m *pgqrs.Message) (bool, error) { return m.Archive(ctx) },
		"delete":  func(ctx context.Context, m *pgqrs.Message) (bool, error) { return m.Delete(ctx) },
		"release": func(ctx context.Context, m *pgqrs.Message) (bool, error) { return m.Release(ctx, time.Hour) },
	}
	for operation, do := range settle {
		t.Run(operation, func(t *testing.T) {
			onEach(t, func(t *testing.T, p *place) {
				f := newFaulty()
				s := p.through(t, f.wrap)
				p.produce(t, "tasks", 2)
				c := newConsumer(t, s, "tasks")
				got := dequeue(t, c, 2, 60) // the second keeps the batch known
				f.failAfter(operation, times(2, lostAnswer()))
				answers(t, "the first", true)(do(t.Context(), got[0]))
				if calls := f.countCalls(operation); calls != 3 {
					t.Errorf("%d calls", calls)
				}
				answers(t, "a second", false)(do(t.Context(), got[0]))
				f.failAfter(operation, times(1, lostAnswer()))
				answers(t, "a third, whose answer is lost", false)(do(t.Context(), got[0]))
				answers(t, "the other one", true)(do(t.Context(), got[1]))
				f.failAfter(operation, times(1, lostAnswer()))
				answers(t, "the other one again, whose answer is lost", false)(do(t.Context(), got[1]))
			})
		})
	}
}

func TestAnAcknowledgementThatWasNotCarriedOutIsTriedAgain(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		id := p.produce(t, "tasks", 1)[0]
		m := dequeue(t, newConsumer(t, s, "tasks"), 1, 60)[0]
		f.failBefore("archive", times(2, lostAnswer()))
		answers(t, "archive", true)(m.Archive(t.Context()))
		if state := p.state(t, id); state != backend.StateArchived {
			t.Error(state)
		}
	})
}

func TestAnAcknowledgementThatNeverGetsAnAnswerSaysSo(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap, pgqrs.WithConnectTimeout(time.Second))
		p.produce(t, "tasks", 1)
		m := dequeue(t, newConsumer(t, s, "tasks"), 1, 60)[0]
		f.failAfter("archive", times(1, lostAnswer()))
		f.failBefore("archive", func() func(context.Context) error {
			first := times(1, nil)
			n := 0
			return func(ctx context.Context) error {
				if n++; n == 1 {
					return first(ctx)
				}
				return unreachable()
			}
		}())
		held, err := m.Archive(t.Context())
		var e *pgqrs.Error
		if held || !errors.As(err, &e) || !e.MaybeCommitted || !errors.Is(err, pgqrs.ErrConnection) {
			t.Errorf("%v %#v", held, err)
		}
	})
}

func TestACancelledAcknowledgementIsCarriedOutAllTheSame(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		id := p.produce(t, "tasks", 1)[0]
		m := dequeue(t, newConsumer(t, s, "tasks"), 1, 60)[0]
		held, let := make(chan struct{}), make(chan struct{})
		f.failBefore("archive", func(context.Context) error { close(held); <-let; return nil })
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := m.Archive(ctx)
			failed <- err
		}()
		receive(t, "the statement", held)
		cancel()
		if err := receive(t, "the cancelled call", failed); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(let)
		until(t, "it is archived", func() bool { return p.state(t, id) == backend.StateArchived })
	})
}

func TestDequeueDoesNotWaitForMessages(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		c := newConsumer(t, s, "tasks")
		if got, err := c.Dequeue(t.Context()); err != nil || len(got) != 0 {
			t.Fatal(got, err)
		}
		if _, err := s.DequeueBatch(t.Context(), 1<<40, 1, time.Second); !errors.Is(err, pgqrs.ErrWorkerNotFound) {
			t.Error(err)
		}
	})
}

func TestADequeueThatIsCancelledGivesBackWhatItLeased(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		id := p.produce(t, "tasks", 1)[0]
		c := newConsumer(t, s, "tasks")
		held, let := make(chan struct{}), make(chan struct{})
		f.failAfter("dequeue", func(context.Context) error { close(held); <-let; return nil })
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := c.DequeueManyWithDelay(ctx, 1, 60)
			failed <- err
		}()
		receive(t, "the dequeue", held)
		cancel()
		if err := receive(t, "the cancelled call", failed); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(let)
		until(t, "the message is back", func() bool { return p.state(t, id) == backend.StateReady })
		if r := p.record(t, id); r.ReadCount != 0 {
			t.Errorf("read_ct is %d", r.ReadCount)
		}
	})
}

// TestALostAnswerBehindTheEndOfTheLeaseIsUnknown: the first try did it, the second finds
// nothing, and by then somebody else could have taken the message.
func TestALostAnswerBehindTheEndOfTheLeaseIsUnknown(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		p.produce(t, "tasks", 2)
		c := newConsumer(t, s, "tasks")
		got := dequeue(t, c, 2, 0.5)
		f.failAfter("delete", func(ctx context.Context) error {
			f.failAfter("delete", nil)
			until(t, "the lease has ended", func() bool { return time.Now().After(got[0].VT.Add(50 * time.Millisecond)) })
			return lostAnswer()
		})
		held, err := got[0].Delete(t.Context())
		var e *pgqrs.Error
		if held || !errors.As(err, &e) || !e.MaybeCommitted {
			t.Errorf("%v %#v", held, err)
		}
	})
}

// While an acknowledgement hangs that was carried out, the keeper is told that the message
// is held no more. That is no reason to deny it.
func TestAnAcknowledgementWhoseAnswerIsLostIsNotDeniedBecauseOfTheKeeper(t *testing.T) {
	for _, verb := range []string{"archive", "delete"} {
		t.Run(verb, func(t *testing.T) {
			onEach(t, func(t *testing.T, p *place) {
				f := newFaulty()
				s := p.through(t, f.wrap)
				p.produce(t, "tasks", 2)
				st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: vt, KeepDelivered: true})
				b := next(t, st)
				m, kept := take(t, b), take(t, b)
				b.Free()
				var once sync.Once
				f.failAfter(verb, func(context.Context) (err error) {
					once.Do(func() {
						// The next but one begins behind the answer of the next.
						asked := f.countCalls("extend")
						until(t, "the keeper was told", func() bool { return f.countCalls("extend") >= asked+3 })
						err = lostAnswer()
					})
					return err
				})
				settle := s.Archive
				if verb == "delete" {
					settle = s.Delete
				}
				held, err := settle(t.Context(), target(m))
				// Of a delete the server knows only that the message is gone.
				unknown := verb == "delete" && errors.Is(err, pgqrs.ErrConnection)
				if (err != nil || !held[0]) && !unknown {
					t.Errorf("%v, %v", held, err)
				}
				if held, err := s.Archive(t.Context(), target(m)); err != nil || held[0] {
					t.Errorf("a second call: %v, %v", held, err)
				}
				if held, err := s.Archive(t.Context(), target(kept)); err != nil || !held[0] {
					t.Errorf("its neighbour: %v, %v", held, err)
				}
				closeStream(t, st)
				if n := s.CountHeld(); n != 0 {
					t.Errorf("the process remembers %d batches", n)
				}
			})
		})
	}
}
