package memory

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// tally counts what was done with the messages of a queue: altogether, and in each ten
// seconds of the last minute.
type tally struct {
	produced, acked int64
	lately          []period
}

// period is ten seconds, from at on.
type period struct {
	at              time.Time
	produced, acked int64
}

const periodLength = 10 * time.Second

func (t *tally) count(now time.Time, produced, acked int64) {
	t.produced, t.acked = t.produced+produced, t.acked+acked
	at, since := now.Truncate(periodLength), lately(now)
	t.lately = slices.DeleteFunc(t.lately, func(p period) bool { return p.at.Before(since) })
	i := slices.IndexFunc(t.lately, func(p period) bool { return p.at.Equal(at) })
	if i < 0 {
		i = len(t.lately)
		t.lately = append(t.lately, period{at: at})
	}
	t.lately[i].produced, t.lately[i].acked = t.lately[i].produced+produced, t.lately[i].acked+acked
}

// lately is where the last minute begins: 50 to 60 seconds ago.
func lately(now time.Time) time.Time { return now.Truncate(periodLength).Add(-5 * periodLength) }

// MetricsGet implements backend.MetricsBackend.
func (b *Backend) MetricsGet(ctx context.Context, p *backend.MetricsGetParams) (*backend.QueueMetrics, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	q, err := b.store.findName(p.Name)
	if err != nil {
		return nil, err
	}
	m := q.metrics(b.moment(zero))
	return &m, nil
}

// MetricsList implements backend.MetricsBackend.
func (b *Backend) MetricsList(ctx context.Context, p *backend.MetricsListParams) ([]backend.QueueMetrics, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	var page []backend.QueueMetrics
	for name, q := range b.store.names {
		if name > p.After {
			page = append(page, q.metrics(b.moment(zero)))
		}
	}
	slices.SortFunc(page, func(x, y backend.QueueMetrics) int { return strings.Compare(x.Name, y.Name) })
	return page[:min(p.Limit, len(page))], nil
}

// MetricsSystem implements backend.MetricsBackend.
func (b *Backend) MetricsSystem(ctx context.Context, _ *backend.MetricsSystemParams) (*backend.SystemStats, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	s := backend.SystemStats{Queues: int64(len(b.store.queues)), Workers: int64(len(b.store.workers))}
	for _, w := range b.store.workers {
		if w.Status != backend.WorkerStopped {
			s.ActiveWorkers++
		}
	}
	for _, q := range b.store.queues {
		m := q.metrics(b.moment(zero))
		if !m.PausedAt.IsZero() {
			s.PausedQueues++
		}
		s.Depth, s.Ready, s.Delayed, s.Leased = s.Depth+m.Depth, s.Ready+m.Ready, s.Delayed+m.Delayed, s.Leased+m.Leased
		s.Archived, s.Dead, s.Produced, s.Acked = s.Archived+m.Archived, s.Dead+m.Dead, s.Produced+m.Produced, s.Acked+m.Acked
		s.ProduceRate, s.AckRate = s.ProduceRate+m.ProduceRate, s.AckRate+m.AckRate
	}
	return &s, nil
}

// MetricsFold implements backend.MetricsBackend. The counters need no upkeep.
func (b *Backend) MetricsFold(context.Context, *backend.MetricsFoldParams) (int, error) {
	return 0, nil
}

func (q *queue) metrics(now time.Time) backend.QueueMetrics {
	c := q.counts(now)
	m := backend.QueueMetrics{
		QueueID: q.ID, Name: q.Name, PausedAt: q.PausedAt,
		Depth: int64(len(q.line)), Ready: c.Ready, Delayed: c.Delayed, Leased: c.Leased, Archived: c.Archived, Dead: c.Dead,
		Produced: q.tally.produced, Acked: q.tally.acked,
	}
	if first := q.line.head(); first != nil {
		m.OldestReady = max(0, now.Sub(first.VT))
	}
	since := lately(now)
	for _, p := range q.tally.lately {
		if !p.at.Before(since) {
			m.ProduceRate += float64(p.produced)
			m.AckRate += float64(p.acked)
		}
	}
	m.ProduceRate /= now.Sub(since).Seconds()
	m.AckRate /= now.Sub(since).Seconds()
	return m
}
