package pgqrs

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Failure says why one delivery failed, and when its message comes again.
type Failure struct {
	// Error is kept in the history of the message: its first 2000 characters.
	Error string
	// Delay, 0 … MaxDelay, counts from now; DelayByPolicy leaves it to the retry policy
	// of the call or, without one, of the queue; and where there is none the message
	// comes again a vt later, as long as the lease was drawn for.
	Delay time.Duration
}

// DelayByPolicy as the delay of a Failure: that of the retry policy.
const DelayByPolicy = backend.DelayByPolicy

// maxErrorText bounds what is kept of an error, in characters.
const maxErrorText = 2000

// Fail ends deliveries as failed: failures[i] is that of t.Deliveries[i]. A message that
// was delivered as often as it may be is dead then; otherwise it is delivered again. A
// retry policy with a Kind comes before that of the queue. Answers like Archive.
func (s *Store) Fail(ctx context.Context, t Target, failures []Failure, retry backend.RetryPolicy) ([]bool, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	c := make(waiting, 1)
	s.FailAsync(t, failures, retry, c.answered)
	return held(c.await(ctx))
}

// FailAsync is Fail, but returns at once, as SettleAsync does.
func (s *Store) FailAsync(t Target, failures []Failure, retry backend.RetryPolicy, done func([]backend.Extension, error)) {
	if len(failures) != len(t.Deliveries) {
		done(nil, errInvalid("there are %d failures of %d deliveries", len(failures), len(t.Deliveries)))
		return
	}
	if retry.Kind != "" {
		if err := validateRetry(&retry); err != nil {
			done(nil, err)
			return
		}
	}
	for _, f := range failures {
		if f.Delay < 0 && f.Delay != DelayByPolicy || f.Delay > MaxDelay {
			done(nil, errInvalid("the delay must be between 0 s and 10 years, not %v", f.Delay))
			return
		}
	}
	s.settleFound(settlement{verb: failing, retry: retry}, t, failures, done)
}

// failuresByID are the failures of deliveries, as a backend takes them.
func (s *Store) failuresByID(deliveries []backend.Delivery, failures []Failure) map[int64]backend.Failure {
	byID := make(map[int64]backend.Failure, len(deliveries))
	for i, d := range deliveries {
		if _, twice := byID[d.ID]; !twice {
			byID[d.ID] = backend.Failure{
				Error: errorText(failures[i].Error), Delay: failures[i].Delay,
				VT: s.ledger.vtOf(d.Lease, s.config.DefaultLockTime),
			}
		}
	}
	return byID
}

// errorText is what is kept of an error: text that a database can hold.
func errorText(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD")
	if utf8.RuneCountInString(text) <= maxErrorText {
		return text
	}
	return string([]rune(text)[:maxErrorText-1]) + "…"
}

// failOnce asks the backend to end deliveries as failed.
func (s *Store) failOnce(key settlement, failures []backend.Failure, again bool) ([]backend.Outcome, error) {
	r, err := s.backend.MessageFail(s.ctx, &backend.MessageFailParams{
		QueueID: key.queueID, Failures: failures, MaxReadCount: s.config.MaxReadCount, Retry: key.retry, Again: again, NoWait: key.noWait,
	})
	if err != nil {
		return nil, err
	}
	s.logDead(key.queueID, r.Dead)
	return r.Outcomes, nil
}

func (s *Store) logDead(queueID int64, messages int) {
	if messages > 0 {
		s.log.Warn("messages were delivered too often and are dead letters now", "queue_id", queueID, "messages", messages)
	}
}
