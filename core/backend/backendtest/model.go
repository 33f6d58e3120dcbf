package backendtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// model is the contract as a state machine of one queue, written without a look
// at any backend: a map of messages and nothing else. It says what each answer
// must be; where the contract leaves room (see the package comment) it says
// whether an answer is admissible, and follows it.
type model struct {
	items  map[int64]*item
	leases map[int64]bool // those that were ever drawn
	keys   map[string]claim
}

// item is one message that was not deleted. Its ReadCount, Lease, VT and so on
// are what MessageGet shows; Lease is 0 when nobody holds it.
type item struct {
	backend.Message
	state      backend.MessageState // archived, dead, or empty while it lives
	archivedAt time.Time

	// Its place in line lies in early … VT. The two differ after it was given
	// back undelivered only. since and sinceEarly are the place that it had before
	// its lease. group is the lease whose messages it went back with.
	early, since, sinceEarly time.Time
	group                    int64
	// mixed: it may be out of the order of ids with others of its VT that are mixed
	// too (see Equals in the package comment).
	mixed bool
}

func newModel() *model {
	return &model{items: make(map[int64]*item), leases: make(map[int64]bool), keys: make(map[string]claim)}
}

// live returns the message if it is neither done nor gone.
func (m *model) live(id int64) *item {
	if x := m.items[id]; x != nil && x.state == "" {
		return x
	}
	return nil
}

// ready are the live messages whose vt has come.
func (m *model) ready(now time.Time) []*item {
	var r []*item
	for _, x := range m.items {
		if x.state == "" && !x.VT.After(now) {
			r = append(r, x)
		}
	}
	return r
}

// stateAt is the state of a live message.
func (x *item) stateAt(now time.Time) backend.MessageState {
	switch {
	case !x.VT.After(now):
		return backend.StateReady
	case x.Lease == 0:
		return backend.StateDelayed
	default:
		return backend.StateLeased
	}
}

// shownAs compares a message with what MessageGet or MessageList has of it.
func (x *item) shownAs(got backend.Message) error {
	if got.VT.Before(x.early) || got.VT.After(x.VT) {
		return fmt.Errorf("message %d has vt %v, want one from %v to %v", x.ID, got.VT, x.early, x.VT)
	}
	want := x.Message
	want.VT = got.VT
	if x.state != "" || x.Lease == 0 { // what remains of an ended lease is not said
		want.Lease, want.DequeuedAt, want.ConsumerWorkerID = got.Lease, got.DequeuedAt, got.ConsumerWorkerID
	}
	return sameMessage(got, want)
}

// list is the page that MessageList returns.
func (m *model) list(p *backend.MessageListParams) []*item {
	var all []*item
	for _, x := range m.items {
		if x.state == "" && x.ID > p.After && (p.State == "" || x.stateAt(p.At) == p.State) {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(a, b *item) int { return cmp.Compare(a.ID, b.ID) })
	return all[:min(p.Limit, len(all))]
}

// held returns the message if that delivery of it can be settled.
func (m *model) held(d backend.Delivery) *item {
	if x := m.live(d.ID); x != nil && d.Lease > 0 && x.Lease == d.Lease {
		return x
	}
	return nil
}

// holdings are the live messages of a lease.
func (m *model) holdings(lease int64) []*item {
	var all []*item
	for _, x := range m.items {
		if x.state == "" && x.Lease == lease {
			all = append(all, x)
		}
	}
	return all
}

func (m *model) produce(msg backend.Message) {
	m.items[msg.ID] = &item{Message: msg, early: msg.VT}
}

// claim is a key that is taken: as long as its message lives, or until a moment.
type claim struct {
	id    int64
	until time.Time
}

// holder is the message that has a key; 0: it is free.
func (m *model) holder(key string, now time.Time) int64 {
	c := m.keys[key]
	if c.until.IsZero() && m.live(c.id) == nil || !c.until.IsZero() && !c.until.After(now) {
		return 0
	}
	return c.id
}

// sweep forgets the keys that are free: a message that is replayed has its key no more.
func (m *model) sweep(now time.Time) {
	maps.DeleteFunc(m.keys, func(key string, _ claim) bool { return m.holder(key, now) == 0 })
}

func (m *model) claim(key string, id int64, now time.Time, lasting time.Duration) {
	if key == "" {
		return
	}
	c := claim{id: id}
	if lasting != 0 {
		c.until = now.Add(lasting)
	}
	m.keys[key] = c
}

// settle does something to each message that is held, once.
func (m *model) settle(deliveries []backend.Delivery, do func(*item)) []backend.Outcome {
	held := make(map[backend.Delivery]bool)
	for _, d := range deliveries {
		held[d] = m.held(d) != nil
	}
	for d, is := range held {
		if is {
			do(m.items[d.ID])
		}
	}
	outcomes := make([]backend.Outcome, len(deliveries))
	for i, d := range deliveries {
		if held[d] {
			outcomes[i] = backend.Settled
		}
	}
	return outcomes
}

func (m *model) archive(deliveries []backend.Delivery, again bool, now time.Time) []backend.Outcome {
	before := make(map[backend.Delivery]bool)
	for _, d := range deliveries {
		x := m.items[d.ID]
		before[d] = again && x != nil && x.state == backend.StateArchived && x.Lease == d.Lease
	}
	outcomes := m.settle(deliveries, func(x *item) { x.state, x.archivedAt = backend.StateArchived, now })
	for i, d := range deliveries {
		if before[d] {
			outcomes[i] = backend.SettledBefore
		}
	}
	return outcomes
}

func (m *model) delete(deliveries []backend.Delivery) []backend.Outcome {
	return m.settle(deliveries, func(x *item) { delete(m.items, x.ID) })
}

func (m *model) release(deliveries []backend.Delivery, delay time.Duration, now time.Time) []backend.Outcome {
	m.part(deliveries)
	return m.settle(deliveries, func(x *item) {
		x.Lease, x.VT, x.early, x.group = 0, now.Add(delay), now.Add(delay), 0
	})
}

// fail makes dead what was delivered as often as most says, unless that is 0.
func (m *model) fail(deliveries []backend.Delivery, most int, delay time.Duration, now time.Time) []backend.Outcome {
	m.part(deliveries)
	return m.settle(deliveries, func(x *item) {
		if most > 0 && int(x.ReadCount) >= most {
			x.state, x.archivedAt = backend.StateDead, now
			return
		}
		x.Lease, x.VT, x.early, x.group = 0, now.Add(delay), now.Add(delay), 0
	})
}

// replay makes messages ready again that are done, and returns their ids.
func (m *model) replay(ids []int64, now time.Time) []int64 {
	replayed := []int64{}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if x := m.items[id]; x != nil && x.state != "" {
			x.state, x.archivedAt = "", time.Time{}
			x.Lease, x.ReadCount, x.VT, x.early, x.group, x.mixed = 0, 0, now, now, 0, false
			replayed = append(replayed, id)
		}
	}
	return replayed
}

// seize is nil where there is no such message.
func (m *model) seize(p *backend.MessageSeizeParams) *backend.MessageSeizeResult {
	x := m.items[p.ID]
	if x == nil {
		return nil
	}
	r := &backend.MessageSeizeResult{State: x.state}
	if x.state != "" {
		return r
	}
	r.State = x.stateAt(p.At)
	held := r.State == backend.StateLeased
	if r.Done = p.FromHolder || !held; !r.Done {
		return r
	}
	switch {
	case p.Delete:
		delete(m.items, x.ID)
	case r.State != backend.StateReady:
		if held {
			m.part([]backend.Delivery{{Lease: x.Lease, ID: x.ID}})
		}
		x.Lease, x.VT, x.early, x.group = 0, p.At, p.At, 0
	}
	return r
}

func (m *model) giveBack(deliveries []backend.Delivery) []backend.Outcome {
	m.part(deliveries)
	return m.settle(deliveries, func(x *item) {
		x.VT, x.early, x.group = x.since, x.sinceEarly, x.Lease
		x.Lease, x.ReadCount = 0, x.ReadCount-1
	})
}

func (m *model) extend(deliveries []backend.Delivery, mode backend.ExtendMode, by time.Duration, now time.Time) []backend.Extension {
	m.part(deliveries)
	outcomes := m.settle(deliveries, func(x *item) {
		switch vt := now.Add(by); {
		case mode == backend.ExtendGrow && x.VT.After(now):
			x.VT = x.VT.Add(by)
		case mode == backend.ExtendGrow || vt.After(x.VT):
			x.VT = vt
		}
		x.early = x.VT
	})
	answers := make([]backend.Extension, len(outcomes))
	for i, o := range outcomes {
		if o == backend.Settled {
			answers[i] = backend.Extension{Held: true, VT: m.items[deliveries[i].ID].VT}
		}
	}
	return answers
}

// part marks as mixed what a lease holds when these deliveries are some of it
// and others have ids between theirs.
func (m *model) part(deliveries []backend.Delivery) {
	named := make(map[int64]map[int64]bool)
	for _, d := range deliveries {
		if m.held(d) == nil {
			continue
		}
		if named[d.Lease] == nil {
			named[d.Lease] = make(map[int64]bool)
		}
		named[d.Lease][d.ID] = true
	}
	for lease, ids := range named {
		var inside, outside idRange
		all := m.holdings(lease)
		for _, x := range all {
			if ids[x.ID] {
				inside.add(x.ID)
			} else {
				outside.add(x.ID)
			}
		}
		if inside.crosses(outside) {
			for _, x := range all {
				x.mixed = true
			}
		}
	}
}

// purge deletes all that lives and returns how many those were.
func (m *model) purge() (n int64) {
	for id, x := range m.items {
		if x.state == "" {
			delete(m.items, id)
			n++
		}
	}
	maps.DeleteFunc(m.keys, func(_ string, c claim) bool { return m.items[c.id] == nil })
	return n
}

func (m *model) counts(now time.Time) (c backend.MessageCounts) {
	for _, x := range m.items {
		switch {
		case x.state == backend.StateArchived:
			c.Archived++
		case x.state == backend.StateDead:
			c.Dead++
		case !x.VT.After(now):
			c.Ready++
		case x.Lease != 0:
			c.Leased++
		default:
			c.Delayed++
		}
	}
	return c
}

// idRange is the smallest and the largest of some ids.
type idRange struct {
	lo, hi int64
	any    bool
}

func (r *idRange) add(id int64) {
	if !r.any || id < r.lo {
		r.lo = id
	}
	if !r.any || id > r.hi {
		r.hi = id
	}
	r.any = true
}

func (r idRange) crosses(s idRange) bool { return r.any && s.any && r.lo < s.hi && s.lo < r.hi }
