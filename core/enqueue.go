package pgqrs

import (
	"context"
	"time"
)

// EnqueueBuilder collects messages for one queue: see Enqueue.
type EnqueueBuilder struct {
	values  []any
	keys    []string // as many as values, where there are any
	lasting time.Duration
	wrong   error // of a call before Execute
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

// DedupKey gives the message that was added last a key, 1 … MaxDedupKey characters: it
// is not stored when another message of the queue has that key (see Store.ProduceKeyed).
func (b *EnqueueBuilder) DedupKey(key string) *EnqueueBuilder {
	switch {
	case len(b.values) == 0:
		b.wrong = errInvalid("DedupKey is about the message before it, and there is none")
	case key == "":
		b.wrong = errInvalid("a dedup key must not be empty")
	default:
		b.keys = append(b.keys, make([]string, len(b.values)-len(b.keys))...)
		b.keys[len(b.values)-1] = key
	}
	return b
}

// DedupFor lets the keys be taken for that time, whatever becomes of the messages,
// rather than as long as they live.
func (b *EnqueueBuilder) DedupFor(d time.Duration) *EnqueueBuilder {
	if b.lasting = d; d == 0 {
		b.lasting = -1 // not what the zero value says
	}
	return b
}

// Execute stores all messages in one transaction, or none, and returns their ids.
// A single message is stored together with others that are in flight. Of a message
// whose DedupKey is taken the id is that of the one that has the key.
func (b *EnqueueBuilder) Execute(ctx context.Context, s *Store) ([]int64, error) {
	if b.isKeyed() {
		return idsOf(b.executeKeyed(ctx, s.ProduceKeyed))
	}
	return b.execute(ctx, s.ProduceBatch)
}

// ExecuteTx is Execute inside the caller's transaction (see Tx): the messages are
// there when it commits.
func (b *EnqueueBuilder) ExecuteTx(ctx context.Context, s *Store, tx Tx) ([]int64, error) {
	if b.isKeyed() {
		return idsOf(b.executeKeyed(ctx, s.producingKeyedIn(tx)))
	}
	return b.execute(ctx, s.producingIn(tx))
}

// ExecuteResult is Execute, and says of each message whether it was stored.
func (b *EnqueueBuilder) ExecuteResult(ctx context.Context, s *Store) ([]Produced, error) {
	return b.executeKeyed(ctx, s.ProduceKeyed)
}

// ExecuteResultTx is ExecuteResult inside the caller's transaction.
func (b *EnqueueBuilder) ExecuteResultTx(ctx context.Context, s *Store, tx Tx) ([]Produced, error) {
	return b.executeKeyed(ctx, s.producingKeyedIn(tx))
}

func (b *EnqueueBuilder) isKeyed() bool { return b.keys != nil || b.wrong != nil || b.lasting != 0 }

func (b *EnqueueBuilder) execute(ctx context.Context, produce producing) ([]int64, error) {
	payloads, err := encodePayloads(b.values)
	if err != nil {
		return nil, err
	}
	return produce(ctx, b.queue, payloads, ProduceOptions{Delay: fromSeconds(b.seconds)})
}

func (b *EnqueueBuilder) executeKeyed(ctx context.Context, produce producingKeyed) ([]Produced, error) {
	if b.wrong != nil {
		return nil, b.wrong
	}
	if b.lasting != 0 && b.keys == nil {
		return nil, errInvalid("DedupFor is about keys, and no message has a DedupKey")
	}
	payloads, err := encodePayloads(b.values)
	if err != nil {
		return nil, err
	}
	keys := append(b.keys, make([]string, len(b.values)-len(b.keys))...)
	return produce(ctx, b.queue, payloads, keys, ProduceOptions{Delay: fromSeconds(b.seconds), DedupFor: b.lasting})
}

func idsOf(all []Produced, err error) ([]int64, error) {
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	return ids, nil
}

// fromSeconds keeps what is out of range out of range.
func fromSeconds(seconds float64) time.Duration {
	if !(seconds >= 0 && seconds < 1e9) { // NaN too
		return -1
	}
	return time.Duration(seconds * float64(time.Second))
}
