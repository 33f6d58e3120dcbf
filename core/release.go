package pgqrs

import (
	"context"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// DelayVT as the delay of Release: as long as the lease was drawn for.
const DelayVT time.Duration = -1

// Release makes the messages ready again delay after now, with read_ct as it is;
// answers like Archive.
func (s *Store) Release(ctx context.Context, t Target, delay time.Duration) ([]bool, error) {
	if delay == DelayVT {
		return s.releaseAfterVT(ctx, t)
	}
	if err := (ProduceOptions{Delay: delay}).validate(); err != nil {
		return nil, err
	}
	return s.settleHeld(ctx, settlement{verb: releasing, by: delay}, t)
}

// releaseAfterVT releases lease by lease, those of one length together: in nearly
// all cases that is one call.
func (s *Store) releaseAfterVT(ctx context.Context, t Target) ([]bool, error) {
	deliveries, queueID := s.ledger.resolve(t)
	places := make(map[time.Duration][]int)
	for i, d := range deliveries {
		vt := s.ledger.vtOf(d.Lease, s.config.DefaultLockTime)
		places[vt] = append(places[vt], i)
	}
	answers := make([]bool, len(deliveries))
	for vt, at := range places {
		part := Target{QueueID: queueID, WorkerID: t.WorkerID, Deliveries: make([]backend.Delivery, len(at))}
		for i, place := range at {
			part.Deliveries[i] = deliveries[place]
		}
		held, err := s.settleHeld(ctx, settlement{verb: releasing, by: vt}, part)
		if err != nil {
			return nil, err
		}
		for i, place := range at {
			answers[place] = held[i]
		}
	}
	return answers, nil
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
