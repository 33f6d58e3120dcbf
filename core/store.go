package pgqrs

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Store is a connection to the queues of one schema of one database. Connect
// makes one; Close ends it and everything that came from it. It is safe for use
// by many goroutines.
type Store struct {
	config  *Config
	backend backend.Backend
	log     *slog.Logger

	// ctx ends when the store has closed, with ErrClosed as its cause.
	ctx      context.Context
	cancel   context.CancelCauseFunc
	closing  atomic.Bool
	closed   chan struct{} // Close has finished
	closeErr error

	tasks      *tasks // Close waits for them
	queues     queueNames
	produces   coalescer[string, *production]
	keyed      coalescer[string, *production] // those with dedup keys
	room       room                           // for what produces carries
	settles    coalescer[settlement, *settling]
	contention contention
	limits     payloadLimits
	rates      rates
	*peers     // ledger and hub
	keeper     *keeper
	outage     outage
	waker      *waker
	merger     merger
	turns      turns

	mu       sync.Mutex
	streams  map[*Stream]struct{}
	consumes map[chan struct{}]struct{} // consume loops that run
	workers  workers
}

func newStore(c *Config, b backend.Backend) *Store {
	log := c.Logger
	if log == nil {
		log = slog.Default()
	}
	s := &Store{config: c, backend: b, log: log, closed: make(chan struct{}), streams: make(map[*Stream]struct{})}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.tasks = newTasks(s.ctx, c.OnPanic)
	for _, c := range []*coalescer[string, *production]{&s.produces, &s.keyed} {
		c.spawn, c.weigh, c.carry, c.maxWeight = s.tasks.start, (*production).weight, s.carryProductions, produceFlight
	}
	s.contention.looks, s.contention.separates = make(chan struct{}, contendedMost), make(chan struct{}, contendedMost)
	s.contention.lanes = coalescer[contendedKey, *production]{
		spawn: s.tasks.start, weigh: (*production).weight, carry: s.carryContended, maxWeight: produceFlight,
	}
	s.settles = coalescer[settlement, *settling]{
		spawn: s.tasks.start, weigh: (*settling).weight, carry: s.carrySettlings, maxWeight: settleFlight,
	}
	s.limits = newPayloadLimits(c)
	s.rates = rates{perSecond: c.MaxEnqueuePerSecond, burst: float64(c.MaxEnqueueBurst), waits: c.RateLimitWaits}
	s.peers = joinPeers(b.Identity())
	s.waker = newWaker(s)
	s.merger.store = s
	s.keeper = newKeeper(s)
	s.outage.log = log
	s.room.limit = c.MaxPendingBytes
	s.tasks.start(func() { s.tend(foldShare, s.fold) })
	s.tasks.start(func() { s.tend(expireShare, s.expire) })
	s.tasks.start(func() { s.tend(sweepShare, (&sweeper{store: s}).sweep) })
	return s
}

func (s *Store) isClosed() bool { return s.closing.Load() }

// closedInstead replaces an error that comes of closing by the one that says so.
func (s *Store) closedInstead(err error) error {
	if err != nil && s.isClosed() && !errors.Is(err, ErrClosed) {
		return &Error{Kind: ErrClosed, Message: "the store was closed", MaybeCommitted: maybeCommitted(err), Index: -1, Cause: err}
	}
	return err
}

// closeGrace bounds how long Close waits for the server: for what was fetched and
// not delivered to be given back, and then for what is on its way.
const closeGrace = 5 * time.Second

// Close ends the store. Streams end normally and what they had fetched and not
// delivered is given back; running handlers of consume loops finish, as long as
// ctx lasts; calls that wait for the server get a few seconds to finish, or less
// if ctx ends first, and then fail with ErrClosed. Later calls fail with ErrClosed
// at once. A second Close waits for the first. Not to be called from OnPanic.
func (s *Store) Close(ctx context.Context) error {
	if s.closing.Swap(true) {
		select {
		case <-s.closed:
			return s.closeErr
		case <-ctx.Done():
			return contextError(ctx)
		}
	}
	s.closeStreams(ctx)
	s.awaitConsumes(ctx)
	s.keeper.stop()
	s.settleDown(ctx)
	s.cancel(errClosed())
	s.tasks.end()
	s.waker.stop()
	s.tasks.wait()
	s.ledger.dropStore(s)
	leavePeers(s.backend.Identity())
	s.closeErr = s.backend.Close()
	close(s.closed)
	return s.closeErr
}

func (s *Store) closeStreams(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, closeGrace)
	defer stop()
	open := s.openStreams()
	for _, st := range open {
		st.end(nil)
	}
	for _, st := range open { // what they delivered is kept until handlers have finished
		s.logGiveBack(nil, st.drain(ctx))
	}
}

// openStreams lists the streams that were not closed.
func (s *Store) openStreams() []*Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.streams))
}

// consuming notes that a consume loop runs, until finish is called.
func (s *Store) consuming() (finish func()) {
	done := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.consumes == nil {
		s.consumes = make(map[chan struct{}]struct{})
	}
	s.consumes[done] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.consumes, done)
		close(done)
	}
}

// awaitConsumes waits for running handlers, as long as ctx lasts: their streams
// have ended.
func (s *Store) awaitConsumes(ctx context.Context) {
	s.mu.Lock()
	running := make([]chan struct{}, 0, len(s.consumes))
	for done := range s.consumes {
		running = append(running, done)
	}
	s.mu.Unlock()
	for _, done := range running {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
}

// settleDown waits for what is on its way to the server, wake-ups of others
// included, and signs the workers off.
func (s *Store) settleDown(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, closeGrace)
	defer stop()
	defer s.workers.stopAll(ctx, s)
	for !s.produces.idle() || !s.keyed.idle() || s.contention.separating.Load() > 0 || !s.settles.idle() || s.waker.isTelling() {
		if !sleep(ctx, time.Millisecond) {
			return
		}
	}
}
