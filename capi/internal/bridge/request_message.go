package bridge

import (
	"context"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// messageRecord is a message as it crosses. The payload is its JSON text, as a string.
type messageRecord struct {
	ID               int64  `json:"id"`
	QueueID          int64  `json:"queue_id"`
	State            string `json:"state"`
	Payload          string `json:"payload"`
	EnqueuedAtUs     int64  `json:"enqueued_at_us"`
	VTUs             int64  `json:"vt_us"`
	ReadCt           int32  `json:"read_ct"`
	DequeuedAtUs     *int64 `json:"dequeued_at_us"`
	ProducerWorkerID *int64 `json:"producer_worker_id"`
	ConsumerWorkerID *int64 `json:"consumer_worker_id"`
	ArchivedAtUs     *int64 `json:"archived_at_us"`
}

func newMessageRecord(m *backend.MessageRecord) *messageRecord {
	return &messageRecord{
		ID: m.ID, QueueID: m.QueueID, State: string(m.State), Payload: string(m.Payload),
		EnqueuedAtUs: m.EnqueuedAt.UnixMicro(), VTUs: m.VT.UnixMicro(), ReadCt: m.ReadCount, DequeuedAtUs: micros(m.DequeuedAt),
		ProducerWorkerID: nonZero(m.ProducerWorkerID), ConsumerWorkerID: nonZero(m.ConsumerWorkerID),
		ArchivedAtUs: micros(m.ArchivedAt),
	}
}

func messageGet(ctx context.Context, s *pgqrs.Store, a *messageID) (*messageRecord, error) {
	m, err := s.GetMessage(ctx, a.MessageID)
	if err != nil {
		return nil, err
	}
	return newMessageRecord(m), nil
}

type messagePage struct {
	Queue string  `json:"queue"`
	State *string `json:"state"`
	After *int64  `json:"after"`
	Limit *int    `json:"limit"`
}

func messageList(ctx context.Context, s *pgqrs.Store, a *messagePage) ([]*messageRecord, error) {
	page, err := s.ListMessages(ctx, pgqrs.MessageFilter{
		Queue: a.Queue, State: backend.MessageState(or(a.State, "")), After: or(a.After, 0), Limit: or(a.Limit, 100),
	})
	return recordsOf(page, newMessageRecord), err
}

type messageDeletion struct {
	MessageID int64 `json:"message_id"`
	Force     *bool `json:"force"`
}

func messageDelete(ctx context.Context, s *pgqrs.Store, a *messageDeletion) (none, error) {
	return none{}, s.DeleteMessage(ctx, a.MessageID, or(a.Force, false))
}

func messageRelease(ctx context.Context, s *pgqrs.Store, a *messageID) (none, error) {
	return none{}, s.ReleaseMessage(ctx, a.MessageID)
}

// attemptRecord is one delivery in the history of a message, as it crosses.
type attemptRecord struct {
	Attempt          int32   `json:"attempt"`
	ConsumerWorkerID *int64  `json:"consumer_worker_id"`
	StartedAtUs      int64   `json:"started_at_us"`
	EndedAtUs        *int64  `json:"ended_at_us"`
	Outcome          string  `json:"outcome"`
	Error            *string `json:"error"`
}

func messageHistory(ctx context.Context, s *pgqrs.Store, a *messageID) ([]*attemptRecord, error) {
	history, err := s.MessageHistory(ctx, a.MessageID)
	return recordsOf(history, func(t *backend.Attempt) *attemptRecord {
		return &attemptRecord{
			Attempt: t.Number, ConsumerWorkerID: nonZero(t.WorkerID), StartedAtUs: t.StartedAt.UnixMicro(),
			EndedAtUs: micros(t.EndedAt), Outcome: string(t.Outcome), Error: nonZero(t.Error),
		}
	}), err
}

// failureRecord is one delivery that failed, as it crosses.
type failureRecord struct {
	Lease     int64   `json:"lease"`
	MessageID int64   `json:"message_id"`
	Error     *string `json:"error"`
	DelayUs   *int64  `json:"delay_us"`
}

type messageFailing struct {
	QueueID  int64           `json:"queue_id"`
	Failures []failureRecord `json:"failures"`
	Retry    *retryRecord    `json:"retry"`
}

func messageFail(ctx context.Context, s *pgqrs.Store, a *messageFailing) ([]bool, error) {
	t := pgqrs.Target{QueueID: a.QueueID, Deliveries: make([]backend.Delivery, len(a.Failures))}
	failures := make([]pgqrs.Failure, len(a.Failures))
	for i, f := range a.Failures {
		if f.Lease <= 0 { // 0 would mean: by id
			return nil, invalid("lease %d of failure %d is not positive", f.Lease, i)
		}
		t.Deliveries[i] = backend.Delivery{Lease: f.Lease, ID: f.MessageID}
		failures[i] = pgqrs.Failure{Error: or(f.Error, ""), Delay: or(period(f.DelayUs), pgqrs.DelayByPolicy)}
	}
	var retry backend.RetryPolicy
	if a.Retry != nil {
		retry = a.Retry.policy()
	}
	return s.Fail(ctx, t, failures, retry)
}
