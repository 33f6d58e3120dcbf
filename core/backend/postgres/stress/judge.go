package stress

import (
	"cmp"
	"slices"
	"time"
)

// judge checks what happened to one message.
type judge struct {
	h          *History
	s          *State
	id         int64
	l          *life
	f          *fate
	deliveries []delivery // in their order
	settles    []Event    // in the order in which they began
	faults     []Fault
}

// delivery is a lease of the message.
type delivery struct {
	Event
	forgotten bool // perhaps, by a crash
}

func newJudge(h *History, s *State, id int64, l *life, f *fate, kept map[int64]bool) *judge {
	j := &judge{h: h, s: s, id: id, l: l, f: f}
	for _, e := range l.events {
		if e.Kind == Dequeue {
			j.deliveries = append(j.deliveries, delivery{Event: e, forgotten: h.forgotten(e, kept)})
		} else {
			j.settles = append(j.settles, e)
		}
	}
	slices.SortFunc(j.deliveries, func(a, b delivery) int {
		return cmp.Or(a.TakenAt.Compare(b.TakenAt), cmp.Compare(a.Lease, b.Lease))
	})
	slices.SortStableFunc(j.settles, func(a, b Event) int { return a.Begin.Compare(b.Begin) })
	return j
}

func (j *judge) fault(rule string, format string, args ...any) {
	j.faults = append(j.faults, faultf(rule, j.id, format, args...))
}

// indexOf is where the delivery of a lease stands among the deliveries; -1: it is not known.
func (j *judge) indexOf(lease int64) int {
	return slices.IndexFunc(j.deliveries, func(d delivery) bool { return d.Lease == lease })
}

func (j *judge) judge() []Fault {
	if j.l.produced.Call == nil {
		j.fault("from nowhere", "no call produced it")
		return j.faults
	}
	j.origin()
	j.overlaps()
	j.readCounts()
	for _, e := range j.settles {
		switch {
		case e.Lost:
		case e.Held:
			j.held(e)
		default:
			j.notHeld(e)
		}
	}
	j.settledTwice()
	j.seizures()
	j.end()
	j.purged()
	return j.faults
}

// origin: the payload and the queue are those that were produced, and nothing
// comes before it is due.
func (j *judge) origin() {
	want := Place{Number: j.l.produced.Number, Index: j.l.produced.Index}
	for _, p := range j.l.places {
		if p != want {
			j.fault("payload of another", "%+v was delivered, %+v produced", p, want)
		}
	}
	if j.f.logged && (j.f.place != want || j.f.queue != j.l.produced.Queue) {
		j.fault("payload of another", "%+v of queue %d is in the log, %+v of queue %d was produced", j.f.place, j.f.queue, want, j.l.produced.Queue)
	}
	due := j.l.produced.Begin.Add(j.l.produced.Delay)
	for _, d := range j.deliveries {
		if d.Queue != j.l.produced.Queue {
			j.fault("wrong queue", "delivered from queue %d", d.Queue)
		}
		if d.TakenAt.Before(due) && !j.seized(j.l.produced.Begin, d.TakenAt, ReleaseByID) {
			j.fault("too early", "delivered %v before it was due", due.Sub(d.TakenAt))
		}
	}
}

// endOf is when a lease ends, with those extensions of it that count.
func (j *judge) endOf(d delivery, counts func(extend Event) bool) time.Time {
	end := d.Until
	for _, e := range j.settles {
		if e.Kind == Extend && e.Held && e.Lease == d.Lease && counts(e) && e.VT.After(end) {
			end = e.VT
		}
	}
	return end
}

// ends says of an event that it may have ended a lease before a moment.
func ends(e Event, lease int64, before time.Time) bool {
	return e.Lease == lease && e.Kind != Extend && (e.Held || e.Lost) && !e.Begin.After(before)
}

// released says that a lease may have been given back before a moment.
func (j *judge) released(lease int64, before time.Time) bool {
	return slices.ContainsFunc(j.settles, func(e Event) bool {
		return (e.Kind == Release || e.Kind == GiveBack) && ends(e, lease, before)
	})
}

// overlaps: while one holds the message nobody else gets it.
func (j *judge) overlaps() {
	for i, b := range j.deliveries {
		for _, a := range j.deliveries[:i] {
			if a.Lease == b.Lease {
				j.fault("delivered twice by one lease", "lease %d", a.Lease)
				continue
			}
			if a.forgotten || j.released(a.Lease, b.TakenAt) || j.seized(a.TakenAt, b.TakenAt, ReleaseByID) {
				continue
			}
			// What was extended later is the matter of held; b may be forgotten.
			end := j.endOf(a, func(extend Event) bool { return !extend.Begin.After(b.TakenAt) })
			if b.TakenAt.Before(end) {
				j.fault("two holders", "lease %d was drawn %v before the end of lease %d", b.Lease, end.Sub(b.TakenAt), a.Lease)
			}
		}
		for _, e := range j.settles {
			if e.Kind == Release && e.Held && e.Begin.Before(b.TakenAt) && e.End.Before(b.TakenAt) && b.TakenAt.Before(e.Begin.Add(e.Delay)) &&
				!j.seized(e.Begin, b.TakenAt, ReleaseByID) {
				j.fault("too early", "lease %d was drawn within the delay of a release", b.Lease)
			}
		}
	}
}

// lostDequeues counts the dequeues between two moments that may have delivered
// the message to nobody.
func (j *judge) lostDequeues(from, to time.Time) (n int32) {
	for _, c := range j.h.lost {
		if c.Queue == j.l.queue && !c.Begin.After(to) && !c.End.Before(from) {
			n++
		}
	}
	return n
}

// readCounts: each delivery counts one more than the one before, unless that one
// was given back undelivered.
func (j *judge) readCounts() {
	var lo, hi int32 // what the message's row may say
	last := j.l.produced.Begin
	for _, e := range j.counted() {
		if e.Kind == GiveBack {
			i := j.indexOf(e.Lease)
			switch before := j.deliveries[i].ReadCount - 1; {
			case e.Held:
				lo, hi, last = before, before, e.Begin
			case e.Lost:
				lo = min(lo, before)
			}
			continue
		}
		hi += j.lostDequeues(last, e.TakenAt)
		if e.ReadCount < lo+1 || e.ReadCount > hi+1 {
			j.fault("wrong read count", "lease %d says %d, want %d to %d", e.Lease, e.ReadCount, lo+1, hi+1)
		}
		if !e.forgotten {
			lo = e.ReadCount
		}
		lo, hi, last = min(lo, e.ReadCount), e.ReadCount, e.TakenAt
	}
	hi += j.lostDequeues(last, j.s.At)
	for _, r := range j.f.rows {
		if r.Outcome != "archived" && (r.ReadCount < lo || r.ReadCount > hi) {
			j.fault("wrong read count", "its row says %d, want %d to %d", r.ReadCount, lo, hi)
		}
	}
}

// counted returns what changes the read count, in its order: deliveries, and what
// gives them back. A give back began before the delivery that it made possible.
func (j *judge) counted() []delivery {
	all := slices.Clone(j.deliveries)
	for _, e := range j.settles {
		if e.Kind == GiveBack && j.indexOf(e.Lease) >= 0 {
			all = append(all, delivery{Event: e})
		}
	}
	moment := func(d delivery) time.Time {
		if d.Kind == Dequeue {
			return d.TakenAt
		}
		return d.Begin
	}
	slices.SortStableFunc(all, func(a, b delivery) int { return moment(a).Compare(moment(b)) })
	return all
}

// held: a delivery settles only while no later one has been drawn.
func (j *judge) held(e Event) {
	i := j.indexOf(e.Lease)
	if i < 0 {
		j.fault("settled without delivery", "%v", e)
		return
	}
	for _, d := range j.deliveries[i+1:] {
		if !d.forgotten && d.TakenAt.Before(e.Begin) {
			j.fault("settled although leased again", "by lease %d, when lease %d had it", e.Lease, d.Lease)
		}
		if e.Kind == Archive || e.Kind == Delete {
			if !d.forgotten {
				j.fault("delivered after it was settled", "by lease %d, settled by lease %d", d.Lease, e.Lease)
			}
		}
	}
	if e.Kind == Extend && e.VT.Before(j.deliveries[i].Until) {
		j.fault("lease shortened", "to %v", e.VT)
	}
}

// notHeld: "not held" is the answer only when somebody else could have ended the
// lease or taken the message.
func (j *judge) notHeld(e Event) {
	i := j.indexOf(e.Lease)
	if i < 0 {
		j.fault("settled without delivery", "%v", e)
		return
	}
	d := j.deliveries[i]
	seized := j.seized(d.TakenAt, e.End, DeleteByID, ReleaseByID)
	purged := slices.ContainsFunc(j.h.purges, func(p *Call) bool {
		return p.Queue == j.l.queue && !p.Begin.After(e.End) && !p.End.Before(d.TakenAt)
	})
	ended := slices.ContainsFunc(j.settles, func(other Event) bool { return other.Call != e.Call && ends(other, e.Lease, e.End) })
	if d.forgotten || purged || seized || ended {
		return
	}
	end := j.endOf(d, func(extend Event) bool { return !extend.End.After(e.Begin) })
	if end.After(e.End) {
		j.fault("not held although it was", "%v; the lease lasted until %v", e, end)
		return
	}
	taken := i+1 < len(j.deliveries) && !j.deliveries[i+1].TakenAt.After(e.End)
	if !taken && j.lostDequeues(d.TakenAt, e.End) == 0 && j.f.row("dead") == nil {
		j.fault("not held although nobody took it", "%v", e)
	}
}

// settledTwice: a lease ends once.
func (j *judge) settledTwice() {
	for i, e := range j.settles {
		if !e.Held || e.Before || e.Kind == Extend {
			continue
		}
		for k, other := range j.settles {
			if other.Lease != e.Lease || !other.Held || other.Before || k == i {
				continue
			}
			if other.Kind != Extend && k > i {
				j.fault("settled twice", "%v and %v", e, other)
			}
			if other.Kind == Extend && other.Begin.After(e.End) {
				j.fault("extended after it was settled", "%v and then %v", e, other)
			}
		}
	}
}

// may says that some event of that kind was or may have been carried out.
func (j *judge) may(kind Kind) (held, lost *Event) {
	for i, e := range j.settles {
		if e.Kind == kind && e.Held {
			held = &j.settles[i]
		} else if e.Kind == kind && e.Lost {
			lost = &j.settles[i]
		}
	}
	return held, lost
}

// end: the message is where the calls have put it.
func (j *judge) end() {
	archived, maybeArchived := j.may(Archive)
	deleted, maybeDeleted := j.may(Delete)
	done, dead := j.f.row("archived"), j.f.row("dead")
	there := len(j.f.rows) > 0
	switch {
	case archived != nil && (done == nil || done.Lease != archived.Lease):
		j.fault("not archived", "%v, but the tables have %+v", *archived, j.f.rows)
	case archived == nil && done != nil && (maybeArchived == nil || maybeArchived.Lease != done.Lease):
		j.fault("archived by nobody", "%+v", *done)
	case dead != nil && len(j.deliveries) == 0 && j.lostDequeues(j.l.produced.Begin, j.s.At) == 0:
		j.fault("dead without delivery", "%+v", *dead)
	case deleted != nil && (there || j.f.logged):
		j.fault("not deleted", "%v, but the tables have %+v", *deleted, j.f.rows)
	case deleted == nil && maybeDeleted == nil && !there && !j.l.produced.Lost && !j.mayBePurged() &&
		!j.seized(j.l.produced.Begin, j.s.At, DeleteByID):
		j.fault("lost", "it is nowhere")
	}
}

func (j *judge) mayBePurged() bool {
	return slices.ContainsFunc(j.h.purges, func(p *Call) bool {
		return p.Queue == j.l.queue && !p.End.Before(j.l.produced.Begin)
	})
}

// purged: what was there when a purge began is not when it has ended.
func (j *judge) purged() {
	for _, p := range j.h.purges {
		if p.Lost || p.Queue != j.l.queue || j.l.produced.Lost || !j.l.produced.End.Before(p.Begin) {
			continue
		}
		for _, d := range j.deliveries {
			if d.TakenAt.After(p.End) {
				j.fault("delivered after it was purged", "by lease %d", d.Lease)
			}
		}
		if j.f.live() != nil {
			j.fault("not purged", "%+v", j.f.rows)
		}
	}
}
