package postgres_test

import (
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Walks begin at the low watermark of the queue; what becomes visible below it is
// found by the next full walk: when nothing is found above, and from time to time.
var watermarkRaces = []raceTest{
	{"what a transaction that began long before commits below the watermark is found when nothing else is", lateCommitIsFound},
	{"what is committed below the watermark is found while there is always something above it", lateCommitIsFoundInTime},
	{"what this process gives back below the watermark comes next", givenBackComesNext},
	{"a full walk that a release overtakes leaves no watermark above it", releaseOvertakesWalk},
}

// openTransaction produces n messages in a transaction that stays open.
func (r *race) openTransaction(n int) (*session, []int64) {
	r.Helper()
	s := r.session()
	s.begin()
	var ids []int64
	r.must(s.c.QueryRow(r.ctx, "select pgqrs_enqueue($1, array_fill('1'::json, array[$2::integer]))", r.queue, n).Scan(&ids))
	return s, ids
}

// wantWatermark checks that walks begin above what that transaction holds, and
// lets them do so until passed.
func (r *race) wantWatermark(open *session) {
	r.Helper()
	var vt time.Time
	r.must(open.c.QueryRow(r.ctx, "select min(vt) from pgqrs_spans where queue_id = $1", r.queue).Scan(&vt))
	if low, ok := r.b.HoldWatermark(r.queue); !ok || !low.After(vt) {
		r.Fatalf("walks begin at %v (%v), want above %v", low, ok, vt)
	}
}

func idsOf(messages []backend.Message) []int64 {
	var ids []int64
	for _, m := range messages {
		ids = append(ids, m.ID)
	}
	return ids
}

func lateCommitIsFound(r *race) {
	open, late := r.openTransaction(3)
	above := r.produce(20)
	r.want("dequeued", idsOf(r.dequeue(10)), above[:10])
	r.wantWatermark(open)
	open.commit()
	r.want("dequeued", idsOf(r.dequeue(10)), above[10:])
	r.want("dequeued", idsOf(r.dequeue(10)), late)
}

func lateCommitIsFoundInTime(r *race) {
	open, late := r.openTransaction(3)
	above := r.produce(250)
	r.dequeue(1)
	r.wantWatermark(open)
	open.commit()
	r.want("dequeued", idsOf(r.dequeue(1)), above[1:2]) // below is not looked at
	r.b.PassWatermarkTime(r.queue)
	r.want("dequeued", idsOf(r.dequeue(5)), slices.Concat(late, above[2:4]))
}

func givenBackComesNext(r *race) {
	below := r.produce(3)
	held := deliveries(r.dequeue(3))
	above := r.produce(20)
	r.want("dequeued", idsOf(r.dequeue(5)), above[:5])
	r.b.HoldWatermark(r.queue)
	_, err := r.b.MessageRelease(r.ctx, &backend.MessageReleaseParams{QueueID: r.queue, Deliveries: held, Undelivered: true})
	r.must(err)
	r.want("dequeued", idsOf(r.dequeue(5)), slices.Concat(below, above[5:7]))
}

// releaseOvertakesWalk: the walk's snapshot does not have what is given back
// while it is on its way, so what it found first is not the lowest.
func releaseOvertakesWalk(r *race) {
	below := r.produce(3)
	held := deliveries(r.dequeue(3))
	above := r.produce(20)
	resume := r.pauseDequeue("open walk;")
	walk := start(func() (*backend.MessageDequeueResult, error) {
		return r.b.MessageDequeue(r.ctx, &backend.MessageDequeueParams{QueueID: r.queue, Limit: 5, VT: leaseTime, WorkerID: pausing})
	})
	r.b.PassWatermarkTime(r.queue)
	r.paused(1)
	_, err := r.b.MessageRelease(r.ctx, &backend.MessageReleaseParams{QueueID: r.queue, Deliveries: held, Undelivered: true})
	r.must(err)
	resume()
	r.want("dequeued", idsOf(wait(r, walk).Messages), above[:5])
	if low, ok := r.b.HoldWatermark(r.queue); ok {
		r.Fatalf("walks begin at %v, above what was given back", low)
	}
	r.want("dequeued", idsOf(r.dequeue(5)), slices.Concat(below, above[5:7]))
}

// A transaction of somebody else tells all live listeners when it commits: one
// may have fallen asleep after the messages were stored and before that.
var wakeUpRaces = []raceTest{
	{"who falls asleep while a transaction with messages is open is woken by its commit", asleepBeforeCommit},
	{"who falls asleep while a transaction with messages is open is not woken when that is rolled back", asleepBeforeRollback},
}

// asleepAgain returns a listener that was woken once, and then fell asleep while
// a transaction that produces is open, having dequeued in vain.
func (r *race) asleepAgain() (backend.Listener, *session) {
	r.Helper()
	l, err := r.b.ListenerOpen(r.ctx)
	r.must(err)
	r.Cleanup(func() { r.must(l.Close()) })
	r.must(l.Sleep(r.ctx, []int64{r.queue}))
	r.must(r.b.QueueNotify(r.ctx, &backend.QueueNotifyParams{QueueIDs: []int64{r.queue}}))
	_, err = l.Wait(r.ctx)
	r.must(err)
	s := r.session()
	s.begin()
	name := ask[string](&r.bench, "select queue_name from pgqrs_queues where id = $1", r.queue)
	s.exec("select pgqrs_produce($1, '1')", name)
	r.must(l.Sleep(r.ctx, []int64{r.queue}))
	r.want("dequeued", idsOf(r.dequeue(1)), []int64(nil))
	return l, s
}

func asleepBeforeCommit(r *race) {
	l, s := r.asleepAgain()
	s.commit()
	woken, err := l.Wait(r.ctx)
	r.must(err)
	r.want("woken for", woken, r.queue)
	r.want("dequeued", len(r.dequeue(1)), 1)
}

func asleepBeforeRollback(r *race) {
	l, s := r.asleepAgain()
	s.rollback()
	another := r.another // a mark behind which nothing can have come
	r.must(l.Sleep(r.ctx, []int64{another}))
	r.must(r.b.QueueNotify(r.ctx, &backend.QueueNotifyParams{QueueIDs: []int64{another}}))
	woken, err := l.Wait(r.ctx)
	r.must(err)
	r.want("woken for", woken, another)
}
