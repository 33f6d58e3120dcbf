package backendtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// before says that y must come before x when both are ready.
func (y *item) before(x *item) bool {
	if y.VT.Before(x.early) {
		return true
	}
	comparable := y.exact() && x.exact() || y.group == x.group
	if !comparable || y.mixed && x.mixed {
		return false
	}
	return y.VT.Before(x.VT) || y.VT.Equal(x.VT) && y.ID < x.ID
}

// exact says that its place is its vt.
func (x *item) exact() bool { return x.early.Equal(x.VT) }

// suspect says of a ready message that it was leased as often as that at least,
// and that its last lease expired.
func (x *item) suspect(times int32) bool { return x.Lease != 0 && x.ReadCount >= times }

// dequeued is an answer of MessageDequeue as the model judges it: what was asked
// and answered, and how the model sees the messages just before.
type dequeued struct {
	*model
	p      *backend.MessageDequeueParams
	r      *backend.MessageDequeueResult
	taken  []*item
	isIn   map[int64]bool // ids of taken
	ready  []*item        // all that was ready
	leases map[int64]bool // old leases of taken
}

// dequeue judges an answer and follows it. dead says whether a message has moved
// to the dead letters, as the backend shows it.
func (m *model) dequeue(p *backend.MessageDequeueParams, r *backend.MessageDequeueResult, dead func(id int64) (bool, error)) error {
	d := &dequeued{model: m, p: p, r: r, ready: m.ready(p.At), isIn: make(map[int64]bool), leases: make(map[int64]bool)}
	for _, check := range []func() error{d.find, d.size, d.sequence, d.skipped, d.rest, d.next} {
		if err := check(); err != nil {
			return err
		}
	}
	if err := d.bury(dead); err != nil {
		return err
	}
	d.follow()
	return nil
}

// find looks up what was delivered and compares its fields.
func (d *dequeued) find() error {
	for _, msg := range d.r.Messages {
		x := d.live(msg.ID)
		switch {
		case x == nil:
			return fmt.Errorf("message %d was delivered, which does not live", msg.ID)
		case x.VT.After(d.p.At):
			return fmt.Errorf("message %d was delivered %v too early", msg.ID, x.VT.Sub(d.p.At))
		case d.isIn[msg.ID]:
			return fmt.Errorf("message %d was delivered twice in one answer", msg.ID)
		case d.doomed(x):
			return fmt.Errorf("message %d was delivered though it was leased %d times, the maximum", msg.ID, x.ReadCount)
		}
		want := x.Message
		want.Lease, want.ReadCount, want.ConsumerWorkerID = d.r.Messages[0].Lease, x.ReadCount+1, d.p.WorkerID
		want.DequeuedAt, want.VT = d.p.At, d.p.At.Add(d.p.VT)
		if err := sameMessage(msg, want); err != nil {
			return err
		}
		d.taken, d.isIn[msg.ID], d.leases[x.Lease] = append(d.taken, x), true, true
	}
	if len(d.taken) > 0 {
		if l := d.r.Messages[0].Lease; l <= 0 || d.model.leases[l] {
			return fmt.Errorf("lease %d is not new", l)
		}
	}
	return nil
}

// size: no more than the limit, and suspects of two leases only a few together.
func (d *dequeued) size() error {
	n := len(d.taken)
	if n > d.p.Limit {
		return fmt.Errorf("%d messages, the limit is %d", n, d.p.Limit)
	}
	for _, x := range d.taken {
		first := d.taken[0]
		if !x.suspect(2) && !first.suspect(2) {
			continue
		}
		if x.Lease != first.Lease || x.ReadCount != first.ReadCount {
			return fmt.Errorf("suspect %d of %d leases came together with %d", x.ID, x.ReadCount, first.ID)
		}
		mates := 0
		for _, y := range d.holdings(x.Lease) {
			if y.ReadCount == x.ReadCount {
				mates++
			}
		}
		if most := max(1, mates>>(2*x.ReadCount)); n > most {
			return fmt.Errorf("%d suspects of %d leases came together, at most %d of %d may", n, x.ReadCount, most, mates)
		}
	}
	return nil
}

// sequence: the answer is in delivery order.
func (d *dequeued) sequence() error {
	for i, x := range d.taken {
		for _, y := range d.taken[i+1:] {
			if y.before(x) {
				return fmt.Errorf("message %d came after message %d in one answer", y.ID, x.ID)
			}
		}
	}
	return nil
}

// skipped: nothing that is ready was passed over, but for the rest of suspects.
func (d *dequeued) skipped() error {
	for _, y := range d.ready {
		if d.isIn[y.ID] || d.doomed(y) || d.pieceLeft(y) {
			continue
		}
		for _, x := range d.taken {
			if y.before(x) {
				return fmt.Errorf("message %d was delivered although message %d comes before it", x.ID, y.ID)
			}
		}
	}
	return nil
}

// rest: when there was room in the answer, what is left has a reason.
func (d *dequeued) rest() error {
	if len(d.taken) == d.p.Limit || len(d.taken) > 0 && d.taken[0].suspect(2) {
		return nil
	}
	for _, y := range d.ready {
		if d.isIn[y.ID] || d.doomed(y) || d.pieceLeft(y) || len(d.taken) > 0 && d.behindSuspect(y) {
			continue
		}
		return fmt.Errorf("message %d was left though it was ready and only %d of %d came", y.ID, len(d.taken), d.p.Limit)
	}
	return nil
}

// next: an empty answer tells when the next message is due.
func (d *dequeued) next() error {
	if len(d.taken) > 0 {
		return nil
	}
	var due time.Duration
	has := false
	for _, x := range d.items {
		if x.state != "" || !x.VT.After(d.p.At) {
			continue
		}
		if in := x.VT.Sub(d.p.At); !has || in < due {
			has, due = true, in
		}
	}
	if has != d.r.HasNext || has && due != d.r.NextDue {
		return fmt.Errorf("the next message is due %v %v, want %v %v", d.r.HasNext, d.r.NextDue, has, due)
	}
	return nil
}

// doomed says that it may only become dead.
func (d *dequeued) doomed(x *item) bool {
	return d.p.MaxReadCount > 0 && int(x.ReadCount) >= d.p.MaxReadCount
}

// pieceLeft says that y is a suspect of one lease of which this answer took
// another part.
func (d *dequeued) pieceLeft(y *item) bool {
	return y.suspect(1) && y.ReadCount == 1 && d.leases[y.Lease]
}

// behindSuspect says that y is, or may be behind, a suspect that ended the walk.
func (d *dequeued) behindSuspect(y *item) bool {
	for _, z := range d.ready {
		if z.suspect(2) && !d.isIn[z.ID] && !d.doomed(z) && !y.before(z) {
			return true
		}
	}
	return false
}

// bury finds out who died, and whether those must have and no others could.
func (d *dequeued) bury(dead func(id int64) (bool, error)) error {
	n := 0
	for _, y := range d.ready {
		if !d.doomed(y) {
			continue
		}
		is, err := dead(y.ID)
		if err != nil {
			return err
		}
		if !is && d.passed(y) {
			return fmt.Errorf("message %d lives although it was leased %d times and the dequeue went past it", y.ID, y.ReadCount)
		}
		if is {
			y.state, y.archivedAt = backend.StateDead, d.p.At
			n++
		}
	}
	if n != d.r.Dead {
		return fmt.Errorf("%d messages died, the answer says %d", n, d.r.Dead)
	}
	return nil
}

// passed says that the dequeue met y on its way.
func (d *dequeued) passed(y *item) bool {
	for _, x := range d.taken {
		if y.before(x) {
			return true
		}
	}
	return len(d.taken) == 0
}

// follow gives what was delivered its new state.
func (d *dequeued) follow() {
	if len(d.taken) == 0 {
		return
	}
	earliest, mixed := d.taken[0].early, d.mixes()
	for _, x := range d.taken {
		if x.early.Before(earliest) {
			earliest = x.early
		}
	}
	for i, x := range d.taken {
		x.since, x.sinceEarly = x.VT, earliest
		x.mixed = x.mixed || mixed
		x.Message = d.r.Messages[i]
		x.early, x.group = x.VT, 0
	}
	d.model.leases[d.taken[0].Lease] = true
}

// mixes says that the ids of what was delivered do not ascend, or that others hold
// messages between them. It marks those as mixed.
func (d *dequeued) mixes() bool {
	var delivered idRange
	mixed := false
	for i, x := range d.taken {
		delivered.add(x.ID)
		mixed = mixed || i > 0 && d.taken[i-1].ID > x.ID
	}
	for _, y := range d.items {
		held := y.state == "" && y.Lease != 0 && y.VT.After(d.p.At)
		if held && delivered.lo < y.ID && y.ID < delivered.hi {
			y.mixed, mixed = true, true
		}
	}
	return mixed
}

// sameMessage compares a delivered message with what it should be.
func sameMessage(got, want backend.Message) error {
	var errs []error
	differ := func(what string, is, should any) {
		errs = append(errs, fmt.Errorf("message %d has %s %v, want %v", want.ID, what, is, should))
	}
	for _, f := range []struct {
		what      string
		got, want int64
	}{
		{"id", got.ID, want.ID}, {"queue", got.QueueID, want.QueueID}, {"lease", got.Lease, want.Lease},
		{"read count", int64(got.ReadCount), int64(want.ReadCount)},
		{"producer", got.ProducerWorkerID, want.ProducerWorkerID},
		{"consumer", got.ConsumerWorkerID, want.ConsumerWorkerID},
	} {
		if f.got != f.want {
			differ(f.what, f.got, f.want)
		}
	}
	for _, f := range []struct {
		what      string
		got, want time.Time
	}{
		{"vt", got.VT, want.VT}, {"enqueued_at", got.EnqueuedAt, want.EnqueuedAt}, {"dequeued_at", got.DequeuedAt, want.DequeuedAt},
	} {
		if !f.got.Equal(f.want) {
			differ(f.what, f.got, f.want)
		}
	}
	if string(got.Payload) != string(want.Payload) {
		differ("payload", string(got.Payload), string(want.Payload))
	}
	return errors.Join(errs...)
}
