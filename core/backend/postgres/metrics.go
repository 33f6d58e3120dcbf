package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// MetricsGet implements backend.MetricsBackend.
func (b *Backend) MetricsGet(ctx context.Context, p *backend.MetricsGetParams) (*backend.QueueMetrics, error) {
	all, err := b.metrics(ctx, b.sql.MetricsGet, p.Name)
	if err == nil && len(all) == 0 {
		return nil, errNoQueue(p.Name)
	}
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

// MetricsList implements backend.MetricsBackend.
func (b *Backend) MetricsList(ctx context.Context, p *backend.MetricsListParams) ([]backend.QueueMetrics, error) {
	return b.metrics(ctx, b.sql.MetricsList, p.After, p.Limit)
}

// MetricsSystem implements backend.MetricsBackend.
func (b *Backend) MetricsSystem(ctx context.Context, _ *backend.MetricsSystemParams) (*backend.SystemStats, error) {
	var s backend.SystemStats
	err := b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		return c.QueryRow(ctx, b.sql.MetricsSystem).Scan(
			&s.Queues, &s.PausedQueues, &s.Workers, &s.ActiveWorkers, &s.Depth, &s.Ready, &s.Delayed, &s.Leased,
			&s.Archived, &s.Dead, &s.Produced, &s.Acked, &s.ProduceRate, &s.AckRate,
			&s.LogBytes, &s.SpansBytes, &s.DoneBytes, &s.SchemaVersion)
	})
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// MetricsFold implements backend.MetricsBackend.
func (b *Backend) MetricsFold(ctx context.Context, _ *backend.MetricsFoldParams) (n int, err error) {
	err = b.transact(ctx, true, b.sql.MetricsFold, nil, func(rows pgx.Rows) error {
		return each(rows, func() error { return nil }, &n)
	})
	return n, err
}

func (b *Backend) metrics(ctx context.Context, sql string, args ...any) (all []backend.QueueMetrics, err error) {
	err = b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		rows, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, readMetrics)
		return err
	})
	return all, err
}

func readMetrics(row pgx.CollectableRow) (m backend.QueueMetrics, err error) {
	var pausedAt *time.Time
	var age *float64
	err = row.Scan(&m.QueueID, &m.Name, &pausedAt, &m.Depth, &m.Ready, &m.Delayed, &m.Leased, &m.Archived, &m.Dead,
		&m.Produced, &m.Acked, &age, &m.ProduceRate, &m.AckRate)
	if pausedAt != nil {
		m.PausedAt = *pausedAt
	}
	if age != nil {
		m.OldestReady = time.Duration(*age * float64(time.Second))
	}
	return m, err
}
