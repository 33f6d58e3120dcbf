package memory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/pgqrs/pgqrs/core/backend"
)

// queue is a queue, its live messages in line, and how many are done.
type queue struct {
	backend.Queue
	line           line
	claims         map[string]claim // by key
	archived, dead int64
	tally          tally
}

// QueueCreate implements backend.QueueBackend.
func (b *Backend) QueueCreate(ctx context.Context, p *backend.QueueCreateParams) (*backend.Queue, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	if b.store.names[p.Name] != nil {
		return nil, backend.Errorf(backend.ErrQueueExists, "queue %q exists already", p.Name)
	}
	return b.newQueue(p.Name, p.QueueSettings), nil
}

// QueueEnsure implements backend.QueueBackend.
func (b *Backend) QueueEnsure(ctx context.Context, p *backend.QueueEnsureParams) (*backend.Queue, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	if q := b.store.names[p.Name]; q != nil {
		return q.record(), nil
	}
	return b.newQueue(p.Name, backend.QueueSettings{}), nil
}

// QueueGet implements backend.QueueBackend.
func (b *Backend) QueueGet(ctx context.Context, p *backend.QueueGetParams) (*backend.Queue, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	q, err := b.store.findName(p.Name)
	if err != nil {
		return nil, err
	}
	return q.record(), nil
}

// QueueList implements backend.QueueBackend.
func (b *Backend) QueueList(ctx context.Context, p *backend.QueueListParams) ([]backend.Queue, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	var page []backend.Queue
	for name, q := range b.store.names {
		if name > p.After {
			page = append(page, *q.record())
		}
	}
	slices.SortFunc(page, func(x, y backend.Queue) int { return strings.Compare(x.Name, y.Name) })
	return page[:min(p.Limit, len(page))], nil
}

// QueueCount implements backend.QueueBackend.
func (b *Backend) QueueCount(ctx context.Context, _ *backend.QueueCountParams) (int64, error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.leave()
	return int64(len(b.store.names)), nil
}

// QueueUpdate implements backend.QueueBackend.
func (b *Backend) QueueUpdate(ctx context.Context, p *backend.QueueUpdateParams) (*backend.Queue, error) {
	return b.alter(ctx, p.Name, func(q *queue) {
		change(&q.DefaultVT, p.DefaultVT)
		change(&q.MaxReadCount, p.MaxReadCount)
		change(&q.Retention, p.Retention)
		change(&q.Retry, p.Retry)
	})
}

// QueuePause implements backend.QueueBackend.
func (b *Backend) QueuePause(ctx context.Context, p *backend.QueuePauseParams) (*backend.Queue, error) {
	return b.alter(ctx, p.Name, func(q *queue) {
		if q.PausedAt.IsZero() {
			q.PausedAt = b.moment(p.At)
		}
	})
}

// QueueResume implements backend.QueueBackend.
func (b *Backend) QueueResume(ctx context.Context, p *backend.QueueResumeParams) (*backend.Queue, error) {
	return b.alter(ctx, p.Name, func(q *queue) { q.PausedAt = zero })
}

// QueueDelete implements backend.QueueBackend.
func (b *Backend) QueueDelete(ctx context.Context, p *backend.QueueDeleteParams) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	s := b.store
	q, err := s.findName(p.Name)
	if err != nil {
		return err
	}
	if !p.Force && (len(q.line) > 0 || q.archived > 0 || q.dead > 0) {
		return backend.Errorf(backend.ErrQueueNotEmpty, "queue %q has messages", p.Name)
	}
	maps.DeleteFunc(s.messages, func(_ int64, m *message) bool { return m.QueueID == q.ID })
	maps.DeleteFunc(s.workers, func(_ int64, w *backend.Worker) bool { return w.QueueID == q.ID })
	delete(s.queues, q.ID)
	delete(s.names, q.Name)
	return nil
}

// QueueMerge implements backend.QueueBackend: there is nothing to save.
func (b *Backend) QueueMerge(ctx context.Context, _ *backend.QueueMergeParams) (*backend.QueueMergeResult, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	return &backend.QueueMergeResult{}, nil
}

// alter changes a queue and returns what it is then.
func (b *Backend) alter(ctx context.Context, name string, change func(q *queue)) (*backend.Queue, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	q, err := b.store.findName(name)
	if err != nil {
		return nil, err
	}
	change(q)
	return q.record(), nil
}

func change[T any](setting *T, c backend.Change[T]) {
	if c.Given {
		*setting = c.To
	}
}

// QueuePurge implements backend.QueueBackend. A queue that does not exist has
// nothing to delete.
func (b *Backend) QueuePurge(ctx context.Context, p *backend.QueuePurgeParams) (int64, error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.leave()
	q := b.store.queues[p.QueueID]
	if q == nil {
		return 0, nil
	}
	for _, m := range q.line {
		delete(b.store.messages, m.ID)
	}
	n := len(q.line)
	q.line = nil
	b.freePurged(q)
	return int64(n), nil
}

func (b *Backend) newQueue(name string, settings backend.QueueSettings) *backend.Queue {
	s := b.store
	s.lastQueue++
	q := &queue{Queue: backend.Queue{ID: s.lastQueue, Name: name, CreatedAt: b.moment(zero), QueueSettings: settings}}
	if q.Retry.Kind == "" {
		q.Retry.Kind = backend.RetryNone
	}
	s.queues[q.ID], s.names[name] = q, q
	return q.record()
}

// record is a copy for the caller to keep.
func (q *queue) record() *backend.Queue {
	r := q.Queue
	return &r
}

// find returns the queue of that id, or ErrQueueNotFound.
func (s *store) find(queueID int64) (*queue, error) {
	if q := s.queues[queueID]; q != nil {
		return q, nil
	}
	return nil, backend.Errorf(backend.ErrQueueNotFound, "queue %d does not exist", queueID)
}

// findName returns the queue of that name, or ErrQueueNotFound.
func (s *store) findName(name string) (*queue, error) {
	if q := s.names[name]; q != nil {
		return q, nil
	}
	return nil, backend.Errorf(backend.ErrQueueNotFound, "queue %q does not exist", name)
}
