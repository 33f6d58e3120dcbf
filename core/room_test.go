package pgqrs_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// TestWhatWaitsForTheServerIsBounded: with the server away callers wait for room, in
// line, and all of it is stored when the server is back.
func TestWhatWaitsForTheServerIsBounded(t *testing.T) {
	p := onMemory(t)
	f := newFaulty()
	const limit, size, callers = 1 << 20, 63 << 10, 100
	s := p.through(t, f.wrap, pgqrs.WithMaxPendingBytes(limit))
	var away atomic.Bool
	away.Store(true)
	f.failBefore("produce", func(ctx context.Context) error {
		if away.Load() {
			return unreachable()
		}
		return nil
	})
	payload := append(append([]byte(`"`), bytes.Repeat([]byte("x"), size)...), '"')
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if _, err := s.Produce(t.Context(), "tasks", payload, pgqrs.ProduceOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "there is no room", func() bool { return !s.HasRoom() })
	if held := s.CountPendingBytes(); held > limit+size+2048 {
		t.Errorf("%d bytes are held, %d are allowed", held, limit)
	}
	away.Store(false)
	wg.Wait()
	if n := p.counts(t, "tasks").Ready; n != callers {
		t.Errorf("%d messages are stored", n)
	}
	if held := s.CountPendingBytes(); held != 0 {
		t.Errorf("%d bytes are held for nothing", held)
	}
}

// TestProduceTimeoutEndsTheWaitForRoom with an error that says that nothing was stored.
func TestProduceTimeoutEndsTheWaitForRoom(t *testing.T) {
	p := onMemory(t)
	f := newFaulty()
	s := p.through(t, f.wrap, pgqrs.WithMaxPendingBytes(64<<10), pgqrs.WithProduceTimeout(20*time.Millisecond))
	var away atomic.Bool
	away.Store(true)
	f.failBefore("produce", func(context.Context) error {
		if away.Load() {
			return unreachable()
		}
		return nil
	})
	first := make(chan error, 1)
	payload := append(append([]byte(`"`), bytes.Repeat([]byte("x"), 80<<10)...), '"')
	s.ProduceAsync(t.Context(), "tasks", payload, pgqrs.ProduceOptions{}, func(_ int64, err error) { first <- err })
	_, err := s.ProduceBatch(t.Context(), "tasks", [][]byte{[]byte("1")}, pgqrs.ProduceOptions{})
	var e *pgqrs.Error
	if !errors.Is(err, pgqrs.ErrTimeout) || !errors.As(err, &e) || !e.SafeToRetry || e.MaybeCommitted {
		t.Errorf("%#v", err)
	}
	away.Store(false)
	if err := receive(t, "the first", first); err != nil {
		t.Error(err)
	}
	if _, err := s.Produce(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{}); err != nil {
		t.Error(err)
	}
}
