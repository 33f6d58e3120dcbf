package pgqrs

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Consumer takes messages from one queue under a worker's name. What it dequeued
// belongs to it; by id it can also settle what a stream (Dequeue, Messages) of
// this process delivered from the same queue. Many goroutines may use it.
type Consumer struct{ Worker }

// Consumer registers a consumer of that queue, which is made when missing.
func (s *Store) Consumer(ctx context.Context, queue string) (*Consumer, error) {
	w, err := s.Register(ctx, RoleConsumer, queue, "", 0)
	if err != nil {
		return nil, err
	}
	return &Consumer{Worker{store: s, queue: queue, row: w}}, nil
}

// Dequeue leases ready messages, up to Config.DefaultMaxBatchSize, for
// Config.DefaultLockTime, in delivery order. It does not wait for messages: an
// empty slice means that none was ready, or that the consumer is suspended.
func (c *Consumer) Dequeue(ctx context.Context) ([]*Message, error) {
	return c.DequeueManyWithDelay(ctx, 0, 0)
}

// DequeueManyWithDelay leases up to limit ready messages for vt seconds; 0 is the
// default of either.
func (c *Consumer) DequeueManyWithDelay(ctx context.Context, limit int, vt float64) ([]*Message, error) {
	b, err := c.store.DequeueBatch(ctx, c.row.ID, limit, fromSeconds(vt))
	if err != nil || b == nil {
		return nil, err
	}
	defer b.Free()
	messages := make([]*Message, 0, len(b.ids))
	for m, ok := b.Next(); ok; m, ok = b.Next() {
		messages = append(messages, &Message{Message: *m, store: c.store})
	}
	return messages, nil
}

// Messages yields messages as they become ready, without end; an error is yielded
// once, last. What is delivered is not kept alive: the store's vt is the time to
// work. What was fetched and not delivered goes back when the loop ends. The end
// of ctx ends the sequence without an error.
func (c *Consumer) Messages(ctx context.Context) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		st, err := c.store.OpenStream(c.queue, StreamOptions{})
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() {
			grace, stop := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
			defer stop()
			c.store.logGiveBack(nil, st.Close(grace))
		}()
		for {
			b, err := st.Next(ctx)
			if err != nil {
				if !errors.Is(err, io.EOF) && ctx.Err() == nil {
					yield(nil, err)
				}
				return
			}
			for m, ok := b.Next(); ok; m, ok = b.Next() {
				if !yield(&Message{Message: *m, store: c.store}, nil) {
					return // Close gives back the rest
				}
			}
			b.Free()
		}
	}
}

func (c *Consumer) byID(ids ...int64) Target {
	t := Target{WorkerID: c.row.ID, Deliveries: make([]backend.Delivery, len(ids))}
	for i, id := range ids {
		t.Deliveries[i].ID = id
	}
	return t
}

// ExtendVisibility makes the lease of a message end that many seconds later: vt
// becomes greatest(vt, now) + seconds. False when it is not held.
func (c *Consumer) ExtendVisibility(ctx context.Context, id int64, seconds float64) (bool, error) {
	answers, err := c.store.ExtendVT(ctx, c.byID(id), fromSeconds(seconds))
	return err == nil && answers[0].Held, err
}

// Archive moves a message to the archive; false when it is not held.
func (c *Consumer) Archive(ctx context.Context, id int64) (bool, error) {
	return only(c.store.Archive(ctx, c.byID(id)))
}

// ArchiveMany moves messages to the archive; one answer per id, in order.
func (c *Consumer) ArchiveMany(ctx context.Context, ids []int64) ([]bool, error) {
	return c.store.Archive(ctx, c.byID(ids...))
}

// Delete removes a message without a trace; false when it is not held.
func (c *Consumer) Delete(ctx context.Context, id int64) (bool, error) {
	return only(c.store.Delete(ctx, c.byID(id)))
}

// DeleteMany removes messages without a trace; one answer per id, in order.
func (c *Consumer) DeleteMany(ctx context.Context, ids []int64) ([]bool, error) {
	return c.store.Delete(ctx, c.byID(ids...))
}

// ArchiveTx moves a message to the archive inside the caller's transaction, as
// Message.ArchiveTx does; false when it is not held.
func (c *Consumer) ArchiveTx(ctx context.Context, tx Tx, id int64) (bool, error) {
	return only(c.store.ArchiveTx(ctx, tx, c.byID(id)))
}

// ArchiveManyTx is ArchiveTx for many messages; one answer per id, in order.
func (c *Consumer) ArchiveManyTx(ctx context.Context, tx Tx, ids []int64) ([]bool, error) {
	return c.store.ArchiveTx(ctx, tx, c.byID(ids...))
}

// DeleteTx removes a message without a trace inside the caller's transaction, as
// Message.DeleteTx does; false when it is not held.
func (c *Consumer) DeleteTx(ctx context.Context, tx Tx, id int64) (bool, error) {
	return only(c.store.DeleteTx(ctx, tx, c.byID(id)))
}

// DeleteManyTx is DeleteTx for many messages; one answer per id, in order.
func (c *Consumer) DeleteManyTx(ctx context.Context, tx Tx, ids []int64) ([]bool, error) {
	return c.store.DeleteTx(ctx, tx, c.byID(ids...))
}
