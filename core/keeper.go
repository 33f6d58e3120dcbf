package pgqrs

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// keeper extends the leases of what was fetched and not delivered, and, for
// streams with KeepDelivered, of what is delivered and not settled. It runs in a
// goroutine of its own, so that a reader that does not come round (a blocked
// event loop, a held GIL) loses nothing. It extends after a third of a vt:
// twice more before the rest is too short to deliver.
type keeper struct {
	store *Store

	mu      sync.Mutex
	batches map[*Batch]struct{}
	running bool
	stopped bool
	next    time.Time // when it looks again by itself
	kick    chan struct{}
}

func newKeeper(s *Store) *keeper {
	return &keeper{store: s, batches: make(map[*Batch]struct{}), kick: make(chan struct{}, 1)}
}

// add begins to keep a batch.
func (k *keeper) add(b *Batch) {
	due := b.nextExtension()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return
	}
	k.batches[b] = struct{}{}
	switch {
	case !k.running:
		k.running = k.store.tasks.start(k.run)
	case due.Before(k.next): // seldom: waking it costs more than the rest of a dequeue
		k.look()
	}
}

// forget ends keeping a batch of which nothing is left to keep.
func (k *keeper) forget(b *Batch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.batches, b)
}

// look makes the keeper look at its batches now.
func (k *keeper) look() { poke(k.kick) }

// stop ends the keeper; what it kept lapses at its vt.
func (k *keeper) stop() {
	k.mu.Lock()
	k.stopped = true
	k.mu.Unlock()
	k.look()
}

// run looks at every batch whenever one is due, and ends when there is none.
func (k *keeper) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-k.kick:
		}
		next, any := k.round(time.Now())
		if !any {
			return
		}
		timer.Reset(time.Until(next))
	}
}

// round extends what is due and returns when something is due next; false when
// nothing is left to keep.
func (k *keeper) round(now time.Time) (next time.Time, any bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next = now.Add(time.Hour)
	for b := range k.batches {
		back, due, keep := b.plan(now)
		if !keep {
			delete(k.batches, b)
			continue
		}
		if len(back) > 0 {
			k.store.extendKept(b, back, now)
		}
		if due.Before(next) {
			next = due
		}
	}
	if len(k.batches) == 0 || k.stopped {
		k.running = false
		return next, false
	}
	k.next = next
	return next, true
}

// plan decides what to do with a batch: the deliveries to extend now (nil: none
// yet), when to look again, and whether anything is left to keep.
func (b *Batch) plan(now time.Time) (extend []backend.Delivery, due time.Time, keep bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from, ok := b.keptFrom(now)
	if !ok {
		return nil, due, false
	}
	soon := now.Add(b.vt / 6)
	if b.renewing {
		return nil, soon, true
	}
	if due = b.nextExtension(); due.Before(b.retryAt) {
		due = b.retryAt
	}
	if now.Before(due) {
		return nil, due, true
	}
	for i := from; i < len(b.ids); i++ {
		if b.fates[i] == fateOpen {
			extend = append(extend, backend.Delivery{Lease: b.Lease, ID: b.ids[i]})
		}
	}
	if len(extend) == 0 {
		return nil, due, false
	}
	b.renewing = true
	return extend, soon, true
}

// nextExtension is when to extend, if nothing else stands in the way. The caller
// holds mu, or is the only one.
func (b *Batch) nextExtension() time.Time { return b.expires.Add(-b.vt * 2 / 3) }

// keptFrom returns the index from which on unsettled messages are kept, and
// whether there can be any. The caller holds mu.
func (b *Batch) keptFrom(now time.Time) (int, bool) {
	if b.open == 0 {
		return 0, false
	}
	if !b.keepsDelivered() {
		return b.delivered(), !b.freed && b.delivered() < len(b.ids)
	}
	if b.stream.abandoned.Load() {
		return 0, false
	}
	b.note(now)
	b.lapse(now)
	return 0, b.open > 0
}

// note remembers when what was delivered. A freed batch is delivered whole, or
// its rest was given back. The caller holds mu.
func (b *Batch) note(now time.Time) {
	n := b.delivered()
	if b.freed {
		n = len(b.ids)
	}
	if last := len(b.marks) - 1; n > 0 && (last < 0 || b.marks[last].index < n) {
		b.marks = append(b.marks, mark{index: n, at: now})
	}
}

// lapse gives up messages that were delivered so long ago that a handler still
// holding one is taken to hang. The caller holds mu.
func (b *Batch) lapse(now time.Time) {
	n := 0
	for len(b.marks) > 0 && now.Sub(b.marks[0].at) > b.stream.options.MaxLease {
		n = b.marks[0].index
		if len(b.marks) == 1 {
			break // keeps the last, so that note finds what is new
		}
		b.marks = b.marks[1:]
	}
	for i := range n {
		if b.end(i, fateLetGo) {
			b.store.log.Warn("a message was not settled within max_lease; its lease lapses", "queue", b.stream.queue, "id", b.ids[i])
		}
	}
}

// extendKept extends leases in the background.
func (s *Store) extendKept(b *Batch, kept []backend.Delivery, asked time.Time) {
	key := settlement{verb: extending, queueID: b.QueueID, by: b.vt, mode: backend.ExtendKeep}
	s.settles.add(key, &settling{deliveries: kept, done: func(answers []backend.Extension, err error) {
		b.extended(kept, answers, asked, err)
	}})
}

// extended takes the answer of an extension that was asked for at that moment.
func (b *Batch) extended(kept []backend.Delivery, answers []backend.Extension, asked time.Time, err error) {
	switch {
	case err == nil:
		b.store.outage.worked()
	case transient(err):
		b.store.outage.failed("extending leases", err)
	default:
		b.store.log.Warn("leases could not be extended", "queue_id", b.QueueID, "messages", len(kept), "error", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.renewing = false
	if err != nil {
		b.retryAt = time.Now().Add(b.vt / 6)
		return
	}
	delivered, vt, lost := b.delivered(), time.Time{}, false
	for i, a := range answers {
		switch at := b.index(kept[i].ID); {
		case a.Held && (vt.IsZero() || a.VT.Before(vt)):
			vt = a.VT
		case !a.Held && b.end(at, fateLetGo):
			// What was delivered its handler learns when it settles.
			lost = lost || at >= delivered && !b.freed
		}
	}
	if !vt.IsZero() {
		b.renewed(asked, vt)
	}
	if lost && !b.spoiled {
		b.spoiled = true
		b.store.log.Warn("a lease was lost before its message was delivered; the message comes again", "queue_id", b.QueueID)
		atomic.StoreInt64(&b.control.DeliverByNanos, math.MinInt64)
	}
}
