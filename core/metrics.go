package pgqrs

import (
	"context"

	"github.com/pgqrs/pgqrs/core/backend"
)

// QueueMetrics returns the numbers of one queue, or ErrQueueNotFound.
func (s *Store) QueueMetrics(ctx context.Context, name string) (*backend.QueueMetrics, error) {
	if err := validateQueueName(name); err != nil {
		return nil, err
	}
	return administer(ctx, s, func() (*backend.QueueMetrics, error) {
		return s.backend.MetricsGet(ctx, &backend.MetricsGetParams{Name: name})
	})
}

// AllQueuesMetrics returns the numbers of at most limit queues, 1 … MaxPage, ordered by
// name: those whose names come after `after`.
func (s *Store) AllQueuesMetrics(ctx context.Context, after string, limit int) ([]backend.QueueMetrics, error) {
	if limit < 1 || limit > MaxPage {
		return nil, errInvalid("limit must be between 1 and %d, not %d", MaxPage, limit)
	}
	return administer(ctx, s, func() ([]backend.QueueMetrics, error) {
		return s.backend.MetricsList(ctx, &backend.MetricsListParams{After: after, Limit: limit})
	})
}

// SystemStats returns the numbers of all queues together.
func (s *Store) SystemStats(ctx context.Context) (*backend.SystemStats, error) {
	return administer(ctx, s, func() (*backend.SystemStats, error) {
		return s.backend.MetricsSystem(ctx, &backend.MetricsSystemParams{})
	})
}

// foldShare: folding takes at most a twentieth of the time, which is much only while an
// old snapshot keeps the server from removing what was folded.
const foldShare = 20

// fold folds all there is, and says whether there was anything.
func (s *Store) fold() bool {
	return s.untilNone("the counters were not folded; they are exact all the same", func() (int64, error) {
		n, err := s.backend.MetricsFold(s.ctx, &backend.MetricsFoldParams{})
		return int64(n), err
	})
}
