package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// WorkerRegister implements backend.WorkerBackend; ErrQueueNotFound when there is
// no such queue.
func (b *Backend) WorkerRegister(ctx context.Context, p *backend.WorkerRegisterParams) (*backend.Worker, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	s, now := b.store, b.moment(p.At)
	if _, err := s.find(p.QueueID); err != nil {
		return nil, err
	}
	s.lastWorker++
	w := &backend.Worker{
		ID: s.lastWorker, Name: p.Name, QueueID: p.QueueID, Hostname: p.Hostname, Port: p.Port,
		Status: cmp.Or(p.Status, backend.WorkerReady), StartedAt: now, HeartbeatAt: now,
	}
	if w.Name == "" {
		w.Name = fmt.Sprintf("%s-%d", w.Hostname, w.ID)
	}
	s.workers[w.ID] = w
	r := *w
	return &r, nil
}

// WorkerMove implements backend.WorkerBackend.
func (b *Backend) WorkerMove(ctx context.Context, p *backend.WorkerMoveParams) ([]backend.Worker, error) {
	return b.eachWorker(ctx, p.IDs, p.At, func(w *backend.Worker, now time.Time) bool {
		if !slices.Contains(p.From, w.Status) {
			return false
		}
		w.Status, w.ShutdownAt = p.To, zero
		if p.To == backend.WorkerStopped {
			w.ShutdownAt = now
		}
		return true
	})
}

// WorkerBeat implements backend.WorkerBackend.
func (b *Backend) WorkerBeat(ctx context.Context, p *backend.WorkerBeatParams) ([]backend.Worker, error) {
	return b.eachWorker(ctx, p.IDs, p.At, func(w *backend.Worker, now time.Time) bool {
		if w.ShutdownAt.IsZero() {
			w.HeartbeatAt = latest(w.HeartbeatAt, now)
		}
		return true
	})
}

// eachWorker does something to workers, by their ids, and returns those for which it
// says so.
func (b *Backend) eachWorker(ctx context.Context, ids []int64, at time.Time, do func(w *backend.Worker, now time.Time) bool) ([]backend.Worker, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(at)
	var done []backend.Worker
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if w := b.store.workers[id]; w != nil && do(w, now) {
			done = append(done, seenAt(w, now))
		}
	}
	return done, nil
}

// seenAt is a copy of a worker for the caller to keep.
func seenAt(w *backend.Worker, now time.Time) backend.Worker {
	r := *w
	r.HeartbeatAge = now.Sub(w.HeartbeatAt)
	return r
}

// WorkerGet implements backend.WorkerBackend.
func (b *Backend) WorkerGet(ctx context.Context, p *backend.WorkerGetParams) (*backend.Worker, error) {
	all, err := b.eachWorker(ctx, []int64{p.ID}, p.At, func(*backend.Worker, time.Time) bool { return true })
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, backend.Errorf(backend.ErrWorkerNotFound, "worker %d does not exist", p.ID)
	}
	return &all[0], nil
}

// WorkerList implements backend.WorkerBackend.
func (b *Backend) WorkerList(ctx context.Context, p *backend.WorkerListParams) ([]backend.Worker, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(p.At)
	var page []backend.Worker
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(b.store.workers))) {
		w := b.store.workers[id]
		if (p.Before == 0 || id < p.Before) && (p.QueueID == 0 || w.QueueID == p.QueueID) && (p.Status == "" || w.Status == p.Status) {
			page = append(page, seenAt(w, now))
		}
	}
	return page[:min(p.Limit, len(page))], nil
}

// WorkerHealth implements backend.WorkerBackend.
func (b *Backend) WorkerHealth(ctx context.Context, p *backend.WorkerHealthParams) ([]backend.WorkerHealth, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(p.At)
	rows := make(map[int64]*backend.WorkerHealth)
	if !p.ByQueue {
		rows[0] = &backend.WorkerHealth{}
	}
	for _, w := range b.store.workers {
		if p.QueueID != 0 && w.QueueID != p.QueueID {
			continue
		}
		row := rows[0]
		if p.ByQueue {
			if row = rows[w.QueueID]; row == nil {
				row = &backend.WorkerHealth{QueueID: w.QueueID}
				rows[w.QueueID] = row
			}
		}
		countWorker(row, w)
		if isSilent(w, now, p.SilentFor) {
			row.Stale++
		}
	}
	all := make([]backend.WorkerHealth, 0, len(rows))
	for _, queueID := range slices.Sorted(maps.Keys(rows)) {
		all = append(all, *rows[queueID])
	}
	return all, nil
}

func countWorker(row *backend.WorkerHealth, w *backend.Worker) {
	row.Total++
	switch w.Status {
	case backend.WorkerReady:
		row.Ready++
	case backend.WorkerPolling:
		row.Polling++
	case backend.WorkerSuspended:
		row.Suspended++
	case backend.WorkerInterrupted:
		row.Interrupted++
	case backend.WorkerStopped:
		row.Stopped++
	}
}

// isSilent says of a worker whether it should be heard of and was not for so long.
func isSilent(w *backend.Worker, now time.Time, silentFor time.Duration) bool {
	return w.ShutdownAt.IsZero() && w.HeartbeatAt.Before(now.Add(-silentFor))
}

// WorkerPurge implements backend.WorkerBackend.
func (b *Backend) WorkerPurge(ctx context.Context, p *backend.WorkerPurgeParams) (int64, error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.leave()
	now := b.moment(p.At)
	var stopped, silent []int64
	for id, w := range b.store.workers {
		switch {
		case isSilent(w, now, p.SilentFor):
			silent = append(silent, id)
		case !w.ShutdownAt.IsZero() && w.ShutdownAt.Before(now.Add(-p.StoppedFor)):
			stopped = append(stopped, id)
		}
	}
	n := 0
	for _, ids := range [][]int64{stopped, silent} {
		for _, id := range ids[:min(p.Limit, len(ids))] {
			delete(b.store.workers, id)
			n++
		}
	}
	return int64(n), nil
}

// WorkerLeases implements backend.WorkerBackend.
func (b *Backend) WorkerLeases(ctx context.Context, p *backend.WorkerLeasesParams) ([]backend.WorkerLeases, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(p.At)
	var all []backend.WorkerLeases
	for _, q := range b.store.queues {
		if p.QueueID == 0 || q.ID == p.QueueID {
			for _, l := range q.leases(now) {
				all = append(all, *l)
			}
		}
	}
	slices.SortFunc(all, func(x, y backend.WorkerLeases) int {
		return cmp.Or(cmp.Compare(x.WorkerID, y.WorkerID), cmp.Compare(x.QueueID, y.QueueID))
	})
	return all, nil
}

// leases is what workers hold from a queue, by their ids.
func (q *queue) leases(now time.Time) map[int64]*backend.WorkerLeases {
	by := make(map[int64]*backend.WorkerLeases)
	for _, m := range q.line {
		if m.ConsumerWorkerID == 0 || m.state(now) != backend.StateLeased {
			continue
		}
		l := by[m.ConsumerWorkerID]
		if l == nil {
			l = &backend.WorkerLeases{WorkerID: m.ConsumerWorkerID, QueueID: q.ID}
			by[m.ConsumerWorkerID] = l
		}
		l.Leased++
		l.Longest = max(l.Longest, now.Sub(m.DequeuedAt))
	}
	return by
}

// WorkerHeld implements backend.WorkerBackend.
func (b *Backend) WorkerHeld(ctx context.Context, p *backend.WorkerHeldParams) ([]backend.Delivery, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	q, now := b.store.queues[p.QueueID], b.moment(p.At)
	if q == nil {
		return nil, nil
	}
	var held []backend.Delivery
	for _, m := range q.line {
		w := b.store.workers[m.ConsumerWorkerID]
		asked := p.WorkerID != 0 && m.ConsumerWorkerID == p.WorkerID ||
			p.WorkerID == 0 && w != nil && w.QueueID == p.QueueID && isSilent(w, now, p.SilentFor)
		d := backend.Delivery{Lease: m.Lease, ID: m.ID}
		if asked && m.Lease != 0 && compareDeliveries(d, p.After) > 0 {
			held = append(held, d)
		}
	}
	slices.SortFunc(held, compareDeliveries)
	return held[:min(p.Limit, len(held))], nil
}

func compareDeliveries(x, y backend.Delivery) int {
	return cmp.Or(cmp.Compare(x.Lease, y.Lease), cmp.Compare(x.ID, y.ID))
}
