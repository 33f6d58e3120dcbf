package bridge

import (
	"context"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// queueRecord is a queue as it crosses.
type queueRecord struct {
	ID          int64  `json:"id"`
	QueueName   string `json:"queue_name"`
	CreatedAtUs int64  `json:"created_at_us"`
}

func newQueueRecord(q *backend.Queue) *queueRecord {
	return &queueRecord{ID: q.ID, QueueName: q.Name, CreatedAtUs: q.CreatedAt.UnixMicro()}
}

// oneQueue makes the answer about one queue.
func oneQueue(q *backend.Queue, err error) (*queueRecord, error) {
	if err != nil {
		return nil, err
	}
	return newQueueRecord(q), nil
}

type queueName struct {
	Name string `json:"name"`
}

func queueCreate(ctx context.Context, s *pgqrs.Store, a *queueName) (*queueRecord, error) {
	return oneQueue(s.CreateQueue(ctx, a.Name))
}

func queueGet(ctx context.Context, s *pgqrs.Store, a *queueName) (*queueRecord, error) {
	return oneQueue(s.GetQueue(ctx, a.Name))
}

type queuePage struct {
	After *string `json:"after"`
	Limit *int    `json:"limit"`
}

func queueList(ctx context.Context, s *pgqrs.Store, a *queuePage) ([]*queueRecord, error) {
	page, err := s.ListQueues(ctx, or(a.After, ""), or(a.Limit, pgqrs.MaxPage))
	if err != nil {
		return nil, err
	}
	records := make([]*queueRecord, len(page))
	for i := range page {
		records[i] = newQueueRecord(&page[i])
	}
	return records, nil
}

func queueCount(ctx context.Context, s *pgqrs.Store, _ *none) (int64, error) {
	return s.CountQueues(ctx)
}
