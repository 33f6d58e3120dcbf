package stress

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
)

// worker makes random calls, one after the other.
type worker struct {
	*run
	random *rand.Rand
	number int
}

// enough is how many messages may be there before producers pause, and few how
// many before none is archived or deleted any more.
const (
	enough = 3000
	few    = 1000
)

// pace is how many events there may be in a second, on average: the history is
// kept in memory, about 300 bytes an event.
const pace = 15_000

// ahead says that there are more.
func (w *worker) ahead() bool {
	return float64(w.history.Len()) > pace*time.Since(w.began).Seconds()
}

// gauge counts the messages that are alive, about.
type gauge struct{ atomic.Int64 }

// number numbers the produces of a process.
var number atomic.Int64

func oneOf[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// any is the backend of one of the processes.
func (w *worker) any() *postgres.Backend { return oneOf(w.random, w.backends...) }

// begin starts a call.
func begin(kind Kind, queueID int64) *Call {
	return &Call{Kind: kind, Queue: queueID, Begin: now()}
}

// now is the server's clock, which is this machine's.
func now() time.Time { return time.Now().Truncate(time.Microsecond) }

// finish ends a call, and says whether it may have been carried out. An operation
// that may be repeated is reported as safe to repeat, carried out or not.
func (w *worker) finish(c *Call, err error) bool {
	c.End = now().Add(time.Microsecond)
	if err == nil {
		return true
	}
	var e *backend.Error
	if !errors.As(err, &e) || !errors.Is(err, backend.ErrConnection) {
		w.Errorf("%s: %v", c.Kind, err)
	}
	c.Lost = e == nil || e.MaybeCommitted || c.Kind == Extend || c.Kind == Purge
	w.wait(10 * time.Millisecond) // until the server is there again
	return c.Lost
}

func (w *worker) produceAll() {
	for !w.ended() {
		if w.live.Load() > enough {
			w.wait(5 * time.Millisecond)
			continue
		}
		w.produce()
		w.wait(time.Duration(w.random.Int64N(int64(50 * time.Millisecond))))
	}
}

func (w *worker) produce() {
	c := begin(Produce, oneOf(w.random, w.queues...).id)
	c.Size = oneOf(w.random, 1, 1, 1, 1, 5, 40, 300)
	c.Delay = oneOf(w.random, 0, 0, 0, 100*time.Millisecond)
	c.Number = int(number.Add(1))
	p := backend.MessageProduceParams{QueueID: c.Queue, Delay: c.Delay}
	for i := range c.Size {
		p.Payloads = append(p.Payloads, Place{c.Number, i}.Payload())
	}
	ids, err := w.any().MessageProduce(w.ctx, &p)
	if w.finish(c, err) {
		w.history.AddProduce(c, ids)
		w.live.Add(int64(c.Size))
	}
}

func (w *worker) consumeAll() {
	for !w.ended() {
		if w.ahead() {
			w.wait(5 * time.Millisecond)
			continue
		}
		switch x := w.random.IntN(1000); {
		case x < 4:
			w.purge()
		case x < 24:
			w.merge()
		case x < 44:
			w.seize(w.pool.pick(w.random))
		case x < 400:
			w.dequeue()
		default:
			w.settle(w.pool.pick(w.random))
		}
	}
}

func (w *worker) purge() {
	for _, q := range w.queues {
		if !q.purged {
			continue
		}
		c := begin(Purge, q.id)
		n, err := w.any().QueuePurge(w.ctx, &backend.QueuePurgeParams{QueueID: q.id})
		if w.finish(c, err) {
			w.history.AddPurge(c)
			w.live.Add(-n)
		}
	}
}

// merge is no event of the history: nothing may come of it.
func (w *worker) merge() {
	c := begin("merge", oneOf(w.random, w.queues...).id)
	_, err := w.any().QueueMerge(w.ctx, &backend.QueueMergeParams{QueueID: c.Queue})
	w.finish(c, err)
}

// seize deletes or releases messages by their ids, as somebody who need not hold them.
func (w *worker) seize(tokens []token) {
	for _, t := range tokens[:min(3, len(tokens))] {
		c := begin(oneOf(w.random, DeleteByID, ReleaseByID), t.queue)
		c.Forced = w.random.IntN(2) == 0
		found, err := w.any().MessageSeize(w.ctx, &backend.MessageSeizeParams{
			ID: t.id, Delete: c.Kind == DeleteByID, FromHolder: c.Forced,
		})
		if errors.Is(err, backend.ErrMessageNotFound) {
			err = nil
		}
		if !w.finish(c, err) {
			continue
		}
		if found == nil { // there is no such message, or the answer was lost
			found = &backend.MessageSeizeResult{}
		}
		w.history.AddSeizure(c, t.id, found.State, found.Done)
		if found.Done && c.Kind == DeleteByID {
			w.live.Add(-1)
		}
	}
}

func (w *worker) dequeue() {
	q := oneOf(w.random, w.queues...)
	c := begin(Dequeue, q.id)
	p := backend.MessageDequeueParams{
		QueueID: q.id, WorkerID: int64(w.number % 4), MaxReadCount: q.maxReadCount,
		Limit: oneOf(w.random, 1, 1, 3, 20, 100, 300),
		VT:    oneOf(w.random, 30*time.Millisecond, 200*time.Millisecond, time.Second, 5*time.Second),
	}
	// An empty answer comes at once, or after two seconds when all that is ready
	// stays locked; neither is an error.
	d, err := w.any().MessageDequeue(w.ctx, &p)
	if !w.finish(c, err) {
		return
	}
	if c.Lost || len(d.Messages) == 0 {
		w.history.AddDequeue(c, 0, nil)
		return
	}
	first := d.Messages[0]
	c.TakenAt, c.Until = first.DequeuedAt, first.VT
	var all []Delivered
	var tokens []token
	for _, m := range d.Messages {
		all = append(all, Delivered{ID: m.ID, ReadCount: m.ReadCount, Place: PlaceOf(m.Payload)})
		tokens = append(tokens, token{q.id, m.Lease, m.ID})
	}
	w.history.AddDequeue(c, first.Lease, all)
	w.live.Add(-int64(d.Dead))
	w.pool.put(tokens)
	if w.random.IntN(10) == 0 && w.live.Load() > few { // the usual case
		w.archive(tokens)
	}
}

// settle does something to deliveries, most of which are held.
func (w *worker) settle(tokens []token) {
	if len(tokens) == 0 {
		return
	}
	what := w.random.IntN(10)
	if w.live.Load() < few {
		what = 3 + w.random.IntN(7)
	}
	switch what {
	case 0, 1:
		w.archive(tokens)
	case 2:
		w.delete(tokens)
	case 3, 4:
		w.extend(tokens)
	default:
		w.release(tokens)
	}
}

// archive asks until it is answered.
func (w *worker) archive(tokens []token) {
	c := begin(Archive, tokens[0].queue)
	p := backend.MessageArchiveParams{QueueID: c.Queue, Deliveries: deliveriesOf(tokens)}
	outcomes, err := w.any().MessageArchive(w.ctx, &p)
	carriedOut := w.finish(c, err)
	for err != nil && carriedOut && w.ctx.Err() == nil {
		p.Again = true
		outcomes, err = w.any().MessageArchive(w.ctx, &p)
		c.Lost = false
		w.finish(c, err)
	}
	if carriedOut {
		c.Lost = err != nil
		w.settled(c, tokens, outcomes)
	}
}

func (w *worker) delete(tokens []token) {
	c := begin(Delete, tokens[0].queue)
	outcomes, err := w.any().MessageDelete(w.ctx, &backend.MessageDeleteParams{
		QueueID: c.Queue, Deliveries: deliveriesOf(tokens),
	})
	if w.finish(c, err) {
		w.settled(c, tokens, outcomes)
	}
}

func (w *worker) release(tokens []token) {
	c := begin(Release, tokens[0].queue)
	p := backend.MessageReleaseParams{QueueID: c.Queue, Deliveries: deliveriesOf(tokens)}
	if w.random.IntN(2) == 0 {
		c.Kind, p.Undelivered = GiveBack, true
	} else {
		c.Delay = oneOf(w.random, 0, 50*time.Millisecond)
		p.Delay = c.Delay
	}
	outcomes, err := w.any().MessageRelease(w.ctx, &p)
	if w.finish(c, err) {
		w.settled(c, tokens, outcomes)
	}
}

func (w *worker) extend(tokens []token) {
	c := begin(Extend, tokens[0].queue)
	answers, err := w.any().MessageExtend(w.ctx, &backend.MessageExtendParams{
		QueueID: c.Queue, Deliveries: deliveriesOf(tokens),
		By:   oneOf(w.random, 50*time.Millisecond, 300*time.Millisecond, time.Second),
		Mode: oneOf(w.random, backend.ExtendGrow, backend.ExtendKeep),
	})
	if !w.finish(c, err) {
		return
	}
	all := make([]Settled, len(tokens))
	for i, t := range tokens {
		all[i] = Settled{Lease: t.lease, ID: t.id}
		if err == nil {
			all[i].Held, all[i].VT = answers[i].Held, answers[i].VT
		}
	}
	w.history.AddSettle(c, all)
}

// settled notes the answers of an archive, delete or release.
func (w *worker) settled(c *Call, tokens []token, outcomes []backend.Outcome) {
	all := make([]Settled, len(tokens))
	for i, t := range tokens {
		all[i] = Settled{Lease: t.lease, ID: t.id}
		if outcomes == nil {
			continue
		}
		all[i].Held, all[i].Before = outcomes[i] != backend.NotHeld, outcomes[i] == backend.SettledBefore
		if all[i].Held && (c.Kind == Archive || c.Kind == Delete) {
			w.live.Add(-1)
		}
	}
	w.history.AddSettle(c, all)
	if w.random.IntN(10) < 7 { // others stay, and are late
		w.pool.drop(tokens)
	}
}
