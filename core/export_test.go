package pgqrs

import (
	"context"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// ConnectThrough is ConnectConfig with something between the store and its backend.
func ConnectThrough(ctx context.Context, c *Config, wrap func(backend.Backend) backend.Backend) (*Store, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	b, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	return newStore(c, wrap(b)), nil
}

// CheckPayload says whether produce would take p.
func (s *Store) CheckPayload(p []byte) error { return s.checkPayload(p) }

// Spawn runs do as the background work of the store is run.
func (s *Store) Spawn(do func()) { s.tasks.start(do) }

// Transitions lists the changes of a worker's state that there are, as "from --> to".
func Transitions() (all []string) {
	for _, t := range []transition{polls, rests, suspends, resumes, interrupts, stops} {
		for _, from := range t.from {
			all = append(all, string(from)+" --> "+string(t.to))
		}
	}
	return all
}

// Beat sends the heartbeat of a store now.
func (s *Store) Beat(ctx context.Context) error { return s.beatNow(ctx) }

// Bucket is the token bucket of one queue.
type Bucket struct {
	line             rateLine
	perSecond, burst float64
}

// NewBucket makes a full one.
func NewBucket(now time.Time, perSecond, burst float64) *Bucket {
	return &Bucket{rateLine{tokens: burst, as: now}, perSecond, burst}
}

// Take takes n tokens, or says how long until they are there.
func (b *Bucket) Take(now time.Time, n float64, reserve bool) time.Duration {
	return b.line.take(now, n, b.perSecond, b.burst, reserve)
}

// CountPeers counts the databases of which the process remembers something.
func CountPeers() int {
	allPeers.mu.Lock()
	defer allPeers.mu.Unlock()
	return len(allPeers.by)
}

// CountHeld counts the batches that the process holds in the store's database.
func (s *Store) CountHeld() int {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return len(s.ledger.batches)
}

// CountListening counts the streams of the process that hear of messages in the
// store's database.
func (s *Store) CountListening() int {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	n := 0
	for _, subscribers := range s.hub.subs {
		n += len(subscribers)
	}
	return n
}

// CountAsleep counts the queues on which the store is entered as asleep.
func (s *Store) CountAsleep() int {
	s.waker.mu.Lock()
	defer s.waker.mu.Unlock()
	n := 0
	for _, e := range s.waker.asleep {
		if !e.committed.IsZero() {
			n++
		}
	}
	return n
}

// AgeEntries makes the entries as asleep older.
func (s *Store) AgeEntries(by time.Duration) {
	s.waker.mu.Lock()
	defer s.waker.mu.Unlock()
	for id, e := range s.waker.asleep {
		e.since = e.since.Add(-by)
		s.waker.asleep[id] = e
	}
}

// Announce enters the store as asleep on a queue.
func (s *Store) Announce(ctx context.Context, queueID int64, looked time.Time) (fresh, told bool) {
	return s.waker.announce(ctx, queueID, looked)
}

// CountPendingBytes is what produce calls hold in memory.
func (s *Store) CountPendingBytes() int64 {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	return s.room.held
}

// SweepKeys sweeps dedup keys from the first one on, and says whether it deleted any.
func (s *Store) SweepKeys() bool {
	return (&sweeper{store: s}).sweep()
}
