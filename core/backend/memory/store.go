package memory

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/pgqrs/pgqrs/core/backend"
)

// store holds everything that Backends of one name share. mu guards all of it,
// and what the Backends and listeners on it say that it guards.
type store struct {
	name     string
	identity string

	mu       sync.Mutex
	queues   map[int64]*queue
	names    map[string]*queue
	workers  map[int64]*backend.Worker
	messages map[int64]*message // live, archived and dead
	asleep   map[*listener]struct{}
	// The last numbers that were given out. Each is given once.
	lastQueue, lastWorker, lastMessage, lastLease int64
}

// privateStores numbers the stores without a name, for their identity.
var privateStores atomic.Int64

func newStore(name string) *store {
	identity := "memory://" + name
	if name == "" {
		identity = fmt.Sprintf("memory: private %d", privateStores.Add(1))
	}
	return &store{
		name: name, identity: identity,
		queues: make(map[int64]*queue), names: make(map[string]*queue),
		workers: make(map[int64]*backend.Worker), messages: make(map[int64]*message),
		asleep: make(map[*listener]struct{}),
	}
}

// named holds the stores that have a name and an open Backend.
var named = registry{stores: make(map[string]*share)}

// registry finds stores by name. Its lock is the inner one: it is taken with a
// store's lock held, never the other way round.
type registry struct {
	mu     sync.Mutex
	stores map[string]*share
}

// share is a store and how many Backends are open on it.
type share struct {
	store *store
	open  int
}

func (r *registry) join(name string) *store {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stores[name]
	if s == nil {
		s = &share{store: newStore(name)}
		r.stores[name] = s
	}
	s.open++
	return s.store
}

func (r *registry) leave(s *store) {
	r.mu.Lock()
	defer r.mu.Unlock()
	shared := r.stores[s.name]
	if shared.open--; shared.open == 0 {
		delete(r.stores, s.name)
	}
}
