package bridge

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// sleepOn waits until the descriptor is readable, like the loop of a program.
func sleepOn(t *testing.T, fd int, timeout time.Duration) bool {
	t.Helper()
	var set syscall.FdSet
	word := 8 * int(unsafe.Sizeof(set.Bits[0]))
	for {
		set.Bits[fd/word] = 1 << (fd % word)
		left := syscall.NsecToTimeval(int64(timeout))
		n, err := syscall.Select(fd+1, &set, nil, nil, &left)
		if err == nil {
			return n == 1
		}
		if err != syscall.EINTR {
			t.Fatal(err)
		}
	}
}

func readable(t *testing.T, fd int) bool { return sleepOn(t, fd, 0) }

func TestRingDescriptorIsReadableExactlyWhileCompletionsWait(t *testing.T) {
	r := newTestRing(t, 10)
	out := make([]Completion, 2)
	for range 3 {
		if readable(t, r.FD()) {
			t.Fatal("readable though nothing waits")
		}
		for range 3 {
			r.Reserve()
			r.Push(Completion{})
		}
		for want := range 2 {
			if !readable(t, r.FD()) {
				t.Fatalf("not readable though %d wait", 3-2*want)
			}
			r.Drain(out)
		}
	}
	if readable(t, r.FD()) {
		t.Fatal("readable after the last was taken")
	}
}

// One drainer sleeps on the descriptor alone, like an event loop. A lost wake-up
// leaves it asleep for ever.
func TestRingNeverLosesAWakeUp(t *testing.T) {
	const pushers, each = 8, 5000
	r := newTestRing(t, 100)
	var group sync.WaitGroup
	for p := range pushers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(p)))
			for i := range each {
				for !r.Reserve() {
					runtime.Gosched()
				}
				if random.IntN(10) == 0 {
					runtime.Gosched()
				}
				r.Push(Completion{Op: uint64(p), Value: int64(i)})
			}
		})
	}
	var seen [pushers]int64
	out := make([]Completion, 16)
	random := rand.New(rand.NewPCG(2, 0))
	for total := 0; total < pushers*each; {
		if !sleepOn(t, r.FD(), patience) {
			t.Fatalf("asleep after %d completions with more to come", total)
		}
		got := r.Drain(out[:1+random.IntN(len(out))])
		if got == 0 {
			t.Fatal("woken for nothing")
		}
		for _, c := range out[:got] {
			if c.Value != seen[c.Op] {
				t.Fatalf("pusher %d: got %d, not %d", c.Op, c.Value, seen[c.Op])
			}
			seen[c.Op]++
		}
		total += got
	}
	group.Wait()
}
