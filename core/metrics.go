package pgqrs

import (
	"context"
	"time"

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

// How long a store waits until it folds the counters again: a store that finds nothing
// to fold, because there is no traffic or because another process does it, ever longer;
// and never less than twenty times what the last time took, which is much only while
// an old snapshot keeps the server from removing what was folded.
const (
	firstFold, slowestFold = 10 * time.Second, 80 * time.Second
	foldShare              = 20
)

// upkeep folds the counters until the store closes.
func (s *Store) upkeep() {
	wait := &backoff{first: firstFold, most: slowestFold}
	for pause := wait.delay(); sleep(s.ctx, pause); {
		began := time.Now()
		if s.fold() {
			wait.reset()
		}
		pause = max(wait.delay(), foldShare*time.Since(began))
	}
}

// fold folds all there is, and says whether there was anything.
func (s *Store) fold() (any bool) {
	for {
		n, err := s.backend.MetricsFold(s.ctx, &backend.MetricsFoldParams{})
		if err != nil {
			s.log.Debug("the counters were not folded; they are exact all the same", "error", err)
		}
		if err != nil || n == 0 {
			return any
		}
		any = true
	}
}
