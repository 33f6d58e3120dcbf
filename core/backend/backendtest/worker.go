package backendtest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var workerTests = []test{
	{"a worker is registered as it was described", workerIsRegistered},
	{"a worker without a name is given one", workerIsNamed},
	{"a worker is found, and listed from the newest on, page by page", workersAreListed},
	{"a worker moves only from the states that were named", workerMoves},
	{"a heartbeat is noted unless the worker has stopped", heartbeatIsNoted},
	{"workers are counted by state and by queue", workersAreCounted},
	{"workers that stopped or fell silent are purged, a bounded number at once", workersArePurged},
	{"what a worker holds is listed until it is settled", heldIsListed},
	{"what workers hold is counted while it is leased", leasesAreCounted},
	{"what silent workers of a queue hold is listed", heldBySilentIsListed},
	{"what a stopped worker held stays leased until its vt", stoppedWorkerKeepsLeases},
	{"a worker that nobody registered is not found", missingWorkerIsNotFound},
	{"workers are named on what they produce and consume", workersAreNamedOnMessages},
}

// living are the states of a worker that has not stopped.
var living = []backend.WorkerStatus{
	backend.WorkerReady, backend.WorkerPolling, backend.WorkerSuspended, backend.WorkerInterrupted,
}

func (f *fixture) move(to backend.WorkerStatus, from []backend.WorkerStatus, ids ...int64) []backend.Worker {
	f.Helper()
	moved, err := f.b.WorkerMove(f.ctx, &backend.WorkerMoveParams{IDs: ids, From: from, To: to, At: f.now})
	f.must("WorkerMove", err)
	return moved
}

func (f *fixture) beat(ids ...int64) []backend.Worker {
	f.Helper()
	alive, err := f.b.WorkerBeat(f.ctx, &backend.WorkerBeatParams{IDs: ids, At: f.now})
	f.must("WorkerBeat", err)
	return alive
}

func (f *fixture) worker(id int64) *backend.Worker {
	f.Helper()
	w, err := f.b.WorkerGet(f.ctx, &backend.WorkerGetParams{ID: id, At: f.now})
	f.must("WorkerGet", err)
	return w
}

func (f *fixture) wantNoWorker(id int64) {
	f.Helper()
	_, err := f.b.WorkerGet(f.ctx, &backend.WorkerGetParams{ID: id, At: f.now})
	f.wantError("WorkerGet", err, backend.ErrWorkerNotFound)
}

func (f *fixture) listWorkers(p *backend.WorkerListParams) (ids []int64) {
	f.Helper()
	p.At = f.now
	page, err := f.b.WorkerList(f.ctx, p)
	f.must("WorkerList", err)
	for _, w := range page {
		ids = append(ids, w.ID)
	}
	return ids
}

func (f *fixture) held(p *backend.WorkerHeldParams) []backend.Delivery {
	f.Helper()
	p.QueueID, p.At = f.queue, f.now
	held, err := f.b.WorkerHeld(f.ctx, p)
	f.must("WorkerHeld", err)
	return held
}

func (f *fixture) register(p *backend.WorkerRegisterParams) *backend.Worker {
	f.Helper()
	p.QueueID, p.At = f.queue, f.now
	w, err := f.b.WorkerRegister(f.ctx, p)
	f.must("WorkerRegister", err)
	return w
}

func workerIsRegistered(f *fixture) {
	w := f.register(&backend.WorkerRegisterParams{Name: "w'1", Hostname: `h"ost`, Port: 8080})
	if w.ID <= 0 || w.Name != "w'1" || w.QueueID != f.queue || w.Hostname != `h"ost` || w.Port != 8080 || w.Status != backend.WorkerReady {
		f.Errorf("WorkerRegister returned %+v", w)
	}
	if !w.StartedAt.Equal(f.now) || !w.HeartbeatAt.Equal(f.now) || !w.ShutdownAt.IsZero() {
		f.Errorf("the worker's times are %v, %v, %v; now is %v", w.StartedAt, w.HeartbeatAt, w.ShutdownAt, f.now)
	}
}

func workerIsNamed(f *fixture) {
	p := backend.WorkerRegisterParams{Hostname: "host", Port: 1}
	one, two := f.register(&p), f.register(&p)
	if one.ID == two.ID || one.Name == two.Name {
		f.Fatalf("two workers are %+v and %+v", one, two)
	}
	if !strings.Contains(one.Name, "host") || !strings.Contains(one.Name, strconv.FormatInt(one.ID, 10)) {
		f.Fatalf("worker %d on %q is named %q", one.ID, one.Hostname, one.Name)
	}
}

func workersAreListed(f *fixture) {
	var ids []int64
	for range 3 {
		ids = append(ids, f.register(&backend.WorkerRegisterParams{Hostname: "host", Port: 1}).ID)
	}
	f.later(time.Second)
	w := f.worker(ids[1])
	if w.ID != ids[1] || w.Hostname != "host" || w.QueueID != f.queue || w.Status != backend.WorkerReady || w.HeartbeatAge != time.Second {
		f.Errorf("WorkerGet returned %+v", w)
	}
	f.move(backend.WorkerSuspended, living, ids[0])
	for _, c := range []struct {
		p    backend.WorkerListParams
		want []int64
	}{
		{backend.WorkerListParams{QueueID: f.queue, Limit: 10}, []int64{ids[2], ids[1], ids[0]}},
		{backend.WorkerListParams{Limit: 2}, []int64{ids[2], ids[1]}},
		{backend.WorkerListParams{Before: ids[1], Limit: 1}, []int64{ids[0]}},
		{backend.WorkerListParams{QueueID: f.queue, Status: backend.WorkerSuspended, Limit: 10}, []int64{ids[0]}},
		{backend.WorkerListParams{QueueID: f.newQueue(), Limit: 10}, nil},
	} {
		if got := f.listWorkers(&c.p); !slices.Equal(got, c.want) {
			f.Errorf("WorkerList(%+v) returned %v, want %v", c.p, got, c.want)
		}
	}
}

func workerMoves(f *fixture) {
	one := f.register(&backend.WorkerRegisterParams{Hostname: "host"}).ID
	two := f.register(&backend.WorkerRegisterParams{Hostname: "host", Status: backend.WorkerPolling}).ID
	moved := f.move(backend.WorkerInterrupted, []backend.WorkerStatus{backend.WorkerPolling}, one, two, two, 1<<50)
	if len(moved) != 1 || moved[0].ID != two || moved[0].Status != backend.WorkerInterrupted || !moved[0].ShutdownAt.IsZero() {
		f.Errorf("WorkerMove returned %+v", moved)
	}
	f.later(time.Second)
	stoppedAt := f.now
	if moved = f.move(backend.WorkerStopped, living, one, two); len(moved) != 2 {
		f.Errorf("WorkerMove returned %+v", moved)
	}
	f.later(time.Second)
	if moved = f.move(backend.WorkerStopped, living, one, two); len(moved) != 0 {
		f.Errorf("a second WorkerMove returned %+v", moved)
	}
	if w := f.worker(one); w.Status != backend.WorkerStopped || !w.ShutdownAt.Equal(stoppedAt) {
		f.Errorf("stopped at %v it is %+v", stoppedAt, w)
	}
}

func heartbeatIsNoted(f *fixture) {
	one := f.register(&backend.WorkerRegisterParams{Hostname: "host"}).ID
	two := f.register(&backend.WorkerRegisterParams{Hostname: "host"}).ID
	f.move(backend.WorkerSuspended, living, one)
	f.move(backend.WorkerStopped, living, two)
	started := f.now
	f.later(time.Second)
	alive := f.beat(two, one, 1<<50)
	if len(alive) != 2 || alive[0].ID != one || alive[0].Status != backend.WorkerSuspended || alive[1].Status != backend.WorkerStopped {
		f.Fatalf("WorkerBeat returned %+v", alive)
	}
	if !alive[0].HeartbeatAt.Equal(f.now) || !alive[1].HeartbeatAt.Equal(started) || alive[1].HeartbeatAge != time.Second {
		f.Errorf("WorkerBeat returned %+v, now is %v", alive, f.now)
	}
	f.later(-time.Hour)
	if got := f.beat(one); !got[0].HeartbeatAt.Equal(alive[0].HeartbeatAt) {
		f.Errorf("a heartbeat went back from %v to %v", alive[0].HeartbeatAt, got[0].HeartbeatAt)
	}
}

func workersAreCounted(f *fixture) {
	other := f.newQueue()
	for i, status := range slices.Concat(living, []backend.WorkerStatus{backend.WorkerStopped}) {
		for range i + 1 {
			w := f.register(&backend.WorkerRegisterParams{Hostname: "host"})
			f.move(status, living, w.ID)
		}
	}
	first := f.queue
	f.later(time.Minute)
	f.queue = other
	f.register(&backend.WorkerRegisterParams{Hostname: "host"})
	health := func(p *backend.WorkerHealthParams) []backend.WorkerHealth {
		p.SilentFor, p.At = time.Second, f.now
		all, err := f.b.WorkerHealth(f.ctx, p)
		f.must("WorkerHealth", err)
		return all
	}
	want := backend.WorkerHealth{QueueID: first, Total: 15, Ready: 1, Polling: 2, Suspended: 3, Interrupted: 4, Stopped: 5, Stale: 10}
	all := health(&backend.WorkerHealthParams{ByQueue: true})
	for _, w := range []backend.WorkerHealth{want, {QueueID: other, Total: 1, Ready: 1}} {
		if !slices.Contains(all, w) {
			f.Errorf("WorkerHealth returned %+v, without %+v", all, w)
		}
	}
	want.QueueID = 0
	if got := health(&backend.WorkerHealthParams{QueueID: first}); !slices.Equal(got, []backend.WorkerHealth{want}) {
		f.Errorf("WorkerHealth returned %+v, want %+v", got, want)
	}
	if got := health(&backend.WorkerHealthParams{QueueID: 1 << 50}); !slices.Equal(got, []backend.WorkerHealth{{}}) {
		f.Errorf("WorkerHealth of no worker returned %+v", got)
	}
	if got := health(&backend.WorkerHealthParams{}); len(got) != 1 || got[0].Total < 16 {
		f.Errorf("WorkerHealth of all returned %+v", got)
	}
}

func workersArePurged(f *fixture) {
	p := &backend.WorkerPurgeParams{StoppedFor: time.Hour, SilentFor: 3 * time.Hour, Limit: 2, At: f.now.Add(100 * time.Hour)}
	for purged := int64(1); purged > 0; { // what other tests have left
		var err error
		purged, err = f.b.WorkerPurge(f.ctx, p)
		f.must("WorkerPurge", err)
	}
	var ids []int64
	for range 5 {
		ids = append(ids, f.register(&backend.WorkerRegisterParams{Hostname: "host"}).ID)
	}
	f.move(backend.WorkerStopped, living, ids[:3]...)
	for _, c := range []struct {
		later    time.Duration
		want     int64
		survivor []int64
	}{
		{time.Hour, 0, ids},
		{time.Second, 2, nil},
		{0, 1, ids[3:]},
		{0, 0, ids[3:]},
		{2 * time.Hour, 1, ids[4:]},
	} {
		f.later(c.later)
		p.At = f.now
		f.beat(ids[4])
		purged, err := f.b.WorkerPurge(f.ctx, p)
		f.must("WorkerPurge", err)
		if purged != c.want {
			f.Errorf("WorkerPurge deleted %d rows, want %d", purged, c.want)
		}
		for _, id := range c.survivor {
			f.worker(id)
		}
	}
	for _, id := range ids[:4] {
		f.wantNoWorker(id)
	}
}

// wantHeld checks what a worker holds, asking in pages of two.
func (f *fixture) wantHeld(p backend.WorkerHeldParams, messages ...[]backend.Message) {
	f.Helper()
	var want, got []backend.Delivery
	for _, m := range messages {
		want = append(want, deliveriesOf(m)...)
	}
	for p.Limit = 2; ; {
		page := f.held(&p)
		got = append(got, page...)
		if len(page) < p.Limit {
			break
		}
		p.After = page[len(page)-1]
	}
	if !slices.Equal(got, want) {
		f.Errorf("WorkerHeld returned %v, want %v", got, want)
	}
}

// wantLeases checks what workers hold from the queue, or from all.
func (f *fixture) wantLeases(queue int64, want ...backend.WorkerLeases) {
	f.Helper()
	got, err := f.b.WorkerLeases(f.ctx, &backend.WorkerLeasesParams{QueueID: queue, At: f.now})
	f.must("WorkerLeases", err)
	if queue == 0 { // other tests have queues, too
		got = slices.DeleteFunc(got, func(l backend.WorkerLeases) bool { return l.QueueID != f.queue })
	}
	if !slices.Equal(got, want) {
		f.Errorf("WorkerLeases returned %+v, want %+v", got, want)
	}
}

func leasesAreCounted(f *fixture) {
	one := f.register(&backend.WorkerRegisterParams{Hostname: "host"}).ID
	two := f.register(&backend.WorkerRegisterParams{Hostname: "host"}).ID
	f.produce(900)
	m := f.dequeueParams(&backend.MessageDequeueParams{WorkerID: one, Limit: 300, VT: lease}).Messages
	f.later(time.Second)
	f.dequeueParams(&backend.MessageDequeueParams{WorkerID: one, Limit: 10, VT: 2 * lease})
	f.dequeueParams(&backend.MessageDequeueParams{WorkerID: two, Limit: 7, VT: 2 * lease})
	f.dequeue(5) // by nobody whom we know
	f.archive(deliveriesOf(m[:50])...)
	f.giveBack(deliveriesOf(m[50:60])...)
	for _, queue := range []int64{0, f.queue} {
		f.wantLeases(queue, backend.WorkerLeases{WorkerID: one, QueueID: f.queue, Leased: 250, Longest: time.Second},
			backend.WorkerLeases{WorkerID: two, QueueID: f.queue, Leased: 7})
	}
	f.later(lease) // the first lease has run out
	f.wantLeases(f.queue, backend.WorkerLeases{WorkerID: one, QueueID: f.queue, Leased: 10, Longest: lease},
		backend.WorkerLeases{WorkerID: two, QueueID: f.queue, Leased: 7, Longest: lease})
	f.wantLeases(f.newQueue())
}

func heldIsListed(f *fixture) {
	one := f.register(&backend.WorkerRegisterParams{Hostname: "host"}).ID
	two := f.register(&backend.WorkerRegisterParams{Hostname: "host"}).ID
	f.produce(8)
	first := f.dequeueParams(&backend.MessageDequeueParams{WorkerID: one, Limit: 3, VT: lease}).Messages
	f.dequeueParams(&backend.MessageDequeueParams{WorkerID: two, Limit: 1, VT: lease})
	second := f.dequeueParams(&backend.MessageDequeueParams{WorkerID: one, Limit: 3, VT: lease}).Messages
	p := backend.WorkerHeldParams{WorkerID: one}
	f.wantHeld(p, first, second)
	f.archive(deliveriesOf(first[1:2])...)
	f.release(0, deliveriesOf(second[:1])...)
	f.expire()
	f.wantHeld(p, first[:1], first[2:], second[1:])
	f.wantHeld(backend.WorkerHeldParams{WorkerID: 1 << 50})
}

func heldBySilentIsListed(f *fixture) {
	var ids []int64
	var messages [][]backend.Message
	f.produce(4)
	for range 4 {
		id := f.register(&backend.WorkerRegisterParams{Hostname: "host"}).ID
		ids = append(ids, id)
		messages = append(messages, f.dequeueParams(&backend.MessageDequeueParams{WorkerID: id, Limit: 1, VT: time.Hour}).Messages)
	}
	f.later(time.Minute)
	f.beat(ids[1])
	f.move(backend.WorkerStopped, living, ids[2])
	f.wantHeld(backend.WorkerHeldParams{SilentFor: time.Minute})
	f.later(time.Second)
	f.wantHeld(backend.WorkerHeldParams{SilentFor: time.Minute}, messages[0], messages[3])
}

func stoppedWorkerKeepsLeases(f *fixture) {
	w := f.register(&backend.WorkerRegisterParams{Hostname: "host"})
	ids := f.produce(1)
	f.dequeueParams(&backend.MessageDequeueParams{WorkerID: w.ID, Limit: 1, VT: lease})
	f.later(time.Second)
	f.move(backend.WorkerStopped, living, w.ID)
	f.wantIDs(f.dequeue(1))
	f.expire()
	f.wantIDs(f.dequeue(1), ids...)
}

func missingWorkerIsNotFound(f *fixture) {
	f.wantNoWorker(1 << 50)
	if moved := f.move(backend.WorkerStopped, living, 1<<50); len(moved) != 0 {
		f.Errorf("WorkerMove returned %+v", moved)
	}
}

func workersAreNamedOnMessages(f *fixture) {
	producer := f.register(&backend.WorkerRegisterParams{Hostname: "p"})
	consumer := f.register(&backend.WorkerRegisterParams{Hostname: "c"})
	_, err := f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{
		QueueID: f.queue, Payloads: ones(1), WorkerID: producer.ID, At: f.now,
	})
	f.must("MessageProduce", err)
	f.produce(1)
	r := f.dequeueParams(&backend.MessageDequeueParams{WorkerID: consumer.ID, Limit: 2, VT: lease})
	if len(r.Messages) != 2 {
		f.Fatalf("dequeued %d messages, want 2", len(r.Messages))
	}
	for i, want := range []int64{producer.ID, 0} {
		if m := r.Messages[i]; m.ProducerWorkerID != want || m.ConsumerWorkerID != consumer.ID {
			f.Errorf("message %d has workers %d and %d, want %d and %d", i, m.ProducerWorkerID, m.ConsumerWorkerID, want, consumer.ID)
		}
	}
	f.expire()
	if m := f.dequeue(1)[0]; m.ConsumerWorkerID != 0 {
		f.Errorf("a dequeue without a worker is %d's", m.ConsumerWorkerID)
	}
}
