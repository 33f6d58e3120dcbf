package pgqrs

import (
	"math"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/internal/monotonic"
)

// BatchControl is what the reader of a Batch and the lease keeper share. Its
// layout is the head of pgqrs_batch in pgqrs.h. All access is atomic.
type BatchControl struct {
	// Delivered: the reader counts here the messages that it has handed on,
	// from the first. The others are kept alive.
	Delivered uint64
	// VTMicros is when the lease of the undelivered ends, microseconds of 1970 UTC.
	VTMicros int64
	// DeliverByNanos is CLOCK_MONOTONIC: after it nothing of this batch may be
	// handed on, for too little of the lease is left, or it was lost.
	DeliverByNanos int64
}

// Batch is what one dequeue leased: messages in delivery order, and the life of
// their leases in this process. The keeper extends what is not delivered; a
// stream with KeepDelivered also what is delivered and not settled.
//
// Messages may be read by the reader alone; the other methods are safe for use
// by many goroutines.
type Batch struct {
	QueueID    int64
	Lease      int64
	WorkerID   int64
	DequeuedAt time.Time
	Messages   []backend.Message

	store  *Store
	stream *Stream // nil for DequeueBatch
	vt     time.Duration
	ids    []int64 // of Messages; survives what the reader does to them
	bytes  int64   // of their payloads
	sorted bool    // ids ascend, as nearly always
	// suspect: one of its messages may kill its process; see suspect.go.
	suspect bool

	mu       sync.Mutex
	control  *BatchControl
	freed    bool
	fates    []fate
	open     int  // of them
	settled  int  // of them
	apart    int  // of them: detached, and their handlers have not ended, as far as is known
	spoiled  bool // something undelivered was lost: nothing more is handed on
	renewing bool
	expires  time.Time // of what is kept, by our monotonic clock, on the safe side
	promised time.Time // of everything: the lease as it was drawn
	retryAt  time.Time // an extension failed: not before
	marks    []mark    // KeepDelivered: when the keeper saw what delivered
}

// fate is what this process knows of a message that it leased.
type fate int8

const (
	// fateOpen: it is held, or may be.
	fateOpen fate = iota
	// fateLetGo: it is kept no more, because it went back, was held for too long, or is said to
	// be held no more; which may be the work of a call whose answer has not come yet.
	fateLetGo
	// fateSettled: a call has ended it, or was told that there is nothing to end.
	fateSettled
)

// mark says that the messages before index were delivered by that moment.
type mark struct {
	index int
	at    time.Time
}

// newBatch takes a dequeue's answer; asked is the moment before it was asked for.
func newBatch(s *Store, st *Stream, p *backend.MessageDequeueParams, r *backend.MessageDequeueResult, asked time.Time) *Batch {
	first := r.Messages[0]
	vt := first.VT.Sub(first.DequeuedAt)
	b := &Batch{
		QueueID: p.QueueID, Lease: first.Lease, WorkerID: p.WorkerID, DequeuedAt: first.DequeuedAt, Messages: r.Messages,
		store: s, stream: st, vt: vt, sorted: true, suspect: first.ReadCount >= suspectFrom,
		ids: make([]int64, len(r.Messages)), fates: make([]fate, len(r.Messages)), open: len(r.Messages),
	}
	for i := range r.Messages {
		b.ids[i] = r.Messages[i].ID
		b.bytes += int64(len(r.Messages[i].Payload))
		b.sorted = b.sorted && (i == 0 || b.ids[i] > b.ids[i-1])
	}
	b.promised = asked.Add(vt)
	b.control = &BatchControl{}
	b.renewed(asked, first.VT)
	return b
}

// renewed notes that the lease of what is kept lasts vt from asked on.
// The caller holds mu, or is the only one.
func (b *Batch) renewed(asked time.Time, vt time.Time) {
	b.expires = asked.Add(b.vt)
	if b.freed || b.spoiled {
		return // nothing is handed on any more
	}
	atomic.StoreInt64(&b.control.VTMicros, vt.UnixMicro())
	// A message reaches the application with at least half of its vt left.
	atomic.StoreInt64(&b.control.DeliverByNanos, monotonic.Nanos()+int64(time.Until(b.expires)-b.vt/2))
}

// Control is what the reader shares with the keeper.
func (b *Batch) Control() *BatchControl {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.control
}

// MoveControl makes c take over from the present control, whose values are
// copied. c may lie in memory that Go does not own; it must stay until Free. When
// the batch was given back already, c says so, and is not touched any more.
func (b *Batch) MoveControl(c *BatchControl) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.copyControl(c)
	if !b.freed {
		b.control = c
	}
}

func (b *Batch) copyControl(c *BatchControl) {
	atomic.StoreUint64(&c.Delivered, atomic.LoadUint64(&b.control.Delivered))
	atomic.StoreInt64(&c.VTMicros, atomic.LoadInt64(&b.control.VTMicros))
	atomic.StoreInt64(&c.DeliverByNanos, atomic.LoadInt64(&b.control.DeliverByNanos))
}

// Next hands on the next message, with the end of its lease as it is now; false
// when there is none, or too little of the lease is left: then Free the batch, and
// what it still holds comes again. For readers in Go, one at a time.
func (b *Batch) Next() (*backend.Message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.delivered()
	if b.freed || i >= len(b.Messages) || monotonic.Nanos() > atomic.LoadInt64(&b.control.DeliverByNanos) {
		return nil, false
	}
	m := &b.Messages[i]
	m.VT = time.UnixMicro(atomic.LoadInt64(&b.control.VTMicros))
	atomic.StoreUint64(&b.control.Delivered, uint64(i)+1)
	return m, true
}

// Free says that the reader is done with the batch: undelivered messages go back
// to their place in the queue, in the background. When it returns, the control is
// not touched any more. A second call does nothing.
func (b *Batch) Free() {
	if back := b.takeUndelivered(); len(back) > 0 {
		b.store.settles.add(settlement{verb: releasing, queueID: b.QueueID, undelivered: true},
			&settling{deliveries: back, done: b.store.logGiveBack})
	}
	b.mu.Lock()
	b.Messages = nil
	over := b.open == 0 || !b.keepsDelivered()
	if !over {
		b.note(time.Now())
	}
	b.mu.Unlock()
	if over {
		b.store.keeper.forget(b)
	}
	if b.stream != nil {
		b.stream.batchEnded()
	}
}

// takeUndelivered ends the reader's part: it returns what nobody has seen, and
// nothing the second time. A reader that does not know yet (the stream was closed
// by somebody else) is told by the control that it must not hand on anything.
func (b *Batch) takeUndelivered() []backend.Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.freed {
		return nil
	}
	b.freed = true
	var back []backend.Delivery
	for i := b.delivered(); i < len(b.ids); i++ {
		if b.end(i, fateLetGo) {
			back = append(back, backend.Delivery{Lease: b.Lease, ID: b.ids[i]})
		}
	}
	atomic.StoreInt64(&b.control.DeliverByNanos, math.MinInt64)
	own := &BatchControl{}
	b.copyControl(own)
	b.control = own
	return back
}

// delivered is how many messages the reader has handed on. The caller holds mu.
func (b *Batch) delivered() int {
	return int(min(atomic.LoadUint64(&b.control.Delivered), uint64(len(b.ids))))
}

// undelivered counts what the reader still has to hand on.
func (b *Batch) undelivered() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.freed {
		return 0
	}
	return len(b.ids) - b.delivered()
}

// isOver says whether a stream has nothing more to do with the batch.
func (b *Batch) isOver() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open+b.apart == 0 || !b.keepsDelivered() && (b.freed || b.delivered() == len(b.ids))
}

// keepsDelivered says whether delivered messages are kept alive, too.
func (b *Batch) keepsDelivered() bool { return b.stream != nil && b.stream.options.KeepDelivered }

// holds says whether a message is of this batch and no call has settled it; certain: and
// its lease lasts by our own clock.
func (b *Batch) holds(id int64) (held, certain bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.index(id)
	if i < 0 || b.fates[i] == fateSettled {
		return false, false
	}
	end := b.promised
	if b.keepsDelivered() {
		end = b.expires
	}
	return true, b.fates[i] == fateOpen && time.Now().Before(end)
}

// index finds a message by id: -1 when it is not of this batch.
func (b *Batch) index(id int64) int {
	// Most batches are of ids that follow each other.
	if i := id - b.ids[0]; i >= 0 && i < int64(len(b.ids)) && b.ids[i] == id {
		return int(i)
	}
	if b.sorted {
		i := sort.Search(len(b.ids), func(i int) bool { return b.ids[i] >= id })
		if i < len(b.ids) && b.ids[i] == id {
			return i
		}
		return -1
	}
	for i, x := range b.ids {
		if x == id {
			return i
		}
	}
	return -1
}

// ended notes the fate of a delivery, and says whether nothing of the batch is open any
// more, and whether calls have settled all of it.
func (b *Batch) ended(id int64, f fate) (over, all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.index(id); i >= 0 {
		b.end(i, f)
	}
	return b.open == 0, b.settled == len(b.ids)
}

// end notes the fate of a message; false: it was not open. The caller holds mu.
func (b *Batch) end(i int, f fate) bool {
	before := b.fates[i]
	if f > before {
		b.fates[i] = f
	}
	if f == fateSettled && before != fateSettled {
		b.settled++
	}
	if before != fateOpen {
		return false
	}
	b.open--
	return true
}

// Release of what was fetched in vain is best effort: what is not given back
// comes again when its vt has passed.
func (s *Store) logGiveBack(_ []backend.Extension, err error) {
	if err != nil {
		s.log.Warn("undelivered messages were not given back; they come again after their vt", "error", err)
	}
}
