package main

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// As the consumers in Python.
const (
	concurrency = 8
	work        = 30 * time.Millisecond // at most
	retries     = 0.02
	deletes     = 0.1
	extensions  = 0.05
)

// errAgain is what a handler returns that wants its message again.
var errAgain = errors.New("again")

// consume runs until ctx ends: by a handler that answers with an error or none
// (go-handler), or by a sequence of messages that it settles itself (go-iterate).
func consume(ctx context.Context, o options, book *ledger, s *pgqrs.Store) error {
	if o.mode == "go-iterate" {
		return iterate(ctx, o, book, s)
	}
	err := pgqrs.Dequeue().From(o.queue).Concurrency(concurrency).ShutdownTimeout(10*time.Second).Handle(
		func(ctx context.Context, m *pgqrs.Message) error {
			got(book, m)
			handle(ctx, book, m)
			defer book.write("done", m.ID, m.Lease)
			// Asked here, and answered to nobody.
			if rand.Float64() < retries {
				book.write("settle", "release", m.ID, m.Lease, seconds(o.vt).Microseconds())
				return errAgain
			}
			book.write("settle", "archive", m.ID, m.Lease, 0)
			return nil
		}).Execute(ctx, s)
	if err == nil && ctx.Err() == nil {
		return errors.New("the loop ended by itself")
	}
	return err
}

func iterate(ctx context.Context, o options, book *ledger, s *pgqrs.Store) error {
	var c *pgqrs.Consumer
	for c == nil {
		var err error
		if c, err = s.Consumer(ctx, o.queue); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if !errors.Is(err, pgqrs.ErrConnection) && !errors.Is(err, pgqrs.ErrTimeout) {
				return err
			}
			pause(ctx, 50*time.Millisecond)
		}
	}
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		got(book, m)
		handle(context.WithoutCancel(ctx), book, m)
		settle(context.WithoutCancel(ctx), book, m)
		book.write("done", m.ID, m.Lease)
	}
	return nil
}

// got writes down a delivery.
func got(book *ledger, m *pgqrs.Message) {
	var payload struct{ Key string }
	if err := json.Unmarshal(m.Payload, &payload); err != nil {
		panic(err)
	}
	book.write("got", m.ID, m.Lease, m.ReadCount, m.DequeuedAt.UnixMicro(), m.VT.UnixMicro(), payload.Key)
}

// handle takes some time, now and then more of it.
func handle(ctx context.Context, book *ledger, m *pgqrs.Message) {
	pause(ctx, time.Duration(rand.Int64N(int64(work))))
	if rand.Float64() < extensions {
		ask(book, m, "extend", 0, func() (bool, error) { return m.ExtendVT(ctx, seconds(1+rand.Float64())) })
	}
}

// settle settles a message by its own methods.
func settle(ctx context.Context, book *ledger, m *pgqrs.Message) {
	switch draw := rand.Float64(); {
	case draw < retries:
		delay := seconds(rand.Float64())
		ask(book, m, "release", delay, func() (bool, error) { return m.Release(ctx, delay) })
	case draw < retries+deletes:
		ask(book, m, "delete", 0, func() (bool, error) { return m.Delete(ctx) })
	default:
		ask(book, m, "archive", 0, func() (bool, error) { return m.Archive(ctx) })
	}
}

// ask writes down a settling call and its answer.
func ask(book *ledger, m *pgqrs.Message, verb string, delay time.Duration, call func() (bool, error)) {
	book.write("settle", verb, m.ID, m.Lease, delay.Microseconds())
	held, err := call()
	if err != nil {
		book.write("unsettled", verb, m.ID, m.Lease, mayBeDone(err), told(err))
		return
	}
	vt := int64(0)
	if verb == "extend" && held {
		vt = m.VT.UnixMicro()
	}
	book.write("settled", verb, m.ID, m.Lease, held, vt)
}
