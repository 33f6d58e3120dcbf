package bridge

import (
	"context"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// Target names deliveries of one queue. Leases is nil when they are named by id
// alone; otherwise it is as long as IDs.
type Target struct {
	QueueID int64
	Worker  int64
	Leases  []int64
	IDs     []int64
}

// copied is the target as the core takes it, in memory of its own.
func (t Target) copied() (pgqrs.Target, *Refusal) {
	if t.Leases == nil && len(t.IDs) > 0 && t.Worker == 0 {
		return pgqrs.Target{}, refuse(StatusBadArgument, "leases is NULL and worker is 0: an id alone needs a worker")
	}
	pairs := make([]backend.Delivery, len(t.IDs))
	for i, id := range t.IDs {
		pairs[i].ID = id
		if t.Leases == nil {
			continue
		}
		if t.Leases[i] <= 0 { // 0 would mean: by id
			return pgqrs.Target{}, refuse(StatusBadArgument, "lease %d of index %d is not positive", t.Leases[i], i)
		}
		pairs[i].Lease = t.Leases[i]
	}
	return pgqrs.Target{QueueID: t.QueueID, WorkerID: t.Worker, Deliveries: pairs}, nil
}

// Archive moves messages to the archive.
func (s *Store) Archive(number uint64, t Target) *Refusal {
	return s.settle(number, t, pgqrs.Archiving(), s.library.encodeHeld)
}

// Delete removes messages without a trace.
func (s *Store) Delete(number uint64, t Target) *Refusal {
	return s.settle(number, t, pgqrs.Deleting(), s.library.encodeHeld)
}

// DelayVT as the delay of Release: as long as the lease was drawn for.
const DelayVT = -1

// Release gives messages back, ready after a delay.
func (s *Store) Release(number uint64, t Target, delayMicros int64) *Refusal {
	delay, refusal := pgqrs.DelayVT, (*Refusal)(nil)
	if delayMicros != DelayVT {
		delay, refusal = duration("delay_us", delayMicros)
	}
	if refusal != nil {
		return refusal
	}
	return s.settle(number, t, pgqrs.Releasing(delay), s.library.encodeHeld)
}

// ExtendVT makes leases end later.
func (s *Store) ExtendVT(number uint64, t Target, byMicros int64) *Refusal {
	by, refusal := duration("by_us", byMicros)
	if refusal != nil {
		return refusal
	}
	return s.settle(number, t, pgqrs.Extending(by), s.library.encodeMoments)
}

func (s *Store) settle(number uint64, t Target, what pgqrs.Settlement, encode func([]backend.Extension) (Completion, error)) *Refusal {
	target, refusal := t.copied()
	if refusal != nil {
		return refusal
	}
	return s.entrust(number, func(_ context.Context, done func(Completion, error)) {
		s.core.SettleAsync(what, target, func(answers []backend.Extension, err error) {
			if err != nil {
				done(Completion{}, err)
				return
			}
			done(encode(answers))
		})
	})
}
