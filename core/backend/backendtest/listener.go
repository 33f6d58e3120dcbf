package backendtest

import (
	"context"
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var listenerTests = []test{
	{"a notification wakes a listener that sleeps on the queue", notifyWakes},
	{"a notification wakes listeners of another backend", notifyWakesOthers},
	{"a notification wakes all who sleep", notifyWakesAll},
	{"nothing is sent when nobody sleeps", nobodyAsleep},
	{"nothing is sent for a queue on which nobody sleeps", otherQueue},
	{"no wake-up is lost when messages come at any moment", noLostWakeUp},
	{"waiting ends with its context", waitEndsWithContext},
	{"waiting ends when the listener is closed", waitEndsWithClose},
	{"waiting ends when the backend is closed", waitEndsWithBackend},
}

func (f *fixture) listen(b backend.Backend) backend.Listener {
	f.Helper()
	l, err := b.ListenerOpen(f.ctx)
	f.must("ListenerOpen", err)
	f.Cleanup(func() {
		if err := l.Close(); err != nil {
			f.Errorf("Listener.Close: %v", err)
		}
	})
	return l
}

func (f *fixture) sleep(l backend.Listener, queues ...int64) {
	f.Helper()
	f.must("Sleep", l.Sleep(f.ctx, queues))
}

func (f *fixture) notify(b backend.Backend, queues ...int64) {
	f.Helper()
	f.must("QueueNotify", b.QueueNotify(f.ctx, &backend.QueueNotifyParams{QueueIDs: queues}))
}

// wantWake checks that the listener is told of that queue next.
func (f *fixture) wantWake(l backend.Listener, queue int64) {
	f.Helper()
	got, err := l.Wait(f.ctx)
	f.must("Wait", err)
	if got != queue {
		f.Fatalf("woken for queue %d, want %d", got, queue)
	}
}

func notifyWakes(f *fixture) {
	l := f.listen(f.b)
	f.sleep(l, f.queue)
	f.notify(f.b, f.queue)
	f.wantWake(l, f.queue)
	f.sleep(l, f.queue)
	done := waitInBackground(f.ctx, l)
	f.notify(f.b, f.queue)
	f.must("Wait", <-done)
}

func notifyWakesOthers(f *fixture) {
	other := f.h.second(f, f.b)
	l := f.listen(other)
	f.sleep(l, f.queue)
	f.notify(f.b, f.queue)
	f.wantWake(l, f.queue)
}

func notifyWakesAll(f *fixture) {
	second := f.newQueue()
	one, two, three := f.listen(f.b), f.listen(f.b), f.listen(f.h.second(f, f.b))
	f.sleep(one, f.queue)
	f.sleep(two, second, f.queue)
	f.sleep(three, second)
	f.notify(f.b, f.queue)
	f.wantWake(one, f.queue)
	f.wantWake(two, f.queue)
	f.sleep(two, second, f.queue)
	f.notify(f.b, second)
	f.wantWake(two, second)
	f.wantWake(three, second)
}

// nobodyAsleep and otherQueue prove that nothing was sent by what comes next.
func nobodyAsleep(f *fixture) {
	l := f.listen(f.b)
	f.notify(f.b, f.queue)
	second := f.newQueue()
	f.sleep(l, second)
	f.notify(f.b, second)
	f.wantWake(l, second)
}

func otherQueue(f *fixture) {
	l := f.listen(f.b)
	second, third := f.newQueue(), f.newQueue()
	f.sleep(l, second)
	f.notify(f.b, f.queue, third)
	f.notify(f.b)
	f.notify(f.b, f.queue, second, third)
	f.wantWake(l, second)
}

// noLostWakeUp lets producers store one message at a time, each once the one
// before was consumed, and a consumer that sleeps in the documented order. A lost
// wake-up hangs until the test's context ends.
func noLostWakeUp(f *fixture) {
	const messages = 100
	other := f.h.second(f, f.b)
	l := f.listen(f.b)
	taken := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for range messages {
			if _, err := other.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: ones(1)}); err != nil {
				f.Errorf("MessageProduce: %v", err)
				return
			}
			if err := other.QueueNotify(f.ctx, &backend.QueueNotifyParams{QueueIDs: []int64{f.queue}}); err != nil {
				f.Errorf("QueueNotify: %v", err)
				return
			}
			select {
			case <-taken:
			case <-f.ctx.Done():
				return
			}
		}
	})
	f.now = time.Time{}
	for got := 0; got < messages; {
		n := len(f.dequeue(10))
		if n == 0 {
			f.sleep(l, f.queue)
			n = len(f.dequeue(10))
		}
		if n == 0 {
			if _, err := l.Wait(f.ctx); err != nil {
				f.Fatalf("after %d messages no wake-up came: %v", got, err)
			}
			continue
		}
		got += n
		taken <- struct{}{}
	}
	wg.Wait()
}

// watched is a context that tells when somebody first asks for its end, as a
// Wait does that begins to block.
type watched struct {
	context.Context
	once  sync.Once
	asked chan struct{}
}

// Done implements context.Context.
func (w *watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.asked) })
	return w.Context.Done()
}

// waitInBackground starts Wait, returns when that has begun to block, and hands
// over its error when it ends.
func waitInBackground(ctx context.Context, l backend.Listener) <-chan error {
	w := &watched{Context: ctx, asked: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := l.Wait(w)
		done <- err
	}()
	select {
	case <-w.asked:
	case <-ctx.Done():
	}
	return done
}

func waitEndsWithContext(f *fixture) {
	l := f.listen(f.b)
	f.sleep(l, f.queue)
	ctx, cancel := context.WithCancel(f.ctx)
	done := waitInBackground(ctx, l)
	cancel()
	f.wantError("Wait", <-done, context.Canceled)
}

func waitEndsWithClose(f *fixture) {
	l := f.listen(f.b)
	f.sleep(l, f.queue)
	done := waitInBackground(f.ctx, l)
	f.must("Close", l.Close())
	if err := <-done; err == nil || f.ctx.Err() != nil {
		f.Fatalf("Wait returned %v when the listener was closed", err)
	}
	f.must("a second Close", l.Close())
	f.notify(f.b, f.queue)
	if _, err := l.Wait(f.ctx); err == nil {
		f.Fatal("a closed listener was woken")
	}
}

func waitEndsWithBackend(f *fixture) {
	other := f.h.second(f, f.b)
	l := f.listen(other)
	f.sleep(l, f.queue)
	done := waitInBackground(f.ctx, l)
	f.must("Close", other.Close())
	if err := <-done; err == nil || f.ctx.Err() != nil {
		f.Fatalf("Wait returned %v when the backend was closed", err)
	}
	f.notify(f.b, f.queue)
}
