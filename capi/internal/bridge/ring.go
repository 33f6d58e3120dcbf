package bridge

import (
	"fmt"
	"sync"
	"time"
	"unsafe"
)

// RingSize is how many operations may be in flight on one store.
const RingSize = 65536

// Kind says what Completion.Data points to.
type Kind uint16

// The kinds of results; pgqrs.h says what they mean.
const (
	ResultNone    Kind = 0
	ResultError   Kind = 1
	ResultValue   Kind = 2
	ResultIDs     Kind = 3
	ResultAnswers Kind = 4
	ResultMoments Kind = 5
	ResultBatch   Kind = 6
	ResultJSON    Kind = 7
)

// FlagMore on a completion: others with the same op follow.
const FlagMore uint16 = 1

// Completion is the end of one operation, or one batch of a stream. It has the
// layout of pgqrs_completion.
type Completion struct {
	Op     uint64
	Status Status
	Kind   Kind
	Flags  uint16
	Value  int64
	Data   unsafe.Pointer
}

// Ring holds completions until the program drains them. A place is reserved
// when an operation is accepted and becomes free when its completion is taken,
// so that a Push never finds the ring full and a completion is never dropped.
//
// The descriptor is readable exactly while completions wait: it is written when
// the first comes and read when the last was taken, both under the lock of the
// ring, so that no order of the two can lose a wake-up, and a burst costs one
// write however long it is.
type Ring struct {
	mu    sync.Mutex
	wake  *wake
	limit int
	// places counts the reserved ones, completions that wait included.
	places int
	// slots[head … head+count) wait, modulo len(slots), which doubles on demand
	// and is never more than the places.
	slots  []Completion
	head   int
	count  int
	filled chan struct{} // closed by the next Push; made by who waits for it
	closed bool
}

// NewRing makes a ring with limit places.
func NewRing(limit int) (*Ring, error) {
	w, err := newWake()
	if err != nil {
		return nil, fmt.Errorf("no descriptor for completions: %w", err)
	}
	return &Ring{wake: w, limit: limit}, nil
}

// FD is the descriptor to poll; -1 once the ring is closed.
func (r *Ring) FD() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return -1
	}
	return r.wake.fd()
}

// Reserve takes a place; false when there is none.
func (r *Ring) Reserve() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.places >= r.limit {
		return false
	}
	r.places++
	return true
}

// ReserveExtra takes a place though the ring may be full. It is for the close
// of a store, which must be possible when nothing else is.
func (r *Ring) ReserveExtra() {
	r.mu.Lock()
	r.places++
	r.mu.Unlock()
}

// Release gives back places that will not be used.
func (r *Ring) Release(places int) {
	r.mu.Lock()
	r.places -= places
	r.mu.Unlock()
}

// Push puts a completion into a reserved place. False when the ring was closed:
// then the completion is still the caller's.
func (r *Ring) Push(c Completion) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	if r.count == len(r.slots) {
		r.grow()
	}
	r.slots[(r.head+r.count)&(len(r.slots)-1)] = c
	r.count++
	if r.count == 1 {
		r.wake.set()
		if r.filled != nil {
			close(r.filled)
			r.filled = nil
		}
	}
	return true
}

// grow doubles slots; their number is a power of two.
func (r *Ring) grow() {
	bigger := make([]Completion, max(64, 2*len(r.slots)))
	n := copy(bigger, r.slots[r.head:])
	copy(bigger[n:], r.slots[:r.head])
	r.slots, r.head = bigger, 0
}

// Drain moves up to len(out) completions into out; their places are free again.
// It returns how many, -1 when the ring is closed.
func (r *Ring) Drain(out []Completion) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return -1
	}
	return r.take(out)
}

func (r *Ring) take(out []Completion) int {
	n := min(len(out), r.count)
	for i := range n {
		slot := &r.slots[(r.head+i)&(len(r.slots)-1)]
		out[i] = *slot
		*slot = Completion{} // do not hold what Data points to
	}
	if n == 0 {
		return 0
	}
	r.head = (r.head + n) & (len(r.slots) - 1)
	r.count -= n
	r.places -= n
	if r.count == 0 {
		r.wake.reset()
	}
	return n
}

// Wait blocks until completions wait (1), the timeout has passed (0; negative:
// none), or the ring is closed (-1).
func (r *Ring) Wait(timeout time.Duration) int {
	var expired <-chan time.Time
	if timeout >= 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	for {
		r.mu.Lock()
		if r.closed || r.count > 0 {
			closed := r.closed
			r.mu.Unlock()
			if closed {
				return -1
			}
			return 1
		}
		if r.filled == nil {
			r.filled = make(chan struct{})
		}
		filled := r.filled
		r.mu.Unlock()
		select {
		case <-filled:
		case <-expired:
			return 0
		}
	}
}

// Close gives back the descriptor, ends every Wait, and returns what nobody
// drained.
func (r *Ring) Close() []Completion {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	left := make([]Completion, r.count)
	r.take(left)
	r.closed = true
	if r.filled != nil {
		close(r.filled)
		r.filled = nil
	}
	r.wake.close()
	return left
}
