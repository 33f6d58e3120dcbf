package pgqrs

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// tasks are the goroutines of a store. A few of them stay when their work is done
// and take what comes next: one flight follows another, and a new goroutine would
// have to grow its stack for each.
type tasks struct {
	ctx     context.Context // the store's: when it ends, so do those who rest
	onPanic func(value any, stack []byte)

	mu    sync.Mutex // running.Add against running.Wait
	ended bool       // nothing may start any more

	running sync.WaitGroup
	next    chan func() // from start to one who rests
	resting atomic.Int32
}

// mostResting bounds the goroutines that stay without work.
const mostResting = 4

func newTasks(ctx context.Context, onPanic func(value any, stack []byte)) *tasks {
	return &tasks{ctx: ctx, onPanic: onPanic, next: make(chan func())}
}

// start does something in a goroutine of the store. A panic in it goes to onPanic,
// where there is one. After end nothing starts, and start says false.
func (t *tasks) start(do func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	select {
	case t.next <- do:
	default: // nobody rests
		t.running.Add(1)
		go t.run(do)
	}
	return true
}

// run is one goroutine.
func (t *tasks) run(do func()) {
	defer t.running.Done()
	for {
		t.perform(do)
		if t.resting.Add(1) > mostResting {
			t.resting.Add(-1)
			return
		}
		select {
		case do = <-t.next:
			t.resting.Add(-1)
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *tasks) perform(do func()) {
	if t.onPanic != nil {
		defer func() {
			if v := recover(); v != nil {
				t.onPanic(v, debug.Stack())
			}
		}()
	}
	do()
}

// end lets nothing start any more. wait, which follows it, returns when all have
// finished; the context must have ended.
func (t *tasks) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}

func (t *tasks) wait() { t.running.Wait() }
