package memory

import (
	"context"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Backend is one connection to a store in memory; it implements backend.Backend.
// Backends that were opened under one name share the store.
type Backend struct {
	store *store
	clock func() time.Time
	// closed and listeners are guarded by store.mu.
	closed    bool
	listeners map[*listener]struct{}
}

var _ backend.Backend = (*Backend)(nil)

// New makes a private, empty store whose clock is the given one; nil is the
// clock of the machine. An operation whose At is zero asks it for the moment.
func New(clock func() time.Time) *Backend {
	return connect(newStore(""), clock)
}

// Open connects to the store of that name in this process and makes it when it is
// missing; it is gone when the last Backend that was opened under the name is
// closed. An empty name is a private store.
func Open(name string) *Backend {
	if name == "" {
		return New(nil)
	}
	return connect(named.join(name), nil)
}

func connect(s *store, clock func() time.Time) *Backend {
	if clock == nil {
		clock = time.Now
	}
	return &Backend{store: s, clock: clock, listeners: make(map[*listener]struct{})}
}

// Capabilities says that nothing survives the process and none other sees it.
func (b *Backend) Capabilities() backend.Capabilities { return backend.Capabilities{} }

// Identity is the same for all Backends of one name, and for no others.
func (b *Backend) Identity() string { return b.store.identity }

// Close ends this Backend and its listeners; others of its name go on. A second
// call does nothing.
func (b *Backend) Close() error {
	s := b.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	for l := range b.listeners {
		l.end()
	}
	if s.name != "" {
		named.leave(s)
	}
	return nil
}

// enter takes the store's lock for one operation, unless there is a reason not
// to begin it. The caller unlocks with leave.
func (b *Backend) enter(ctx context.Context) error {
	b.store.mu.Lock()
	err := ctx.Err()
	if b.closed {
		err = backend.Errorf(backend.ErrClosed, "the store is closed")
	}
	if err != nil {
		b.store.mu.Unlock()
	}
	return err
}

func (b *Backend) leave() { b.store.mu.Unlock() }

// moment is what an operation takes as now, in the microseconds that PostgreSQL
// keeps.
func (b *Backend) moment(at time.Time) time.Time {
	if at.IsZero() {
		at = b.clock()
	}
	return at.Truncate(time.Microsecond)
}
