package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

const queue = "bench"

// ours is package pgqrs, as a Go program uses it.
type ours struct {
	store     *pgqrs.Store
	producer  *pgqrs.Producer
	batch     [][]byte
	consumers []*pgqrs.Consumer
}

func openPgqrs(ctx context.Context, dsn string) (subject, error) {
	s, err := pgqrs.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	p, err := s.Producer(ctx, queue)
	return &ours{store: s, producer: p}, err
}

func (o *ours) Tables() []string { return []string{"pgqrs_log", "pgqrs_spans", "pgqrs_done"} }

func (o *ours) Live() string { return "select coalesce(sum(n), 0) from pgqrs_spans" }

func (o *ours) Close() { _ = o.store.Close(context.Background()) }

func (o *ours) Prepare(ctx context.Context, r *request) error {
	o.batch = payloads(max(r.Batch, 1), r.Bytes)
	for len(o.consumers) < r.Consumers {
		c, err := o.store.Consumer(ctx, queue)
		if err != nil {
			return err
		}
		o.consumers = append(o.consumers, c)
	}
	return fill(r, func(batch [][]byte) error { _, err := o.produceBatch(ctx, batch); return err })
}

func (o *ours) Run(ctx context.Context, r *request) (*answer, error) {
	switch {
	case r.Kind == "produce" && r.Batch > 1:
		return loop(ctx, r.Seconds, r.Tasks, func(ctx context.Context, _ int) (int, error) { return o.produceBatch(ctx, o.batch) })
	case r.Kind == "produce":
		return loop(ctx, r.Seconds, r.Tasks, func(ctx context.Context, _ int) (int, error) {
			return 1, o.produce(ctx, o.batch[0])
		})
	case r.Kind == "drain":
		return loop(ctx, r.Seconds, r.Consumers, func(ctx context.Context, i int) (int, error) { return o.take(ctx, i, r.Batch) })
	case r.Kind == "cycle":
		return loop(ctx, r.Seconds, 1, func(ctx context.Context, _ int) (int, error) {
			if _, err := o.produceBatch(ctx, o.batch); err != nil {
				return 0, err
			}
			return o.take(ctx, 0, r.Batch)
		})
	case r.Kind == "consume":
		return o.consume(ctx, r)
	}
	return nil, errUnknown
}

func (o *ours) Produce(ctx context.Context, n int64) error {
	return o.produce(ctx, payload(n, usualBytes))
}

func (o *ours) produce(ctx context.Context, text []byte) error {
	_, err := o.store.Produce(ctx, queue, text, pgqrs.ProduceOptions{WorkerID: o.producer.WorkerID()})
	return err
}

func (o *ours) produceBatch(ctx context.Context, batch [][]byte) (int, error) {
	ids, err := o.store.ProduceBatch(ctx, queue, batch, pgqrs.ProduceOptions{WorkerID: o.producer.WorkerID()})
	return len(ids), err
}

// take leases up to limit messages, reads them and archives them.
func (o *ours) take(ctx context.Context, consumer, limit int) (int, error) {
	b, err := o.store.DequeueBatch(ctx, o.consumers[consumer].WorkerID(), limit, 30*time.Second)
	if err != nil || b == nil {
		return 0, err
	}
	defer b.Free()
	var deliveries []backend.Delivery
	for m, ok := b.Next(); ok; m, ok = b.Next() {
		deliveries = append(deliveries, backend.Delivery{Lease: m.Lease, ID: m.ID})
	}
	held, err := o.store.Archive(ctx, pgqrs.Target{QueueID: b.QueueID, WorkerID: b.WorkerID, Deliveries: deliveries})
	for _, h := range held {
		if !h {
			return 0, fmt.Errorf("a lease of 30 seconds was lost")
		}
	}
	return len(held), err
}

// Handle consumes until ctx ends.
func (o *ours) Handle(ctx context.Context, seen func(payload []byte)) error {
	return pgqrs.Dequeue().From(queue).Handle(func(_ context.Context, m *pgqrs.Message) error {
		seen(m.Payload)
		return nil
	}).Execute(ctx, o.store)
}

// consume handles the backlog, or what of it can be handled in the time.
func (o *ours) consume(ctx context.Context, r *request) (*answer, error) {
	var handled atomic.Int64
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.Seconds*float64(time.Second)))
	defer cancel()
	began := time.Now()
	err := pgqrs.Dequeue().From(queue).UntilEmpty().Handle(func(_ context.Context, m *pgqrs.Message) error {
		if len(m.Payload) > 0 {
			handled.Add(1)
		}
		return nil
	}).Execute(ctx, o.store)
	return &answer{Messages: int(handled.Load()), Seconds: time.Since(began).Seconds()}, err
}
