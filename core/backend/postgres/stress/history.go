package stress

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kind is what a call does.
type Kind string

// The kinds of calls. A crash is none, but has a begin and an end as well.
const (
	Produce     Kind = "produce"
	Dequeue     Kind = "dequeue"
	Archive     Kind = "archive"
	Delete      Kind = "delete"
	Extend      Kind = "extend"
	Release     Kind = "release"   // delivered before
	GiveBack    Kind = "give back" // undelivered
	Purge       Kind = "purge"
	DeleteByID  Kind = "delete by id"
	ReleaseByID Kind = "release by id"
	Crash       Kind = "crash"
)

// Call is one call of the backend.
type Call struct {
	Kind       Kind
	Queue      int64
	Begin, End time.Time
	// Lost: the answer did not arrive; the call may have been carried out or not.
	Lost bool
	// Number of a produce, which its payloads name; Size is how many they are.
	Number, Size int
	// Forced: a deletion or release by id may take the message from its holder.
	Forced bool
	// Delay of a produce or a release.
	Delay time.Duration
	// TakenAt and Until are the begin and the end of the lease of a dequeue.
	TakenAt, Until time.Time
}

// Event is what a call did to one message, or answered about it.
type Event struct {
	*Call
	Lease int64 // of a dequeue the new one; of those that settle theirs
	// Held is the answer of those that settle; Before: an earlier try had settled
	// the message, which a later one was told.
	Held, Before bool
	VT           time.Time // of an extend, when Held
	ReadCount    int32     // of a dequeue
	Index        int       // of a produce, the place among its payloads
}

// String tells it in a line.
func (e Event) String() string {
	const clock = "15:04:05.000000"
	var b strings.Builder
	fmt.Fprintf(&b, "%s – %s %-9s", e.Begin.Format(clock), e.End.Format(clock), e.Kind)
	switch e.Kind {
	case Produce:
		fmt.Fprintf(&b, " %d of call %d, delayed %v", e.Index, e.Number, e.Delay)
	case Dequeue:
		if e.Lost {
			break
		}
		fmt.Fprintf(&b, " lease %d from %s to %s, read count %d", e.Lease, e.TakenAt.Format(clock), e.Until.Format(clock), e.ReadCount)
	case Archive, Delete, Extend, Release, GiveBack:
		fmt.Fprintf(&b, " lease %d held %v", e.Lease, e.Held)
	}
	if e.Kind == DeleteByID || e.Kind == ReleaseByID {
		fmt.Fprintf(&b, " forced %v, did it %v", e.Forced, e.Held)
	}
	if e.Before {
		b.WriteString(" before")
	}
	if e.Kind == Extend && e.Held {
		fmt.Fprintf(&b, " to %s", e.VT.Format(clock))
	}
	if e.Kind == Release {
		fmt.Fprintf(&b, " delayed %v", e.Delay)
	}
	if e.Lost {
		b.WriteString(" LOST")
	}
	return b.String()
}

// History has all calls. Its methods may be called by many goroutines at once.
// The zero value is empty and ready to use.
type History struct {
	mu       sync.Mutex
	messages map[int64]*life
	produces map[int]*Call // by number
	length   int           // events
	// Calls that concern messages that they do not name.
	lost    []*Call // dequeues whose answer was lost
	purges  []*Call
	crashes []*Call
	faults  []Fault // found while it was written
}

// life is what happened to one message.
type life struct {
	queue    int64
	produced Event   // the Call is nil when it is not known
	places   []Place // of the payloads that were delivered
	events   []Event
	seizures []Event // by id; Held: something was changed
}

// Place is what a payload says of its message.
type Place struct{ Number, Index int }

// AddProduce notes a produce, with the ids that it answered unless it was lost.
func (h *History) AddProduce(c *Call, ids []int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.produces == nil {
		h.produces = make(map[int]*Call)
	}
	h.produces[c.Number] = c
	if !c.Lost && len(ids) != c.Size {
		h.fault("wrong number of ids", 0, "%d ids for %d payloads", len(ids), c.Size)
	}
	h.length += len(ids)
	for i, id := range ids {
		if i > 0 && id <= ids[i-1] {
			h.fault("ids do not ascend", id, "after %d", ids[i-1])
		}
		// It may have been delivered before this is noted.
		l := h.life(id, c.Queue)
		if l.produced.Call != nil {
			h.fault("id given twice", id, "by call %d too", l.produced.Number)
		}
		l.produced = Event{Call: c, Index: i}
	}
}

// Delivered is a message that a dequeue answered.
type Delivered struct {
	ID        int64
	ReadCount int32
	Place     Place
}

// AddDequeue notes a dequeue and its messages, all of one lease.
func (h *History) AddDequeue(c *Call, lease int64, messages []Delivered) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.Lost {
		h.lost = append(h.lost, c)
	}
	h.length += len(messages)
	for _, m := range messages {
		l := h.life(m.ID, c.Queue)
		l.events = append(l.events, Event{Call: c, Lease: lease, ReadCount: m.ReadCount, Index: m.Place.Index, Held: true})
		l.places = append(l.places, m.Place)
	}
}

// Settled is the answer about one delivery.
type Settled struct {
	Lease, ID    int64
	Held, Before bool
	VT           time.Time
}

// AddSettle notes an archive, delete, extend, release or give back.
func (h *History) AddSettle(c *Call, answers []Settled) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.length += len(answers)
	for _, a := range answers {
		l := h.life(a.ID, c.Queue)
		l.events = append(l.events, Event{Call: c, Lease: a.Lease, Held: a.Held, Before: a.Before, VT: a.VT})
	}
}

// AddPurge notes a purge.
func (h *History) AddPurge(c *Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.purges = append(h.purges, c)
}

// AddCrash notes a crash of the server, from before it to behind the restart.
func (h *History) AddCrash(c *Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.crashes = append(h.crashes, c)
}

// Len is how many events there are.
func (h *History) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.length
}

// Summary counts what happened.
func (h *History) Summary() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := h.durable()
	count := make(map[string]int)
	for _, l := range h.messages {
		for _, e := range slices.Concat(l.events, l.seizures) {
			switch {
			case e.Lost:
				count[string(e.Kind)+" lost"]++
			case !e.Held:
				count[string(e.Kind)+" not held"]++
			case e.Before:
				count[string(e.Kind)+" before"]++
			default:
				count[string(e.Kind)]++
			}
			if e.Kind == Dequeue && h.forgotten(e, kept) {
				count["dequeue perhaps forgotten"]++
			}
		}
	}
	for _, c := range h.produces {
		if c.Lost {
			count["produces lost"]++
		}
	}
	var parts []string
	for what, n := range count {
		parts = append(parts, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(parts)
	return fmt.Sprintf("%d messages: %s; %d dequeues lost, %d purges, %d crashes",
		len(h.messages), strings.Join(parts, ", "), len(h.lost), len(h.purges), len(h.crashes))
}

func (h *History) life(id, queue int64) *life {
	if h.messages == nil {
		h.messages = make(map[int64]*life)
	}
	l := h.messages[id]
	if l == nil {
		l = &life{queue: queue}
		h.messages[id] = l
	}
	return l
}

func (h *History) fault(rule string, id int64, format string, args ...any) {
	h.faults = append(h.faults, Fault{Rule: rule, ID: id, Detail: fmt.Sprintf(format, args...)})
}
