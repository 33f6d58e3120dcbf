package main

import (
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/pgqrs/pgqrs/capi/internal/bridge"
)

func anyKind(any) bool { return true }

func TestHandleStandsForItsValueUntilItIsRemoved(t *testing.T) {
	table := newHandleTable()
	s, st := &bridge.Store{}, openStream{&bridge.Stream{}, nil}
	a, b := table.add(s), table.add(st)
	if a == 0 || b == 0 || a == b {
		t.Fatalf("handles %#x and %#x", a, b)
	}
	if table.find(a) != any(s) || table.find(b) != any(st) {
		t.Error("a handle stands for something else")
	}
	for _, h := range []handle{0, a + 1, a + 1<<addressBits, a & (1<<addressBits - 1), ^handle(0)} {
		if table.find(h) != nil {
			t.Errorf("%#x is a handle", h)
		}
	}
	if table.remove(a, isStream) != nil || table.remove(b, isStore) != nil {
		t.Error("a handle of another kind was removed")
	}
	if table.remove(a, isStore) != any(s) || table.remove(a, isStore) != nil || table.find(a) != nil {
		t.Error("a handle is not removed once")
	}
}

func TestHandleDoesNotReturnWithItsAddress(t *testing.T) {
	table := newHandleTable()
	s := &bridge.Store{}
	seen := make(map[handle]bool)
	addresses := make(map[handle]bool)
	for range 1000 {
		h := table.add(s)
		if seen[h] {
			t.Fatalf("%#x returned", h)
		}
		seen[h] = true
		addresses[h&(1<<addressBits-1)] = true
		table.remove(h, isStore)
	}
	if len(addresses) == len(seen) {
		t.Error("no address returned, so the test shows nothing")
	}
}

func TestHandlesOfStreamsEndWithTheirStore(t *testing.T) {
	table := newHandleTable()
	one, two := &bridge.Store{}, &bridge.Store{}
	keep := []handle{table.add(one), table.add(openStream{&bridge.Stream{}, two})}
	gone := []handle{table.add(openStream{&bridge.Stream{}, one}), table.add(openStream{&bridge.Stream{}, one})}
	table.removeStreams(one)
	for _, h := range keep {
		if table.find(h) == nil {
			t.Errorf("%#x is gone", h)
		}
	}
	for _, h := range gone {
		if table.find(h) != nil {
			t.Errorf("%#x is still there", h)
		}
	}
}

func TestHandleIsRemovedByOneOfManyThreads(t *testing.T) {
	table := newHandleTable()
	for range 200 {
		h := table.add(&bridge.Store{})
		var removed atomic.Int32
		var threads sync.WaitGroup
		for range 8 {
			threads.Go(func() {
				table.find(h)
				if table.remove(h, anyKind) != nil {
					removed.Add(1)
				}
			})
		}
		threads.Wait()
		if removed.Load() != 1 {
			t.Fatalf("removed %d times", removed.Load())
		}
	}
}

func TestMemoryOfCIsAlignedAndComesBack(t *testing.T) {
	var m cMemory
	for size := 1; size < 100; size++ {
		p := m.Allocate(size)
		if p == nil || uintptr(p)%unsafe.Alignof(bridge.BatchHeader{}) != 0 {
			t.Fatalf("%d bytes at %p", size, p)
		}
		clear(unsafe.Slice((*byte)(p), size))
		m.Free(p)
	}
	if p := m.Allocate(1 << 62); p != nil {
		t.Error("4 EiB were found")
	}
}
