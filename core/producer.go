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

// EnqueueKeyed is Enqueue with a dedup key. Where that is taken the answer is the id of
// the message that has it; see Store.ProduceKeyed. lasting is ProduceOptions.DedupFor.
func (p *Producer) EnqueueKeyed(ctx context.Context, v any, key string, lasting time.Duration) (Produced, error) {
	return firstKeyed(p.enqueueKeyed(ctx, p.store.ProduceKeyed, []any{v}, []string{key}, lasting))
}

// EnqueueKeyedTx is EnqueueKeyed inside the caller's transaction.
func (p *Producer) EnqueueKeyedTx(ctx context.Context, tx Tx, v any, key string, lasting time.Duration) (Produced, error) {
	return firstKeyed(p.enqueueKeyed(ctx, p.store.producingKeyedIn(tx), []any{v}, []string{key}, lasting))
}

// BatchEnqueueKeyed is BatchEnqueue with dedup keys, one for each value, empty where it
// has none. The answers come in the order of the values.
func (p *Producer) BatchEnqueueKeyed(ctx context.Context, values []any, keys []string, lasting time.Duration) ([]Produced, error) {
	return p.enqueueKeyed(ctx, p.store.ProduceKeyed, values, keys, lasting)
}

// BatchEnqueueKeyedTx is BatchEnqueueKeyed inside the caller's transaction.
func (p *Producer) BatchEnqueueKeyedTx(ctx context.Context, tx Tx, values []any, keys []string, lasting time.Duration) ([]Produced, error) {
	return p.enqueueKeyed(ctx, p.store.producingKeyedIn(tx), values, keys, lasting)
}

func (p *Producer) enqueueKeyed(ctx context.Context, produce producingKeyed, values []any, keys []string, lasting time.Duration) ([]Produced, error) {
	payloads, err := encodePayloads(values)
	if err != nil {
		return nil, err
	}
	return produce(ctx, p.queue, payloads, keys, ProduceOptions{WorkerID: p.row.ID, DedupFor: lasting})
}

// firstKeyed takes the one answer of a call with one value.
func firstKeyed(all []Produced, err error) (Produced, error) {
	if err != nil {
		return Produced{}, err
	}
	return all[0], nil
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
