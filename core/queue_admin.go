package pgqrs

import (
	"context"
	"errors"

	"github.com/pgqrs/pgqrs/core/backend"
)

// MaxPage bounds what one call lists.
const MaxPage = 1000

// CreateQueue makes a queue with settings of its own; ErrQueueExists when the name
// is taken.
func (s *Store) CreateQueue(ctx context.Context, name string, settings backend.QueueSettings) (*backend.Queue, error) {
	if err := errors.Join(validateQueueName(name), validateSettings(&settings)); err != nil {
		return nil, err
	}
	return administer(ctx, s, func() (*backend.Queue, error) {
		return s.backend.QueueCreate(ctx, &backend.QueueCreateParams{Name: name, QueueSettings: settings})
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

// UpdateQueue changes what p names of the settings of a queue, and returns the queue
// as it is then. Streams of the queue and dequeues take them up at once.
func (s *Store) UpdateQueue(ctx context.Context, p backend.QueueUpdateParams) (*backend.Queue, error) {
	settings := backend.QueueSettings{
		DefaultVT: p.DefaultVT.To, MaxReadCount: p.MaxReadCount.To, Retention: p.Retention.To, Retry: p.Retry.To,
	}
	if err := errors.Join(validateQueueName(p.Name), validateSettings(&settings)); err != nil {
		return nil, err
	}
	p.Retry.To = settings.Retry
	return administer(ctx, s, func() (*backend.Queue, error) { return s.backend.QueueUpdate(ctx, &p) })
}

// PauseQueue makes a queue give no messages until ResumeQueue. It takes messages as
// before, and those that are leased can be settled. A queue that is paused already
// stays so.
func (s *Store) PauseQueue(ctx context.Context, name string) (*backend.Queue, error) {
	if err := validateQueueName(name); err != nil {
		return nil, err
	}
	return administer(ctx, s, func() (*backend.Queue, error) {
		return s.backend.QueuePause(ctx, &backend.QueuePauseParams{Name: name})
	})
}

// ResumeQueue makes a paused queue give messages again, and wakes who waits for them.
func (s *Store) ResumeQueue(ctx context.Context, name string) (*backend.Queue, error) {
	if err := validateQueueName(name); err != nil {
		return nil, err
	}
	q, err := administer(ctx, s, func() (*backend.Queue, error) {
		return s.backend.QueueResume(ctx, &backend.QueueResumeParams{Name: name})
	})
	if err == nil {
		s.waker.produced(q.ID)
	}
	return q, err
}

// PurgeQueue deletes every message of a queue that is not archived or dead, leased
// ones included, and returns how many there were. What is produced meanwhile may stay.
func (s *Store) PurgeQueue(ctx context.Context, name string) (int64, error) {
	q, err := s.GetQueue(ctx, name)
	if err != nil {
		return 0, err
	}
	return administer(ctx, s, func() (int64, error) {
		return s.backend.QueuePurge(ctx, &backend.QueuePurgeParams{QueueID: q.ID})
	})
}

// DeleteQueue deletes a queue and its workers. A queue that has messages, archived and
// dead ones included, is deleted with them where force is set, and is ErrQueueNotEmpty
// otherwise. Whoever uses it afterwards makes it anew (Config.AutoCreateQueues).
func (s *Store) DeleteQueue(ctx context.Context, name string, force bool) error {
	if err := validateQueueName(name); err != nil {
		return err
	}
	_, err := administer(ctx, s, func() (struct{}, error) {
		return struct{}{}, s.backend.QueueDelete(ctx, &backend.QueueDeleteParams{Name: name, Force: force})
	})
	if errors.Is(err, ErrQueueNotEmpty) {
		return backend.Errorf(ErrQueueNotEmpty, "the queue %q has messages, live, archived or dead, and is deleted with them only by force", name)
	}
	if err == nil {
		s.queues.forget(name)
	}
	return err
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
