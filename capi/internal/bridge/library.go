package bridge

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Library is what the stores of one process share.
type Library struct {
	memory Memory
	open   Opener
	// closePatience is how long what was asked to end has for it before the core
	// is closed under it. What heeds its context needs a fraction; a batch that
	// comes out of it goes back to its queue while the core can still do that.
	closePatience time.Duration

	// poison is why the library is not usable any more; nil while it is.
	poison atomic.Pointer[string]
	// goroutines counts those that the stores started, for tests: nothing but
	// the end of the process waits for all of them.
	goroutines sync.WaitGroup

	mu sync.Mutex
	// lent are the batches that the program has, or that wait in a ring. They
	// may outlive their store.
	lent map[uintptr]loan
}

// loan is a batch in memory of the program, and who keeps its leases.
type loan struct {
	data   unsafe.Pointer
	keeper Keeper
}

// NewLibrary makes a library that takes memory from there and opens cores so.
func NewLibrary(memory Memory, open Opener) *Library {
	return &Library{memory: memory, open: open, closePatience: 2 * time.Second, lent: make(map[uintptr]loan)}
}

// Poisoned refuses every submit once the library has panicked.
func (l *Library) Poisoned() *Refusal {
	if why := l.poison.Load(); why != nil {
		return &Refusal{Status: StatusPoisoned, Message: *why}
	}
	return nil
}

// lend copies a batch into memory of the program and keeps its keeper, whose
// control lies there from now on, until FreeBatch. Nil when there is no memory;
// then the messages go back.
func (l *Library) lend(b *Batch) unsafe.Pointer {
	data := encodeBatch(l.memory, b)
	if data == nil {
		b.Keeper.Free()
		return nil
	}
	b.Keeper.MoveControl(batchControl(data))
	l.mu.Lock()
	l.lent[uintptr(data)] = loan{data, b.Keeper}
	l.mu.Unlock()
	return data
}

// FreeBatch gives back the batch at that address, undelivered messages to their
// queue. An address where no batch is, or is no more, is ignored. It comes as a
// number: whatever a program passes, Go must not take it for a pointer.
func (l *Library) FreeBatch(address uintptr) {
	l.mu.Lock()
	batch, ok := l.lent[address]
	delete(l.lent, address)
	l.mu.Unlock()
	if !ok {
		return
	}
	if l.Poisoned() == nil {
		batch.keeper.Free()
		l.memory.Free(batch.data)
		return
	}
	// The panic may have left a lock of the core locked. Rather than that the
	// program hangs, or the core writes into memory that is not its own any
	// more, the memory may stay.
	l.goroutines.Add(1)
	go func() {
		defer l.goroutines.Done()
		defer func() { _ = recover() }() // it is poisoned already
		batch.keeper.Free()
		l.memory.Free(batch.data)
	}()
}

// Lent counts the batches that were not freed.
func (l *Library) Lent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lent)
}

// discard frees what a completion carries when nobody will drain it.
func (l *Library) discard(c Completion) {
	if c.Kind == ResultBatch {
		l.FreeBatch(uintptr(c.Data))
	} else if c.Data != nil {
		l.memory.Free(c.Data)
	}
}
