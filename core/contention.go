package pgqrs

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

const (
	// dedupPatience is how long a statement waits for a transaction that has taken one
	// of its keys. A statement of another process is done by then. One that stays open
	// is of a program (tx=), and may stay so for long: then who waits for it must
	// neither hold up its neighbours nor keep a connection.
	dedupPatience = 50 * time.Millisecond
	// separatePatience is that of the parts of a statement that has waited in vain.
	separatePatience = 5 * time.Millisecond
	// contendedMost bounds how many statements wait for such transactions at once; those
	// that find out who has to wait are bounded by themselves.
	contendedMost = 2
)

// contention is what a store does about keys that open transactions of others have
// taken: a lane for each key that its productions wait for.
type contention struct {
	lanes      coalescer[contendedKey, *production]
	looks      chan struct{} // contendedMost of them: of lanes
	separates  chan struct{} // the same: of groups
	separating atomic.Int64  // groups whose innocent members are about to be stored
	alone      atomic.Int64  // numbers the lanes of productions with several keys
}

// contendedKey is a key that productions wait for which have no other. One that has
// several waits by itself.
type contendedKey struct{ queue, key string }

// meets says whether others wait for a key of the production already.
func (c *contention) meets(queue string, p *production) bool {
	for _, key := range p.keys {
		if c.lanes.serves(contendedKey{queue, key}) {
			return true
		}
	}
	return false
}

// add lets a production wait for the end of the transaction that has its key.
func (c *contention) add(queue string, p *production) {
	if len(p.keys) == 1 {
		c.lanes.add(contendedKey{queue, p.keys[0]}, p)
		return
	}
	c.lanes.add(contendedKey{queue, fmt.Sprintf("\x00%d", c.alone.Add(1))}, p) // which is no key
}

// storeKeyed is store for productions with keys. Where they meet a key that an open
// transaction has taken they leave the lane: those that come after them go on.
func (s *Store) storeKeyed(queue string, group []*production) {
	if group = s.divert(queue, group); len(group) == 0 {
		return
	}
	answers, contended, err := s.tryKeyed(queue, group, dedupPatience)
	n := len(group)
	switch {
	case contended && n == 1:
		s.contention.add(queue, group[0])
	case contended:
		s.contention.separating.Add(1)
		separate := func() {
			defer s.contention.separating.Add(-1)
			s.separate(queue, group)
		}
		if !s.tasks.start(separate) {
			separate() // which finds the store closed
		}
	case n > 1 && mayBeOfOne(err):
		s.storeKeyed(queue, group[:n/2])
		s.storeKeyed(queue, group[n/2:])
	default:
		completeKeyed(group, answers, err)
	}
}

// separate stores the productions of a group by its halves, so that in the end those
// that an open transaction keeps from it wait alone.
func (s *Store) separate(queue string, group []*production) {
	n := len(group)
	for _, half := range [][]*production{group[:n/2], group[n/2:]} {
		if half = s.divert(queue, half); len(half) == 0 {
			continue
		}
		s.contention.separates <- struct{}{}
		answers, contended, err := s.tryKeyed(queue, half, separatePatience)
		<-s.contention.separates
		switch {
		case len(half) > 1 && (contended || mayBeOfOne(err)):
			s.separate(queue, half)
		case contended:
			s.contention.add(queue, half[0])
		default:
			completeKeyed(half, answers, err)
		}
	}
}

// divert sends those to wait that meet a key for which others wait already, and returns
// the rest.
func (s *Store) divert(queue string, group []*production) []*production {
	if s.contention.lanes.idle() {
		return group
	}
	rest := make([]*production, 0, len(group))
	for _, p := range group {
		if s.contention.meets(queue, p) {
			s.contention.add(queue, p)
		} else {
			rest = append(rest, p)
		}
	}
	return rest
}

// carryContended stores one flight of a key that an open transaction has taken, when
// that has ended. It looks again and again: to wait on the server would keep a
// connection.
func (s *Store) carryContended(key contendedKey, flight []*production) {
	wait := &backoff{first: dedupPatience, most: 10 * dedupPatience}
	one := false // at a time
	for flight = s.withoutEnded(flight, time.Now()); len(flight) > 0; {
		group := sameOptions(flight)
		if one {
			group = group[:1]
		}
		s.contention.looks <- struct{}{}
		answers, contended, err := s.tryKeyed(key.queue, group, dedupPatience)
		<-s.contention.looks
		switch {
		case contended:
			d := wait.delay()
			if flight = s.withoutEnded(flight, time.Now().Add(d)); len(flight) > 0 {
				sleep(s.ctx, d)
			}
		case len(group) > 1 && mayBeOfOne(err):
			one = true
		default:
			completeKeyed(group, answers, err)
			flight = s.withoutEnded(flight[len(group):], time.Now())
		}
	}
}

// withoutEnded completes those that nobody waits for any more, or only until the moment
// named, or all when the store closes, and returns the others.
func (s *Store) withoutEnded(flight []*production, until time.Time) []*production {
	left := flight[:0]
	for _, p := range flight {
		switch {
		case p.ctx.Err() != nil:
			p.end(nil, contextError(p.ctx))
		case s.isClosed():
			p.end(nil, errClosed())
		case until.After(s.deadlineOf(p)):
			p.end(nil, errContended())
		default:
			left = append(left, p)
		}
	}
	return left
}

// errContended: a transaction that has taken the key stayed open.
func errContended() error {
	e := backend.Errorf(ErrTimeout, "nothing was stored: a transaction that is still open has stored a message with the same dedup_key")
	e.SafeToRetry = true
	return e
}

// tryKeyed stores a group, once unless the server cannot be reached. contended: one of
// its keys was not to be had.
func (s *Store) tryKeyed(queue string, group []*production, patience time.Duration) (answers []Produced, contended bool, err error) {
	params := keyedParams(group, patience)
	err = s.retryUntil(s.ctx, s.deadlineOf(group[0]), func() (err error) {
		answers, err = s.produceKeyed(queue, params)
		if contended = isContended(err); contended {
			return nil
		}
		return err
	})
	return answers, contended, err
}

func keyedParams(group []*production, patience time.Duration) *backend.MessageProduceKeyedParams {
	o := group[0].options
	params := &backend.MessageProduceKeyedParams{
		MessageProduceParams: backend.MessageProduceParams{Delay: o.Delay, WorkerID: o.WorkerID},
		DedupFor:             o.DedupFor, Patience: patience,
	}
	for _, p := range group {
		params.Payloads = append(params.Payloads, p.payloads...)
		params.Keys = append(params.Keys, p.keys...)
	}
	return params
}
