package postgres

import (
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// watermarks has the low watermark of each queue that this process dequeues
// from. While an old snapshot is held anywhere in the database, entries at the
// low end of the walk's index that are dead already cannot be removed, and each
// walk would pass all of them; so it begins at the lowest vt that can still be
// visible. The zero value is ready to use.
type watermarks struct {
	mu     sync.Mutex
	queues map[int64]*watermark
}

// of returns the watermark of a queue.
func (w *watermarks) of(queueID int64) *watermark {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.queues[queueID]
	if m == nil {
		if w.queues == nil {
			w.queues = make(map[int64]*watermark)
		}
		m = &watermark{}
		w.queues[queueID] = m
	}
	return m
}

// watermark is the vt at which the last full walk found its first message. What
// becomes ready below it (the commit of an old transaction, messages that
// another process gives back) is found by the next full walk: when a walk finds
// nothing, and at an interval of twenty times what the last one took, at least a
// second.
//
// That interval grows with what a full walk passes, and what died since would be passed by
// each walk between two of them. So where it is longer than fullWalkInterval the watermark
// follows the walks, that far behind them: what commits or is given back in that time is
// not below it.
type watermark struct {
	mu      sync.Mutex
	low     time.Time // zero: not known
	until   time.Time // when the next full walk is due
	follows bool      // the walks until then
	lowered int       // counts calls of lower
}

// fullWalkInterval is the shortest between two full walks.
const fullWalkInterval = time.Second

// floor says where to begin; ok is false when a full walk is due.
func (m *watermark) floor(now time.Time) (floor time.Time, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.low, !m.low.IsZero() && now.Before(m.until)
}

// lower forgets the watermark: this process has put messages below it.
func (m *watermark) lower() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.low = time.Time{}
	m.lowered++
}

// begin marks the begin of a full walk, for end.
func (m *watermark) begin() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lowered
}

// end takes the outcome of a full walk, unless messages were put below meanwhile.
func (m *watermark) end(token int, first *time.Time, began, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if token != m.lowered || first == nil {
		return
	}
	m.low = *first
	interval := 20 * now.Sub(began)
	m.follows = interval > fullWalkInterval
	m.until = now.Add(max(fullWalkInterval, interval))
}

// raise takes the outcome of a walk that began at the watermark, unless messages were put
// below meanwhile. now is the server's clock, as vt is.
func (m *watermark) raise(token int, first, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if behind := now.Add(-fullWalkInterval); behind.Before(first) {
		first = behind
	}
	if m.follows && token == m.lowered && first.After(m.low) {
		m.low = first
	}
}

// floorParam is a floor as a parameter: from the very beginning when it is zero.
func floorParam(floor time.Time) any {
	if floor.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}
	return floor
}
