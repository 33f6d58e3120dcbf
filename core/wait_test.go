package pgqrs_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// promptly is how long a wake-up may take on a busy machine; a poll takes up to
// five seconds when a wake-up is expected.
const promptly = 3 * time.Second

// watcher listens as a store does, and says when it sleeps and is woken.
type watcher struct {
	*faulty
	asleep atomic.Int64 // entries that were made
	woken  atomic.Int64
}

func newWatcher() *watcher { return &watcher{faulty: newFaulty()} }

func (w *watcher) wrap(b backend.Backend) backend.Backend { w.Backend = b; return w }

func (w *watcher) ListenerOpen(ctx context.Context) (backend.Listener, error) {
	l, err := w.faulty.ListenerOpen(ctx)
	if err != nil {
		return nil, err
	}
	return &watchedListener{l, w}, nil
}

type watchedListener struct {
	backend.Listener
	watcher *watcher
}

func (l *watchedListener) Sleep(ctx context.Context, queueIDs []int64) error {
	err := l.Listener.Sleep(ctx, queueIDs)
	if err == nil {
		l.watcher.asleep.Add(1)
	}
	return err
}

func (l *watchedListener) Wait(ctx context.Context) (int64, error) {
	id, err := l.Listener.Wait(ctx)
	if err == nil {
		l.watcher.woken.Add(1)
	}
	return id, err
}

// sleeper is a stream that waits for messages.
type sleeper struct {
	stream  *pgqrs.Stream
	batches chan *pgqrs.Batch
}

func newSleeper(t *testing.T, s *pgqrs.Store, queue string) *sleeper {
	t.Helper()
	z := &sleeper{openStream(t, s, queue, pgqrs.StreamOptions{VT: time.Minute}), make(chan *pgqrs.Batch)}
	ctx, cancel := context.WithCancel(context.Background())
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			b, err := z.stream.Next(ctx)
			if err != nil {
				return
			}
			select {
			case z.batches <- b:
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		reader.Wait()
	})
	return z
}

// got waits for the message, and says how long it took since then.
func (z *sleeper) got(t *testing.T, id int64, since time.Time) time.Duration {
	t.Helper()
	b := receive(t, "the message", z.batches)
	took := time.Since(since)
	if m := take(t, b); m.ID != id {
		t.Errorf("%+v", m)
	}
	b.Free()
	return took
}

func TestAMessageWakesASleepingStreamOfTheSameProcess(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s, sibling := p.connect(t), p.connect(t)
		z := newSleeper(t, s, "tasks")
		until(t, "it listens", func() bool { return s.CountListening() == 1 })
		for _, from := range []*pgqrs.Store{s, sibling} {
			since := time.Now()
			ids, err := pgqrs.Enqueue().Message(1).To("tasks").Execute(t.Context(), from)
			if err != nil {
				t.Fatal(err)
			}
			if took := z.got(t, ids[0], since); took > promptly {
				t.Errorf("it took %v", took)
			}
		}
	})
}

func TestAMessageWakesASleepingStreamOfAnotherProcess(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		w := newWatcher()
		s := p.through(t, func(b backend.Backend) backend.Backend { return p.away(w.wrap(b)) })
		far := p.elsewhere(t)
		z := newSleeper(t, s, "tasks")
		until(t, "it sleeps", func() bool { return w.asleep.Load() > 0 })
		for range 5 {
			slept, woken, since := w.asleep.Load(), w.woken.Load(), time.Now()
			ids, err := pgqrs.Enqueue().Message(1).To("tasks").Execute(t.Context(), far)
			if err != nil {
				t.Fatal(err)
			}
			if took := z.got(t, ids[0], since); took > promptly {
				t.Errorf("it took %v", took)
			}
			until(t, "it was told", func() bool { return w.woken.Load() > woken })
			until(t, "it sleeps again", func() bool { return w.asleep.Load() > slept })
		}
	})
}

func TestTheLastMessageOfAStoreThatClosesAtOnceWakesOthers(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		w := newWatcher()
		s := p.through(t, func(b backend.Backend) backend.Backend { return p.away(w.wrap(b)) })
		z := newSleeper(t, s, "tasks")
		until(t, "it sleeps", func() bool { return w.asleep.Load() > 0 })
		far := p.elsewhere(t)
		since := time.Now()
		ids, err := pgqrs.Enqueue().Message(1).To("tasks").Execute(t.Context(), far)
		if err != nil {
			t.Fatal(err)
		}
		closeStore(t, far)
		if took := z.got(t, ids[0], since); took > promptly || w.woken.Load() == 0 {
			t.Errorf("it took %v, and was told %d times", took, w.woken.Load())
		}
	})
}

func TestAReleaseWakesASleepingStreamOfAnotherProcess(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		id := p.produce(t, "tasks", 1)[0]
		far := p.elsewhere(t)
		m := dequeue(t, newConsumer(t, far, "tasks"), 1, 60)[0]
		w := newWatcher()
		s := p.through(t, func(b backend.Backend) backend.Backend { return p.away(w.wrap(b)) })
		z := newSleeper(t, s, "tasks")
		until(t, "it sleeps", func() bool { return w.asleep.Load() > 0 })
		since := time.Now()
		answers(t, "release", true)(m.Release(t.Context(), 0))
		if took := z.got(t, id, since); took > promptly {
			t.Errorf("it took %v", took)
		}
	})
}

func TestADelayedMessageIsDeliveredWhenItIsDue(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		z := newSleeper(t, s, "tasks")
		until(t, "it listens", func() bool { return s.CountListening() == 1 })
		since := time.Now()
		ids, err := pgqrs.Enqueue().Message(1).To("tasks").Delay(1).Execute(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if took := z.got(t, ids[0], since); took < time.Second || took > time.Second+promptly {
			t.Errorf("it took %v", took)
		}
		if calls := f.countCalls("dequeue"); calls > 40 {
			t.Errorf("%d dequeues: it polled", calls)
		}
	})
}

func TestWhereNotificationsDoNotComeThroughStreamsPoll(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		f.failBefore("listen", always(backend.ErrListenUnavailable))
		s := p.through(t, func(b backend.Backend) backend.Backend { return p.away(f.wrap(b)) })
		z := newSleeper(t, s, "tasks")
		until(t, "it has tried to listen", func() bool { return f.countCalls("listen") == 1 })
		for range 3 {
			since := time.Now()
			id := p.produce(t, "tasks", 1)[0]
			if took := z.got(t, id, since); took > promptly {
				t.Errorf("it took %v", took)
			}
		}
		if calls := f.countCalls("listen"); calls != 1 {
			t.Errorf("it tried to listen %d times", calls)
		}
		if n := p.log.count("polling instead"); n != 1 {
			t.Errorf("%d lines in the log", n)
		}
	})
}

func TestAListenerThatIsLostIsOpenedAgain(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		w := newWatcher()
		l := &mortal{watcher: w, ends: make(chan struct{})}
		s := p.through(t, func(b backend.Backend) backend.Backend { w.wrap(b); return p.away(l) })
		z := newSleeper(t, s, "tasks")
		until(t, "it sleeps", func() bool { return w.asleep.Load() == 1 })
		close(l.ends)
		until(t, "it sleeps again", func() bool { return w.asleep.Load() == 2 })
		since := time.Now()
		ids, err := pgqrs.Enqueue().Message(1).To("tasks").Execute(t.Context(), p.elsewhere(t))
		if err != nil {
			t.Fatal(err)
		}
		if took := z.got(t, ids[0], since); took > promptly {
			t.Errorf("it took %v", took)
		}
	})
}

// mortal is a backend whose first listener dies on command.
type mortal struct {
	*watcher
	ends  chan struct{}
	opens atomic.Int64
}

func (m *mortal) ListenerOpen(ctx context.Context) (backend.Listener, error) {
	l, err := m.watcher.ListenerOpen(ctx)
	if err != nil || m.opens.Add(1) > 1 {
		return l, err
	}
	return &mortalListener{l, m.ends}, nil
}

type mortalListener struct {
	backend.Listener
	ends chan struct{}
}

func (l *mortalListener) Wait(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-l.ends:
			cancel()
		case <-ctx.Done():
		}
	}()
	id, err := l.Listener.Wait(ctx)
	select {
	case <-l.ends:
		return 0, errors.New("the connection that listened is gone")
	default:
		return id, err
	}
}

// Of two streams of one process the first makes the entry. Messages come before that is
// committed and after the second has looked, so that nobody is told of them; the first finds
// one at its second look, and is busy with it. (model/waking.pml, RELIES_ON_NEW_ENTRY.)
func TestAStreamDoesNotRelyOnAnEntryThatItsLastLookWasBefore(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := &slowToSleep{faulty: newFaulty(), asks: make(chan struct{}, 1), sleeps: make(chan struct{})}
		s := p.through(t, func(b backend.Backend) backend.Backend { f.wrap(b); return p.away(f) })
		got := make(chan backend.Message, 2)
		for i := range 2 {
			st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute, BatchSize: 1})
			looked, answer := make(chan struct{}), make(chan struct{})
			if i == 1 {
				var once sync.Once
				f.failAfter("dequeue", func(context.Context) error {
					once.Do(func() { close(looked); <-answer })
					return nil
				})
			}
			go func() {
				if b, err := st.Next(t.Context()); err == nil {
					m, _ := b.Next()
					got <- *m // and busy with it from now on
				}
			}()
			if i == 0 {
				receive(t, "the first stream to enter itself", f.asks)
				continue
			}
			receive(t, "the second stream to look", looked)
			p.produce(t, "tasks", 2) // nobody sleeps, so nobody is told
			close(f.sleeps)
			until(t, "the entry is made", func() bool { return s.CountAsleep() == 1 })
			close(answer)
		}
		since := time.Now()
		for range 2 {
			receive(t, "a message", got)
		}
		if took := time.Since(since); took > promptly {
			t.Errorf("it took %v", took)
		}
	})
}

// slowToSleep is a backend whose listeners enter themselves on command.
type slowToSleep struct {
	*faulty
	asks   chan struct{} // somebody wants to
	sleeps chan struct{} // closed: go on
}

func (f *slowToSleep) ListenerOpen(ctx context.Context) (backend.Listener, error) {
	l, err := f.faulty.ListenerOpen(ctx)
	if err != nil {
		return nil, err
	}
	return &slowListener{l, f}, nil
}

type slowListener struct {
	backend.Listener
	f *slowToSleep
}

func (l *slowListener) Sleep(ctx context.Context, queueIDs []int64) error {
	select {
	case l.f.asks <- struct{}{}:
	default: // somebody did before
	}
	<-l.f.sleeps
	return l.Listener.Sleep(ctx, queueIDs)
}

func TestAnIdleStreamHardlyAsksTheServer(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		w := newWatcher()
		s := p.through(t, func(b backend.Backend) backend.Backend { return p.away(w.wrap(b)) })
		z := newSleeper(t, s, "tasks")
		until(t, "it sleeps", func() bool { return w.asleep.Load() == 1 })
		before := w.countCalls("dequeue")
		select {
		case <-z.batches:
			t.Error("a batch out of nothing")
		case <-time.After(time.Second):
		}
		if calls := w.countCalls("dequeue") - before; calls > 3 {
			t.Errorf("%d dequeues in a second", calls)
		}
	})
}

// A dequeue follows an entry, for what came between the last look and it. Where an entry
// is renewed in time there is no such between.
func TestAnEntryIsRenewedWithoutASecondLook(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		w := newWatcher()
		s := p.through(t, func(b backend.Backend) backend.Backend { return p.away(w.wrap(b)) })
		q, err := p.observer.QueueEnsure(t.Context(), &backend.QueueEnsureParams{Name: "tasks"})
		if err != nil {
			t.Fatal(err)
		}
		longAgo := time.Now()
		until(t, "the listener is there", func() bool {
			fresh, told := s.Announce(t.Context(), q.ID, time.Now())
			return fresh && told
		})
		for _, step := range []struct {
			name    string
			aged    time.Duration
			looked  time.Time
			fresh   bool
			entries int64
		}{
			{"recent", 0, time.Now(), false, 1},
			{"renewed", backend.SleepTTL / 2, time.Now(), false, 2},
			{"renewed, but who looked before it was made looks again", backend.SleepTTL / 2, longAgo, true, 3},
			{"too old to be renewed", backend.SleepTTL * 5 / 6, time.Now(), true, 4},
		} {
			s.AgeEntries(step.aged)
			fresh, told := s.Announce(t.Context(), q.ID, step.looked)
			if n := w.asleep.Load(); fresh != step.fresh || !told || n != step.entries {
				t.Errorf("%s: fresh %v, told %v, %d entries", step.name, fresh, told, n)
			}
		}
	})
}
