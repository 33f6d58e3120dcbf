package pgqrs_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

func openStream(t *testing.T, s *pgqrs.Store, queue string, o pgqrs.StreamOptions) *pgqrs.Stream {
	t.Helper()
	st, err := s.OpenStream(queue, o)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// next is the next batch, which must come.
func next(t *testing.T, st *pgqrs.Stream) *pgqrs.Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b, err := st.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// take hands on the next message of a batch, which must be there.
func take(t *testing.T, b *pgqrs.Batch) backend.Message {
	t.Helper()
	m, ok := b.Next()
	if !ok {
		t.Fatal("the batch hands on nothing")
	}
	return *m
}

func closeStream(t *testing.T, st *pgqrs.Stream) {
	t.Helper()
	if err := st.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAStreamGivesBackAtCloseWhatItDidNotDeliver(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 10)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{BatchSize: 8, VT: time.Minute})
		b := next(t, st)
		for range 3 {
			take(t, b)
		}
		closeStream(t, st)
		if _, ok := b.Next(); ok {
			t.Error("a message after Close")
		}
		if _, err := st.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		closeStream(t, st)
		// They are in their old place, before those that were never fetched.
		var got []int64
		for _, m := range dequeue(t, newConsumer(t, s, "tasks"), 7, 60) {
			got = append(got, m.ID)
			if m.ReadCount != 1 {
				t.Errorf("read_ct is %d", m.ReadCount)
			}
		}
		if !slices.Equal(got, ids[3:]) {
			t.Errorf("%v instead of %v", got, ids[3:])
		}
		for _, id := range ids[:3] {
			if r := p.record(t, id); r.State != backend.StateLeased {
				t.Errorf("a delivered message is %s", r.State)
			}
		}
		if n := s.CountListening(); n != 0 {
			t.Errorf("%d streams are still told of messages", n)
		}
	})
}

func TestABatchGivesBackAtFreeWhatItDidNotDeliver(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 5)
		w, err := s.Register(t.Context(), pgqrs.RoleConsumer, "tasks", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 7 { // more often than MaxReadCount: it is not counted
			b, err := s.DequeueBatch(t.Context(), w.ID, 5, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			b.Free()
			b.Free()
			until(t, "all are back", func() bool { return p.counts(t, "tasks").Ready == 5 })
		}
		b, err := s.DequeueBatch(t.Context(), w.ID, 5, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids[:2] {
			if m := take(t, b); m.ID != id || m.ReadCount != 1 {
				t.Errorf("%+v", m)
			}
		}
		b.Free()
		until(t, "three are back", func() bool { return p.counts(t, "tasks").Ready == 3 })
	})
}

func TestCloseWaitsForWhatFreedBatchesGaveBack(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		f.failBefore("release", gate(50*time.Millisecond))
		s := p.through(t, f.wrap)
		p.produce(t, "tasks", 3)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute})
		next(t, st).Free()
		closeStream(t, st)
		if n := p.counts(t, "tasks"); n.Ready != 3 {
			t.Errorf("%+v", n)
		}
	})
}

func TestAReaderThatGivesUpLosesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		id := p.produce(t, "tasks", 1)[0]
		held, let := make(chan struct{}), make(chan struct{})
		f.failAfter("dequeue", func(context.Context) error { close(held); <-let; return nil })
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := st.Next(ctx)
			failed <- err
		}()
		receive(t, "the dequeue", held)
		cancel()
		if err := receive(t, "the cancelled call", failed); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		f.failAfter("dequeue", nil)
		if _, err := st.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(let)
		if m := take(t, next(t, st)); m.ID != id {
			t.Errorf("%+v", m)
		}
		if calls := f.countCalls("dequeue"); calls != 1 {
			t.Errorf("%d dequeues", calls)
		}
		closeStream(t, st)
	})
}

func TestAStreamThatIsClosedWhileItFetchesGivesBackWhatComes(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		id := p.produce(t, "tasks", 1)[0]
		held, let := make(chan struct{}), make(chan struct{})
		f.failAfter("dequeue", func(context.Context) error { close(held); <-let; return nil })
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute})
		ended := make(chan error)
		go func() {
			_, err := st.Next(t.Context())
			ended <- err
		}()
		receive(t, "the dequeue", held)
		hurry, cancel := context.WithCancel(t.Context())
		cancel()
		if err := st.Close(hurry); !errors.Is(err, context.Canceled) {
			t.Errorf("Close in a hurry: %v", err)
		}
		if err := receive(t, "the end", ended); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		close(let)
		until(t, "the message is back", func() bool { return p.state(t, id) == backend.StateReady })
		if r := p.record(t, id); r.ReadCount != 0 {
			t.Errorf("read_ct is %d", r.ReadCount)
		}
		if n := s.CountListening(); n != 0 {
			t.Errorf("%d streams are still told of messages", n)
		}
	})
}

func TestNeverMoreThanBatchSizeAreLeasedAndUndelivered(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		const n, size = 300, 7
		p.produce(t, "tasks", n)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{BatchSize: size, VT: time.Minute})
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		var open []*pgqrs.Batch
		delivered := 0
		deliver := func() {
			i := random.IntN(len(open))
			if _, ok := open[i].Next(); ok {
				delivered++
				return
			}
			open[i].Free()
			open = slices.Delete(open, i, i+1)
		}
		for delivered < n {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond<<random.IntN(6))
			if b, err := st.Next(ctx); err == nil {
				open = append(open, b)
			}
			cancel()
			if leased := p.counts(t, "tasks").Leased; leased-int64(delivered) > size {
				t.Fatalf("%d are leased, %d delivered (seed %d)", leased, delivered, seed)
			}
			for range random.IntN(2 * size) {
				if len(open) > 0 {
					deliver()
				}
			}
		}
		closeStream(t, st)
	})
}

func TestWithoutBatchSizeFetchesGrowWithAHungryReader(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		const n = 4000
		p.produce(t, "tasks", n)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute})
		largest, delivered := 0, 0
		for delivered < n {
			b := next(t, st)
			size := len(b.Messages)
			if delivered == 0 && size > 100 {
				t.Errorf("the first fetch is of %d", size)
			}
			largest = max(largest, size)
			for _, ok := b.Next(); ok; _, ok = b.Next() {
				delivered++
			}
			b.Free()
		}
		if largest < 250 || largest > 1000 {
			t.Errorf("the largest fetch is of %d", largest)
		}
		closeStream(t, st)
	})
}

func TestUntilEmptyEndsWhenAllIsDelivered(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		p.produce(t, "tasks", 3)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute, UntilEmpty: true})
		b := next(t, st)
		take(t, b)
		again := make(chan *pgqrs.Batch)
		go func() {
			b, _ := st.Next(t.Context())
			again <- b
		}()
		until(t, "it finds the queue empty", func() bool { return f.countCalls("dequeue") == 2 })
		// With two messages to deliver it does not end, and so gets this one.
		if _, err := s.Produce(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{}); err != nil {
			t.Fatal(err)
		}
		last := receive(t, "the last message", again)
		if last == nil {
			t.Fatal("it ended with two messages to deliver")
		}
		go func() {
			b, _ := st.Next(t.Context())
			again <- b
		}()
		take(t, last)
		last.Free()
		take(t, b)
		take(t, b)
		since := time.Now()
		b.Free()
		if b := receive(t, "the end", again); b != nil {
			t.Error("a batch out of nothing")
		}
		if took := time.Since(since); took > promptly {
			t.Errorf("it took %v to end", took)
		}
		closeStream(t, st)
	})
}

func TestUntilEmptyWithKeepDeliveredEndsWhenAllIsSettled(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 2)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute, UntilEmpty: true, KeepDelivered: true})
		b := next(t, st)
		take(t, b)
		take(t, b)
		b.Free()
		c := newConsumer(t, s, "tasks")
		answers(t, "archive", true)(c.Archive(t.Context(), ids[0]))
		again := make(chan *pgqrs.Batch)
		go func() {
			b, _ := st.Next(t.Context())
			again <- b
		}()
		// What comes back meanwhile is delivered, too.
		target := pgqrs.Target{WorkerID: c.WorkerID(), Deliveries: []backend.Delivery{{ID: ids[1]}}}
		if held, err := s.Release(t.Context(), target, 0); err != nil || !held[0] {
			t.Fatal(held, err)
		}
		if b = receive(t, "the second delivery", again); b == nil {
			t.Fatal("the stream ended")
		}
		if m := take(t, b); m.ID != ids[1] || m.ReadCount != 2 {
			t.Errorf("%+v", m)
		}
		b.Free()
		answers(t, "archive", true)(c.Archive(t.Context(), ids[1]))
		if _, err := st.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		closeStream(t, st)
	})
}

func TestTheControlMovesToTheReadersMemory(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 4)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute})
		b := next(t, st)
		take(t, b)
		var c pgqrs.BatchControl
		b.MoveControl(&c)
		if c.Delivered != 1 || c.VTMicros == 0 || c.DeliverByNanos == 0 || b.Control() != &c {
			t.Fatalf("%+v", c)
		}
		c.Delivered = 3 // as a reader in another language counts
		b.Free()
		after := c
		until(t, "the fourth is back", func() bool { return p.state(t, ids[3]) == backend.StateReady })
		if n := p.counts(t, "tasks"); n.Leased != 3 {
			t.Errorf("%+v", n)
		}
		if c != after {
			t.Errorf("it was touched after Free: %+v", c)
		}
		b = next(t, st)
		closeStream(t, st)
		var late pgqrs.BatchControl
		b.MoveControl(&late)
		if late.DeliverByNanos > 0 || b.Control() == &late {
			t.Errorf("a batch that went back may still be read: %+v", late)
		}
	})
}
