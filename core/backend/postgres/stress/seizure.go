package stress

import (
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Seizures are settlings of a message by its id, by somebody who need not hold it.
// They stand in a list of their own: they have no lease, and end whatever there is.

// AddSeizure notes the deletion or release of a message by its id, and what it answered
// unless that was lost: the state in which the message was found, and whether it was done.
func (h *History) AddSeizure(c *Call, id int64, state backend.MessageState, done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.length++
	leased := state == backend.StateLeased
	alive := leased || state == backend.StateReady || state == backend.StateDelayed
	if done && leased && !c.Forced {
		h.fault("seized from its holder", id, "%v", Event{Call: c})
	}
	if !done && alive && (!leased || c.Forced) {
		h.fault("not seized", id, "it was %s: %v", state, Event{Call: c})
	}
	// What is ready stays as it is when it is released.
	acted := done && (c.Kind == DeleteByID || state != backend.StateReady)
	l := h.life(id, c.Queue)
	l.seizures = append(l.seizures, Event{Call: c, Held: acted})
}

// seized says that the message may have been seized in some way between two moments.
func (j *judge) seized(from, to time.Time, kinds ...Kind) bool {
	return slices.ContainsFunc(j.l.seizures, func(s Event) bool {
		return (s.Held || s.Lost) && slices.Contains(kinds, s.Kind) && !s.Begin.After(to) && !s.End.Before(from)
	})
}

// seizures: behind one nobody settles what he held before, and what was deleted does not
// come again. Without force none takes a message from its holder.
func (j *judge) seizures() {
	for _, s := range j.l.seizures {
		if !s.Held {
			continue
		}
		for _, e := range j.settles {
			i := j.indexOf(e.Lease)
			if i >= 0 && e.Held && !e.Before && e.Begin.After(s.End) && j.deliveries[i].TakenAt.Before(s.Begin) {
				j.fault("settled after it was seized", "%v and then %v", s, e)
			}
		}
		if s.Kind == DeleteByID {
			j.deletedByID(s)
		}
	}
}

func (j *judge) deletedByID(s Event) {
	if len(j.f.rows) > 0 || j.f.logged {
		j.fault("not deleted", "%v, but the tables have %+v", s, j.f.rows)
	}
	for _, e := range j.settles {
		if e.Held && (e.Kind == Archive || e.Kind == Delete) {
			j.fault("settled twice", "%v and %v", s, e)
		}
	}
	for _, d := range j.deliveries {
		if d.TakenAt.After(s.End) {
			j.fault("delivered after it was deleted", "by lease %d, deleted by %v", d.Lease, s)
		}
		ended := slices.ContainsFunc(j.settles, func(e Event) bool { return ends(e, d.Lease, s.End) })
		if s.Forced || d.forgotten || ended || !d.TakenAt.Before(s.Begin) || j.seized(d.TakenAt, s.End, ReleaseByID) {
			continue
		}
		if end := j.endOf(d, func(extend Event) bool { return !extend.End.After(s.Begin) }); end.After(s.End) {
			j.fault("seized from its holder", "%v; lease %d lasted until %v", s, d.Lease, end)
		}
	}
}
