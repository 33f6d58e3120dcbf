package pgqrs

import (
	"errors"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

type verb int8

const (
	archiving verb = iota
	deleting
	releasing
	extending
	failing
)

// settlement is what settling calls that are carried out together have in common.
type settlement struct {
	verb        verb
	queueID     int64
	undelivered bool          // releasing
	by          time.Duration // releasing: the delay; extending: how long
	mode        backend.ExtendMode
	noWait      bool                // not for transactions that are open
	retry       backend.RetryPolicy // failing: that of the call
}

// settling is one call on its way.
type settling struct {
	deliveries []backend.Delivery
	failures   map[int64]backend.Failure // failing: why, by the id of the message
	done       func([]backend.Extension, error)
}

func (c *settling) weight() int { return len(c.deliveries) }

// settleFlight bounds the deliveries of one statement.
const settleFlight = 10000

// carrySettlings carries out one flight. Calls that name the same delivery go one
// after the other: of two archives one answers true, and two extensions add up.
func (s *Store) carrySettlings(key settlement, flight []*settling) {
	for len(flight) > 0 {
		n := countDistinct(flight)
		s.carryDistinct(key, flight[:n])
		flight = flight[n:]
	}
}

// countDistinct counts the calls, from the first, that share no delivery.
func countDistinct(flight []*settling) int {
	if len(flight) == 1 {
		return 1
	}
	by := make(map[backend.Delivery]int)
	for i, c := range flight {
		for _, d := range c.deliveries {
			if first, named := by[d]; named && first != i {
				return i
			}
			by[d] = i
		}
	}
	return len(flight)
}

// carryDistinct settles in one statement and hands each call its answers.
func (s *Store) carryDistinct(key settlement, flight []*settling) {
	var all []backend.Delivery
	var failures []backend.Failure
	for _, c := range flight {
		all = append(all, c.deliveries...)
		if key.verb == failing {
			failures = c.appendFailures(failures)
		}
	}
	var answers []settled
	var err error
	if len(all) > 0 {
		if answers, err = s.settleSurely(key, all, failures); err == nil {
			s.afterSettling(key, all)
		} else if key.verb != extending {
			s.ledger.lapse(all)
		}
	}
	for _, c := range flight {
		if err != nil {
			c.done(nil, err)
			continue
		}
		n := len(c.deliveries)
		c.done(extensions(answers[:n]))
		answers = answers[n:]
	}
}

// appendFailures appends one failure for each delivery.
func (c *settling) appendFailures(to []backend.Failure) []backend.Failure {
	for _, d := range c.deliveries {
		f := c.failures[d.ID]
		f.Delivery = d
		to = append(to, f)
	}
	return to
}

// settled is the answer for one delivery.
type settled struct {
	backend.Extension
	unknown bool // nobody can tell any more whether it was done
}

// extensions are the answers of one call: an error when one of them is not known.
func extensions(answers []settled) ([]backend.Extension, error) {
	all := make([]backend.Extension, len(answers))
	for i, a := range answers {
		if a.unknown {
			return nil, errUnknown()
		}
		all[i] = a.Extension
	}
	return all, nil
}

// settleSurely asks until there is an answer, or the connection time-out of the
// store has passed. An answer that was lost with the connection is asked again:
// what the first try did counts.
func (s *Store) settleSurely(key settlement, deliveries []backend.Delivery, failures []backend.Failure) ([]settled, error) {
	deadline := time.Now().Add(s.config.ConnectTimeout)
	wait := reconnectBackoff()
	var lost []bool // nil: no answer was lost yet
	for {
		answers, err := s.settleOnce(key, deliveries, failures, lost)
		if err == nil {
			return answers, nil
		}
		if lost == nil && maybeCommitted(err) {
			lost = s.heldBefore(deliveries)
		}
		d := wait.delay()
		if !transient(err) || time.Now().Add(d).After(deadline) || !sleep(s.ctx, d) {
			var e *Error
			if lost != nil && errors.As(err, &e) {
				e.MaybeCommitted = true
			}
			return nil, s.closedInstead(err)
		}
	}
}

// heldBefore says which deliveries were not settled by an earlier call of this
// process: if the server says that they are, it was the call that is under way.
func (s *Store) heldBefore(deliveries []backend.Delivery) []bool {
	before := make([]bool, len(deliveries))
	for i, d := range deliveries {
		before[i], _ = s.ledger.holds(d)
	}
	return before
}

// settleOnce asks the backend. lost, when it is not nil, says that an earlier try
// may have been carried out, and which deliveries were held before it: the backend knows
// what that did. Of a delete it knows only that the message is gone. That was the earlier
// try, as long as the lease cannot have ended yet by our own clock, for until then nobody
// else can have touched the message; behind that end nobody can tell.
func (s *Store) settleOnce(key settlement, deliveries []backend.Delivery, failures []backend.Failure, lost []bool) ([]settled, error) {
	answers := make([]settled, len(deliveries))
	var outcomes []backend.Outcome
	var err error
	switch key.verb {
	case archiving:
		outcomes, err = s.backend.MessageArchive(s.ctx, &backend.MessageArchiveParams{QueueID: key.queueID, Deliveries: deliveries, Again: lost != nil, NoWait: key.noWait})
	case deleting:
		outcomes, err = s.backend.MessageDelete(s.ctx, &backend.MessageDeleteParams{QueueID: key.queueID, Deliveries: deliveries, Again: lost != nil, NoWait: key.noWait})
	case releasing:
		outcomes, err = s.backend.MessageRelease(s.ctx, &backend.MessageReleaseParams{
			QueueID: key.queueID, Deliveries: deliveries, Undelivered: key.undelivered, Delay: key.by, Again: lost != nil, NoWait: key.noWait})
	case failing:
		outcomes, err = s.failOnce(key, failures, lost != nil)
	case extending:
		var extended []backend.Extension
		extended, err = s.backend.MessageExtend(s.ctx, &backend.MessageExtendParams{QueueID: key.queueID, Deliveries: deliveries, By: key.by, Mode: key.mode, NoWait: key.noWait})
		for i, e := range extended {
			answers[i].Extension = e
		}
	}
	if err != nil {
		return nil, err
	}
	for i, o := range outcomes {
		switch {
		case o == backend.Settled:
			answers[i].Held = true
		case o == backend.SettledBefore && key.verb == deleting && lost[i]:
			_, answers[i].Held = s.ledger.holds(deliveries[i])
			answers[i].unknown = !answers[i].Held
		case o == backend.SettledBefore:
			answers[i].Held = lost[i]
		}
	}
	return answers, nil
}

// afterSettling tells those who wait: the ledger that the deliveries are over,
// and sleeping consumers that messages came back.
func (s *Store) afterSettling(key settlement, deliveries []backend.Delivery) {
	if key.verb == extending {
		return
	}
	s.ledger.settled(deliveries)
	if key.verb == releasing || key.verb == failing {
		s.waker.produced(key.queueID)
	}
}
