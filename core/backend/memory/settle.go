package memory

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// MessageArchive implements backend.MessageBackend.
func (b *Backend) MessageArchive(ctx context.Context, p *backend.MessageArchiveParams) ([]backend.Outcome, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(p.At)
	before := make(map[backend.Delivery]bool)
	for _, d := range p.Deliveries {
		m := b.store.messages[d.ID]
		before[d] = p.Again && m != nil && m.QueueID == p.QueueID &&
			m.outcome == backend.StateArchived && m.Lease == d.Lease
	}
	outcomes := b.settle(p.QueueID, p.Deliveries, func(q *queue, m *message) {
		q.finish(m, backend.StateArchived, now)
		q.tally.count(now, 0, 1)
	})
	for i, d := range p.Deliveries {
		if before[d] {
			outcomes[i] = backend.SettledBefore
		}
	}
	return outcomes, nil
}

// MessageDelete implements backend.MessageBackend.
func (b *Backend) MessageDelete(ctx context.Context, p *backend.MessageDeleteParams) ([]backend.Outcome, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(p.At)
	outcomes := b.settle(p.QueueID, p.Deliveries, func(q *queue, m *message) {
		q.drop(b.store, m)
		q.tally.count(now, 0, 1)
	})
	for i, d := range p.Deliveries {
		if p.Again && outcomes[i] == backend.NotHeld && b.store.messages[d.ID] == nil {
			outcomes[i] = backend.SettledBefore
		}
	}
	return outcomes, nil
}

// markAttempted marks those deliveries that were not held and ended so before.
func (b *Backend) markAttempted(deliveries []backend.Delivery, outcomes []backend.Outcome, how backend.AttemptOutcome) {
	for i, d := range deliveries {
		m := b.store.messages[d.ID]
		if outcomes[i] == backend.NotHeld && m != nil && slices.ContainsFunc(m.attempts, func(a backend.Attempt) bool {
			return a.Lease == d.Lease && a.Outcome == how
		}) {
			outcomes[i] = backend.SettledBefore
		}
	}
}

// MessageRelease implements backend.MessageBackend. A message that is given back
// has no lease and so is no suspect; how often it was leased stays known.
func (b *Backend) MessageRelease(ctx context.Context, p *backend.MessageReleaseParams) ([]backend.Outcome, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(p.At)
	outcomes := b.settle(p.QueueID, p.Deliveries, func(q *queue, m *message) {
		if p.Undelivered {
			m.Lease, m.ConsumerWorkerID = 0, 0
			m.ReadCount--
			q.line.move(m, m.since)
		} else {
			q.goBack(m, backend.AttemptReleased, now, "", p.Delay)
		}
	})
	if p.Again {
		b.markAttempted(p.Deliveries, outcomes, backend.AttemptReleased)
	}
	return outcomes, nil
}

// MessageSeize implements backend.MessageBackend.
func (b *Backend) MessageSeize(ctx context.Context, p *backend.MessageSeizeParams) (*backend.MessageSeizeResult, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now, m := b.moment(p.At), b.store.messages[p.ID]
	if m == nil {
		return nil, backend.Errorf(backend.ErrMessageNotFound, "there is no message with id %d", p.ID)
	}
	q, r := b.store.queues[m.QueueID], &backend.MessageSeizeResult{QueueID: m.QueueID, State: m.state(now)}
	if m.outcome != "" || r.State == backend.StateLeased && !p.FromHolder {
		return r, nil
	}
	r.Done = true
	switch {
	case p.Delete:
		q.drop(b.store, m)
	case r.State == backend.StateDelayed:
		q.line.move(m, now)
	case r.State == backend.StateLeased:
		q.goBack(m, backend.AttemptReleased, now, "", 0)
	}
	return r, nil
}

// drop deletes a live message.
func (q *queue) drop(s *store, m *message) {
	heap.Remove(&q.line, m.place)
	delete(s.messages, m.ID)
}

// goBack ends a delivery without an archive: the message is ready again delay after now.
func (q *queue) goBack(m *message, outcome backend.AttemptOutcome, now time.Time, text string, delay time.Duration) {
	m.failed(outcome, now, text)
	m.Lease, m.ConsumerWorkerID = 0, 0
	q.line.move(m, now.Add(delay))
}

// MessageFail implements backend.MessageBackend.
func (b *Backend) MessageFail(ctx context.Context, p *backend.MessageFailParams) (*backend.MessageFailResult, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now, r := b.moment(p.At), &backend.MessageFailResult{}
	failures := make(map[int64]*backend.Failure, len(p.Failures))
	deliveries := make([]backend.Delivery, len(p.Failures))
	for i := range p.Failures {
		f := &p.Failures[i]
		deliveries[i] = f.Delivery
		if m := b.held(p.QueueID, f.Delivery); m != nil && failures[f.ID] == nil {
			failures[f.ID] = f
		}
	}
	r.Outcomes = b.settle(p.QueueID, deliveries, func(q *queue, m *message) {
		f := failures[m.ID]
		if q.worn(m, p.MaxReadCount) {
			m.failed(backend.AttemptFailed, now, f.Error)
			q.finish(m, backend.StateDead, now)
			r.Dead++
			return
		}
		q.goBack(m, backend.AttemptFailed, now, f.Error, q.retryDelay(m, f, p.Retry))
	})
	if p.Again {
		b.markAttempted(deliveries, r.Outcomes, backend.AttemptFailed)
	}
	return r, nil
}

// worn says whether a message has been delivered as often as it may be.
func (q *queue) worn(m *message, most int) bool {
	if q.MaxReadCount != nil {
		most = *q.MaxReadCount
	}
	return most > 0 && int(m.ReadCount) >= most
}

func (q *queue) retryDelay(m *message, f *backend.Failure, policy backend.RetryPolicy) time.Duration {
	if f.Delay != backend.DelayByPolicy {
		return f.Delay
	}
	if policy.Kind == "" {
		policy = q.Retry
	}
	if d, told := policy.Delay(m.ReadCount, rand.Float64()); told {
		return d
	}
	return f.VT
}

// MessageExtend implements backend.MessageBackend.
func (b *Backend) MessageExtend(ctx context.Context, p *backend.MessageExtendParams) ([]backend.Extension, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(p.At)
	outcomes := b.settle(p.QueueID, p.Deliveries, func(q *queue, m *message) {
		if p.Mode == backend.ExtendKeep {
			q.line.move(m, latest(m.VT, now.Add(p.By)))
		} else {
			q.line.move(m, latest(m.VT, now).Add(p.By))
		}
	})
	answers := make([]backend.Extension, len(outcomes))
	for i, o := range outcomes {
		if o == backend.Settled {
			answers[i] = backend.Extension{Held: true, VT: b.store.messages[p.Deliveries[i].ID].VT}
		}
	}
	return answers, nil
}

// settle does something to each message that its delivery still holds, once, and
// answers for each delivery.
func (b *Backend) settle(queueID int64, deliveries []backend.Delivery, do func(*queue, *message)) []backend.Outcome {
	outcomes := make([]backend.Outcome, len(deliveries))
	answered := make(map[backend.Delivery]backend.Outcome, len(deliveries))
	for i, d := range deliveries {
		outcome, again := answered[d]
		if m := b.held(queueID, d); m != nil && !again {
			do(b.store.queues[queueID], m)
			outcome = backend.Settled
		}
		answered[d], outcomes[i] = outcome, outcome
	}
	return outcomes
}

// held returns the message if this delivery of it is the newest and neither
// settled nor given back. Whether its vt has passed does not matter.
func (b *Backend) held(queueID int64, d backend.Delivery) *message {
	m := b.store.messages[d.ID]
	if m == nil || d.Lease == 0 || m.Lease != d.Lease || m.QueueID != queueID || m.outcome != "" {
		return nil
	}
	return m
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
