package memory

import (
	"cmp"
	"container/heap"
	"context"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// MessageDequeue implements backend.MessageBackend.
func (b *Backend) MessageDequeue(ctx context.Context, p *backend.MessageDequeueParams) (*backend.MessageDequeueResult, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now, result := b.moment(p.At), &backend.MessageDequeueResult{}
	q, err := b.store.find(p.QueueID)
	if err != nil {
		return nil, err
	}
	if !q.PausedAt.IsZero() {
		return result, nil
	}
	vt := cmp.Or(p.VT, q.DefaultVT, p.DefaultVT)
	taken, dead := q.take(p, now)
	result.Dead = dead
	b.store.lastLease++
	for _, m := range taken {
		m.Lease, m.ReadCount = b.store.lastLease, m.ReadCount+1
		m.DequeuedAt, m.ConsumerWorkerID = now, p.WorkerID
		m.since, m.VT = m.VT, now.Add(vt)
		heap.Push(&q.line, m)
		result.Messages = append(result.Messages, m.copy())
	}
	if first := q.line.head(); first != nil {
		result.HasNext, result.NextDue = true, max(0, first.VT.Sub(now))
	}
	return result, nil
}

// take removes from the line what this dequeue is to lease, in delivery order.
// What was leased too often goes to the dead letters on the way.
func (q *queue) take(p *backend.MessageDequeueParams, now time.Time) (taken []*message, dead int) {
	room := p.MaxBytes
	for len(taken) < p.Limit {
		m := q.line.head()
		if m == nil || m.VT.After(now) {
			break
		}
		if q.worn(m, p.MaxReadCount) {
			m.lapsed()
			q.finish(m, backend.StateDead, now)
			dead++
			continue
		}
		alone := m.suspect() && m.ReadCount >= 2
		if len(taken) > 0 && (alone || p.MaxBytes > 0 && room < int64(len(m.Payload))) {
			break
		}
		room -= int64(len(m.Payload))
		m.lapsed()
		taken = append(taken, heap.Pop(&q.line).(*message))
		if alone {
			break
		}
	}
	return taken, dead
}

// suspect says of a ready message that its lease expired: perhaps its holder
// died of it. One that was given back has no lease, for its holder lived.
func (m *message) suspect() bool { return m.Lease != 0 }

// lapsed notes the lease that ran out, of a suspect.
func (m *message) lapsed() {
	if m.suspect() {
		m.failed(backend.AttemptExpired, m.VT, "")
	}
}
