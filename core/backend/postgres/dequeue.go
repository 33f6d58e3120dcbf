package postgres

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgqrs/pgqrs/core/backend"
)

// How long a dequeue looks for messages that are due and that others have
// locked, and how long it waits at most between two looks.
const (
	dequeuePatience = 2 * time.Second
	dequeuePause    = 20 * time.Millisecond
)

// MessageDequeue implements backend.MessageBackend.
//
// What others have locked just then is passed over by the walk, and may be all
// that is due. So an answer is empty only when nothing is due, locked or not;
// until then the walk is repeated, at random intervals, since those who collided
// once would collide again. After two seconds NextDue is 0 instead.
func (b *Backend) MessageDequeue(ctx context.Context, p *backend.MessageDequeueParams) (*backend.MessageDequeueResult, error) {
	deadline := time.Now().Add(dequeuePatience)
	dead := 0
	for pause := time.Millisecond; ; pause = min(2*pause, dequeuePause) {
		w, err := b.walk(ctx, p)
		if err != nil {
			return nil, err
		}
		dead += w.result.Dead
		w.result.Dead = dead
		if len(w.result.Messages) > 0 || !w.result.HasNext || w.result.NextDue > 0 {
			return &w.result, nil
		}
		if w.dead > 0 {
			continue // the dead ended the walk: what is behind them may be free
		}
		if time.Now().After(deadline) {
			return &w.result, nil
		}
		if err := b.wait(ctx, rand.N(pause)+1); err != nil {
			return nil, err
		}
	}
}

// wait waits, unless ctx or the backend ends first.
func (b *Backend) wait(ctx context.Context, d time.Duration) error {
	ctx, cancel := b.bind(ctx)
	defer cancel(nil)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return b.failure(ctx, ctx.Err(), true)
	}
}

// walk is one walk along the ready messages of a queue.
type walk struct {
	result backend.MessageDequeueResult
	dead   int // found by this walk
	first  *time.Time
}

// walk leases what it finds. It begins at the queue's low watermark, and at the
// very beginning when nothing is there or it is time to.
func (b *Backend) walk(ctx context.Context, p *backend.MessageDequeueParams) (*walk, error) {
	if !p.At.IsZero() {
		return b.walkFrom(ctx, p, time.Time{}) // no watermark under a clock that may go anywhere
	}
	mark := b.marks.of(p.QueueID)
	if floor, ok := mark.floor(time.Now()); ok {
		token := mark.begin()
		w, err := b.walkFrom(ctx, p, floor)
		if err != nil || w.dead > 0 {
			return w, err
		}
		if found := w.result.Messages; len(found) > 0 {
			mark.raise(token, *w.first, found[0].DequeuedAt)
			return w, nil
		}
	}
	began, token := time.Now(), mark.begin()
	w, err := b.walkFrom(ctx, p, time.Time{})
	if err == nil {
		mark.end(token, w.first, began, time.Now())
	}
	return w, err
}

// walkFrom calls pgqrs_dequeue once.
func (b *Backend) walkFrom(ctx context.Context, p *backend.MessageDequeueParams, floor time.Time) (*walk, error) {
	var w *walk
	args := []any{p.QueueID, p.Limit, orNull(p.VT), orNull(p.WorkerID), p.MaxReadCount, floorParam(floor), moment(p.At), p.DefaultVT}
	err := b.transact(ctx, false, b.sql.MessageDequeue, args, func(rows pgx.Rows) (err error) {
		w, err = readWalk(rows, p)
		return err
	})
	return w, err
}

// readWalk reads the rows of pgqrs_dequeue: the messages, then one about all. The columns
// that may be null go into values of pgtype: pgx would allocate what a pointer points to,
// for each row.
func readWalk(rows pgx.Rows, p *backend.MessageDequeueParams) (*walk, error) {
	w := &walk{}
	room := p.MaxBytes
	var (
		id, producer, lease, due        pgtype.Int8
		payload                         []byte
		enqueuedAt, takenAt, end, first pgtype.Timestamptz
		delivered, dead                 pgtype.Int4
	)
	err := each(rows, func() error {
		if id.Valid {
			if room -= int64(len(payload)); p.MaxBytes > 0 && room < 0 && len(w.result.Messages) > 0 {
				w.result.Excess = append(w.result.Excess, backend.Delivery{ID: id.Int64})
				room = -1 // what comes behind it stays behind it
				return nil
			}
			w.result.Messages = append(w.result.Messages, backend.Message{
				ID: id.Int64, QueueID: p.QueueID, Payload: payload, EnqueuedAt: enqueuedAt.Time, ReadCount: delivered.Int32,
				ProducerWorkerID: producer.Int64, ConsumerWorkerID: p.WorkerID,
			})
			return nil
		}
		w.dead = int(dead.Int32)
		w.result.Dead = w.dead
		if first.Valid {
			w.first = &first.Time
		}
		if due.Valid {
			w.result.HasNext, w.result.NextDue = true, max(0, time.Duration(due.Int64)*time.Microsecond)
		}
		for i := range w.result.Messages {
			m := &w.result.Messages[i]
			m.Lease, m.DequeuedAt, m.VT = lease.Int64, takenAt.Time, end.Time
		}
		for i := range w.result.Excess {
			w.result.Excess[i].Lease = lease.Int64
		}
		return nil
	}, &id, &payload, &enqueuedAt, &producer, &delivered, &lease, &takenAt, &end, &dead, &first, &due)
	return w, err
}
