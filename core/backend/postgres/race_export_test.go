package postgres

import "time"

// HoldWatermark puts off the next full walk of a queue and returns the vt at
// which walks begin meanwhile; ok is false when no watermark is known.
func (b *Backend) HoldWatermark(queueID int64) (low time.Time, ok bool) {
	m := b.marks.of(queueID)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until = time.Now().Add(time.Hour)
	return m.low, !m.low.IsZero()
}

// PassWatermarkTime lets the next walk of a queue be a full one.
func (b *Backend) PassWatermarkTime(queueID int64) {
	m := b.marks.of(queueID)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until = time.Time{}
}
