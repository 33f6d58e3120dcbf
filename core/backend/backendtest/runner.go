package backendtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// What the steps of a program choose from. Periods end in odd microseconds, so
// that moments which have nothing to do with each other never coincide.
var (
	sizes    = []int{1, 1, 1, 2, 3, 5, 12, 60, 300}
	limits   = []int{1, 1, 2, 3, 5, 10, 50, 260, 700}
	delays   = []time.Duration{0, 0, 0, 0, 1000007 * time.Microsecond, 5000011 * time.Microsecond, 30000013 * time.Microsecond}
	leaseVTs = []time.Duration{1000017 * time.Microsecond, 5000023 * time.Microsecond, 5000029 * time.Microsecond, 30000037 * time.Microsecond}
	passes   = []time.Duration{time.Millisecond, 100019 * time.Microsecond, time.Second, 3 * time.Second, 10 * time.Second, time.Minute}
	maxReads = []int{0, 0, 2, 3, 5, 5}
	lastings = []time.Duration{0, 0, 0, 5000041 * time.Microsecond, 60000047 * time.Microsecond}
	// Of which state a page is; empty: of any.
	liveStates = []backend.MessageState{"", "", backend.StateReady, backend.StateDelayed, backend.StateLeased}
	mostAlive  = 1500 // a program does not produce beyond it
	mostHeld   = 24   // so many answers of dequeues are remembered for settling
)

// runner executes a program on a queue of a backend, and holds each answer
// against the model.
type runner struct {
	b       backend.Backend
	ctx     context.Context
	m       *model
	queue   int64
	workers [3]int64 // 0: none
	now     time.Time
	ids     []int64              // all that were ever produced
	held    [][]backend.Delivery // what dequeues answered, stale ones too
	log     []string             // what happened, one line a step
}

// run executes a program on a fresh queue and returns what went wrong, and the
// log of what happened.
func run(ctx context.Context, b backend.Backend, p program) (log []string, err error) {
	r := &runner{b: b, ctx: ctx, m: newModel(), now: time.Now().Truncate(time.Microsecond)}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	for i, s := range p {
		r.now = r.now.Add(time.Millisecond)
		r.log = append(r.log, "")
		if err := r.step(s); err != nil {
			return r.log, fmt.Errorf("step %d, %s: %w", i+1, s.name(), err)
		}
	}
	if err := r.finish(); err != nil {
		return r.log, fmt.Errorf("at the end: %w", err)
	}
	return r.log, nil
}

func (r *runner) prepare() error {
	q, err := r.b.QueueCreate(r.ctx, &backend.QueueCreateParams{Name: fmt.Sprintf("model-%d", queueNames.Add(1))})
	if err != nil {
		return err
	}
	r.queue = q.ID
	for i := range r.workers[1:] {
		w, err := r.b.WorkerRegister(r.ctx, &backend.WorkerRegisterParams{QueueID: q.ID, Hostname: "model", At: r.now})
		if err != nil {
			return err
		}
		r.workers[i+1] = w.ID
	}
	return nil
}

// note completes the line of the log for this step.
func (r *runner) note(format string, args ...any) {
	r.log[len(r.log)-1] += fmt.Sprintf(format, args...)
}

func (r *runner) step(s step) error {
	switch verb := s.name(); verb {
	case "produce":
		return r.produce(pick(sizes, s.a), pick(delays, s.b), pick(r.workers[:], s.c))
	case "keyed":
		return r.keyed(pick(sizes[:7], s.a), s.b, pick(lastings, s.c))
	case "dequeue":
		return r.dequeue(pick(limits, s.a), pick(leaseVTs, s.b), pick(maxReads, s.c), pick(r.workers[:], s.a^s.b))
	case "archive", "again":
		return r.archive(r.choose(s), verb == "again")
	case "delete":
		return r.delete(r.choose(s))
	case "release":
		return r.release(r.choose(s), pick(delays, s.c))
	case "fail":
		return r.fail(r.choose(s), pick(maxReads, s.a), pick(delays, s.c))
	case "replay":
		return r.replay(s)
	case "seize":
		return r.seize(s)
	case "giveback":
		return r.giveBack(r.choose(s))
	case "grow":
		return r.extend(r.choose(s), backend.ExtendGrow, pick(delays, s.c))
	case "keep":
		return r.extend(r.choose(s), backend.ExtendKeep, pick(leaseVTs, s.c))
	case "pass":
		d := pick(passes, s.a)
		r.now = r.now.Add(d)
		r.note("pass %v", d)
		return nil
	case "look":
		return r.look(s)
	case "purge":
		return r.purge()
	default:
		return fmt.Errorf("no such verb")
	}
}

func pick[T any](from []T, by byte) T { return from[int(by)%len(from)] }

func (r *runner) produce(n int, delay time.Duration, worker int64) error {
	alive := r.m.counts(r.now)
	if int(alive.Ready+alive.Delayed+alive.Leased)+n > mostAlive {
		r.note("produce nothing: enough are alive")
		return nil
	}
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = fmt.Appendf(nil, `{"n": %d}`, len(r.ids)+i)
	}
	ids, err := r.b.MessageProduce(r.ctx, &backend.MessageProduceParams{
		QueueID: r.queue, Payloads: payloads, Delay: delay, WorkerID: worker, At: r.now,
	})
	r.note("produce %d in %v: %v", n, delay, short(ids))
	if err != nil {
		return err
	}
	if len(ids) != n {
		return fmt.Errorf("%d ids for %d payloads", len(ids), n)
	}
	for i, id := range ids {
		if len(r.ids) > 0 && id <= r.ids[len(r.ids)-1] {
			return fmt.Errorf("id %d after %d", id, r.ids[len(r.ids)-1])
		}
		r.ids = append(r.ids, id)
		r.m.produce(backend.Message{
			ID: id, QueueID: r.queue, Payload: payloads[i], EnqueuedAt: r.now, VT: r.now.Add(delay), ProducerWorkerID: worker,
		})
	}
	return nil
}

// keyed produces n messages with keys, some of them alike, some without.
func (r *runner) keyed(n int, seed byte, lasting time.Duration) error {
	p := &backend.MessageProduceKeyedParams{
		MessageProduceParams: backend.MessageProduceParams{QueueID: r.queue, At: r.now}, DedupFor: lasting, Patience: patience,
	}
	for i := range n {
		p.Payloads = append(p.Payloads, fmt.Appendf(nil, `{"n": %d}`, len(r.ids)+i))
		p.Keys = append(p.Keys, []string{"", "a", "b", "c", "d", "e", "f"}[(int(seed)+i*i)%7])
	}
	answers, err := r.b.MessageProduceKeyed(r.ctx, p)
	r.note("keyed %q for %v: %v", p.Keys, lasting, answers)
	if err != nil {
		return err
	}
	if len(answers) != n {
		return fmt.Errorf("%d answers for %d payloads", len(answers), n)
	}
	for i, a := range answers {
		holder := r.m.holder(p.Keys[i], r.now)
		if a.Deduplicated != (holder != 0) || a.Deduplicated && a.ID != holder {
			return fmt.Errorf("answer %d is %+v, and %q is of message %d", i, a, p.Keys[i], holder)
		}
		if a.Deduplicated {
			continue
		}
		if len(r.ids) > 0 && a.ID <= r.ids[len(r.ids)-1] {
			return fmt.Errorf("id %d after %d", a.ID, r.ids[len(r.ids)-1])
		}
		r.ids = append(r.ids, a.ID)
		r.m.produce(backend.Message{ID: a.ID, QueueID: r.queue, Payload: p.Payloads[i], EnqueuedAt: r.now, VT: r.now})
		r.m.claim(p.Keys[i], a.ID, r.now, lasting)
	}
	if seed%4 == 0 { // from the first key of this queue on
		_, err = r.b.DedupSweep(r.ctx, &backend.DedupSweepParams{After: backend.DedupPlace{QueueID: r.queue}, At: r.now})
		r.m.sweep(r.now)
		r.note(", and swept")
	}
	return err
}

func (r *runner) dequeue(limit int, vt time.Duration, most int, worker int64) error {
	p := &backend.MessageDequeueParams{QueueID: r.queue, WorkerID: worker, Limit: limit, VT: vt, MaxReadCount: most, At: r.now}
	answer, err := r.b.MessageDequeue(r.ctx, p)
	r.note("dequeue %d for %v, at most %d times", limit, vt, most)
	if err != nil {
		return err
	}
	r.note(": %v, %d dead", short(idsOf(answer.Messages)), answer.Dead)
	if len(answer.Messages) > 0 {
		r.held = append(r.held, deliveriesOf(answer.Messages))
		r.held = r.held[max(0, len(r.held)-mostHeld):]
	}
	return r.m.dequeue(p, answer, r.isDead)
}

// isDead asks the backend.
func (r *runner) isDead(id int64) (bool, error) {
	record, err := r.b.MessageGet(r.ctx, &backend.MessageGetParams{ID: id})
	if err != nil {
		return false, err
	}
	return record.State == backend.StateDead, nil
}

// choose makes the deliveries of a settling step: some of what a dequeue
// answered, preferably of a late one, perhaps mixed with others or wrong.
func (r *runner) choose(s step) []backend.Delivery {
	if len(r.held) == 0 {
		return nil
	}
	// The square makes small numbers, that is late answers, more frequent.
	back := int(s.a) * int(s.a) * len(r.held) / (256 * 256)
	all := r.held[len(r.held)-1-back]
	n := 1 + int(s.b)%len(all)
	switch s.b >> 5 {
	case 0, 1:
		return all
	case 2:
		return all[:n]
	case 3:
		return all[len(all)-n:]
	case 4:
		return every(all, 2+int(s.c)%3)
	case 5:
		return all[n-1 : n]
	case 6: // with those of another lease, in no order, some twice
		mixed := slices.Concat(all[:n], r.held[0], all[:1])
		slices.Reverse(mixed)
		return mixed
	default: // with what was never delivered
		d := all[n-1]
		return []backend.Delivery{{ID: d.ID}, {Lease: d.Lease, ID: d.ID + 100000}, d, {Lease: d.Lease + 1, ID: d.ID}, {Lease: -d.Lease, ID: d.ID}}
	}
}

// every returns each k-th element.
func every[T any](s []T, k int) (some []T) {
	for i := 0; i < len(s); i += k {
		some = append(some, s[i])
	}
	return some
}

func (r *runner) archive(d []backend.Delivery, again bool) error {
	got, err := r.b.MessageArchive(r.ctx, &backend.MessageArchiveParams{QueueID: r.queue, Deliveries: d, Again: again, At: r.now})
	r.note("archive %v, again %v: %v", short(d), again, short(got))
	return errors.Join(err, sameAnswers(d, got, r.m.archive(d, again, r.now)))
}

func (r *runner) delete(d []backend.Delivery) error {
	got, err := r.b.MessageDelete(r.ctx, &backend.MessageDeleteParams{QueueID: r.queue, Deliveries: d, At: r.now})
	r.note("delete %v: %v", short(d), short(got))
	return errors.Join(err, sameAnswers(d, got, r.m.delete(d)))
}

func (r *runner) release(d []backend.Delivery, delay time.Duration) error {
	got, err := r.b.MessageRelease(r.ctx, &backend.MessageReleaseParams{QueueID: r.queue, Deliveries: d, Delay: delay, At: r.now})
	r.note("release %v in %v: %v", short(d), delay, short(got))
	return errors.Join(err, sameAnswers(d, got, r.m.release(d, delay, r.now)))
}

func (r *runner) fail(d []backend.Delivery, most int, delay time.Duration) error {
	failures := make([]backend.Failure, len(d))
	for i := range d {
		failures[i] = backend.Failure{Delivery: d[i], Error: "boom", Delay: delay}
	}
	got, err := r.b.MessageFail(r.ctx, &backend.MessageFailParams{QueueID: r.queue, Failures: failures, MaxReadCount: most, At: r.now})
	if err != nil {
		return err
	}
	r.note("fail %v in %v, at most %d: %v, %d dead", short(d), delay, most, short(got.Outcomes), got.Dead)
	dead := r.m.counts(r.now).Dead
	if err := sameAnswers(d, got.Outcomes, r.m.fail(d, most, delay, r.now)); err != nil {
		return err
	}
	if want := r.m.counts(r.now).Dead - dead; int64(got.Dead) != want {
		return fmt.Errorf("%d messages are said to have died, want %d", got.Dead, want)
	}
	return nil
}

// replay names some of what was ever produced, done or not.
func (r *runner) replay(s step) error {
	var ids []int64
	if len(r.ids) > 0 {
		from := int(s.a) * len(r.ids) / 256
		ids = every(r.ids[from:min(len(r.ids), from+1+int(s.b))], 1+int(s.c)%3)
	}
	got, err := r.b.ArchiveReplay(r.ctx, &backend.ArchiveReplayParams{QueueID: r.queue, IDs: ids, At: r.now})
	r.note("replay %v: %v", short(ids), short(got))
	if want := r.m.replay(ids, r.now); err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("replayed %v, want %v", short(got), short(want))
	}
	return err
}

// seize names one of what was ever produced, rather a late one.
func (r *runner) seize(s step) error {
	p := &backend.MessageSeizeParams{ID: 1 << 60, Delete: s.b%2 == 0, FromHolder: s.b%4 < 2, At: r.now}
	if len(r.ids) > 0 {
		p.ID = r.ids[len(r.ids)-1-int(s.a)*int(s.c)*len(r.ids)/(256*256)]
	}
	got, err := r.b.MessageSeize(r.ctx, p)
	r.note("seize %d, to delete %v, from its holder %v: %+v", p.ID, p.Delete, p.FromHolder, got)
	want := r.m.seize(p)
	switch {
	case want == nil && !errors.Is(err, backend.ErrMessageNotFound):
		return fmt.Errorf("the error is %v, want ErrMessageNotFound", err)
	case want != nil && (err != nil || got.State != want.State || got.Done != want.Done || got.QueueID != r.queue):
		return fmt.Errorf("the answer is %+v, %v, want %+v", got, err, want)
	}
	return nil
}

func (r *runner) giveBack(d []backend.Delivery) error {
	got, err := r.b.MessageRelease(r.ctx, &backend.MessageReleaseParams{QueueID: r.queue, Deliveries: d, Undelivered: true, At: r.now})
	r.note("give back %v: %v", short(d), short(got))
	return errors.Join(err, sameAnswers(d, got, r.m.giveBack(d)))
}

func (r *runner) extend(d []backend.Delivery, mode backend.ExtendMode, by time.Duration) error {
	got, err := r.b.MessageExtend(r.ctx, &backend.MessageExtendParams{QueueID: r.queue, Deliveries: d, By: by, Mode: mode, At: r.now})
	r.note("extend %v in mode %d by %v: %v", short(d), mode, by, short(got))
	for i := range got { // so that equal moments are equal values
		got[i].VT = got[i].VT.UTC()
	}
	want := r.m.extend(d, mode, by, r.now)
	for i := range want {
		want[i].VT = want[i].VT.UTC()
	}
	return errors.Join(err, sameAnswers(d, got, want))
}

func (r *runner) purge() error {
	got, err := r.b.QueuePurge(r.ctx, &backend.QueuePurgeParams{QueueID: r.queue})
	r.note("purge: %d", got)
	if want := r.m.purge(); err == nil && got != want {
		err = fmt.Errorf("%d messages were purged, want %d", got, want)
	}
	return err
}

// look compares the counts and three messages.
func (r *runner) look(s step) error {
	if err := r.count(); err != nil {
		return err
	}
	if err := r.list(s); err != nil {
		return err
	}
	for _, by := range []byte{s.a, s.b, s.c} {
		if len(r.ids) > 0 {
			if err := r.get(r.ids[int(by)*len(r.ids)/256]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *runner) count() error {
	got, err := r.b.MessageCount(r.ctx, &backend.MessageCountParams{QueueID: r.queue, At: r.now})
	if err != nil {
		return err
	}
	r.note("count %+v ", *got)
	if want := r.m.counts(r.now); *got != want {
		return fmt.Errorf("counts are %+v, want %+v", *got, want)
	}
	return nil
}

// list compares a page of the live messages.
func (r *runner) list(s step) error {
	p := &backend.MessageListParams{QueueID: r.queue, Limit: pick(limits, s.a), State: pick(liveStates, s.b), At: r.now}
	if len(r.ids) > 0 {
		p.After = r.ids[int(s.c)*len(r.ids)/256] - 1
	}
	r.note("list %d %s after %d ", p.Limit, p.State, p.After)
	got, err := r.b.MessageList(r.ctx, p)
	if err != nil {
		return err
	}
	want := r.m.list(p)
	if len(got) != len(want) {
		return fmt.Errorf("MessageList returned %d messages, want %d", len(got), len(want))
	}
	for i, x := range want {
		if want := x.stateAt(r.now); got[i].State != want {
			return fmt.Errorf("message %d is %s, want %s", x.ID, got[i].State, want)
		}
		if err := x.shownAs(got[i].Message); err != nil {
			return err
		}
	}
	return nil
}

// get compares what MessageGet shows. Whether a live message is ready, delayed or
// leased it tells by the backend's clock, which is not ours.
func (r *runner) get(id int64) error {
	got, err := r.b.MessageGet(r.ctx, &backend.MessageGetParams{ID: id})
	r.note("get %d ", id)
	x := r.m.items[id]
	if x == nil {
		if !errors.Is(err, backend.ErrMessageNotFound) {
			return fmt.Errorf("MessageGet of %d returned %v, want ErrMessageNotFound", id, err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if done := got.State == backend.StateArchived || got.State == backend.StateDead; done != (x.state != "") || done && got.State != x.state {
		return fmt.Errorf("message %d is %s, want %s", id, got.State, x.state)
	}
	if !got.ArchivedAt.Equal(x.archivedAt) {
		return fmt.Errorf("message %d was archived at %v, want %v", id, got.ArchivedAt, x.archivedAt)
	}
	return x.shownAs(got.Message)
}

// finish drains the queue: what the model has left must come, and no more.
func (r *runner) finish() error {
	r.log = append(r.log, "the end: ")
	if err := r.count(); err != nil {
		return err
	}
	for _, id := range every(r.ids, 1+len(r.ids)/40) {
		if err := r.get(id); err != nil {
			return err
		}
	}
	r.now = r.now.Add(time.Hour)
	for {
		r.now = r.now.Add(time.Millisecond)
		r.log = append(r.log, "the end: ")
		left := len(r.m.ready(r.now))
		if err := r.dequeue(1000, time.Hour, 0, 0); err != nil {
			return err
		}
		if left == 0 {
			break
		}
		if err := r.archive(r.held[len(r.held)-1], false); err != nil {
			return err
		}
	}
	if c := r.m.counts(r.now); c.Ready+c.Delayed+c.Leased > 0 {
		return fmt.Errorf("the model has %+v left", c)
	}
	return r.count()
}

// sameAnswers compares the answers for deliveries with those of the model.
func sameAnswers[T comparable](d []backend.Delivery, got, want []T) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d answers for %d deliveries", len(got), len(d))
	}
	for i := range want {
		if got[i] != want[i] {
			return fmt.Errorf("the answer for %+v is %v, want %v", d[i], got[i], want[i])
		}
	}
	return nil
}
