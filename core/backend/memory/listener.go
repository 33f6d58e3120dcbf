package memory

import (
	"context"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// listener is one subscription. Its fields are guarded by the store's lock, but
// for the channels.
type listener struct {
	owner *Backend
	// until is when it stops sleeping on a queue; due are the queues that it was
	// notified of and has not yet been told. Both hold a queue at most once.
	until map[int64]time.Time
	due   []int64
	// wake holds a token when due is not empty; ended is closed by Close.
	wake  chan struct{}
	ended chan struct{}
}

// ListenerOpen implements backend.ListenerBackend. It always works.
func (b *Backend) ListenerOpen(ctx context.Context) (backend.Listener, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	l := &listener{
		owner: b, until: make(map[int64]time.Time),
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	b.listeners[l] = struct{}{}
	return l, nil
}

// QueueNotify implements backend.ListenerBackend.
func (b *Backend) QueueNotify(ctx context.Context, p *backend.QueueNotifyParams) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	for l := range b.store.asleep {
		for _, id := range p.QueueIDs {
			l.notify(id)
		}
	}
	return nil
}

// Sleep implements backend.Listener.
func (l *listener) Sleep(ctx context.Context, queueIDs []int64) error {
	if err := l.owner.enter(ctx); err != nil {
		return err
	}
	defer l.owner.leave()
	if l.isEnded() {
		return errListenerClosed()
	}
	now := l.owner.clock()
	for id, until := range l.until {
		if until.Before(now) {
			delete(l.until, id)
		}
	}
	for _, id := range queueIDs {
		l.until[id] = now.Add(backend.SleepTTL)
	}
	l.owner.store.asleep[l] = struct{}{}
	return nil
}

// Wait implements backend.Listener.
func (l *listener) Wait(ctx context.Context) (int64, error) {
	for {
		if id, err := l.next(ctx); id != 0 || err != nil {
			return id, err
		}
		select {
		case <-l.wake:
		case <-l.ended:
		case <-ctx.Done():
		}
	}
}

// Close implements backend.Listener.
func (l *listener) Close() error {
	l.owner.store.mu.Lock()
	defer l.owner.store.mu.Unlock()
	l.end()
	return nil
}

// next takes a queue that is due, 0 when there is none.
func (l *listener) next(ctx context.Context) (int64, error) {
	if err := l.owner.enter(ctx); err != nil {
		return 0, err
	}
	defer l.owner.leave()
	if l.isEnded() {
		return 0, errListenerClosed()
	}
	if len(l.due) == 0 {
		return 0, nil
	}
	id := l.due[0]
	l.due = l.due[1:]
	return id, nil
}

// notify makes a queue due if the listener sleeps on it.
func (l *listener) notify(queueID int64) {
	until, asleep := l.until[queueID]
	if !asleep || until.Before(l.owner.clock()) {
		return
	}
	for _, id := range l.due {
		if id == queueID {
			return
		}
	}
	l.due = append(l.due, queueID)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// end ends the subscription; the store's lock is held.
func (l *listener) end() {
	if l.isEnded() {
		return
	}
	close(l.ended)
	delete(l.owner.listeners, l)
	delete(l.owner.store.asleep, l)
}

func (l *listener) isEnded() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

func errListenerClosed() error {
	return backend.Errorf(backend.ErrClosed, "the listener is closed")
}
