package memory

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// zero is the moment that stands for the clock.
var zero time.Time

// message is one message and where it is in its life. Its Lease is that of the
// last dequeue, 0 when it was given back since.
type message struct {
	backend.Message
	// since is the place in line that it had when it was leased.
	since time.Time
	// place is its index in the line of its queue while it lives.
	place int
	// outcome is StateArchived or StateDead; empty while it lives.
	outcome    backend.MessageState
	archivedAt time.Time
	// attempts are the deliveries that ended without an archive.
	attempts []backend.Attempt
}

// MessageProduce implements backend.MessageBackend.
func (b *Backend) MessageProduce(ctx context.Context, p *backend.MessageProduceParams) ([]int64, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(p.At)
	q, err := b.store.find(p.QueueID)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(p.Payloads))
	for i, payload := range p.Payloads {
		ids[i] = b.add(q, p, payload, now)
	}
	q.tally.count(now, int64(len(ids)), 0)
	return ids, nil
}

// add stores one message and returns its id.
func (b *Backend) add(q *queue, p *backend.MessageProduceParams, payload []byte, now time.Time) int64 {
	s := b.store
	s.lastMessage++
	m := &message{Message: backend.Message{
		ID: s.lastMessage, QueueID: q.ID, Payload: bytes.Clone(payload),
		EnqueuedAt: now, VT: now.Add(p.Delay), ProducerWorkerID: p.WorkerID,
	}}
	s.messages[m.ID] = m
	heap.Push(&q.line, m)
	return m.ID
}

// MessageGet implements backend.MessageBackend.
func (b *Backend) MessageGet(ctx context.Context, p *backend.MessageGetParams) (*backend.MessageRecord, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	m := b.store.messages[p.ID]
	if m == nil {
		return nil, backend.Errorf(backend.ErrMessageNotFound, "message %d does not exist", p.ID)
	}
	return &backend.MessageRecord{Message: m.copy(), State: m.state(b.moment(zero)), ArchivedAt: m.archivedAt}, nil
}

// MessageList implements backend.MessageBackend.
func (b *Backend) MessageList(ctx context.Context, p *backend.MessageListParams) ([]backend.MessageRecord, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	q, now := b.store.queues[p.QueueID], b.moment(p.At)
	if q == nil {
		return nil, nil
	}
	var found []*message
	for _, m := range q.line {
		if m.ID > p.After && (p.State == "" || m.state(now) == p.State) {
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b *message) int { return cmp.Compare(a.ID, b.ID) })
	page := make([]backend.MessageRecord, min(p.Limit, len(found)))
	for i := range page {
		page[i] = backend.MessageRecord{Message: found[i].copy(), State: found[i].state(now)}
	}
	return page, nil
}

// MessageCount implements backend.MessageBackend. A queue that does not exist has
// no messages.
func (b *Backend) MessageCount(ctx context.Context, p *backend.MessageCountParams) (*backend.MessageCounts, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	q := b.store.queues[p.QueueID]
	if q == nil {
		return &backend.MessageCounts{}, nil
	}
	c := q.counts(b.moment(p.At))
	return &c, nil
}

func (q *queue) counts(now time.Time) backend.MessageCounts {
	c := backend.MessageCounts{Archived: q.archived, Dead: q.dead}
	for _, m := range q.line {
		switch m.state(now) {
		case backend.StateLeased:
			c.Leased++
		case backend.StateDelayed:
			c.Delayed++
		default:
			c.Ready++
		}
	}
	return c
}

// copy is the message with a payload that belongs to the receiver.
func (m *message) copy() backend.Message {
	r := m.Message
	r.Payload = bytes.Clone(m.Payload)
	return r
}

func (m *message) state(now time.Time) backend.MessageState {
	switch {
	case m.outcome != "":
		return m.outcome
	case !m.VT.After(now):
		return backend.StateReady
	case m.Lease != 0:
		return backend.StateLeased
	default:
		return backend.StateDelayed
	}
}

// MessageHistory implements backend.MessageBackend.
func (b *Backend) MessageHistory(ctx context.Context, p *backend.MessageHistoryParams) ([]backend.Attempt, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	m := b.store.messages[p.ID]
	if m == nil {
		return nil, backend.Errorf(backend.ErrMessageNotFound, "message %d does not exist", p.ID)
	}
	history := slices.Clone(m.attempts)
	switch {
	case m.outcome == backend.StateArchived:
		history = append(history, m.attempt(backend.AttemptArchived, m.archivedAt, ""))
	case m.outcome == "" && m.Lease != 0:
		history = append(history, m.attempt(backend.AttemptLeased, zero, ""))
	}
	return history, nil
}

// attempt is the delivery of which the message is, or was last.
func (m *message) attempt(outcome backend.AttemptOutcome, endedAt time.Time, text string) backend.Attempt {
	return backend.Attempt{
		Lease: m.Lease, Number: m.ReadCount, WorkerID: m.ConsumerWorkerID, StartedAt: m.DequeuedAt, EndedAt: endedAt, Outcome: outcome, Error: text,
	}
}

// failed notes that the delivery ended without an archive.
func (m *message) failed(outcome backend.AttemptOutcome, endedAt time.Time, text string) {
	m.attempts = append(m.attempts, m.attempt(outcome, endedAt, text))
	m.attempts = m.attempts[max(0, len(m.attempts)-backend.HistoryMost):]
}

// finish takes a message out of line for the archive or the dead letters. It
// keeps its lease, so that an acknowledgement that is asked again is found.
func (q *queue) finish(m *message, outcome backend.MessageState, now time.Time) {
	heap.Remove(&q.line, m.place)
	m.outcome, m.archivedAt = outcome, now
	if outcome == backend.StateDead {
		q.dead++
	} else {
		q.archived++
	}
}
