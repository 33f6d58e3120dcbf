package pgqrs

import (
	"errors"
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// DelayVT as the delay of Release: as long as the lease was drawn for.
const DelayVT time.Duration = -1

// releaseAfterVT releases each delivery for as long as its lease was drawn for, those of
// one length together: in nearly all cases that is one call.
func (s *Store) releaseAfterVT(queueID int64, deliveries []backend.Delivery, done func([]backend.Extension, error)) {
	places := make(map[time.Duration][]int)
	for i, d := range deliveries {
		vt := s.ledger.vtOf(d.Lease, s.config.DefaultLockTime)
		places[vt] = append(places[vt], i)
	}
	parts := &parted{left: len(places), answers: make([]backend.Extension, len(deliveries)), done: done}
	for vt, at := range places {
		part := make([]backend.Delivery, len(at))
		for i, place := range at {
			part[i] = deliveries[place]
		}
		s.settles.add(settlement{verb: releasing, by: vt, queueID: queueID}, &settling{
			deliveries: part,
			done:       func(answers []backend.Extension, err error) { parts.came(at, answers, err) },
		})
	}
}

// parted puts together the answers of a call that went in parts.
type parted struct {
	mu      sync.Mutex
	left    int
	answers []backend.Extension
	failed  error
	done    func([]backend.Extension, error)
}

// came takes the answers of one part, which belong at those places.
func (p *parted) came(at []int, answers []backend.Extension, err error) {
	p.mu.Lock()
	p.failed = errors.Join(p.failed, err)
	for i, a := range answers {
		p.answers[at[i]] = a
	}
	p.left--
	last, failed := p.left == 0, p.failed
	p.mu.Unlock()
	switch {
	case !last:
	case failed != nil:
		p.done(nil, failed)
	default:
		p.done(p.answers, nil)
	}
}

// vtOf is how long a lease was drawn for; otherwise, where this process does not know
// it any more.
func (l *ledger) vtOf(lease int64, otherwise time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.batches[lease]; b != nil {
		return b.vt
	}
	return otherwise
}
