package bridge

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/pgqrs/pgqrs/core/backend"
)

// spawn starts a goroutine of the store. There is no other way to start one.
func (s *Store) spawn(do func()) {
	s.library.goroutines.Add(1)
	go func() {
		defer s.library.goroutines.Done()
		defer s.guard()
		do()
	}()
}

// guard, deferred where the bridge's code begins to run in a goroutine, turns a
// panic into the end of the store.
func (s *Store) guard() {
	if value := recover(); value != nil {
		s.panicked(value, debug.Stack())
	}
}

// guardSubmit does the same where a submit calls the core in the thread of the
// program. The operation was accepted; unless it has completed by now it is
// refused after all.
func (s *Store) guardSubmit(op *operation, refusal **Refusal) {
	if value := recover(); value != nil {
		unfinished := s.remove(op)
		s.panicked(value, debug.Stack())
		if unfinished {
			s.ring.Release(1)
			s.running.Done()
			*refusal = s.library.Poisoned()
		}
	}
}

// Panicked poisons the library after a panic: every later submit is refused.
func (l *Library) Panicked(value any, stack []byte) {
	why := fmt.Sprintf("pgqrs panicked and cannot be used any more, restart the process: %v\n\n%s", value, stack)
	l.poison.CompareAndSwap(nil, &why)
}

// panicked poisons the library and completes everything of this store that is
// in flight with StatusInternal, closes last. The core is closed in the
// background, if it still can: it must not keep leases alive for a program that
// cannot work.
func (s *Store) panicked(value any, stack []byte) {
	s.library.Panicked(value, stack)
	why := backend.Errorf(nil, "%s", s.library.Poisoned().Message)

	s.mu.Lock()
	first := !s.broken
	s.broken, s.phase, s.closeErr = true, closed, why
	core := s.core
	ended := s.inFlight()
	for _, op := range ended {
		s.removeLocked(op)
	}
	s.mu.Unlock()
	for _, op := range ended {
		s.push(s.encodeFailure(op.number, describe(why, StatusOK)))
		s.running.Done()
		op.cancel(errPanicked)
	}
	if !first {
		return
	}
	s.spawn(func() {
		s.running.Wait() // for those that are just being completed elsewhere
		s.completeCloses()
	})
	if core != nil {
		s.spawn(func() { _ = core.Close(context.Background()) })
	}
}
