package pgqrs

import (
	"context"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Target names deliveries of one queue. A Delivery whose Lease is 0 is named by
// its id alone: then the newest delivery of that id to WorkerID counts, else the
// newest to a stream of this process on that worker's queue; QueueID is ignored.
type Target struct {
	QueueID    int64
	WorkerID   int64
	Deliveries []backend.Delivery
}

// Settlement is what to do with deliveries: see Archiving, Deleting, Releasing and
// Extending. The zero value is Archiving().
type Settlement struct {
	verb verb
	by   time.Duration // releasing: the delay; extending: how long
}

// Archiving moves the messages to the archive.
func Archiving() Settlement { return Settlement{verb: archiving} }

// Deleting removes the messages without a trace.
func Deleting() Settlement { return Settlement{verb: deleting} }

// Releasing makes the messages ready again delay after now, 0 … MaxDelay or DelayVT, with
// read_ct as it is.
func Releasing(delay time.Duration) Settlement { return Settlement{verb: releasing, by: delay} }

// Extending makes the leases end later: vt becomes greatest(vt, now) + by, with by from
// 0 to MaxVT.
func Extending(by time.Duration) Settlement { return Settlement{verb: extending, by: by} }

func (k Settlement) validate() error {
	switch {
	case k.verb == releasing && k.by != DelayVT:
		return ProduceOptions{Delay: k.by}.validate()
	case k.verb == extending && (k.by < 0 || k.by > MaxVT):
		return errInvalid("vt can be extended by 0 s to 7 days, not %v", k.by)
	}
	return nil
}

// Archive is Settle(Archiving()). One answer per delivery, in order: false when its
// lease does not hold the message any more.
func (s *Store) Archive(ctx context.Context, t Target) ([]bool, error) {
	return s.settleHeld(ctx, Archiving(), t)
}

// Delete is Settle(Deleting()); answers like Archive.
func (s *Store) Delete(ctx context.Context, t Target) ([]bool, error) {
	return s.settleHeld(ctx, Deleting(), t)
}

// Release is Settle(Releasing(delay)); answers like Archive.
func (s *Store) Release(ctx context.Context, t Target, delay time.Duration) ([]bool, error) {
	return s.settleHeld(ctx, Releasing(delay), t)
}

// ExtendVT is Settle(Extending(by)).
func (s *Store) ExtendVT(ctx context.Context, t Target, by time.Duration) ([]backend.Extension, error) {
	return s.Settle(ctx, Extending(by), t)
}

func (s *Store) settleHeld(ctx context.Context, what Settlement, t Target) ([]bool, error) {
	return held(s.Settle(ctx, what, t))
}

// held are the answers of a call that ends deliveries.
func held(answers []backend.Extension, err error) ([]bool, error) {
	if err != nil {
		return nil, err
	}
	held := make([]bool, len(answers))
	for i, a := range answers {
		held[i] = a.Held
	}
	return held, nil
}

// Settle waits for what SettleAsync answers. When ctx ends first the deliveries are
// settled all the same.
func (s *Store) Settle(ctx context.Context, what Settlement, t Target) ([]backend.Extension, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	c := make(waiting, 1)
	s.SettleAsync(what, t, c.answered)
	return c.await(ctx)
}

// SettleAsync settles deliveries and returns at once. done gets one answer per
// delivery, in order, with the new end of the lease where one was extended. It is called
// exactly once, from another goroutine or, where there is nothing to wait for, from this
// one.
func (s *Store) SettleAsync(what Settlement, t Target, done func([]backend.Extension, error)) {
	if err := what.validate(); err != nil {
		done(nil, err)
		return
	}
	s.settleFound(settlement{verb: what.verb, by: what.by}, t, nil, done)
}

// settleFound finds the deliveries that are meant, and settles them. Failures go with
// those that failed.
func (s *Store) settleFound(key settlement, t Target, failures []Failure, done func([]backend.Extension, error)) {
	if s.isClosed() {
		done(nil, errClosed())
		return
	}
	deliveries, queueID := s.ledger.resolve(t)
	key.queueID = queueID
	var why map[int64]backend.Failure
	if key.verb == failing {
		why = s.failuresByID(deliveries, failures)
	}
	if leases := s.ledger.detached(deliveries); leases != nil {
		s.settleApart(key, deliveries, leases, why, done)
		return
	}
	known := make([]backend.Delivery, 0, len(deliveries))
	for _, d := range deliveries {
		if d.Lease > 0 && queueID != 0 { // else: nobody here holds such a message
			known = append(known, d)
		}
	}
	if len(known) < len(deliveries) {
		done = spread(deliveries, queueID != 0, done)
	}
	if len(known) == 0 {
		done(nil, nil)
		return
	}
	if key.verb == releasing && key.by == DelayVT {
		s.releaseAfterVT(queueID, known, done)
		return
	}
	s.settles.add(key, &settling{deliveries: known, failures: why, done: done})
}

// spread puts the answers for the deliveries with a lease into their places among all.
func spread(all []backend.Delivery, anyKnown bool, done func([]backend.Extension, error)) func([]backend.Extension, error) {
	return func(found []backend.Extension, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		answers := make([]backend.Extension, len(all))
		for i, d := range all {
			if anyKnown && d.Lease > 0 {
				answers[i], found = found[0], found[1:]
			}
		}
		done(answers, nil)
	}
}

// settleInTurn settles deliveries, which may be none, and waits for the answers: then
// all that was added before under the same key has been carried out, too.
func (s *Store) settleInTurn(ctx context.Context, key settlement, deliveries []backend.Delivery) ([]backend.Extension, error) {
	c := make(waiting, 1)
	s.settles.add(key, &settling{deliveries: deliveries, done: c.answered})
	return c.await(ctx)
}

// waiting is where somebody waits for the answers of one settling call.
type waiting chan settledResult

type settledResult struct {
	answers []backend.Extension
	err     error
}

func (c waiting) answered(answers []backend.Extension, err error) { c <- settledResult{answers, err} }

func (c waiting) await(ctx context.Context) ([]backend.Extension, error) {
	select {
	case r := <-c:
		return r.answers, r.err
	case <-ctx.Done():
		return nil, interrupted(ctx)
	}
}
