package backend

import "time"

// Queue is one queue.
type Queue struct {
	ID        int64
	Name      string
	CreatedAt time.Time
}

// QueueCreateParams names the queue to make: 1 to 255 characters, any but NUL.
type QueueCreateParams struct{ Name string }

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

// QueuePurgeParams names the queue to empty.
type QueuePurgeParams struct{ QueueID int64 }

// QueueNotifyParams names the queues that have new ready messages.
type QueueNotifyParams struct{ QueueIDs []int64 }

// SleepTTL is how long one Listener.Sleep counts.
const SleepTTL = 90 * time.Second
