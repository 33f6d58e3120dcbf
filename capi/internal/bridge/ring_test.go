package bridge

import (
	"runtime"
	"testing"
	"time"
)

func newTestRing(t *testing.T, limit int) *Ring {
	t.Helper()
	r, err := NewRing(limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestRingReturnsWhatWasPushedInOrderAcrossGrowthAndWrapping(t *testing.T) {
	r := newTestRing(t, 1000)
	var next, want uint64
	out := make([]Completion, 77)
	for round := range 50 {
		for range 3 * round {
			if !r.Reserve() {
				break
			}
			r.Push(Completion{Op: next})
			next++
		}
		n := r.Drain(out)
		for _, c := range out[:n] {
			if c.Op != want {
				t.Fatalf("got %d, not %d", c.Op, want)
			}
			want++
		}
	}
	for n := r.Drain(out); n > 0; n = r.Drain(out) {
		want += uint64(n)
	}
	if want != next {
		t.Fatalf("%d were pushed, %d came out", next, want)
	}
}

func TestRingReservesNoMorePlacesThanItHas(t *testing.T) {
	r := newTestRing(t, 2)
	for place, want := range []bool{true, true, false} {
		if r.Reserve() != want {
			t.Fatalf("place %d of a ring of two: %t", place, !want)
		}
	}
	r.Push(Completion{})
	if r.Reserve() {
		t.Fatal("a completion that waits does not hold its place")
	}
	if n := r.Drain(make([]Completion, 5)); n != 1 || !r.Reserve() || r.Reserve() {
		t.Fatal("draining one does not free one place")
	}
	r.Release(1)
	if !r.Reserve() {
		t.Fatal("a released place is not free")
	}
}

func TestRingWaitEndsByCompletionTimeoutAndClose(t *testing.T) {
	r := newTestRing(t, 10)
	if got := r.Wait(0); got != 0 {
		t.Fatalf("Wait(0) on an empty ring: %d", got)
	}
	if got := r.Wait(time.Millisecond); got != 0 {
		t.Fatalf("Wait on an empty ring: %d", got)
	}
	results := make(chan int)
	for range 2 {
		go func() { results <- r.Wait(-1) }()
	}
	r.Reserve()
	r.Push(Completion{})
	for range 2 {
		if got := <-results; got != 1 {
			t.Fatalf("Wait after a push: %d", got)
		}
	}
	r.Drain(make([]Completion, 1))
	go func() { results <- r.Wait(-1) }()
	runtime.Gosched()
	r.Close()
	if got := <-results; got != -1 {
		t.Fatalf("Wait on a closed ring: %d", got)
	}
	if r.Push(Completion{}) || r.Drain(nil) != -1 || r.FD() != -1 || r.Close() != nil {
		t.Fatal("a closed ring is in use")
	}
}
