package pgqrs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

func TestAMessageWhoseKeyIsTakenIsNotStored(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		ctx, s := t.Context(), p.connect(t)
		enqueue := func(key string) pgqrs.Produced {
			t.Helper()
			got, err := pgqrs.Enqueue().Message("a").DedupKey(key).To("tasks").ExecuteResult(ctx, s)
			if err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			return got[0]
		}
		first := enqueue("k")
		if again := enqueue("k"); first.Deduplicated || !again.Deduplicated || again.ID != first.ID {
			t.Errorf("%+v, then %+v", first, again)
		}
		ids, err := pgqrs.Enqueue().Message(1).Message(2).DedupKey("k").Message(3).To("tasks").Execute(ctx, s)
		if err != nil || len(ids) != 3 || ids[1] != first.ID || ids[0] == first.ID {
			t.Errorf("%v, %v", ids, err)
		}
		producer, err := s.Producer(ctx, "tasks")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := producer.EnqueueKeyed(ctx, 4, "k", 0); err != nil || got.ID != first.ID || !got.Deduplicated {
			t.Errorf("%+v, %v", got, err)
		}
		many, err := producer.BatchEnqueueKeyed(ctx, []any{5, 6, 7}, []string{"", "k", "other"}, time.Hour)
		if err != nil || many[0].Deduplicated || !many[1].Deduplicated || many[2].Deduplicated {
			t.Errorf("%+v, %v", many, err)
		}
		got := dequeue(t, newConsumer(t, s, "tasks"), 5, 60)
		if got[4].ProducerWorkerID != producer.WorkerID() {
			t.Errorf("the last one is %+v", got[4].Message)
		}
		for _, m := range got {
			if _, err := m.Archive(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if after := enqueue("k"); after.Deduplicated {
			t.Errorf("%+v, when the message was archived", after)
		}
		if after := enqueue("other"); !after.Deduplicated || after.ID != many[2].ID {
			t.Errorf("%+v, within the hour", after)
		}
	})
}

func TestWhatIsWrongWithAKeyIsSaid(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		ctx, s := t.Context(), p.connect(t)
		for _, key := range []string{strings.Repeat("x", 256), "a\x00b", "\xff"} {
			_, err := s.ProduceKeyed(ctx, "tasks", texts("1", "2"), []string{"", key}, pgqrs.ProduceOptions{})
			var e *pgqrs.Error
			if !errors.As(err, &e) || !errors.Is(err, pgqrs.ErrInvalid) || e.Index != 1 || !strings.Contains(err.Error(), "dedup key") {
				t.Errorf("%q: %v", key, err)
			}
		}
		_, err := s.ProduceKeyed(ctx, "tasks", texts("1", "nonsense"), []string{"a", "b"}, pgqrs.ProduceOptions{})
		if !errors.Is(err, pgqrs.ErrSerialization) {
			t.Error(err)
		}
		for _, lasting := range []time.Duration{-1, time.Microsecond, pgqrs.MaxDedupFor + 1} {
			_, err := s.ProduceKeyed(ctx, "tasks", texts("1"), []string{"a"}, pgqrs.ProduceOptions{DedupFor: lasting})
			if !errors.Is(err, pgqrs.ErrInvalid) {
				t.Errorf("%v: %v", lasting, err)
			}
		}
		for what, b := range map[string]*pgqrs.EnqueueBuilder{
			"no message":     pgqrs.Enqueue().DedupKey("k").Message(1),
			"an empty key":   pgqrs.Enqueue().Message(1).DedupKey(""),
			"a time alone":   pgqrs.Enqueue().Message(1).DedupFor(time.Hour),
			"a time of zero": pgqrs.Enqueue().Message(1).DedupKey("k").DedupFor(0),
		} {
			if _, err := b.To("tasks").Execute(ctx, s); !errors.Is(err, pgqrs.ErrInvalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := s.ProduceKeyed(ctx, "tasks", texts("1"), nil, pgqrs.ProduceOptions{}); !errors.Is(err, pgqrs.ErrInvalid) {
			t.Error(err)
		}
		if got, err := s.ProduceKeyed(ctx, "tasks", nil, nil, pgqrs.ProduceOptions{}); err != nil || got == nil || len(got) != 0 {
			t.Error(got, err)
		}
		if c := p.counts(t, "tasks"); c != (backend.MessageCounts{}) {
			t.Errorf("%+v", c)
		}
	})
}

// keyedAnswer is the answer of a ProduceKeyedAsync.
type keyedAnswer struct {
	all []pgqrs.Produced
	err error
}

func keyedAsync(ctx context.Context, s *pgqrs.Store, queue string, keys ...string) <-chan keyedAnswer {
	c := make(chan keyedAnswer, 2) // room for one too many
	payloads := make([][]byte, len(keys))
	for i := range payloads {
		payloads[i] = []byte("1")
	}
	s.ProduceKeyedAsync(ctx, queue, payloads, keys, pgqrs.ProduceOptions{}, len(keys) > 1, func(all []pgqrs.Produced, err error) {
		c <- keyedAnswer{all, err}
	})
	return c
}

func TestKeyedProducesThatAreInFlightAreStoredTogether(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		const n = 1000
		answers := make([]<-chan keyedAnswer, n)
		for i := range answers {
			answers[i] = keyedAsync(t.Context(), s, "tasks", fmt.Sprint("k", i/2))
		}
		var last int64
		for i, c := range answers {
			a := receive(t, "an answer", c)
			if a.err != nil || len(a.all) != 1 {
				t.Fatal(a)
			}
			got := a.all[0]
			if second := i%2 == 1; got.Deduplicated != second || second != (got.ID == last) || got.ID < last {
				t.Fatalf("answer %d is %+v after %d", i, got, last)
			}
			last = got.ID
		}
		if calls := f.countCalls("produce keyed"); calls > n/2 {
			t.Errorf("%d calls took %d statements: they were not coalesced", n, calls)
		}
		if c := p.counts(t, "tasks"); c.Ready != n/2 {
			t.Errorf("%+v", c)
		}
	})
}

// TestWhoMeetsAKeyOfAnOpenTransactionKeepsNobodyWaiting: neither those without a key, nor
// those with others, nor the connections of the pool.
func TestWhoMeetsAKeyOfAnOpenTransactionKeepsNobodyWaiting(t *testing.T) {
	p := onPostgres(t)
	ctx, s := t.Context(), p.connect(t, func(c *pgqrs.Config) { c.MaxConnections = 3 })
	tx := begin(t, p)
	var keys []string
	for i := range 20 {
		keys = append(keys, fmt.Sprint("k", i))
	}
	inside, err := s.ProduceKeyedTx(ctx, tx, "tasks", texts(slices.Repeat([]string{"1"}, len(keys))...), keys, pgqrs.ProduceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var waiting []<-chan keyedAnswer
	for i := range 2000 {
		waiting = append(waiting, keyedAsync(ctx, s, "tasks", keys[i%19])) // and the last one below
	}
	batch := keyedAsync(ctx, s, "tasks", "", "k3", "own")
	gone, giveUp := context.WithCancel(ctx)
	given := keyedAsync(gone, s, "tasks", "k19")
	free := keyedAsync(ctx, s, "tasks", "free")
	unkeyed := produceAsync(ctx, s, "tasks", "1")
	if a := receive(t, "a message without a key", unkeyed); a.err != nil {
		t.Error(a.err)
	}
	if a := receive(t, "a message with another key", free); a.err != nil || a.all[0].Deduplicated {
		t.Error(a)
	}
	dequeue(t, newConsumer(t, s, "tasks"), 2, 60)
	giveUp()
	if a := receive(t, "who gave up", given); !errors.Is(a.err, context.Canceled) {
		t.Error(a)
	}
	commit(t, tx)
	for i, c := range waiting {
		a := receive(t, "who waited", c)
		if a.err != nil || a.all[0] != (pgqrs.Produced{ID: inside[i%19].ID, Deduplicated: true}) {
			t.Fatalf("%d: %+v, not %d", i, a, inside[i%19].ID)
		}
	}
	if a := receive(t, "the batch", batch); a.err != nil || a.all[0].Deduplicated || a.all[1].ID != inside[3].ID || a.all[2].Deduplicated {
		t.Error(a)
	}
}

func TestWhoMeetsAKeyOfATransactionThatRollsBackStoresTheMessage(t *testing.T) {
	p := onPostgres(t)
	ctx, s := t.Context(), p.connect(t)
	tx := begin(t, p)
	inside, err := pgqrs.Enqueue().Message(1).DedupKey("k").To("tasks").ExecuteResultTx(ctx, s, tx)
	if err != nil || inside[0].Deduplicated {
		t.Fatal(inside, err)
	}
	if again, err := pgqrs.Enqueue().Message(1).DedupKey("k").To("tasks").ExecuteTx(ctx, s, tx); err != nil || again[0] != inside[0].ID {
		t.Error(again, err)
	}
	first, second := keyedAsync(ctx, s, "tasks", "k"), keyedAsync(ctx, s, "tasks", "k")
	rollback(t, tx)
	a, b := receive(t, "an answer", first), receive(t, "an answer", second)
	if a.err != nil || b.err != nil || a.all[0].ID != b.all[0].ID || a.all[0].Deduplicated == b.all[0].Deduplicated {
		t.Error(a, b)
	}
	if c := p.counts(t, "tasks"); c != (backend.MessageCounts{Ready: 1}) {
		t.Errorf("%+v", c)
	}
}

func TestWhoMeetsAKeyForTooLongIsToldWhy(t *testing.T) {
	p := onPostgres(t)
	ctx, s := t.Context(), p.connect(t, func(c *pgqrs.Config) { c.ConnectTimeout = 400 * time.Millisecond })
	tx := begin(t, p)
	if _, err := s.ProduceKeyedTx(ctx, tx, "tasks", texts("1"), []string{"k"}, pgqrs.ProduceOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.ProduceKeyed(ctx, "tasks", texts("1"), []string{"k"}, pgqrs.ProduceOptions{})
	if !errors.Is(err, pgqrs.ErrTimeout) || !pgqrs.SafeToRetry(err) || !strings.Contains(err.Error(), "dedup_key") {
		t.Error(err)
	}
	rollback(t, tx)
}

// swept counts the sweeps of a backend.
type swept struct {
	backend.Backend
	mu   sync.Mutex
	seen []backend.DedupPlace
}

func (b *swept) DedupSweep(ctx context.Context, p *backend.DedupSweepParams) (*backend.DedupSweepResult, error) {
	b.mu.Lock()
	b.seen = append(b.seen, p.After)
	b.mu.Unlock()
	return b.Backend.DedupSweep(ctx, p)
}

func TestKeysOfNoUseAreSweptPieceByPiece(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		b := &swept{}
		s := p.through(t, func(inner backend.Backend) backend.Backend { b.Backend = inner; return b })
		const n = 3300
		keys, payloads := make([]string, n), make([][]byte, n)
		for i := range keys {
			keys[i], payloads[i] = fmt.Sprint("k", i), []byte("1")
		}
		if _, err := s.ProduceKeyed(t.Context(), "tasks", payloads, keys, pgqrs.ProduceOptions{}); err != nil {
			t.Fatal(err)
		}
		if s.SweepKeys() {
			t.Error("a sweep of keys that are of use")
		}
		if len(b.seen) != 4 || b.seen[0] != (backend.DedupPlace{}) || b.seen[3].Key == "" {
			t.Errorf("it went on at %v", b.seen)
		}
		c := newConsumer(t, s, "tasks")
		ids := make([]int64, n)
		for i, m := range dequeue(t, c, n, 60) {
			ids[i] = m.ID
		}
		if _, err := c.ArchiveMany(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
		if !s.SweepKeys() || s.SweepKeys() {
			t.Error("a sweep of keys that are of no use, and another")
		}
	})
}
