package pgqrs

import (
	"context"
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/pgqrs/pgqrs/core/backend"
)

// queueNames remembers the queues that this store has used, by name.
type queueNames struct {
	mu sync.Mutex
	by map[string]*backend.Queue
}

func (n *queueNames) get(name string) *backend.Queue {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.by[name]
}

func (n *queueNames) put(q *backend.Queue) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.by == nil {
		n.by = make(map[string]*backend.Queue)
	}
	n.by[q.Name] = q
}

func (n *queueNames) forget(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.by, name)
}

func validateQueueName(name string) error {
	switch n := utf8.RuneCountInString(name); {
	case n < 1 || n > 255:
		return errInvalid("a queue name has 1 to 255 characters, not %d", n)
	case !utf8.ValidString(name):
		return errInvalid("the queue name is not valid UTF-8")
	case strings.ContainsRune(name, 0):
		return errInvalid("a queue name cannot hold the character U+0000")
	}
	return nil
}

// queue finds the queue of that name, and makes it where it is missing unless
// Config.AutoCreateQueues is false.
func (s *Store) queue(ctx context.Context, name string) (*backend.Queue, error) {
	if q := s.queues.get(name); q != nil {
		return q, nil
	}
	if err := validateQueueName(name); err != nil {
		return nil, err
	}
	var q *backend.Queue
	var err error
	if s.config.AutoCreateQueues {
		q, err = s.backend.QueueEnsure(ctx, &backend.QueueEnsureParams{Name: name})
	} else {
		q, err = s.backend.QueueGet(ctx, &backend.QueueGetParams{Name: name})
	}
	if err != nil {
		return nil, err
	}
	s.queues.put(q)
	return q, nil
}

// withQueue calls do with the queue of that name. A queue that was deleted since
// it was remembered is looked up, and made, once more.
func (s *Store) withQueue(ctx context.Context, name string, do func(*backend.Queue) error) error {
	known := s.queues.get(name) != nil
	q, err := s.queue(ctx, name)
	if err != nil {
		return err
	}
	err = do(q)
	if !errors.Is(err, ErrQueueNotFound) {
		return err
	}
	s.queues.forget(name)
	if !known {
		return err
	}
	if q, err = s.queue(ctx, name); err != nil {
		return err
	}
	return do(q)
}
