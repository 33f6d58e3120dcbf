package pgqrs

import (
	"context"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// ArchiveFilter says which of the messages that are done are meant: archived or dead.
type ArchiveFilter struct {
	Queue    string               // empty: of all queues
	State    backend.MessageState // backend.StateArchived or StateDead; empty: both
	WorkerID int64                // to which they were leased last; 0: any
	// Since and Until bound the moment at which they were archived, or became dead: from
	// Since on, before Until; zero: no bound.
	Since, Until time.Time
}

// asked makes the filter of a backend.
func (s *Store) asked(ctx context.Context, f *ArchiveFilter) (backend.ArchiveFilter, error) {
	if f.State != "" && f.State != backend.StateArchived && f.State != backend.StateDead {
		return backend.ArchiveFilter{}, errInvalid("a message that is done is archived or dead, not %q", f.State)
	}
	queueID, err := s.queueToAsk(ctx, f.Queue)
	return backend.ArchiveFilter{QueueID: queueID, State: f.State, WorkerID: f.WorkerID, Since: f.Since, Until: f.Until}, err
}

// ListArchive returns at most limit messages, 1 … MaxPage, the latest first: those behind
// `after`. The last of a page leads to the next.
func (s *Store) ListArchive(ctx context.Context, f ArchiveFilter, after backend.ArchivePlace, limit int) ([]backend.ArchivedMessage, error) {
	if limit < 1 || limit > MaxPage {
		return nil, errInvalid("limit must be between 1 and %d, not %d", MaxPage, limit)
	}
	filter, err := s.asked(ctx, &f)
	if err != nil {
		return nil, err
	}
	return administer(ctx, s, func() ([]backend.ArchivedMessage, error) {
		return s.backend.ArchiveList(ctx, &backend.ArchiveListParams{ArchiveFilter: filter, After: after, Limit: limit})
	})
}

// CountArchive counts messages that are done. The cost grows with their number;
// QueueMetrics has the counters of a whole queue at no cost.
func (s *Store) CountArchive(ctx context.Context, f ArchiveFilter) (int64, error) {
	filter, err := s.asked(ctx, &f)
	if err != nil {
		return 0, err
	}
	return administer(ctx, s, func() (int64, error) {
		return s.backend.ArchiveCount(ctx, &backend.ArchiveCountParams{ArchiveFilter: filter})
	})
}

// GetMessage returns a message, live, archived or dead; ErrMessageNotFound.
func (s *Store) GetMessage(ctx context.Context, id int64) (*backend.MessageRecord, error) {
	return administer(ctx, s, func() (*backend.MessageRecord, error) {
		return s.backend.MessageGet(ctx, &backend.MessageGetParams{ID: id})
	})
}

// MessageHistory lists the deliveries of a message, the first one first: what became of
// each, and why those failed that did. Of those that did not end in the archive the
// newest 100 are kept, as long as the message is. ErrMessageNotFound.
func (s *Store) MessageHistory(ctx context.Context, id int64) ([]backend.Attempt, error) {
	return administer(ctx, s, func() ([]backend.Attempt, error) {
		return s.backend.MessageHistory(ctx, &backend.MessageHistoryParams{ID: id})
	})
}

// doneMessage returns a message that is archived or dead; else ErrMessageNotFound.
func (s *Store) doneMessage(ctx context.Context, id int64) (*backend.MessageRecord, error) {
	m, err := s.GetMessage(ctx, id)
	if err == nil && m.ArchivedAt.IsZero() {
		return nil, backend.Errorf(ErrMessageNotFound, "message %d is neither archived nor dead: it is %s", id, m.State)
	}
	return m, err
}

// ReplayMessage makes a message that is archived or dead ready again, under its id and
// with a read_ct of 0; its history stays. ErrMessageNotFound: there is no such message.
func (s *Store) ReplayMessage(ctx context.Context, id int64) error {
	m, err := s.doneMessage(ctx, id)
	if err != nil {
		return err
	}
	n, err := s.replay(ctx, m.QueueID, []int64{id})
	if err == nil && n == 0 {
		return backend.Errorf(ErrMessageNotFound, "message %d is not archived or dead any more", id)
	}
	return err
}

// GetArchived returns a message that is archived or dead; ErrMessageNotFound.
func (s *Store) GetArchived(ctx context.Context, id int64) (*backend.ArchivedMessage, error) {
	m, err := s.doneMessage(ctx, id)
	if err != nil {
		return nil, err
	}
	history, err := s.MessageHistory(ctx, id)
	if err != nil {
		return nil, err
	}
	archived := &backend.ArchivedMessage{MessageRecord: *m}
	for _, a := range history {
		if a.Error != "" {
			archived.Error = a.Error
		}
	}
	return archived, nil
}

// replay makes messages of one queue ready again, and returns how many there were.
func (s *Store) replay(ctx context.Context, queueID int64, ids []int64) (int, error) {
	replayed, err := administer(ctx, s, func() ([]int64, error) {
		return s.backend.ArchiveReplay(ctx, &backend.ArchiveReplayParams{QueueID: queueID, IDs: ids})
	})
	if len(replayed) > 0 {
		s.waker.produced(queueID)
	}
	return len(replayed), err
}

// DeleteDone deletes a message that is archived or dead; ErrMessageNotFound: there is no
// such message.
func (s *Store) DeleteDone(ctx context.Context, id int64) error {
	m, err := s.doneMessage(ctx, id)
	if err != nil {
		return err
	}
	n, err := administer(ctx, s, func() (int64, error) {
		return s.backend.ArchiveDelete(ctx, &backend.ArchiveDeleteParams{QueueID: m.QueueID, IDs: []int64{id}})
	})
	if err == nil && n == 0 {
		return backend.Errorf(ErrMessageNotFound, "message %d is not archived or dead any more", id)
	}
	return err
}

// replayPage is how many messages one transaction of a replay takes.
const replayPage = 500

// Replay makes messages ready again as ReplayMessage does: those that the filter means
// and that are done when it begins, the latest first, at most `most` of them (0: all),
// and at most `rate` a second (0: as fast as it goes). It returns how many there were,
// those before an error or the end of ctx too; what they do meanwhile is their matter.
func (s *Store) Replay(ctx context.Context, f ArchiveFilter, most int64, rate float64) (replayed int64, err error) {
	if most < 0 || !(rate >= 0) {
		return 0, errInvalid("neither the number nor the rate of a replay can be negative")
	}
	size := replayPage
	if rate > 0 {
		size = int(max(1, min(replayPage, rate/10))) // ten pieces a second, or fewer
	}
	began := time.Now()
	var after backend.ArchivePlace
	for {
		if most > 0 {
			size = int(min(int64(size), most-replayed))
		}
		if size == 0 {
			return replayed, nil
		}
		page, err := s.ListArchive(ctx, f, after, size)
		if err != nil || len(page) == 0 {
			return replayed, err
		}
		for queueID, ids := range byQueue(page) {
			n, err := s.replay(ctx, queueID, ids)
			if replayed += int64(n); err != nil {
				return replayed, err
			}
		}
		last := page[len(page)-1]
		after = backend.ArchivePlace{ArchivedAt: last.ArchivedAt, ID: last.ID}
		if rate > 0 {
			due := began.Add(time.Duration(float64(replayed) / rate * float64(time.Second)))
			if !sleep(ctx, time.Until(due)) {
				return replayed, contextError(ctx)
			}
		}
	}
}

func byQueue(page []backend.ArchivedMessage) map[int64][]int64 {
	ids := make(map[int64][]int64)
	for _, m := range page {
		ids[m.QueueID] = append(ids[m.QueueID], m.ID)
	}
	return ids
}

// PurgeArchive deletes what was archived, or became dead, at least olderThan ago, of one
// queue or, where its name is empty, of all; and returns how many messages that were. It
// works in pieces, and keeps nobody waiting.
func (s *Store) PurgeArchive(ctx context.Context, queue string, olderThan time.Duration) (purged int64, err error) {
	if err := validateAge(olderThan); err != nil {
		return 0, err
	}
	if queue != "" {
		q, err := s.GetQueue(ctx, queue)
		if err != nil {
			return 0, err
		}
		return s.purgeDone(ctx, q.ID, olderThan)
	}
	page, name := make([]backend.Queue, MaxPage), ""
	for len(page) == MaxPage {
		if page, err = s.ListQueues(ctx, name, MaxPage); err != nil {
			return purged, err
		}
		for _, q := range page {
			n, err := s.purgeDone(ctx, q.ID, olderThan)
			if purged += n; err != nil {
				return purged, err
			}
			name = q.Name
		}
	}
	return purged, nil
}

func (s *Store) purgeDone(ctx context.Context, queueID int64, olderThan time.Duration) (int64, error) {
	return administer(ctx, s, func() (int64, error) {
		return s.backend.ArchivePurge(ctx, &backend.ArchivePurgeParams{QueueID: queueID, OlderThan: olderThan})
	})
}

// expireShare: enforcing retention takes at most a quarter of the time.
const expireShare = 3

// expire deletes what queues have kept long enough, and says whether there was anything.
func (s *Store) expire() bool {
	return s.untilNone("what has been kept for its retention was not deleted; the next time may succeed", func() (int64, error) {
		return s.backend.ArchiveExpire(s.ctx, &backend.ArchiveExpireParams{})
	})
}
