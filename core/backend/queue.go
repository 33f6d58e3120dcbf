package backend

import (
	"math"
	"time"
)

// Queue is one queue.
type Queue struct {
	ID        int64
	Name      string
	CreatedAt time.Time
	PausedAt  time.Time // zero while it is not paused
	QueueSettings
}

// QueueSettings are what a queue has of its own; the zero value: nothing.
type QueueSettings struct {
	// DefaultVT is for how long a dequeue leases that names no vt; 0: whoever
	// dequeues decides.
	DefaultVT time.Duration
	// MaxReadCount: what was leased that often becomes dead; 0: never. Nil: whoever
	// dequeues decides.
	MaxReadCount *int
	// Retention is how long archived and dead messages are kept; nil: for ever.
	Retention *time.Duration
	// Retry is when a message that failed comes again.
	Retry RetryPolicy
}

// RetryKind is how the delay of a retry grows.
type RetryKind string

// The kinds of retry policies. With RetryNone a message that failed comes again at
// its vt.
const (
	RetryNone        RetryKind = "none"
	RetryFixed       RetryKind = "fixed"
	RetryExponential RetryKind = "exponential"
)

// RetryPolicy says how long after a failure a message comes again: Base (fixed), or
// Base doubled with each delivery after the first, up to Max (exponential); less a
// random part of it, at most Jitter, which is between 0 and 1. The zero value is
// RetryNone.
type RetryPolicy struct {
	Kind      RetryKind
	Base, Max time.Duration
	Jitter    float64
}

// Delay is how long after its failure a message comes again that was delivered readCount
// times; chance is a random number from 0 to 1. False: the policy does not say.
func (r RetryPolicy) Delay(readCount int32, chance float64) (time.Duration, bool) {
	var d float64
	switch r.Kind {
	case RetryFixed:
		d = float64(r.Base)
	case RetryExponential:
		d = min(float64(r.Max), math.Ldexp(float64(r.Base), int(readCount-1)))
	default:
		return 0, false
	}
	return time.Duration(d * (1 - r.Jitter*chance)), true
}

// QueueCreateParams names the queue to make, 1 to 255 characters, any but NUL, and
// what it has of its own.
type QueueCreateParams struct {
	Name string
	QueueSettings
}

// QueueEnsureParams names the queue to find or make.
type QueueEnsureParams struct{ Name string }

// QueueGetParams names the queue to find.
type QueueGetParams struct{ Name string }

// QueueListParams names a page: at most Limit queues whose names come after After
// (empty: from the first).
type QueueListParams struct {
	After string
	Limit int
}

// QueueCountParams asks for the number of queues.
type QueueCountParams struct{}

// Change is a new value of a setting, or none: then it stays.
type Change[T any] struct {
	Given bool
	To    T
}

// QueueUpdateParams names a queue and what is to change of its settings.
type QueueUpdateParams struct {
	Name         string
	DefaultVT    Change[time.Duration]
	MaxReadCount Change[*int]
	Retention    Change[*time.Duration]
	Retry        Change[RetryPolicy]
}

// QueuePauseParams names the queue to pause.
type QueuePauseParams struct {
	Name string
	At   time.Time
}

// QueueResumeParams names the queue that gives messages again.
type QueueResumeParams struct{ Name string }

// QueueDeleteParams names the queue to delete; with Force also when it has messages.
type QueueDeleteParams struct {
	Name  string
	Force bool
}

// QueuePurgeParams names the queue to empty.
type QueuePurgeParams struct{ QueueID int64 }

// QueueMergeParams names a queue in which single messages are kept together that have
// been ready for Age. Start is where an earlier call stopped; zero: at the beginning.
type QueueMergeParams struct {
	QueueID int64
	Start   time.Time
	Age     time.Duration
	At      time.Time
}

// QueueMergeResult says how many records a store has saved, and where the next call
// goes on; zero: all was seen.
type QueueMergeResult struct {
	Saved int
	Upto  time.Time
}

// QueueNotifyParams names the queues that have new ready messages.
type QueueNotifyParams struct{ QueueIDs []int64 }

// SleepTTL is how long one Listener.Sleep counts.
const SleepTTL = 90 * time.Second
