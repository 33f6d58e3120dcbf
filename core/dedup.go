package pgqrs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Produced is the answer for one message that was produced with a dedup key:
// Deduplicated says that none was stored, because the message ID has the key.
type Produced = backend.Produced

// A dedup key, and the time for which it may be taken.
const (
	MaxDedupKey = 255 // characters
	MinDedupFor = time.Millisecond
	MaxDedupFor = MaxDelay
)

// ProduceKeyed is ProduceBatch for payloads with dedup keys, one for each, empty where
// it has none. A payload whose key is taken in that queue is not stored: its answer is
// the id of the message that has the key. A key is taken as long as its message lives
// (until it is archived, deleted or dead), or for ProduceOptions.DedupFor. ErrTimeout:
// for Config.ConnectTimeout a transaction that has taken one of the keys was open.
func (s *Store) ProduceKeyed(ctx context.Context, queue string, payloads [][]byte, keys []string, o ProduceOptions) ([]Produced, error) {
	p := &production{ctx: ctx, payloads: payloads, keys: keys, options: o, batch: true}
	if err := checkKeys(p); err != nil {
		return nil, err
	}
	if len(payloads) == 0 {
		return []Produced{}, s.checkCall(p, queue)
	}
	if _, err := s.produceAndWait(p, queue); err != nil {
		return nil, err
	}
	return p.produced, nil
}

// ProduceKeyedAsync is ProduceKeyed, but returns at once, as ProduceAsync does; batch
// says that an error is to name the index of a payload. Its order goes for calls with
// keys: one without may overtake them, and all may overtake one that has to wait for a
// transaction which has taken its key.
func (s *Store) ProduceKeyedAsync(ctx context.Context, queue string, payloads [][]byte, keys []string, o ProduceOptions, batch bool, done func([]Produced, error)) {
	p := &production{ctx: ctx, payloads: payloads, keys: keys, options: o, batch: batch}
	p.done = func(_ []int64, err error) { done(p.produced, err) }
	if err := checkKeys(p); err != nil {
		done(nil, err)
		return
	}
	s.submit(p, queue)
}

// ProduceKeyedTx is ProduceKeyed inside the caller's transaction, which must be READ
// COMMITTED; see ProduceTx. Until it ends, others who produce with a key that it has
// taken wait for it.
func (s *Store) ProduceKeyedTx(ctx context.Context, tx Tx, queue string, payloads [][]byte, keys []string, o ProduceOptions) ([]Produced, error) {
	if err := checkKeys(&production{payloads: payloads, keys: keys, options: o, batch: true}); err != nil {
		return nil, err
	}
	if _, err := s.Admit(ctx, queue, payloads, o, true); err != nil {
		return nil, err
	}
	if len(payloads) == 0 {
		return []Produced{}, nil
	}
	return s.backend.MessageProduceKeyedTx(ctx, tx, &backend.MessageProduceKeyedTxParams{
		MessageProduceTxParams: backend.MessageProduceTxParams{
			Queue: queue, MakeQueue: s.config.AutoCreateQueues, Payloads: payloads, Delay: o.Delay, WorkerID: o.WorkerID,
		},
		Keys: keys, DedupFor: o.DedupFor,
	})
}

// producingKeyed stores a batch with keys: Store.ProduceKeyed, or ProduceKeyedTx in some
// transaction.
type producingKeyed func(ctx context.Context, queue string, payloads [][]byte, keys []string, o ProduceOptions) ([]Produced, error)

func (s *Store) producingKeyedIn(tx Tx) producingKeyed {
	return func(ctx context.Context, queue string, payloads [][]byte, keys []string, o ProduceOptions) ([]Produced, error) {
		return s.ProduceKeyedTx(ctx, tx, queue, payloads, keys, o)
	}
}

// checkKeys refuses keys that cannot be.
func checkKeys(p *production) error {
	if len(p.keys) != len(p.payloads) {
		return errInvalid("there must be a dedup key for each of the %d payloads, not %d", len(p.payloads), len(p.keys))
	}
	for i, key := range p.keys {
		what := keyFault(key)
		if what == "" {
			continue
		}
		e := backend.Errorf(ErrInvalid, "the dedup key %s", what)
		if p.batch {
			e.Index, e.Message = i, fmt.Sprintf("payload at index %d: %s", i, e.Message)
		}
		return e
	}
	return nil
}

func keyFault(key string) string {
	switch n := utf8.RuneCountInString(key); {
	case n > MaxDedupKey:
		return fmt.Sprintf("has %d characters, more than %d: use a digest of it", n, MaxDedupKey)
	case !utf8.ValidString(key):
		return "is not valid UTF-8"
	case strings.ContainsRune(key, 0):
		return "holds the character U+0000"
	}
	return ""
}

// lane is where a production waits for the server: those with keys do not hold up the
// others.
func (s *Store) lane(p *production) *coalescer[string, *production] {
	if p.keys == nil {
		return &s.produces
	}
	return &s.keyed
}

// endKeyed completes a production with keys.
func (p *production) endKeyed(answers []Produced) {
	p.produced = answers
	p.end(nil, nil)
}

// isContended tells the error of MessageProduceKeyed where a key was not to be had.
func isContended(err error) bool { return errors.Is(err, ErrTimeout) && SafeToRetry(err) }

func completeKeyed(group []*production, answers []Produced, err error) {
	for _, p := range group {
		if err != nil {
			p.end(nil, err)
			continue
		}
		n := len(p.payloads)
		p.endKeyed(answers[:n:n])
		answers = answers[n:]
	}
}

// produceKeyed finds the queue and stores the messages.
func (s *Store) produceKeyed(queue string, params *backend.MessageProduceKeyedParams) (answers []Produced, err error) {
	err = s.withQueue(s.ctx, queue, func(q *backend.Queue) (err error) {
		params.QueueID = q.ID
		answers, err = s.backend.MessageProduceKeyed(s.ctx, params)
		if n := countNew(answers); err == nil && n > 0 {
			s.waker.produced(q.ID)
			s.merger.produced(q.ID, n)
		}
		return err
	})
	return answers, err
}

func countNew(answers []Produced) (n int) {
	for _, a := range answers {
		if !a.Deduplicated {
			n++
		}
	}
	return n
}
