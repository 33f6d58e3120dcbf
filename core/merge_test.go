package pgqrs_test

import (
	"context"
	"sync/atomic"
	"testing"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// merged counts the merges of a backend.
type merged struct {
	backend.Backend
	calls, saved atomic.Int64
}

func (m *merged) QueueMerge(ctx context.Context, p *backend.QueueMergeParams) (*backend.QueueMergeResult, error) {
	r, err := m.Backend.QueueMerge(ctx, p)
	if err == nil {
		m.saved.Add(int64(r.Saved))
	}
	m.calls.Add(1)
	return r, err
}

func TestSingleMessagesThatWaitAreMergedInTheBackground(t *testing.T) {
	p := onPostgres(t)
	m := &merged{}
	s := p.through(t, func(b backend.Backend) backend.Backend { m.Backend = b; return m })
	for range 500 {
		if _, err := s.Produce(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "they are merged", func() bool { return m.calls.Load() > 0 })
	until(t, "nearly all are", func() bool { return m.saved.Load() > 300 || m.calls.Load() > 3 })
	got := dequeue(t, newConsumer(t, s, "tasks"), 500, 60)
	for i, message := range got {
		if i > 0 && got[i-1].ID >= message.ID {
			t.Fatalf("message %d came before %d", got[i-1].ID, message.ID)
		}
	}
	if len(got) != 500 {
		t.Errorf("%d of 500 messages came", len(got))
	}
}

func TestBatchesAreNotMerged(t *testing.T) {
	p := onMemory(t)
	m := &merged{}
	s := p.through(t, func(b backend.Backend) backend.Backend { m.Backend = b; return m })
	batch := make([][]byte, 100)
	for i := range batch {
		batch[i] = []byte("1")
	}
	for range 500 {
		if _, err := s.ProduceBatch(t.Context(), "tasks", batch, pgqrs.ProduceOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	if n := m.calls.Load(); n != 0 {
		t.Errorf("%d merges", n)
	}
}
