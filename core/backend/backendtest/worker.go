package backendtest

import (
	"strconv"
	"strings"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var workerTests = []test{
	{"a worker is registered as it was described", workerIsRegistered},
	{"a worker without a name is given one", workerIsNamed},
	{"what a stopped worker held stays leased until its vt", stoppedWorkerKeepsLeases},
	{"a worker that nobody registered cannot be stopped", missingWorkerIsNotFound},
	{"workers are named on what they produce and consume", workersAreNamedOnMessages},
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

func stoppedWorkerKeepsLeases(f *fixture) {
	w := f.register(&backend.WorkerRegisterParams{Hostname: "host"})
	ids := f.produce(1)
	f.dequeueParams(&backend.MessageDequeueParams{WorkerID: w.ID, Limit: 1, VT: lease})
	f.later(time.Second)
	f.must("WorkerStop", f.b.WorkerStop(f.ctx, &backend.WorkerStopParams{ID: w.ID, At: f.now}))
	f.wantIDs(f.dequeue(1))
	f.expire()
	f.wantIDs(f.dequeue(1), ids...)
}

func missingWorkerIsNotFound(f *fixture) {
	err := f.b.WorkerStop(f.ctx, &backend.WorkerStopParams{ID: 1 << 50, At: f.now})
	f.wantError("WorkerStop", err, backend.ErrWorkerNotFound)
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
