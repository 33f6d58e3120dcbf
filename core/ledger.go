package pgqrs

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// ledger knows the deliveries of this process that are not settled, of all
// stores that reach the same queues: so that a message can be settled by its id
// through any Consumer object of the process, and so that the answer of a lost
// acknowledgement can be told. Its size is that of what the program holds, and
// of what it let lapse in the last minutes.
//
// Locks are taken in this order: keeper.mu or ledger.mu or Stream.mu, then Batch.mu.
type ledger struct {
	mu      sync.Mutex
	batches map[int64]*Batch             // by lease
	workers map[int64]map[int64]*Batch   // by worker, by lease
	streams map[int64]map[int64]struct{} // by queue: the workers of streams
	queues  map[int64]int64              // by worker: its queue
	sweepAt int                          // forget what expired when there are so many batches
	// apart are deliveries that were detached, by message id (detach.go).
	apart        map[int64]detached
	sweepApartAt int
}

// A batch whose lease ended is remembered for a while, for it may still be
// settled as long as nobody has taken it. Sweeping costs a constant time per
// batch: the next is when there are twice as many as the last one left.
const (
	firstSweep      = 1000
	forgetExpiredIn = 10 * time.Minute
)

func newLedger() *ledger {
	return &ledger{
		batches: make(map[int64]*Batch), workers: make(map[int64]map[int64]*Batch),
		streams: make(map[int64]map[int64]struct{}), queues: make(map[int64]int64), sweepAt: firstSweep,
		apart: make(map[int64]detached), sweepApartAt: firstSweep,
	}
}

// addWorker makes a worker known. forStreams: what it holds may be settled by id
// through every Consumer of its queue.
func (l *ledger) addWorker(id, queueID int64, forStreams bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queues[id] = queueID
	if forStreams {
		if l.streams[queueID] == nil {
			l.streams[queueID] = make(map[int64]struct{})
		}
		l.streams[queueID][id] = struct{}{}
	}
}

// queueOf returns the queue of a worker of this process; 0: there is none.
func (l *ledger) queueOf(worker int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queues[worker]
}

// removeWorker forgets a worker and what it holds.
func (l *ledger) removeWorker(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queueID := l.queues[id]
	delete(l.queues, id)
	if delete(l.streams[queueID], id); len(l.streams[queueID]) == 0 {
		delete(l.streams, queueID)
	}
	for _, b := range l.workers[id] {
		l.remove(b)
	}
}

// add remembers a batch.
func (l *ledger) add(b *Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.batches) >= l.sweepAt {
		l.forgetExpired()
		l.sweepAt = max(firstSweep, 2*len(l.batches))
	}
	l.batches[b.Lease] = b
	if l.workers[b.WorkerID] == nil {
		l.workers[b.WorkerID] = make(map[int64]*Batch)
	}
	l.workers[b.WorkerID][b.Lease] = b
}

func (l *ledger) forgetExpired() {
	for _, b := range l.batches {
		b.mu.Lock()
		old := time.Since(b.expires) > forgetExpiredIn
		b.mu.Unlock()
		if old {
			l.remove(b)
		}
	}
}

func (l *ledger) remove(b *Batch) {
	delete(l.batches, b.Lease)
	if delete(l.workers[b.WorkerID], b.Lease); len(l.workers[b.WorkerID]) == 0 {
		delete(l.workers, b.WorkerID)
	}
}

// dropStore forgets what a closed store held.
func (l *ledger) dropStore(s *Store) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.batches {
		if b.store == s {
			l.remove(b)
		}
	}
}

// settled notes that deliveries are over.
func (l *ledger) settled(deliveries []backend.Delivery) {
	for start := 0; start < len(deliveries); {
		end := start + 1
		for end < len(deliveries) && deliveries[end].Lease == deliveries[start].Lease {
			end++
		}
		l.settledOfLease(deliveries[start:end])
		start = end
	}
}

func (l *ledger) settledOfLease(deliveries []backend.Delivery) {
	l.mu.Lock()
	b := l.batches[deliveries[0].Lease]
	l.mu.Unlock()
	if b == nil {
		return
	}
	over, all := false, false
	for _, d := range deliveries {
		over, all = b.ended(d.ID, fateSettled)
	}
	if all {
		l.mu.Lock()
		l.remove(b)
		l.mu.Unlock()
	}
	if !over {
		return
	}
	b.store.keeper.forget(b)
	if b.stream != nil {
		b.stream.batchEnded()
	}
}

// lapse lets the leases of deliveries end at their vt: somebody wanted to settle them, and
// nobody can tell whether that was done. Else what a stream keeps until it is settled
// would be kept for as long as a handler may hang. They can still be settled by their ids.
func (l *ledger) lapse(deliveries []backend.Delivery) {
	for _, d := range deliveries {
		l.mu.Lock()
		b := l.batches[d.Lease]
		l.mu.Unlock()
		if b == nil || !b.keepsDelivered() {
			continue
		}
		if over, _ := b.ended(d.ID, fateLetGo); over {
			b.stream.batchEnded()
		}
	}
}

// holds says whether a delivery is known and was not settled by a call; certain:
// and its lease lasts by our own clock, so that nobody else can have touched it.
func (l *ledger) holds(d backend.Delivery) (held, certain bool) {
	l.mu.Lock()
	b := l.batches[d.Lease]
	l.mu.Unlock()
	if b == nil {
		return false, false
	}
	return b.holds(d.ID)
}

// resolve finds the leases of deliveries that are named by id, and the queue. An
// id that is not held keeps Lease 0, which settles nothing. A queue id of 0 says
// that nothing was found.
func (l *ledger) resolve(t Target) ([]backend.Delivery, int64) {
	if !slices.ContainsFunc(t.Deliveries, func(d backend.Delivery) bool { return d.Lease == 0 }) {
		return t.Deliveries, t.QueueID
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	queueID := l.queues[t.WorkerID]
	resolved := slices.Clone(t.Deliveries)
	own := slices.Collect(maps.Values(l.workers[t.WorkerID]))
	ofStreams := sync.OnceValue(func() (all []*Batch) {
		for worker := range l.streams[queueID] {
			all = slices.AppendSeq(all, maps.Values(l.workers[worker]))
		}
		return all
	})
	for i, d := range resolved {
		if d.Lease != 0 {
			continue
		}
		lease := max(newestLease(own, d.ID), l.apartByID(t.WorkerID, queueID, d.ID))
		if lease == 0 {
			lease = newestLease(ofStreams(), d.ID)
		}
		resolved[i].Lease = lease
	}
	return resolved, queueID
}

// newestLease finds the newest delivery of an id: leases never decrease. 0: there is none.
func newestLease(batches []*Batch, id int64) (newest int64) {
	for _, b := range batches {
		if b.Lease > newest && b.index(id) >= 0 {
			newest = b.Lease
		}
	}
	return newest
}
