package bridge

import (
	"context"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// queueRecord is a queue as it crosses.
type queueRecord struct {
	ID          int64        `json:"id"`
	QueueName   string       `json:"queue_name"`
	CreatedAtUs int64        `json:"created_at_us"`
	PausedAtUs  *int64       `json:"paused_at_us"`
	DefaultVTUs *int64       `json:"default_vt_us"`
	MaxReadCt   *int         `json:"max_read_ct"`
	RetentionUs *int64       `json:"retention_us"`
	Retry       *retryRecord `json:"retry"`
}

// retryRecord is a retry policy as it crosses, both ways.
type retryRecord struct {
	Kind   string   `json:"kind"`
	BaseUs *int64   `json:"base_us"`
	MaxUs  *int64   `json:"max_us"`
	Jitter *float64 `json:"jitter"`
}

func newQueueRecord(q *backend.Queue) *queueRecord {
	r := &queueRecord{
		ID: q.ID, QueueName: q.Name, CreatedAtUs: q.CreatedAt.UnixMicro(), PausedAtUs: micros(q.PausedAt), MaxReadCt: q.MaxReadCount,
	}
	if q.DefaultVT != 0 {
		r.DefaultVTUs = lasting(&q.DefaultVT)
	}
	r.RetentionUs = lasting(q.Retention)
	if q.Retry.Kind != backend.RetryNone {
		r.Retry = &retryRecord{
			Kind: string(q.Retry.Kind), BaseUs: lasting(&q.Retry.Base), MaxUs: lasting(&q.Retry.Max), Jitter: &q.Retry.Jitter,
		}
	}
	return r
}

// policy is the policy that a record says; nil is none.
func (r *retryRecord) policy() backend.RetryPolicy {
	if r == nil {
		return backend.RetryPolicy{Kind: backend.RetryNone}
	}
	return backend.RetryPolicy{
		Kind: backend.RetryKind(r.Kind), Base: or(period(r.BaseUs), 0), Max: or(period(r.MaxUs), 0), Jitter: or(r.Jitter, 0),
	}
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

type queueMaking struct {
	Name        string       `json:"name"`
	DefaultVTUs *int64       `json:"default_vt_us"`
	MaxReadCt   *int         `json:"max_read_ct"`
	RetentionUs *int64       `json:"retention_us"`
	Retry       *retryRecord `json:"retry"`
}

func queueCreate(ctx context.Context, s *pgqrs.Store, a *queueMaking) (*queueRecord, error) {
	return oneQueue(s.CreateQueue(ctx, a.Name, backend.QueueSettings{
		DefaultVT: or(period(a.DefaultVTUs), 0), MaxReadCount: a.MaxReadCt, Retention: period(a.RetentionUs), Retry: a.Retry.policy(),
	}))
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
	return recordsOf(page, newQueueRecord), err
}

func queueCount(ctx context.Context, s *pgqrs.Store, _ *none) (int64, error) {
	return s.CountQueues(ctx)
}

type queueChange struct {
	Name        string              `json:"name"`
	DefaultVTUs change[int64]       `json:"default_vt_us"`
	MaxReadCt   change[int]         `json:"max_read_ct"`
	RetentionUs change[int64]       `json:"retention_us"`
	Retry       change[retryRecord] `json:"retry"`
}

func queueUpdate(ctx context.Context, s *pgqrs.Store, a *queueChange) (*queueRecord, error) {
	return oneQueue(s.UpdateQueue(ctx, backend.QueueUpdateParams{
		Name:         a.Name,
		DefaultVT:    backend.Change[time.Duration]{Given: a.DefaultVTUs.given, To: or(period(a.DefaultVTUs.value), 0)},
		MaxReadCount: backend.Change[*int]{Given: a.MaxReadCt.given, To: a.MaxReadCt.value},
		Retention:    backend.Change[*time.Duration]{Given: a.RetentionUs.given, To: period(a.RetentionUs.value)},
		Retry:        backend.Change[backend.RetryPolicy]{Given: a.Retry.given, To: a.Retry.value.policy()},
	}))
}

func queuePause(ctx context.Context, s *pgqrs.Store, a *queueName) (*queueRecord, error) {
	return oneQueue(s.PauseQueue(ctx, a.Name))
}

func queueResume(ctx context.Context, s *pgqrs.Store, a *queueName) (*queueRecord, error) {
	return oneQueue(s.ResumeQueue(ctx, a.Name))
}

func queuePurge(ctx context.Context, s *pgqrs.Store, a *queueName) (int64, error) {
	return s.PurgeQueue(ctx, a.Name)
}

type queueDeletion struct {
	Name  string `json:"name"`
	Force *bool  `json:"force"`
}

func queueDelete(ctx context.Context, s *pgqrs.Store, a *queueDeletion) (none, error) {
	return none{}, s.DeleteQueue(ctx, a.Name, or(a.Force, false))
}
