package pgqrs

import (
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// merger keeps a backlog of single messages small: each is a record of its own until a
// dequeue takes them together, or this does. It works for the queues into which the
// store produces singly, in the background, when mergeFrom messages have come since the
// last time; those that consumers take at once have gone by then, and it finds little.
type merger struct {
	store *Store

	mu     sync.Mutex
	queues map[int64]*merging
}

// merging is one queue: what came since, and where to go on.
type merging struct {
	singles int
	running bool
	start   time.Time
}

const (
	mergeFrom = 500
	// mergeAge is how long messages have waited that are merged, and how long the
	// merger waits before it looks: consumers come first.
	mergeAge = time.Second
	// A production of so many messages needs no merging: backends hold that many
	// in one record, or merge no more.
	mergeBelow = 50
)

// produced counts what was stored by one statement.
func (m *merger) produced(queueID int64, messages int) {
	if messages >= mergeBelow {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queues[queueID]
	if q == nil {
		if m.queues == nil {
			m.queues = make(map[int64]*merging)
		}
		q = &merging{}
		m.queues[queueID] = q
	}
	if q.singles++; q.singles >= mergeFrom && !q.running {
		q.running = m.store.tasks.start(func() { m.run(queueID, q) })
	}
}

// run merges what is old enough. What fails is tried again with the next messages.
func (m *merger) run(queueID int64, q *merging) {
	s := m.store
	m.mu.Lock()
	q.singles = 0
	start := q.start
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		q.running, q.start = false, start
	}()
	for sleep(s.ctx, mergeAge) {
		for {
			r, err := s.backend.QueueMerge(s.ctx, &backend.QueueMergeParams{QueueID: queueID, Start: start, Age: mergeAge})
			if err != nil {
				s.log.Debug("single messages were not merged", "queue_id", queueID, "error", err)
				return
			}
			if r.Upto.IsZero() {
				break
			}
			if r.Upto.Equal(start) {
				return // too many of one moment: nothing to go on from
			}
			start = r.Upto
		}
		m.mu.Lock()
		more := q.singles >= mergeFrom
		q.singles = 0
		m.mu.Unlock()
		if !more {
			return
		}
	}
}
