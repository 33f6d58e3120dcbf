package bridge

import (
	"context"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// archivedRecord is an archived or dead message as it crosses.
type archivedRecord struct {
	ID               int64   `json:"id"`
	QueueID          int64   `json:"queue_id"`
	Payload          string  `json:"payload"`
	EnqueuedAtUs     int64   `json:"enqueued_at_us"`
	VTUs             int64   `json:"vt_us"`
	ReadCt           int32   `json:"read_ct"`
	DequeuedAtUs     *int64  `json:"dequeued_at_us"`
	ArchivedAtUs     int64   `json:"archived_at_us"`
	ProducerWorkerID *int64  `json:"producer_worker_id"`
	ConsumerWorkerID *int64  `json:"consumer_worker_id"`
	Outcome          string  `json:"outcome"`
	Error            *string `json:"error"`
}

func newArchivedRecord(m *backend.ArchivedMessage) *archivedRecord {
	return &archivedRecord{
		ID: m.ID, QueueID: m.QueueID, Payload: string(m.Payload), EnqueuedAtUs: m.EnqueuedAt.UnixMicro(), VTUs: m.VT.UnixMicro(),
		ReadCt: m.ReadCount, DequeuedAtUs: micros(m.DequeuedAt), ArchivedAtUs: m.ArchivedAt.UnixMicro(),
		ProducerWorkerID: nonZero(m.ProducerWorkerID), ConsumerWorkerID: nonZero(m.ConsumerWorkerID),
		Outcome: string(m.State), Error: nonZero(m.Error),
	}
}

// nonZero is null for what is not there.
func nonZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// archiveFilter is what requests about many archived messages have in common.
type archiveFilter struct {
	Queue    *string `json:"queue"`
	Outcome  *string `json:"outcome"`
	WorkerID *int64  `json:"worker_id"`
	SinceUs  *int64  `json:"since_us"`
	UntilUs  *int64  `json:"until_us"`
}

func (a *archiveFilter) filter() pgqrs.ArchiveFilter {
	return pgqrs.ArchiveFilter{
		Queue: or(a.Queue, ""), State: backend.MessageState(or(a.Outcome, "")), WorkerID: or(a.WorkerID, 0),
		Since: instant(a.SinceUs), Until: instant(a.UntilUs),
	}
}

// instant is a moment that has crossed; zero where it is null.
func instant(us *int64) time.Time {
	if us == nil {
		return time.Time{}
	}
	return time.UnixMicro(*us)
}

type archivePage struct {
	Filter  archiveFilter `json:"filter"`
	AfterUs *int64        `json:"after_us"`
	AfterID *int64        `json:"after_id"`
	Limit   *int          `json:"limit"`
}

func archiveList(ctx context.Context, s *pgqrs.Store, a *archivePage) ([]*archivedRecord, error) {
	after := backend.ArchivePlace{ArchivedAt: instant(a.AfterUs), ID: or(a.AfterID, 0)}
	page, err := s.ListArchive(ctx, a.Filter.filter(), after, or(a.Limit, pgqrs.MaxPage))
	return recordsOf(page, newArchivedRecord), err
}

type archiveCounting struct {
	Filter archiveFilter `json:"filter"`
}

func archiveCount(ctx context.Context, s *pgqrs.Store, a *archiveCounting) (int64, error) {
	return s.CountArchive(ctx, a.Filter.filter())
}

type messageID struct {
	MessageID int64 `json:"message_id"`
}

func archiveGet(ctx context.Context, s *pgqrs.Store, a *messageID) (*archivedRecord, error) {
	m, err := s.GetArchived(ctx, a.MessageID)
	if err != nil {
		return nil, err
	}
	return newArchivedRecord(m), nil
}

func archiveReplay(ctx context.Context, s *pgqrs.Store, a *messageID) (none, error) {
	return none{}, s.ReplayMessage(ctx, a.MessageID)
}

func archiveDelete(ctx context.Context, s *pgqrs.Store, a *messageID) (none, error) {
	return none{}, s.DeleteDone(ctx, a.MessageID)
}

type archiveReplaying struct {
	Filter    archiveFilter `json:"filter"`
	Most      *int64        `json:"most"`
	PerSecond *float64      `json:"per_second"`
}

func archiveReplayAll(ctx context.Context, s *pgqrs.Store, a *archiveReplaying) (int64, error) {
	return s.Replay(ctx, a.Filter.filter(), or(a.Most, 0), or(a.PerSecond, 0))
}

type archivePurging struct {
	OlderThanUs int64   `json:"older_than_us"`
	Queue       *string `json:"queue"`
}

func archivePurge(ctx context.Context, s *pgqrs.Store, a *archivePurging) (int64, error) {
	return s.PurgeArchive(ctx, or(a.Queue, ""), or(period(&a.OlderThanUs), 0))
}
