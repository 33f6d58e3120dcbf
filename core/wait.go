package pgqrs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// hub carries wake-ups to the streams of this process that read the same queues,
// whichever of its stores they come from.
type hub struct {
	mu   sync.Mutex
	subs map[int64]map[chan<- struct{}]struct{}
}

func newHub() *hub { return &hub{subs: make(map[int64]map[chan<- struct{}]struct{})} }

// subscribe sends to c, which has room for one, whenever the queue may have
// something ready; the function that it returns ends that.
func (h *hub) subscribe(queueID int64, c chan<- struct{}) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs[queueID] == nil {
		h.subs[queueID] = make(map[chan<- struct{}]struct{})
	}
	h.subs[queueID][c] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if delete(h.subs[queueID], c); len(h.subs[queueID]) == 0 {
			delete(h.subs, queueID)
		}
	}
}

// wakeUp wakes the streams of one queue; 0: of all.
func (h *hub) wakeUp(queueID int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, subs := range h.subs {
		if queueID != 0 && id != queueID {
			continue
		}
		for c := range subs {
			poke(c)
		}
	}
}

// waker is the part of a store that hears of messages and tells of them.
//
// It tells after the commit of what was produced, in a statement of its own: at
// most once in notifyInterval, with a trailing edge, and the backend sends nothing
// unless somebody sleeps (pg_notify takes a lock that serialises commits).
// It hears through one listener per store, opened when a stream first finds its
// queue empty, and opened again when it is lost. Without one, streams poll.
type waker struct {
	store *Store
	hub   *hub
	ctx   context.Context
	stop  context.CancelFunc

	mu        sync.Mutex
	dirty     map[int64]struct{} // queues to tell of
	telling   bool
	listening bool
	listener  backend.Listener // nil: none that works
	asleep    map[int64]entry  // by queue: as what the listener is entered
}

// entry says that the listener sleeps on a queue.
type entry struct {
	since time.Time
	// committed is when it was; zero: not yet, and nobody but who makes the entry
	// may rely on it. Who looked at the queue before may not either: what came in
	// between, nobody was told of.
	committed time.Time
}

const (
	notifyInterval = 5 * time.Millisecond
	// pollInterval bounds the sleep of a stream that is told of messages.
	pollInterval = 5 * time.Second
	// Without a listener a stream polls, ever more slowly.
	firstPoll, slowestPoll = 25 * time.Millisecond, time.Second
	// soon is how long to wait for what is due but locked by others.
	soon = 20 * time.Millisecond
	// listenAgain is when to try again where notifications do not come through.
	listenAgain = 5 * time.Minute
)

func newWaker(s *Store) *waker {
	w := &waker{store: s, hub: s.hub, dirty: make(map[int64]struct{}), asleep: make(map[int64]entry)}
	w.ctx, w.stop = context.WithCancel(s.ctx)
	return w
}

// produced tells everybody who sleeps on the queue to look: messages were
// committed, or a time when one becomes ready has changed.
func (w *waker) produced(queueID int64) {
	w.hub.wakeUp(queueID)
	if !w.store.backend.Capabilities().Shared {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dirty[queueID] = struct{}{}
	if !w.telling {
		w.telling = w.store.tasks.start(w.tell)
	}
}

// tell notifies until nothing is left to tell. When the store closes it tries
// once more, no longer: streams poll.
func (w *waker) tell() {
	wait := reconnectBackoff()
	for {
		queues := w.takeDirty()
		if len(queues) == 0 {
			return
		}
		pause := notifyInterval
		err := w.store.backend.QueueNotify(w.ctx, &backend.QueueNotifyParams{QueueIDs: queues})
		switch {
		case err == nil:
			wait.reset()
		case !w.store.isClosed():
			pause = wait.delay()
			w.markDirty(queues)
		}
		sleep(w.ctx, pause)
	}
}

// takeDirty empties the list of queues to tell of; when it was empty, telling ends.
func (w *waker) takeDirty() []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	queues := slices.Collect(maps.Keys(w.dirty))
	clear(w.dirty)
	w.telling = len(queues) > 0
	return queues
}

func (w *waker) markDirty(queues []int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range queues {
		w.dirty[id] = struct{}{}
	}
}

// isTelling says whether somebody has yet to be told of what was produced.
func (w *waker) isTelling() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.telling
}

// listen keeps a listener open until the store closes.
func (w *waker) listen() {
	wait := reconnectBackoff()
	for ; w.ctx.Err() == nil; sleep(w.ctx, wait.delay()) {
		l, err := w.store.backend.ListenerOpen(w.ctx)
		if err != nil {
			if errors.Is(err, backend.ErrListenUnavailable) {
				w.store.log.Info("notifications do not come through (a pooler in transaction mode?); polling instead", "error", err)
				sleep(w.ctx, listenAgain)
			}
			continue
		}
		opened := time.Now()
		w.set(l)
		err = w.hear(l)
		w.set(nil)
		if time.Since(opened) > wait.most {
			wait.reset()
		}
		_ = l.Close() // it is lost, or the store closes
		if w.ctx.Err() == nil {
			w.store.outage.failed("listening", err)
		}
	}
}

// set changes the listener and wakes all streams: what was told meanwhile is lost.
func (w *waker) set(l backend.Listener) {
	w.mu.Lock()
	w.listener = l
	clear(w.asleep)
	w.mu.Unlock()
	w.hub.wakeUp(0)
}

func (w *waker) hear(l backend.Listener) error {
	for {
		queueID, err := l.Wait(w.ctx)
		if err != nil {
			return err
		}
		w.mu.Lock()
		delete(w.asleep, queueID)
		w.mu.Unlock()
		w.hub.wakeUp(queueID)
	}
}

// announce enters the store as asleep on a queue, so that it will be told. looked is
// when the caller's last look at the queue began. fresh: the entry is newer than that,
// and the queue must be looked at once more; told: it will be told.
func (w *waker) announce(ctx context.Context, queueID int64, looked time.Time) (fresh, told bool) {
	if !w.store.backend.Capabilities().Shared {
		return false, true // all who produce are in this process: the hub tells
	}
	w.mu.Lock()
	if !w.listening {
		w.listening = w.store.tasks.start(w.listen)
	}
	l, e := w.listener, w.asleep[queueID]
	if time.Since(e.since) > backend.SleepTTL*2/3 {
		e = entry{} // too late to be renewed
	}
	recent := time.Since(e.since) < backend.SleepTTL/3
	if l != nil && !recent {
		// Before the entry is made: a notification in between deletes this. One that is
		// renewed counts meanwhile.
		w.asleep[queueID] = entry{since: time.Now(), committed: e.committed}
	}
	w.mu.Unlock()
	if l == nil || recent {
		told = l != nil && !e.committed.IsZero()
		return told && looked.Before(e.committed), told
	}
	err := l.Sleep(ctx, []int64{queueID})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.listener != l {
		return false, false // lost meanwhile, and the entry with it
	}
	renewed := !e.committed.IsZero() && time.Since(e.since) < backend.SleepTTL // in time: there was no gap
	if made, ok := w.asleep[queueID]; err != nil {
		delete(w.asleep, queueID)
	} else if ok && !renewed {
		made.committed = time.Now()
		w.asleep[queueID] = made
	}
	return err == nil && (!renewed || looked.Before(e.committed)), err == nil
}

// patience is how long a stream sleeps that found its queue empty: until the
// next message is due (negative: unknown), but never longer than until the next
// poll. told: it will be woken.
func patience(told bool, due time.Duration, poll *backoff) time.Duration {
	longest := pollInterval
	if !told {
		longest = poll.delay()
	}
	if due < 0 {
		return longest
	}
	return min(max(due, soon), longest)
}
