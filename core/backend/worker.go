package backend

import "time"

// WorkerStatus is the state of a worker's row.
type WorkerStatus string

// The states of a worker.
const (
	WorkerReady   WorkerStatus = "ready"
	WorkerStopped WorkerStatus = "stopped"
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
	ShutdownAt  time.Time // zero while it runs
}

// WorkerRegisterParams describes a new worker. Name may be empty: then the
// backend makes one of Hostname and the id.
type WorkerRegisterParams struct {
	QueueID  int64
	Name     string
	Hostname string
	Port     int32
	At       time.Time
}

// WorkerStopParams names the worker that ends.
type WorkerStopParams struct {
	ID int64
	At time.Time
}
