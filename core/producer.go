package pgqrs

import (
	"context"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Producer puts messages into one queue under a worker's name. Many goroutines
// may use it.
type Producer struct{ Worker }

// Producer registers a producer of that queue, which is made when missing.
func (s *Store) Producer(ctx context.Context, queue string) (*Producer, error) {
	w, err := s.Register(ctx, RoleProducer, queue, "", 0)
	if err != nil {
		return nil, err
	}
	return &Producer{Worker{store: s, queue: queue, row: w}}, nil
}

// Enqueue stores v as JSON and returns the message with its id and payload; it is
// no delivery. json.RawMessage is stored as it is.
func (p *Producer) Enqueue(ctx context.Context, v any) (*Message, error) {
	return p.EnqueueDelayed(ctx, v, 0)
}

// EnqueueDelayed is Enqueue of a message that is ready that many seconds from now.
func (p *Producer) EnqueueDelayed(ctx context.Context, v any, seconds float64) (*Message, error) {
	return first(p.enqueue(ctx, p.store.ProduceBatch, []any{v}, seconds))
}

// EnqueueTx is Enqueue inside the caller's transaction (see Tx): the message is
// there when it commits.
func (p *Producer) EnqueueTx(ctx context.Context, tx Tx, v any) (*Message, error) {
	return p.EnqueueDelayedTx(ctx, tx, v, 0)
}

// EnqueueDelayedTx is EnqueueDelayed inside the caller's transaction. The seconds
// count from now, not from the commit.
func (p *Producer) EnqueueDelayedTx(ctx context.Context, tx Tx, v any, seconds float64) (*Message, error) {
	return first(p.enqueue(ctx, p.store.producingIn(tx), []any{v}, seconds))
}

// BatchEnqueueTx is BatchEnqueue inside the caller's transaction.
func (p *Producer) BatchEnqueueTx(ctx context.Context, tx Tx, values []any) ([]*Message, error) {
	return p.enqueue(ctx, p.store.producingIn(tx), values, 0)
}

// first takes the one message of a call with one value.
func first(all []*Message, err error) (*Message, error) {
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// BatchEnqueue stores all values in one transaction, or none; the messages come
// back in the order of the values. An Error's Index names the bad one.
func (p *Producer) BatchEnqueue(ctx context.Context, values []any) ([]*Message, error) {
	return p.enqueue(ctx, p.store.ProduceBatch, values, 0)
}

func (p *Producer) enqueue(ctx context.Context, produce producing, values []any, seconds float64) ([]*Message, error) {
	payloads, err := encodePayloads(values)
	if err != nil {
		return nil, err
	}
	options := ProduceOptions{Delay: fromSeconds(seconds), WorkerID: p.row.ID}
	ids, err := produce(ctx, p.queue, payloads, options)
	if err != nil {
		return nil, err
	}
	messages := make([]*Message, len(ids))
	for i, id := range ids {
		messages[i] = &Message{store: p.store, Message: backend.Message{
			ID: id, QueueID: p.row.QueueID, Payload: payloads[i], ProducerWorkerID: p.row.ID,
		}}
	}
	return messages, nil
}

func encodePayloads(values []any) ([][]byte, error) {
	payloads := make([][]byte, len(values))
	for i, v := range values {
		p, err := encodePayload(v)
		if err != nil {
			e := backend.Errorf(ErrSerialization, "payload at index %d: %v", i, err)
			e.Index, e.Cause = i, err
			return nil, e
		}
		payloads[i] = p
	}
	return payloads, nil
}

// EnqueueBuilder collects messages for one queue: see Enqueue.
type EnqueueBuilder struct {
	values  []any
	queue   string
	seconds float64
}

// Enqueue begins a call that stores messages without registering a producer:
//
//	ids, err := pgqrs.Enqueue().Message(job).To("tasks").Execute(ctx, store)
func Enqueue() *EnqueueBuilder { return &EnqueueBuilder{} }

// Message adds a message: any value that encoding/json can encode.
func (b *EnqueueBuilder) Message(v any) *EnqueueBuilder { b.values = append(b.values, v); return b }

// Messages adds several.
func (b *EnqueueBuilder) Messages(vs ...any) *EnqueueBuilder {
	b.values = append(b.values, vs...)
	return b
}

// To names the queue.
func (b *EnqueueBuilder) To(queue string) *EnqueueBuilder { b.queue = queue; return b }

// Delay makes the messages ready that many seconds from now.
func (b *EnqueueBuilder) Delay(seconds float64) *EnqueueBuilder { b.seconds = seconds; return b }

// Execute stores all messages in one transaction, or none, and returns their ids.
// A single message is stored together with others that are in flight.
func (b *EnqueueBuilder) Execute(ctx context.Context, s *Store) ([]int64, error) {
	return b.execute(ctx, s.ProduceBatch)
}

// ExecuteTx is Execute inside the caller's transaction (see Tx): the messages are
// there when it commits.
func (b *EnqueueBuilder) ExecuteTx(ctx context.Context, s *Store, tx Tx) ([]int64, error) {
	return b.execute(ctx, s.producingIn(tx))
}

func (b *EnqueueBuilder) execute(ctx context.Context, produce producing) ([]int64, error) {
	payloads, err := encodePayloads(b.values)
	if err != nil {
		return nil, err
	}
	return produce(ctx, b.queue, payloads, ProduceOptions{Delay: fromSeconds(b.seconds)})
}

// fromSeconds keeps what is out of range out of range.
func fromSeconds(seconds float64) time.Duration {
	if !(seconds >= 0 && seconds < 1e9) { // NaN too
		return -1
	}
	return time.Duration(seconds * float64(time.Second))
}
