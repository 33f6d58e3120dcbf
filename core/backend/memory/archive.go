package memory

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// ArchiveList implements backend.ArchiveBackend.
func (b *Backend) ArchiveList(ctx context.Context, p *backend.ArchiveListParams) ([]backend.ArchivedMessage, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	var page []*message
	for _, m := range b.store.messages {
		if m.isAmong(&p.ArchiveFilter) && (p.After.ArchivedAt.IsZero() || later(p.After.ArchivedAt, p.After.ID, m.archivedAt, m.ID) < 0) {
			page = append(page, m)
		}
	}
	slices.SortFunc(page, func(x, y *message) int { return later(x.archivedAt, x.ID, y.archivedAt, y.ID) })
	records := make([]backend.ArchivedMessage, 0, min(p.Limit, len(page)))
	for _, m := range page[:min(p.Limit, len(page))] {
		records = append(records, backend.ArchivedMessage{
			MessageRecord: backend.MessageRecord{Message: m.copy(), State: m.outcome, ArchivedAt: m.archivedAt}, Error: m.lastError(),
		})
	}
	return records, nil
}

// later orders by moment and id, the latest first.
func later(at time.Time, id int64, otherAt time.Time, otherID int64) int {
	return cmp.Or(otherAt.Compare(at), cmp.Compare(otherID, id))
}

// isAmong says whether a message is done and what the filter means.
func (m *message) isAmong(f *backend.ArchiveFilter) bool {
	return m.outcome != "" &&
		(f.QueueID == 0 || m.QueueID == f.QueueID) &&
		(f.State == "" || m.outcome == f.State) &&
		(f.WorkerID == 0 || m.ConsumerWorkerID == f.WorkerID) &&
		!m.archivedAt.Before(f.Since) &&
		(f.Until.IsZero() || m.archivedAt.Before(f.Until))
}

func (m *message) lastError() string {
	for _, a := range slices.Backward(m.attempts) {
		if a.Error != "" {
			return a.Error
		}
	}
	return ""
}

// ArchiveCount implements backend.ArchiveBackend.
func (b *Backend) ArchiveCount(ctx context.Context, p *backend.ArchiveCountParams) (n int64, err error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.leave()
	for _, m := range b.store.messages {
		if m.isAmong(&p.ArchiveFilter) {
			n++
		}
	}
	return n, nil
}

// ArchiveReplay implements backend.ArchiveBackend.
func (b *Backend) ArchiveReplay(ctx context.Context, p *backend.ArchiveReplayParams) ([]int64, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(p.At)
	var replayed []int64
	b.takeDone(p.QueueID, p.IDs, func(q *queue, m *message) {
		m.outcome, m.archivedAt, m.DequeuedAt = "", zero, zero
		m.Lease, m.ReadCount, m.ConsumerWorkerID = 0, 0, 0
		m.VT = now
		heap.Push(&q.line, m)
		replayed = append(replayed, m.ID)
	})
	return replayed, nil
}

// ArchiveDelete implements backend.ArchiveBackend.
func (b *Backend) ArchiveDelete(ctx context.Context, p *backend.ArchiveDeleteParams) (n int64, err error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.leave()
	b.takeDone(p.QueueID, p.IDs, func(_ *queue, m *message) {
		delete(b.store.messages, m.ID)
		n++
	})
	return n, nil
}

// takeDone takes messages of a queue out of its archive, by ascending id, each once.
func (b *Backend) takeDone(queueID int64, ids []int64, take func(*queue, *message)) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	for _, id := range ids {
		m := b.store.messages[id]
		if m == nil || m.QueueID != queueID || m.outcome == "" {
			continue
		}
		q := b.store.queues[queueID]
		if m.outcome == backend.StateDead {
			q.dead--
		} else {
			q.archived--
		}
		take(q, m)
	}
}

// ArchivePurge implements backend.ArchiveBackend.
func (b *Backend) ArchivePurge(ctx context.Context, p *backend.ArchivePurgeParams) (int64, error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.leave()
	return b.purgeDone(p.QueueID, b.moment(p.At).Add(-p.OlderThan)), nil
}

// ArchiveExpire implements backend.ArchiveBackend.
func (b *Backend) ArchiveExpire(ctx context.Context, p *backend.ArchiveExpireParams) (n int64, err error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.leave()
	now := b.moment(p.At)
	for _, q := range b.store.queues {
		if q.Retention != nil {
			n += b.purgeDone(q.ID, now.Add(-*q.Retention))
		}
	}
	return n, nil
}

// purgeDone deletes what was done with up to a moment.
func (b *Backend) purgeDone(queueID int64, upto time.Time) (n int64) {
	filter := backend.ArchiveFilter{QueueID: queueID}
	var ids []int64
	for id, m := range b.store.messages {
		if m.isAmong(&filter) && !m.archivedAt.After(upto) {
			ids = append(ids, id)
		}
	}
	b.takeDone(queueID, ids, func(_ *queue, m *message) {
		delete(b.store.messages, m.ID)
		n++
	})
	return n
}
