package main

import (
	"sync"
	"unsafe"

	"github.com/mattn/go-pointer"

	"github.com/pgqrs/pgqrs/capi/internal/bridge"
)

// handle is what a program has of a store or a stream: an address of go-pointer
// in the low 48 bits, and a serial number above them. go-pointer gives out the
// address of a freed one again; with the serial the same number returns only
// after 65536 others, and what is behind a number says what kind it is.
type handle uint64

const addressBits = 48

// openStream is a stream and the store that it goes down with.
type openStream struct {
	*bridge.Stream
	store *bridge.Store
}

// handleTable maps handles to *bridge.Store and openStream. Its own map from
// numbers to pointers is there so that a number which a program made up is never
// turned into a pointer: Go's garbage collector ends the process when it meets
// one that points into a freed part of its heap.
type handleTable struct {
	mu     sync.RWMutex
	live   map[handle]unsafe.Pointer
	serial uint16
}

func newHandleTable() *handleTable { return &handleTable{live: make(map[handle]unsafe.Pointer)} }

// add makes a handle. malloc gives no address beyond 48 bits on any system that
// Go runs on: those that have more give them on demand only.
func (t *handleTable) add(value any) handle {
	p := pointer.Save(value)
	if uintptr(p)>>addressBits != 0 {
		panic("an address of malloc has more than 48 bits")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serial++
	h := handle(uintptr(p)) | handle(t.serial)<<addressBits
	t.live[h] = p
	return h
}

// find returns what the handle stands for, nil when it is none of ours.
func (t *handleTable) find(h handle) any {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return pointer.Restore(t.live[h])
}

// remove ends a handle and returns what it stood for, once: of two threads that
// free the same handle one gets it. wanted says which kinds may go.
func (t *handleTable) remove(h handle, wanted func(value any) bool) any {
	t.mu.Lock()
	defer t.mu.Unlock()
	value := pointer.Restore(t.live[h])
	if value == nil || !wanted(value) {
		return nil
	}
	t.drop(h)
	return value
}

// removeStreams ends the handles of a store's streams.
func (t *handleTable) removeStreams(of *bridge.Store) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for h, p := range t.live {
		if st, ok := pointer.Restore(p).(openStream); ok && st.store == of {
			t.drop(h)
		}
	}
}

// drop forgets a handle. The caller holds mu.
func (t *handleTable) drop(h handle) {
	pointer.Unref(t.live[h])
	delete(t.live, h)
}
