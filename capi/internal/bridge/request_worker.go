package bridge

import (
	"context"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// workerRecord is a worker as it crosses.
type workerRecord struct {
	ID             int64  `json:"id"`
	Name           string `json:"name"`
	QueueID        int64  `json:"queue_id"`
	Hostname       string `json:"hostname"`
	Port           int32  `json:"port"`
	Status         string `json:"status"`
	StartedAtUs    int64  `json:"started_at_us"`
	HeartbeatAtUs  int64  `json:"heartbeat_at_us"`
	HeartbeatAgeUs int64  `json:"heartbeat_age_us"`
	ShutdownAtUs   *int64 `json:"shutdown_at_us"`
}

func newWorkerRecord(w *backend.Worker) *workerRecord {
	return &workerRecord{
		ID: w.ID, Name: w.Name, QueueID: w.QueueID, Hostname: w.Hostname, Port: w.Port, Status: string(w.Status),
		StartedAtUs: w.StartedAt.UnixMicro(), HeartbeatAtUs: w.HeartbeatAt.UnixMicro(),
		HeartbeatAgeUs: w.HeartbeatAge.Microseconds(), ShutdownAtUs: micros(w.ShutdownAt),
	}
}

type workerID struct {
	WorkerID int64 `json:"worker_id"`
}

// oneWorker makes a request of what is done to one worker and answers with its row.
func oneWorker(do func(s *pgqrs.Store, ctx context.Context, id int64) (*backend.Worker, error)) request {
	return answered(func(ctx context.Context, s *pgqrs.Store, a *workerID) (*workerRecord, error) {
		w, err := do(s, ctx, a.WorkerID)
		if err != nil {
			return nil, err
		}
		return newWorkerRecord(w), nil
	})
}

type workerPage struct {
	Queue  *string `json:"queue"`
	Status *string `json:"status"`
	Before *int64  `json:"before"`
	Limit  *int    `json:"limit"`
}

func workerList(ctx context.Context, s *pgqrs.Store, a *workerPage) ([]*workerRecord, error) {
	page, err := s.ListWorkers(ctx, pgqrs.WorkerFilter{
		Queue: or(a.Queue, ""), Status: backend.WorkerStatus(or(a.Status, "")), Before: or(a.Before, 0), Limit: or(a.Limit, pgqrs.MaxPage),
	})
	if err != nil {
		return nil, err
	}
	records := make([]*workerRecord, len(page))
	for i := range page {
		records[i] = newWorkerRecord(&page[i])
	}
	return records, nil
}

// workerHealthRecord counts workers as they cross.
type workerHealthRecord struct {
	QueueID     *int64 `json:"queue_id"`
	Total       int64  `json:"total"`
	Ready       int64  `json:"ready"`
	Polling     int64  `json:"polling"`
	Suspended   int64  `json:"suspended"`
	Interrupted int64  `json:"interrupted"`
	Stopped     int64  `json:"stopped"`
	Stale       int64  `json:"stale"`
}

type workerCheck struct {
	Queue        *string `json:"queue"`
	ByQueue      *bool   `json:"by_queue"`
	StaleAfterUs *int64  `json:"stale_after_us"`
}

func workerHealth(ctx context.Context, s *pgqrs.Store, a *workerCheck) ([]*workerHealthRecord, error) {
	all, err := s.CheckWorkers(ctx, or(a.Queue, ""), or(a.ByQueue, false), or(period(a.StaleAfterUs), 0))
	if err != nil {
		return nil, err
	}
	records := make([]*workerHealthRecord, len(all))
	for i, h := range all {
		records[i] = &workerHealthRecord{
			Total: h.Total, Ready: h.Ready, Polling: h.Polling, Suspended: h.Suspended,
			Interrupted: h.Interrupted, Stopped: h.Stopped, Stale: h.Stale,
		}
		if h.QueueID != 0 {
			records[i].QueueID = &all[i].QueueID
		}
	}
	return records, nil
}

// workerLeasesRecord is what one worker holds from one queue, as it crosses.
type workerLeasesRecord struct {
	WorkerID  int64 `json:"worker_id"`
	QueueID   int64 `json:"queue_id"`
	Leased    int64 `json:"leased"`
	LongestUs int64 `json:"longest_us"`
}

type workerLeasing struct {
	Queue *string `json:"queue"`
}

func workerLeases(ctx context.Context, s *pgqrs.Store, a *workerLeasing) ([]*workerLeasesRecord, error) {
	all, err := s.LeasesByWorker(ctx, or(a.Queue, ""))
	return recordsOf(all, func(l *backend.WorkerLeases) *workerLeasesRecord {
		return &workerLeasesRecord{WorkerID: l.WorkerID, QueueID: l.QueueID, Leased: l.Leased, LongestUs: l.Longest.Microseconds()}
	}), err
}

type workerPurging struct {
	OlderThanUs int64 `json:"older_than_us"`
}

func workerPurge(ctx context.Context, s *pgqrs.Store, a *workerPurging) (int64, error) {
	return s.PurgeWorkers(ctx, or(period(&a.OlderThanUs), 0))
}

func workerBeat(ctx context.Context, s *pgqrs.Store, a *workerID) (none, error) {
	return none{}, s.BeatWorker(ctx, a.WorkerID)
}

func workerRelease(ctx context.Context, s *pgqrs.Store, a *workerID) (int64, error) {
	return s.ReleaseWorkerMessages(ctx, a.WorkerID)
}

type workerReclaiming struct {
	Queue       string `json:"queue"`
	OlderThanUs *int64 `json:"older_than_us"`
}

func workerReclaim(ctx context.Context, s *pgqrs.Store, a *workerReclaiming) (int64, error) {
	return s.ReclaimMessages(ctx, a.Queue, or(period(a.OlderThanUs), 0))
}
