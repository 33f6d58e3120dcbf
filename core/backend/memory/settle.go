package memory

import (
	"container/heap"
	"context"
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
	return b.settle(p.QueueID, p.Deliveries, func(q *queue, m *message) {
		heap.Remove(&q.line, m.place)
		delete(b.store.messages, m.ID)
		q.tally.count(now, 0, 1)
	}), nil
}

// MessageRelease implements backend.MessageBackend. A message that is given back
// has no lease and so is no suspect; how often it was leased stays known.
func (b *Backend) MessageRelease(ctx context.Context, p *backend.MessageReleaseParams) ([]backend.Outcome, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(p.At)
	return b.settle(p.QueueID, p.Deliveries, func(q *queue, m *message) {
		m.Lease, m.ConsumerWorkerID = 0, 0
		if p.Undelivered {
			m.ReadCount--
			q.line.move(m, m.since)
		} else {
			q.line.move(m, now.Add(p.Delay))
		}
	}), nil
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
