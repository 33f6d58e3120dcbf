package pgqrs

import (
	"context"

	"github.com/pgqrs/pgqrs/core/backend"
)

// MaxPage bounds what one call lists.
const MaxPage = 1000

// CreateQueue makes a queue; ErrQueueExists when the name is taken.
func (s *Store) CreateQueue(ctx context.Context, name string) (*backend.Queue, error) {
	if err := validateQueueName(name); err != nil {
		return nil, err
	}
	return administer(ctx, s, func() (*backend.Queue, error) {
		return s.backend.QueueCreate(ctx, &backend.QueueCreateParams{Name: name})
	})
}

// GetQueue returns the queue of that name, or ErrQueueNotFound.
func (s *Store) GetQueue(ctx context.Context, name string) (*backend.Queue, error) {
	if err := validateQueueName(name); err != nil {
		return nil, err
	}
	return administer(ctx, s, func() (*backend.Queue, error) {
		return s.backend.QueueGet(ctx, &backend.QueueGetParams{Name: name})
	})
}

// ListQueues returns at most limit queues, 1 … MaxPage, ordered by name: those
// whose names come after `after`. The last name of a page leads to the next.
func (s *Store) ListQueues(ctx context.Context, after string, limit int) ([]backend.Queue, error) {
	if limit < 1 || limit > MaxPage {
		return nil, errInvalid("limit must be between 1 and %d, not %d", MaxPage, limit)
	}
	return administer(ctx, s, func() ([]backend.Queue, error) {
		return s.backend.QueueList(ctx, &backend.QueueListParams{After: after, Limit: limit})
	})
}

// CountQueues says how many queues there are.
func (s *Store) CountQueues(ctx context.Context) (int64, error) {
	return administer(ctx, s, func() (int64, error) {
		return s.backend.QueueCount(ctx, &backend.QueueCountParams{})
	})
}

// administer does what is on no hot path, and does it again where that does no
// harm and may help.
func administer[R any](ctx context.Context, s *Store, do func() (R, error)) (r R, err error) {
	if s.isClosed() {
		return r, errClosed()
	}
	err = s.retryWhileSafe(ctx, func() (err error) {
		r, err = do()
		return err
	})
	return r, err
}
