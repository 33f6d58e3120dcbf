package stress

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is something that cannot be.
type Fault struct {
	Rule   string // what is wrong, in a few words
	ID     int64  // of the message; 0 when it is not about one
	Detail string
}

func faultf(rule string, id int64, format string, args ...any) Fault {
	return Fault{Rule: rule, ID: id, Detail: fmt.Sprintf(format, args...)}
}

// String tells it in a line.
func (f Fault) String() string { return fmt.Sprintf("message %d: %s: %s", f.ID, f.Rule, f.Detail) }

// Crashed is how long before a crash a lease may have been drawn that the crash
// made the server forget: three times wal_writer_delay, and to be safe more.
const Crashed = time.Second

// Check returns everything in a history and the state behind it that cannot be.
// No call may be on its way any more.
func (h *History) Check(s *State) []Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	fates, faults := s.fates()
	faults = append(slices.Clone(h.faults), faults...)
	for id, f := range fates {
		h.adopt(id, f.queue, f.place, f.logged)
	}
	for id, l := range h.messages {
		if len(l.places) > 0 {
			h.adopt(id, l.queue, l.places[0], true)
		}
	}
	kept := h.durable()
	for id, l := range h.messages {
		f := fates[id]
		if f == nil {
			f = &fate{}
		}
		j := newJudge(h, s, id, l, f, kept)
		faults = append(faults, j.judge()...)
	}
	faults = append(faults, h.halves()...)
	slices.SortFunc(faults, func(a, b Fault) int { return cmp.Or(cmp.Compare(a.ID, b.ID), strings.Compare(a.Rule, b.Rule)) })
	return faults
}

// adopt gives a message that no answer named to the produce whose answer was lost.
func (h *History) adopt(id, queue int64, p Place, known bool) {
	l := h.life(id, queue)
	if c := h.produces[p.Number]; known && l.produced.Call == nil && c != nil && c.Lost {
		l.produced = Event{Call: c, Index: p.Index}
	}
}

// durable returns the leases that no crash has made the server forget, because
// something was settled with them: that was committed behind them.
func (h *History) durable() map[int64]bool {
	kept := make(map[int64]bool)
	for _, l := range h.messages {
		for _, e := range l.events {
			if e.Kind != Dequeue && e.Held {
				kept[e.Lease] = true
			}
		}
	}
	return kept
}

// halves finds batches whose answer was lost and of which only a part was ever
// seen. Where a purge may have taken the others it cannot tell.
func (h *History) halves() (faults []Fault) {
	there := make(map[*Call]int)
	for _, l := range h.messages {
		if l.produced.Call != nil && l.produced.Lost {
			there[l.produced.Call]++
		}
	}
	for c, n := range there {
		purged := slices.ContainsFunc(h.purges, func(p *Call) bool { return p.Queue == c.Queue })
		if n != c.Size && !purged {
			faults = append(faults, faultf("half of a batch", 0, "%d of %d messages of call %d were seen", n, c.Size, c.Number))
		}
	}
	return faults
}

// forgotten says that a crash may have undone a delivery.
func (h *History) forgotten(d Event, kept map[int64]bool) bool {
	return !kept[d.Lease] && slices.ContainsFunc(h.crashes, func(c *Call) bool {
		return d.TakenAt.After(c.Begin.Add(-Crashed)) && !d.TakenAt.After(c.End)
	})
}

// begins returns the begins of the first and of the last of some events.
func begins(events []Event) (first, last time.Time) {
	for i, e := range events {
		if i == 0 || e.Begin.Before(first) {
			first = e.Begin
		}
		if e.Begin.After(last) {
			last = e.Begin
		}
	}
	return first, last
}

// Tell lists all that happened to a message, in the order in which it began, and
// meanwhile to its queue and to the server.
func (h *History) Tell(id int64) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.messages[id]
	if l == nil {
		return fmt.Sprintf("message %d: nothing is known of it", id)
	}
	events := slices.Concat(l.events, l.seizures)
	if l.produced.Call != nil {
		events = append(events, l.produced)
	}
	first, last := begins(events)
	for _, c := range slices.Concat(h.lost, h.purges, h.crashes) {
		if (c.Kind == Crash || c.Queue == l.queue) && !c.End.Before(first) && !c.Begin.After(last) {
			events = append(events, Event{Call: c})
		}
	}
	slices.SortStableFunc(events, func(a, b Event) int { return a.Begin.Compare(b.Begin) })
	var b strings.Builder
	fmt.Fprintf(&b, "message %d of queue %d\n", id, l.queue)
	for _, e := range events {
		fmt.Fprintf(&b, "  %v\n", e)
	}
	return b.String()
}
