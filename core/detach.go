package pgqrs

import (
	"context"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Detachment is what a binding needs to settle deliveries in a transaction itself.
type Detachment struct {
	// Identity of the store's schema: the functions that settle refuse another.
	Identity string
	// Schema has the functions.
	Schema  string
	QueueID int64
	// Deliveries are those that were asked for, in order, under their new leases;
	// 0: not held.
	Deliveries []backend.Delivery
}

// Detach gives deliveries a lease that they share with no others, so that a
// transaction of the caller can settle them and stay open: for bindings whose
// program holds the connection. From then on they belong to that transaction: the
// keeper leaves them alone, a stream that ends with its queue waits for their handlers,
// and while the transaction is open whoever settles them by other means gets false. When
// it has rolled back, they are leased until their vt, and their old names settle them.
func (s *Store) Detach(ctx context.Context, t Target) (*Detachment, error) {
	if err := s.checkTransactions(); err != nil {
		return nil, err
	}
	if s.isClosed() {
		return nil, errClosed()
	}
	deliveries, queueID := s.ledger.resolve(t)
	answer := &Detachment{Identity: s.backend.Identity(), Schema: s.config.Schema, QueueID: queueID, Deliveries: make([]backend.Delivery, len(deliveries))}
	var attached []backend.Delivery
	var places []int // of attached, in deliveries
	leases := s.ledger.detached(deliveries)
	for i, d := range deliveries {
		answer.Deliveries[i].ID = d.ID
		if leases != nil && leases[i] != 0 {
			answer.Deliveries[i].Lease = leases[i]
		} else if d.Lease > 0 && queueID != 0 {
			attached, places = append(attached, d), append(places, i)
		}
	}
	if len(attached) == 0 {
		return answer, nil
	}
	var found []backend.Delivery
	err := s.retryWhileSafe(ctx, func() (err error) {
		found, err = s.backend.MessageDetach(ctx, &backend.MessageDetachParams{QueueID: queueID, Deliveries: attached})
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, d := range found {
		answer.Deliveries[places[i]] = d
		if d.Lease != 0 {
			s.ledger.detach(queueID, attached[i], d.Lease)
		}
	}
	return answer, nil
}

// detached is what the ledger knows of a delivery that Detach gave another lease.
type detached struct {
	was    backend.Delivery
	lease  int64
	worker int64 // 0: not of this process
	// batch has yet to hear that the handler has ended; nil: it has, or there is none.
	batch *Batch
	// until when it is remembered: its vt, and a while.
	until time.Time
}

// rememberDetached is for how long a delivery is known under its old name when its
// vt has passed: it can still be settled while nobody has taken it.
const rememberDetached = time.Minute

// detach notes that a delivery has another lease. It is settled as far as the keeper is
// concerned.
func (l *ledger) detach(queueID int64, d backend.Delivery, lease int64) {
	l.mu.Lock()
	entry := detached{was: d, lease: lease, until: time.Now().Add(forgetExpiredIn)}
	if b := l.batches[d.Lease]; b != nil {
		b.mu.Lock()
		entry.worker, entry.until = b.WorkerID, b.expires.Add(rememberDetached)
		entry.batch = b
		b.apart++
		b.mu.Unlock()
	}
	if len(l.apart) >= l.sweepApartAt {
		now := time.Now()
		for id, e := range l.apart {
			if now.After(e.until) {
				delete(l.apart, id)
				e.batch.handled()
			}
		}
		l.sweepApartAt = max(firstSweep, 2*len(l.apart))
	}
	l.apart[d.ID].batch.handled() // of an older delivery, which is not known by its name any more
	l.apart[d.ID] = entry
	l.mu.Unlock()
	l.settled([]backend.Delivery{d})
}

// detached returns the leases that deliveries have by now, 0 for those that were not
// detached; nil when none was.
func (l *ledger) detached(deliveries []backend.Delivery) []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.apart) == 0 { // nearly always
		return nil
	}
	var leases []int64
	for i, d := range deliveries {
		if e, ok := l.apart[d.ID]; ok && e.was == d {
			if leases == nil {
				leases = make([]int64, len(deliveries))
			}
			leases[i] = e.lease
		}
	}
	return leases
}

// handled notes that the handler of a delivery has ended: what its transaction has not
// committed by then a stream does not wait for.
func (l *ledger) handled(d backend.Delivery) {
	l.mu.Lock()
	var b *Batch
	if e, ok := l.apart[d.ID]; ok && e.was == d {
		b, e.batch = e.batch, nil
		l.apart[d.ID] = e
	}
	l.mu.Unlock()
	b.handled()
}

// handled is told for each detached message when its handler has ended.
func (b *Batch) handled() {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.apart--
	b.mu.Unlock()
	if b.stream != nil {
		b.stream.batchEnded()
	}
}

// attach forgets that a delivery was detached: it is over.
func (l *ledger) attach(d backend.Delivery) {
	l.mu.Lock()
	e, ok := l.apart[d.ID]
	if ok = ok && e.was == d; ok {
		delete(l.apart, d.ID)
	}
	l.mu.Unlock()
	if ok {
		e.batch.handled()
	}
}

// apartByID is the old lease of the newest detached delivery of an id, if the worker
// may settle that: it is its own, or of a stream on its queue. The caller holds mu.
func (l *ledger) apartByID(worker, queueID, id int64) int64 {
	e, ok := l.apart[id]
	if !ok {
		return 0
	}
	if _, ofStream := l.streams[queueID][e.worker]; e.worker != worker && !ofStream {
		return 0
	}
	return e.was.Lease
}

// settleApart settles deliveries of which some were detached: those under their new
// leases, and without waiting for a transaction that has them, so that nobody who goes
// along waits for it either.
func (s *Store) settleApart(key settlement, deliveries []backend.Delivery, leases []int64, why map[int64]backend.Failure, done func([]backend.Extension, error)) {
	var rest, apart []backend.Delivery
	var restAt, apartAt []int // their places
	for i, d := range deliveries {
		switch {
		case leases[i] != 0:
			apart, apartAt = append(apart, backend.Delivery{Lease: leases[i], ID: d.ID}), append(apartAt, i)
		case d.Lease > 0:
			rest, restAt = append(rest, d), append(restAt, i)
		}
	}
	if key.verb != extending {
		answer := done
		done = func(answers []backend.Extension, err error) {
			for _, place := range apartAt {
				s.ledger.handled(deliveries[place])
			}
			answer(answers, err)
		}
	}
	answers := make([]backend.Extension, len(deliveries))
	settle := func(key settlement, which []backend.Delivery, places []int, then func()) {
		s.settles.add(key, &settling{deliveries: which, failures: why, done: func(found []backend.Extension, err error) {
			if err != nil {
				done(nil, err)
				return
			}
			for i, place := range places {
				answers[place] = found[i]
			}
			then()
		}})
	}
	free := key
	free.noWait = true
	settle(key, rest, restAt, func() {
		settle(free, apart, apartAt, func() {
			for _, place := range apartAt {
				if answers[place].Held && key.verb != extending {
					s.ledger.attach(deliveries[place])
				}
			}
			done(answers, nil)
		})
	})
}
