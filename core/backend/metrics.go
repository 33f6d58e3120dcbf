package backend

import "time"

// QueueMetrics are the numbers of one queue, by the backend's clock. They come from
// sets of messages and from counters, so that what they cost does not grow with the
// messages.
type QueueMetrics struct {
	QueueID  int64
	Name     string
	PausedAt time.Time // zero while it is not paused

	// Depth is every live message: ready, delayed or leased.
	Depth, Ready, Delayed, Leased int64
	// Archived and Dead are kept.
	Archived, Dead int64
	// Produced and Acked (archived or deleted by whoever held the lease) only grow.
	Produced, Acked int64
	// OldestReady is how long the first ready message has been ready; zero where
	// there is none.
	OldestReady time.Duration
	// ProduceRate and AckRate are messages a second in the last minute.
	ProduceRate, AckRate float64
}

// SystemStats are the numbers of all queues together.
type SystemStats struct {
	Queues, PausedQueues            int64
	Workers, ActiveWorkers          int64
	Depth, Ready, Delayed, Leased   int64
	Archived, Dead, Produced, Acked int64
	ProduceRate, AckRate            float64
	LogBytes, SpansBytes, DoneBytes int64 // of the tables, with their indexes; 0 in memory
	SchemaVersion                   int   // 0 in memory
}

// MetricsGetParams names the queue to measure.
type MetricsGetParams struct{ Name string }

// MetricsListParams names a page, as QueueListParams does.
type MetricsListParams struct {
	After string
	Limit int
}

// MetricsSystemParams asks for the numbers of all queues together.
type MetricsSystemParams struct{}

// MetricsFoldParams asks for one piece of the counters' upkeep.
type MetricsFoldParams struct{}
