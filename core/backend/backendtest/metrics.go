package backendtest

import (
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Metrics go by the backend's own clock, and so do these tests.
var metricsTests = []test{
	{"metrics count messages where they are", metricsCountMessages},
	{"metrics are the same after the counters were folded", metricsSurviveFolding},
	{"what nobody acknowledged is not counted as acknowledged", metricsCountAcknowledged},
	{"metrics are listed by name, page by page", metricsAreListed},
	{"the numbers of all queues add up", statsAddUp},
	{"a queue that nobody made has no metrics", missingQueueHasNoMetrics},
}

// live moves the fixture's clock away: operations go by the backend's.
func (f *fixture) live() string {
	f.Helper()
	f.now = time.Time{}
	return f.ownQueue(backend.QueueSettings{})
}

func (f *fixture) metrics(name string) *backend.QueueMetrics {
	f.Helper()
	m, err := f.b.MetricsGet(f.ctx, &backend.MetricsGetParams{Name: name})
	f.must("MetricsGet", err)
	return m
}

// wantMetrics compares the numbers that do not depend on the moment.
func (f *fixture) wantMetrics(name string, want backend.QueueMetrics) {
	f.Helper()
	got := *f.metrics(name)
	want.QueueID, want.Name, want.PausedAt = f.queue, name, got.PausedAt
	want.OldestReady, want.ProduceRate, want.AckRate = got.OldestReady, got.ProduceRate, got.AckRate
	if got != want {
		f.Fatalf("metrics are %+v, want %+v", got, want)
	}
}

func (f *fixture) fold() {
	f.Helper()
	for {
		n, err := f.b.MetricsFold(f.ctx, &backend.MetricsFoldParams{})
		f.must("MetricsFold", err)
		if n == 0 {
			return
		}
	}
}

// scenario leaves 3 ready, 2 delayed, 4 leased, 5 archived, 1 dead, and has deleted 6.
func (f *fixture) scenario() backend.QueueMetrics {
	f.Helper()
	f.produce(1)
	f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: time.Microsecond})
	for dead := 0; dead == 0; {
		dead = f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: lease, MaxReadCount: 1}).Dead
	}
	f.produce(15)
	held := f.dequeue(15)
	f.archive(deliveriesOf(held[:5])...)
	f.delete(deliveriesOf(held[5:11])...)
	f.produce(3)
	f.produceDelayed(2, time.Hour)
	return backend.QueueMetrics{
		Depth: 9, Ready: 3, Delayed: 2, Leased: 4, Archived: 5, Dead: 1, Produced: 21, Acked: 11,
	}
}

func metricsCountMessages(f *fixture) {
	name := f.live()
	f.wantMetrics(name, backend.QueueMetrics{})
	if m := f.metrics(name); m.OldestReady != 0 || m.ProduceRate != 0 || m.AckRate != 0 {
		f.Errorf("an empty queue has %+v", m)
	}
	want := f.scenario()
	f.wantMetrics(name, want)
	m := f.metrics(name)
	if m.OldestReady <= 0 || m.OldestReady > timeout {
		f.Errorf("the first ready message has been ready for %v", m.OldestReady)
	}
	// 21 in 50 to 60 seconds, unless this took long.
	if m.ProduceRate <= 0 || m.ProduceRate > 0.5 || m.AckRate <= 0 || m.AckRate > m.ProduceRate {
		f.Errorf("rates are %v and %v", m.ProduceRate, m.AckRate)
	}
}

func metricsSurviveFolding(f *fixture) {
	name := f.live()
	want := f.scenario()
	f.fold()
	f.wantMetrics(name, want)
	f.produce(2)
	want.Depth, want.Ready, want.Produced = want.Depth+2, want.Ready+2, want.Produced+2
	f.wantMetrics(name, want)
	f.fold()
	f.wantMetrics(name, want)
	if m := f.metrics(name); m.ProduceRate <= 0 || m.AckRate <= 0 {
		f.Errorf("folding lost the rates: %+v", m)
	}
	f.fold()
	f.must("QueueDelete", f.b.QueueDelete(f.ctx, &backend.QueueDeleteParams{Name: name, Force: true}))
	q, err := f.b.QueueCreate(f.ctx, &backend.QueueCreateParams{Name: name})
	f.must("QueueCreate", err)
	f.queue = q.ID
	f.fold()
	f.wantMetrics(name, backend.QueueMetrics{})
}

func metricsCountAcknowledged(f *fixture) {
	name := f.live()
	f.produce(4)
	held := f.dequeue(2)
	f.archive(deliveryOf(held[0]))
	f.archive(deliveryOf(held[0]))
	f.archiveAgain(deliveryOf(held[0]))
	f.giveBack(deliveryOf(held[1]))
	_, err := f.b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: f.queue})
	f.must("QueuePurge", err)
	f.delete(deliveryOf(held[1]))
	f.wantMetrics(name, backend.QueueMetrics{Archived: 1, Produced: 4, Acked: 1})
}

func metricsAreListed(f *fixture) {
	one, two := f.live(), f.live()
	f.produce(1)
	page, err := f.b.MetricsList(f.ctx, &backend.MetricsListParams{After: one, Limit: 1000})
	f.must("MetricsList", err)
	for i := range page {
		if page[i].Name <= one || i > 0 && page[i].Name <= page[i-1].Name {
			f.Errorf("%q is out of order, after %q", page[i].Name, one)
		}
		if page[i].Name == two && (page[i].Depth != 1 || page[i].QueueID != f.queue) {
			f.Errorf("the list has %+v", page[i])
		}
	}
	page, err = f.b.MetricsList(f.ctx, &backend.MetricsListParams{Limit: 1})
	f.must("MetricsList", err)
	if len(page) != 1 {
		f.Errorf("a page of one has %d", len(page))
	}
}

func statsAddUp(f *fixture) {
	name := f.live()
	f.scenario()
	f.must("QueuePause", second(f.b.QueuePause(f.ctx, &backend.QueuePauseParams{Name: name})))
	w := f.register(&backend.WorkerRegisterParams{Hostname: "h"})
	f.move(backend.WorkerStopped, living, w.ID)
	s, err := f.b.MetricsSystem(f.ctx, &backend.MetricsSystemParams{})
	f.must("MetricsSystem", err)
	all, err := f.b.MetricsList(f.ctx, &backend.MetricsListParams{Limit: 1000})
	f.must("MetricsList", err)
	var depth, archived, produced, paused int64
	for _, m := range all {
		depth, archived, produced = depth+m.Depth, archived+m.Archived, produced+m.Produced
		if !m.PausedAt.IsZero() {
			paused++
		}
	}
	if s.Queues != int64(len(all)) || s.PausedQueues != paused || s.Depth != depth || s.Archived != archived || s.Produced != produced ||
		s.Depth != s.Ready+s.Delayed+s.Leased || s.Dead < 1 || s.Acked < 11 || s.ProduceRate <= 0 || s.AckRate <= 0 {
		f.Errorf("%d queues are %+v", len(all), s)
	}
	if s.Workers-s.ActiveWorkers < 1 {
		f.Errorf("one worker was stopped: %+v", s)
	}
	if f.b.Capabilities().Durable != (s.LogBytes > 0 && s.SpansBytes > 0 && s.DoneBytes > 0 && s.SchemaVersion > 0) {
		f.Errorf("tables: %+v", s)
	}
}

func second[T any](_ T, err error) error { return err }

func missingQueueHasNoMetrics(f *fixture) {
	_, err := f.b.MetricsGet(f.ctx, &backend.MetricsGetParams{Name: "nobody made this"})
	f.wantError("MetricsGet", err, backend.ErrQueueNotFound)
}
