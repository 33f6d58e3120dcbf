package memory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/memory"
)

func ensure(t *testing.T, b *memory.Backend) *backend.Queue {
	t.Helper()
	q, err := b.QueueEnsure(t.Context(), &backend.QueueEnsureParams{Name: "q"})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestOneNameIsOneStore(t *testing.T) {
	one, two, other := memory.Open(t.Name()), memory.Open(t.Name()), memory.Open(t.Name()+" other")
	defer one.Close()
	defer two.Close()
	defer other.Close()
	q := ensure(t, one)
	if got, err := two.QueueGet(t.Context(), &backend.QueueGetParams{Name: "q"}); err != nil || got.ID != q.ID {
		t.Fatalf("the second Backend found %+v, %v", got, err)
	}
	if _, err := other.QueueGet(t.Context(), &backend.QueueGetParams{Name: "q"}); !errors.Is(err, backend.ErrQueueNotFound) {
		t.Fatalf("another name found the queue: %v", err)
	}
	if one.Identity() != two.Identity() || one.Identity() == other.Identity() {
		t.Fatalf("identities are %q, %q and %q", one.Identity(), two.Identity(), other.Identity())
	}
}

func TestANamedStoreEndsWithItsLastBackend(t *testing.T) {
	one, two := memory.Open(t.Name()), memory.Open(t.Name())
	ensure(t, one)
	if err := errors.Join(one.Close(), one.Close()); err != nil { // twice counts once
		t.Fatal(err)
	}
	three := memory.Open(t.Name())
	if _, err := three.QueueGet(t.Context(), &backend.QueueGetParams{Name: "q"}); err != nil {
		t.Fatalf("the store ended while a Backend was open on it: %v", err)
	}
	if err := errors.Join(two.Close(), three.Close()); err != nil {
		t.Fatal(err)
	}
	four := memory.Open(t.Name())
	defer four.Close()
	if _, err := four.QueueGet(t.Context(), &backend.QueueGetParams{Name: "q"}); !errors.Is(err, backend.ErrQueueNotFound) {
		t.Fatalf("the store outlived its Backends: %v", err)
	}
}

func TestAStoreWithoutANameIsPrivate(t *testing.T) {
	one, two := memory.Open(""), memory.Open("")
	defer one.Close()
	defer two.Close()
	ensure(t, one)
	if _, err := two.QueueGet(t.Context(), &backend.QueueGetParams{Name: "q"}); !errors.Is(err, backend.ErrQueueNotFound) {
		t.Fatalf("a private store is shared: %v", err)
	}
	if one.Identity() == two.Identity() {
		t.Fatalf("two private stores have the identity %q", one.Identity())
	}
}

func TestTheClockIsInjected(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 6789, time.UTC)
	b := memory.New(func() time.Time { return now })
	defer b.Close()
	ctx := context.Background()
	q := ensure(t, b)
	if want := now.Truncate(time.Microsecond); !q.CreatedAt.Equal(want) {
		t.Fatalf("the queue was made at %v, want %v", q.CreatedAt, want)
	}
	ids, err := b.MessageProduce(ctx, &backend.MessageProduceParams{QueueID: q.ID, Payloads: [][]byte{[]byte("1")}, Delay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []backend.MessageState{backend.StateDelayed, backend.StateReady} {
		r, err := b.MessageGet(ctx, &backend.MessageGetParams{ID: ids[0]})
		if err != nil || r.State != want {
			t.Fatalf("the message is %+v, %v; want %s", r, err, want)
		}
		now = now.Add(time.Hour)
	}
}

func TestASleepEndsByItself(t *testing.T) {
	now := time.Now()
	b := memory.New(func() time.Time { return now })
	defer b.Close()
	ctx := context.Background()
	one, two := ensure(t, b), &backend.Queue{ID: 1 << 40}
	l, err := b.ListenerOpen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	notify := func() {
		t.Helper()
		step(b.QueueNotify(ctx, &backend.QueueNotifyParams{QueueIDs: []int64{one.ID, two.ID}}))
	}
	wait := func(want int64) {
		t.Helper()
		id, err := l.Wait(ctx)
		step(err)
		if id != want {
			t.Fatalf("woken for queue %d, want %d", id, want)
		}
	}
	step(l.Sleep(ctx, []int64{one.ID}))
	now = now.Add(backend.SleepTTL)
	notify()
	wait(one.ID)
	now = now.Add(time.Second)
	notify() // reaches nobody
	step(l.Sleep(ctx, []int64{two.ID}))
	notify()
	wait(two.ID)
	step(l.Sleep(ctx, []int64{one.ID}))
	notify()
	notify() // tells no more than once what was not yet heard
	seen := map[int64]int{}
	for range 2 {
		id, err := l.Wait(ctx)
		step(err)
		seen[id]++
	}
	if seen[one.ID] != 1 || seen[two.ID] != 1 {
		t.Fatalf("woken for %v", seen)
	}
}
