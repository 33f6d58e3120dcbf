package backend

import "time"

// WorkerStatus is the state of a worker's row. Which state may follow which is
// policy, and is said in core.
type WorkerStatus string

// The states of a worker.
const (
	WorkerReady       WorkerStatus = "ready"
	WorkerPolling     WorkerStatus = "polling"
	WorkerSuspended   WorkerStatus = "suspended"
	WorkerInterrupted WorkerStatus = "interrupted"
	WorkerStopped     WorkerStatus = "stopped"
)

// Worker is the row of one Producer or Consumer object.
type Worker struct {
	ID          int64
	Name        string
	QueueID     int64
	Hostname    string
	Port        int32
	Status      WorkerStatus
	StartedAt   time.Time
	HeartbeatAt time.Time
	// HeartbeatAge is how long ago that was, by the backend's clock.
	HeartbeatAge time.Duration
	ShutdownAt   time.Time // zero while it runs
}

// WorkerRegisterParams describes a new worker. Name may be empty: then the
// backend makes one of Hostname and the id. An empty Status is ready.
type WorkerRegisterParams struct {
	QueueID  int64
	Name     string
	Hostname string
	Port     int32
	Status   WorkerStatus
	At       time.Time
}

// WorkerMoveParams names workers and the state into which they go, those of them
// that are in one of the states From.
type WorkerMoveParams struct {
	IDs  []int64
	From []WorkerStatus
	To   WorkerStatus
	At   time.Time
}

// WorkerBeatParams names workers that are alive.
type WorkerBeatParams struct {
	IDs []int64
	At  time.Time
}

// WorkerGetParams names a worker.
type WorkerGetParams struct {
	ID int64
	At time.Time
}

// WorkerListParams asks for a page of workers: those with ids below Before (0: from
// the newest on), of one queue where QueueID is not 0, and in one state where Status
// is not empty.
type WorkerListParams struct {
	Before  int64
	QueueID int64
	Status  WorkerStatus
	Limit   int
	At      time.Time
}

// WorkerHealthParams asks for counts of workers, of one queue where QueueID is not
// 0. A worker that has not stopped is stale when it was silent for SilentFor.
// ByQueue: one row for each queue that has workers, ordered by its id; otherwise one
// row for all.
type WorkerHealthParams struct {
	QueueID   int64
	ByQueue   bool
	SilentFor time.Duration
	At        time.Time
}

// WorkerHealth counts workers by their state. QueueID is 0 in a row for all.
type WorkerHealth struct {
	QueueID                                                       int64
	Total, Ready, Polling, Suspended, Interrupted, Stopped, Stale int64
}

// WorkerPurgeParams says which rows are of no use any more: of workers that stopped
// so long ago, and of those that have not stopped and were silent for so long. At
// most Limit of each.
type WorkerPurgeParams struct {
	StoppedFor time.Duration
	SilentFor  time.Duration
	Limit      int
	At         time.Time
}

// WorkerLeasesParams asks what workers hold, from one queue where QueueID is not 0.
type WorkerLeasesParams struct {
	QueueID int64
	At      time.Time
}

// WorkerLeases is what one worker holds from one queue: how many messages are leased to
// it, and how long ago it was given the one that it has longest. Leases that ran out do
// not count. The row of the worker may be gone.
type WorkerLeases struct {
	WorkerID int64
	QueueID  int64
	Leased   int64
	Longest  time.Duration
}

// WorkerHeldParams asks for what is leased from a queue to one worker or, where
// WorkerID is 0, to those workers of the queue that have not stopped and were silent
// for SilentFor: at most Limit deliveries, those behind After.
type WorkerHeldParams struct {
	QueueID   int64
	WorkerID  int64
	SilentFor time.Duration
	After     Delivery
	Limit     int
	At        time.Time
}
