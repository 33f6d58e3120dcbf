package pgqrs

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is the time to wait before each next try of something that fails:
// it doubles from first to most, with jitter of a half, so that many processes
// that lost one server do not come back in step. The zero value is not usable.
type backoff struct {
	first, most time.Duration
	next        time.Duration
}

// reconnectBackoff is for a server that does not answer: it is back in use
// within 2 s of its return.
func reconnectBackoff() *backoff {
	return &backoff{first: 50 * time.Millisecond, most: 2 * time.Second}
}

// delay returns how long to wait now.
func (b *backoff) delay() time.Duration {
	if b.next == 0 {
		b.next = b.first
	}
	d := b.next
	b.next = min(2*b.next, b.most)
	return d/2 + rand.N(d/2+1)
}

// reset starts over after a success.
func (b *backoff) reset() { b.next = 0 }

// sleep waits and returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
