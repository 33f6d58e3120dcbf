package pgqrs_test

import (
	"errors"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// A vt that a busy machine can keep, and that tests can wait for.
const vt = time.Second

// keptFor waits until the lease of a message lasts d longer than it was drawn for,
// and checks that nobody else gets it meanwhile.
func keptFor(t *testing.T, p *place, other *pgqrs.Consumer, id int64, d time.Duration) {
	t.Helper()
	first := p.record(t, id).VT
	until(t, "the lease was extended several times", func() bool {
		if got, err := other.DequeueManyWithDelay(t.Context(), 10, 60); err != nil || len(got) > 0 {
			t.Fatalf("another consumer got %d messages: %v", len(got), err)
		}
		return p.record(t, id).VT.Sub(first) > d
	})
}

func TestUndeliveredMessagesAreKeptWhileTheReaderIsBusy(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 5)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: vt})
		b := next(t, st)
		keptFor(t, p, newConsumer(t, s, "tasks"), ids[0], 3*vt)
		m := take(t, b)
		if m.ID != ids[0] || m.ReadCount != 1 {
			t.Errorf("%+v", m)
		}
		if left := time.Until(m.VT); left < vt/2 || left > vt {
			t.Errorf("%v of the vt are left", left)
		}
		// An extension may have been under way when the message was taken.
		if r := p.record(t, m.ID); r.VT.Before(m.VT) {
			t.Errorf("the message says %v, the server %v", m.VT, r.VT)
		}
		closeStream(t, st)
		if n := p.counts(t, "tasks"); n.Ready != 4 || n.Leased != 1 {
			t.Errorf("%+v", n)
		}
	})
}

func TestDeliveredByAPlainStreamIsNotKeptButItsBatchMatesAre(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 3)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: vt})
		b := next(t, st)
		late := take(t, b)
		c := newConsumer(t, s, "tasks")
		var again []*pgqrs.Message
		until(t, "the delivered one comes back", func() bool {
			var err error
			if again, err = c.DequeueManyWithDelay(t.Context(), 10, 60); err != nil {
				t.Fatal(err)
			}
			return len(again) > 0
		})
		if len(again) != 1 || again[0].ID != ids[0] || again[0].ReadCount != 2 {
			t.Fatalf("%+v", again)
		}
		for name, settle := range map[string]func() ([]bool, error){
			"archive": func() ([]bool, error) { return s.Archive(t.Context(), target(late)) },
			"delete":  func() ([]bool, error) { return s.Delete(t.Context(), target(late)) },
			"release": func() ([]bool, error) { return s.Release(t.Context(), target(late), 0) },
		} {
			if held, err := settle(); err != nil || held[0] {
				t.Errorf("late %s: %v, %v", name, held, err)
			}
		}
		if held, err := s.ExtendVT(t.Context(), target(late), time.Minute); err != nil || held[0].Held {
			t.Errorf("late extend: %v, %v", held, err)
		}
		for _, id := range ids[1:] {
			if m := take(t, b); m.ID != id || m.ReadCount != 1 {
				t.Errorf("a batch mate: %+v", m)
			}
		}
		closeStream(t, st)
	})
}

func target(m backend.Message) pgqrs.Target {
	return pgqrs.Target{QueueID: m.QueueID, Deliveries: []backend.Delivery{{Lease: m.Lease, ID: m.ID}}}
}

func TestKeepDeliveredKeepsUntilSettled(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 2)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: vt, KeepDelivered: true})
		b := next(t, st)
		first, second := take(t, b), take(t, b)
		b.Free()
		other := newConsumer(t, s, "tasks")
		keptFor(t, p, other, ids[0], 2*vt)
		if held, err := s.Archive(t.Context(), target(first)); err != nil || !held[0] {
			t.Error(held, err)
		}
		keptFor(t, p, other, ids[1], 2*vt)
		// A stream that is closed keeps nothing more.
		closeStream(t, st)
		until(t, "the second comes back", func() bool { return p.state(t, second.ID) == backend.StateReady })
	})
}

func TestAfterMaxLeaseALeaseLapsesWithALineInTheLog(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 2)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: vt, KeepDelivered: true, MaxLease: 2 * vt, UntilEmpty: true})
		b := next(t, st)
		hung := take(t, b)
		c := newConsumer(t, s, "tasks")
		until(t, "the hung one comes back", func() bool {
			got, err := c.DequeueManyWithDelay(t.Context(), 10, 60)
			if err != nil {
				t.Fatal(err)
			}
			return len(got) == 1 && got[0].ID == hung.ID && got[0].ReadCount == 2
		})
		if held := time.Since(b.DequeuedAt); held < 2*vt {
			t.Errorf("it lapsed after %v", held)
		}
		if n := p.log.count("within max_lease"); n != 1 {
			t.Errorf("%d lines in the log:\n%s", n, p.log)
		}
		// Its batch mate was kept all the while, and the stream does not wait for
		// the hung one.
		mate := take(t, b)
		if mate.ID != ids[1] || mate.ReadCount != 1 {
			t.Errorf("%+v", mate)
		}
		b.Free()
		if held, err := s.Archive(t.Context(), target(mate)); err != nil || !held[0] {
			t.Error(held, err)
		}
		if _, err := st.Next(t.Context()); err == nil {
			t.Error("a batch instead of the end")
		}
		closeStream(t, st)
	})
}

func TestWithLessThanHalfOfItsVTAMessageIsNotDelivered(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		f.failBefore("extend", always(unreachable()))
		s := p.through(t, f.wrap)
		id := p.produce(t, "tasks", 1)[0]
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: vt})
		b := next(t, st)
		until(t, "half of the vt has passed", func() bool { return time.Since(b.DequeuedAt) > vt/2 })
		if _, ok := b.Next(); ok {
			t.Fatal("it was delivered")
		}
		b.Free()
		b = next(t, st)
		if m := take(t, b); m.ID != id || m.ReadCount != 1 {
			t.Errorf("%+v", m)
		}
		f.failBefore("extend", nil)
		closeStream(t, st)
	})
}

func TestALeaseThatWasLostIsNotDelivered(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		ids := p.produce(t, "tasks", 3)
		f.failBefore("extend", always(unreachable()))
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: vt})
		b := next(t, st)
		thief := newConsumer(t, p.elsewhere(t), "tasks")
		until(t, "another process has taken the first", func() bool {
			got, err := thief.DequeueManyWithDelay(t.Context(), 1, 60)
			if err != nil {
				t.Fatal(err)
			}
			return len(got) == 1 && got[0].ID == ids[0]
		})
		f.failBefore("extend", nil)
		until(t, "the loss is noticed", func() bool { return p.log.count("a lease was lost before its message was delivered") > 0 })
		keptFor(t, p, newConsumer(t, p.elsewhere(t), "tasks"), ids[2], vt) // the others are kept all the same
		if _, ok := b.Next(); ok {
			t.Fatal("it was delivered")
		}
		b.Free()
		var got []int64
		for len(got) < 2 { // suspects of a crash may come in pieces
			b = next(t, st)
			for m, ok := b.Next(); ok; m, ok = b.Next() {
				got = append(got, m.ID)
			}
			b.Free()
		}
		if got[0] != ids[1] || got[1] != ids[2] || len(got) != 2 {
			t.Errorf("%v of %v", got, ids)
		}
		closeStream(t, st)
	})
}

func TestTheKeeperTriesAgainWhenTheServerRefuses(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		f.failBefore("extend", times(1, errors.New("out of sorts")))
		s := p.through(t, f.wrap)
		ids := p.produce(t, "tasks", 1)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: 2 * vt})
		b := next(t, st)
		keptFor(t, p, newConsumer(t, s, "tasks"), ids[0], 2*vt)
		take(t, b)
		closeStream(t, st)
	})
}

func TestTheKeeperForgetsWhatIsOver(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		p.produce(t, "tasks", 200)
		c := newConsumer(t, s, "tasks")
		for range 100 {
			for _, m := range dequeue(t, c, 2, 5) {
				answers(t, "archive", true)(m.Archive(t.Context()))
			}
		}
		if n := s.CountHeld(); n != 0 {
			t.Errorf("%d batches are remembered", n)
		}
		if n := f.countCalls("extend"); n != 0 {
			t.Errorf("%d extensions of what was delivered", n)
		}
	})
}

// Else it would be kept for Config.MaxLease, though its handler has ended.
func TestWhatCouldNotBeSettledIsKeptNoMore(t *testing.T) {
	for verb, settle := range map[string]pgqrs.Settlement{
		"archive": pgqrs.Archiving(), "delete": pgqrs.Deleting(), "release": pgqrs.Releasing(0),
	} {
		t.Run(verb, func(t *testing.T) {
			onEach(t, func(t *testing.T, p *place) {
				f := newFaulty()
				s := p.through(t, f.wrap, pgqrs.WithConnectTimeout(time.Second))
				ids := p.produce(t, "tasks", 2)
				st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Second, KeepDelivered: true})
				b := next(t, st)
				m := take(t, b)
				take(t, b)
				f.failBefore(verb, always(unreachable()))
				target := pgqrs.Target{QueueID: m.QueueID, Deliveries: []backend.Delivery{{Lease: m.Lease, ID: m.ID}}}
				if _, err := s.Settle(t.Context(), settle, target); !errors.Is(err, pgqrs.ErrConnection) {
					t.Fatal(err)
				}
				f.failBefore(verb, nil)
				again := next(t, st)
				if m := take(t, again); m.ID != ids[0] || m.ReadCount != 2 || len(again.Messages) != 1 {
					t.Errorf("%+v", m)
				}
				if r := p.record(t, ids[1]); r.ReadCount != 1 { // its neighbour is kept
					t.Errorf("%+v", r)
				}
				closeStream(t, st)
			})
		})
	}
}
