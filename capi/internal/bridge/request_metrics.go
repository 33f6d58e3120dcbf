package bridge

import (
	"context"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// metricsRecord is the numbers of a queue as they cross.
type metricsRecord struct {
	QueueID          int64   `json:"queue_id"`
	QueueName        string  `json:"queue_name"`
	PausedAtUs       *int64  `json:"paused_at_us"`
	Depth            int64   `json:"depth"`
	Ready            int64   `json:"ready"`
	Delayed          int64   `json:"delayed"`
	Leased           int64   `json:"leased"`
	Archived         int64   `json:"archived"`
	Dead             int64   `json:"dead"`
	Produced         int64   `json:"produced"`
	Acked            int64   `json:"acked"`
	OldestReadyAgeUs int64   `json:"oldest_ready_age_us"`
	ProduceRate      float64 `json:"produce_rate"`
	AckRate          float64 `json:"ack_rate"`
}

func newMetricsRecord(m *backend.QueueMetrics) *metricsRecord {
	return &metricsRecord{
		QueueID: m.QueueID, QueueName: m.Name, PausedAtUs: micros(m.PausedAt),
		Depth: m.Depth, Ready: m.Ready, Delayed: m.Delayed, Leased: m.Leased, Archived: m.Archived, Dead: m.Dead,
		Produced: m.Produced, Acked: m.Acked, OldestReadyAgeUs: m.OldestReady.Microseconds(),
		ProduceRate: m.ProduceRate, AckRate: m.AckRate,
	}
}

func metricsGet(ctx context.Context, s *pgqrs.Store, a *queueName) (*metricsRecord, error) {
	m, err := s.QueueMetrics(ctx, a.Name)
	if err != nil {
		return nil, err
	}
	return newMetricsRecord(m), nil
}

func metricsList(ctx context.Context, s *pgqrs.Store, a *queuePage) ([]*metricsRecord, error) {
	page, err := s.AllQueuesMetrics(ctx, or(a.After, ""), or(a.Limit, pgqrs.MaxPage))
	return recordsOf(page, newMetricsRecord), err
}

// statsRecord is the numbers of all queues together as they cross.
type statsRecord struct {
	Queues        int64   `json:"queues"`
	PausedQueues  int64   `json:"paused_queues"`
	Workers       int64   `json:"workers"`
	ActiveWorkers int64   `json:"active_workers"`
	Depth         int64   `json:"depth"`
	Ready         int64   `json:"ready"`
	Delayed       int64   `json:"delayed"`
	Leased        int64   `json:"leased"`
	Archived      int64   `json:"archived"`
	Dead          int64   `json:"dead"`
	Produced      int64   `json:"produced"`
	Acked         int64   `json:"acked"`
	ProduceRate   float64 `json:"produce_rate"`
	AckRate       float64 `json:"ack_rate"`
	LogBytes      int64   `json:"log_bytes"`
	SpansBytes    int64   `json:"spans_bytes"`
	DoneBytes     int64   `json:"done_bytes"`
	SchemaVersion int     `json:"schema_version"`
}

func metricsSystem(ctx context.Context, s *pgqrs.Store, _ *none) (*statsRecord, error) {
	m, err := s.SystemStats(ctx)
	if err != nil {
		return nil, err
	}
	r := statsRecord(*m)
	return &r, nil
}
