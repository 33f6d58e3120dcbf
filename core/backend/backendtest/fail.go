package backendtest

import (
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var failTests = []test{
	{"a failed message comes again after its own delay", failedAfterOwnDelay},
	{"a failed message comes again after the vt that the call says where there is no policy", failedAfterVT},
	{"the policy of the queue says when a failed message comes again", failedByQueuePolicy},
	{"the policy of the call comes before that of the queue", failedByCallPolicy},
	{"an exponential policy doubles up to its maximum", exponentialPolicy},
	{"jitter takes away a part of the delay and no more", jitteredPolicy},
	{"a message that fails at its last delivery is dead at once", failedLastIsDead},
	{"failures of one call have each its own fate", failuresOfOneCall},
	{"a failure of an old delivery does nothing", failureOfOldDelivery},
	{"the history of a message tells of each delivery", historyTells},
	{"a lease that ran out is in the history once somebody took the message", expiryIsInHistory},
	{"what was not delivered is not in the history", undeliveredHasNoHistory},
	{"the history keeps the newest attempts", historyIsBounded},
	{"a release, a failure and a delete that are asked again say what the first did", askedAgain},
	{"a history goes with its message", historyGoes},
	{"there is no history of what is not there", noHistory},
}

// fail ends deliveries as failed, of which nothing ever becomes dead.
func (f *fixture) fail(failures ...backend.Failure) []backend.Outcome {
	f.Helper()
	return f.failParams(&backend.MessageFailParams{Failures: failures}).Outcomes
}

func (f *fixture) failParams(p *backend.MessageFailParams) *backend.MessageFailResult {
	f.Helper()
	p.QueueID, p.At = f.queue, f.now
	r, err := f.b.MessageFail(f.ctx, p)
	f.must("MessageFail", err)
	return r
}

// byPolicy is a failure that leaves the delay to the policy; without one: a minute.
func byPolicy(m backend.Message, text string) backend.Failure {
	return backend.Failure{Delivery: deliveryOf(m), Error: text, Delay: backend.DelayByPolicy, VT: time.Minute}
}

// wantReadyIn checks that nothing is ready before d has passed, and then that is.
func (f *fixture) wantReadyIn(d time.Duration, ids ...int64) []backend.Message {
	f.Helper()
	f.later(d - time.Microsecond)
	f.wantIDs(f.dequeue(100))
	f.later(time.Microsecond)
	m := f.dequeue(100)
	f.wantIDs(m, ids...)
	return m
}

func (f *fixture) history(id int64) []backend.Attempt {
	f.Helper()
	h, err := f.b.MessageHistory(f.ctx, &backend.MessageHistoryParams{ID: id})
	f.must("MessageHistory", err)
	return h
}

// wantHistory checks the attempts of a message, but for those moments that are not named.
func (f *fixture) wantHistory(id int64, want ...backend.Attempt) {
	f.Helper()
	got := f.history(id)
	same := slices.EqualFunc(got, want, func(a, b backend.Attempt) bool {
		return a.Number == b.Number && a.WorkerID == b.WorkerID && a.Outcome == b.Outcome && a.Error == b.Error &&
			(b.StartedAt.IsZero() || a.StartedAt.Equal(b.StartedAt)) && a.EndedAt.Equal(b.EndedAt)
	})
	if !same {
		f.Fatalf("the history of %d is\n%+v, want\n%+v", id, got, want)
	}
}

func (f *fixture) setQueue(p backend.QueueUpdateParams) {
	f.Helper()
	all, err := f.b.QueueList(f.ctx, &backend.QueueListParams{Limit: 100000})
	f.must("QueueList", err)
	for _, q := range all {
		if q.ID == f.queue {
			p.Name = q.Name
		}
	}
	_, err = f.b.QueueUpdate(f.ctx, &p)
	f.must("QueueUpdate", err)
}

func failedAfterOwnDelay(f *fixture) {
	ids := f.produce(1)
	m := f.dequeue(1)
	f.later(time.Second)
	f.wantOutcomes(f.fail(backend.Failure{Delivery: deliveryOf(m[0]), Error: "boom", Delay: 3 * time.Second, VT: time.Hour}), backend.Settled)
	f.wantCounts(backend.MessageCounts{Delayed: 1})
	again := f.wantReadyIn(3*time.Second, ids...)
	if again[0].ReadCount != 2 {
		f.Fatalf("read count %d after a failure, want 2", again[0].ReadCount)
	}
	f.wantOutcomes(f.fail(backend.Failure{Delivery: deliveryOf(again[0])}), backend.Settled)
	f.wantIDs(f.dequeue(1), ids...)
}

func failedAfterVT(f *fixture) {
	ids := f.produce(1)
	f.fail(byPolicy(f.dequeue(1)[0], "boom"))
	f.wantReadyIn(time.Minute, ids...)
}

func failedByQueuePolicy(f *fixture) {
	ids := f.produce(1)
	f.setQueue(backend.QueueUpdateParams{Retry: backend.Change[backend.RetryPolicy]{
		Given: true, To: backend.RetryPolicy{Kind: backend.RetryFixed, Base: 7 * time.Second}}})
	f.fail(byPolicy(f.dequeue(1)[0], "boom"))
	m := f.wantReadyIn(7*time.Second, ids...)
	f.fail(backend.Failure{Delivery: deliveryOf(m[0]), Delay: 0, VT: time.Minute})
	f.wantIDs(f.dequeue(1), ids...)
}

func failedByCallPolicy(f *fixture) {
	ids := f.produce(1)
	f.setQueue(backend.QueueUpdateParams{Retry: backend.Change[backend.RetryPolicy]{
		Given: true, To: backend.RetryPolicy{Kind: backend.RetryFixed, Base: time.Hour}}})
	f.failParams(&backend.MessageFailParams{
		Failures: []backend.Failure{byPolicy(f.dequeue(1)[0], "boom")},
		Retry:    backend.RetryPolicy{Kind: backend.RetryFixed, Base: 2 * time.Second},
	})
	m := f.wantReadyIn(2*time.Second, ids...)
	f.failParams(&backend.MessageFailParams{
		Failures: []backend.Failure{byPolicy(m[0], "boom")}, Retry: backend.RetryPolicy{Kind: backend.RetryNone},
	})
	f.wantReadyIn(time.Minute, ids...)
}

func exponentialPolicy(f *fixture) {
	ids := f.produce(1)
	m := f.dequeue(1)
	policy := backend.RetryPolicy{Kind: backend.RetryExponential, Base: 2 * time.Second, Max: 15 * time.Second}
	for _, d := range []time.Duration{2, 4, 8, 15, 15} {
		f.failParams(&backend.MessageFailParams{Failures: []backend.Failure{byPolicy(m[0], "boom")}, Retry: policy})
		m = f.wantReadyIn(d*time.Second, ids...)
	}
	for range 70 { // no power of two overflows
		f.failParams(&backend.MessageFailParams{Failures: []backend.Failure{byPolicy(m[0], "boom")}, Retry: policy})
		f.later(15 * time.Second)
		m = f.dequeue(1)
		f.wantIDs(m, ids...)
	}
}

func jitteredPolicy(f *fixture) {
	const n = 60
	f.produce(n)
	var failures []backend.Failure
	for _, m := range f.dequeue(n) {
		failures = append(failures, byPolicy(m, "boom"))
	}
	f.failParams(&backend.MessageFailParams{
		Failures: failures, Retry: backend.RetryPolicy{Kind: backend.RetryFixed, Base: 100 * time.Second, Jitter: 0.5}})
	f.later(50*time.Second - time.Microsecond)
	f.wantIDs(f.dequeue(n))
	f.later(25 * time.Second)
	early := len(f.dequeueAll(n))
	if early == 0 || early == n {
		f.Fatalf("%d of %d messages came in the first half of the jitter", early, n)
	}
	f.later(25*time.Second + time.Microsecond)
	if late := len(f.dequeueAll(n)); early+late != n {
		f.Fatalf("%d and %d messages came, of %d", early, late, n)
	}
}

func failedLastIsDead(f *fixture) {
	ids := f.produce(2)
	for i := range 2 {
		m := f.dequeue(2)
		r := f.failParams(&backend.MessageFailParams{MaxReadCount: 2, Failures: []backend.Failure{
			{Delivery: deliveryOf(m[0]), Error: "boom"}, {Delivery: deliveryOf(m[1]), Error: "bang"}}})
		f.wantOutcomes(r.Outcomes, backend.Settled, backend.Settled)
		if r.Dead != 2*i {
			f.Fatalf("failure %d: %d dead", i+1, r.Dead)
		}
	}
	f.wantCounts(backend.MessageCounts{Dead: 2})
	m := f.get(ids[1])
	if m.State != backend.StateDead || m.ReadCount != 2 || !m.ArchivedAt.Equal(f.now) {
		f.Fatalf("the dead message is %+v", m)
	}
	// The queue's own number comes first.
	f.queue = f.newQueue()
	once := 1
	f.setQueue(backend.QueueUpdateParams{MaxReadCount: backend.Change[*int]{Given: true, To: &once}})
	f.produce(1)
	if r := f.failParams(&backend.MessageFailParams{MaxReadCount: 9, Failures: []backend.Failure{byPolicy(f.dequeue(1)[0], "")}}); r.Dead != 1 {
		f.Fatalf("%d dead with the queue's own max_read_ct of 1", r.Dead)
	}
}

func failuresOfOneCall(f *fixture) {
	ids := f.produce(300)
	m := f.dequeue(200)
	m = append(m, f.dequeue(100)...) // two leases
	var failures []backend.Failure
	for i, x := range m {
		failures = append(failures, backend.Failure{Delivery: deliveryOf(x), Error: "boom", Delay: time.Duration(i%3+1) * time.Second})
	}
	failures = append(failures, failures[7]) // named twice
	outcomes := f.fail(failures...)
	f.wantOutcomes(outcomes, repeat(backend.Settled, 301)...)
	for i := range 3 {
		f.later(time.Second)
		var want []int64
		for j, id := range ids {
			if j%3 == i {
				want = append(want, id)
			}
		}
		f.wantIDs(f.dequeueAll(500), want...)
	}
}

func failureOfOldDelivery(f *fixture) {
	ids := f.produce(2)
	m := f.dequeue(2)
	f.archive(deliveryOf(m[0]))
	f.expire()
	f.dequeue(1)
	f.wantOutcomes(f.fail(byPolicy(m[0], "a"), byPolicy(m[1], "b")), backend.NotHeld, backend.NotHeld)
	f.wantOutcomes(f.fail())
	f.wantCounts(backend.MessageCounts{Leased: 1, Archived: 1})
	for _, a := range f.history(ids[1]) {
		if a.Outcome == backend.AttemptFailed {
			f.Fatalf("the history has a failure that did not count: %+v", a)
		}
	}
}

func historyTells(f *fixture) {
	ids := f.produce(1)
	w, err := f.b.WorkerRegister(f.ctx, &backend.WorkerRegisterParams{QueueID: f.queue, Hostname: "host", At: f.now})
	f.must("WorkerRegister", err)
	var want []backend.Attempt
	began := f.now
	take := func() backend.Message {
		began = f.now
		m := f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: lease, WorkerID: w.ID}).Messages
		f.wantIDs(m, ids...)
		f.later(time.Second)
		return m[0]
	}
	ended := func(outcome backend.AttemptOutcome, text string, at time.Time) {
		want = append(want, backend.Attempt{
			Number: int32(len(want) + 1), WorkerID: w.ID, StartedAt: began, EndedAt: at, Outcome: outcome, Error: text})
	}
	f.fail(backend.Failure{Delivery: deliveryOf(take()), Error: "ValueError: boom ✓"})
	ended(backend.AttemptFailed, "ValueError: boom ✓", f.now)
	f.wantHistory(ids[0], want...)
	f.release(0, deliveryOf(take()))
	ended(backend.AttemptReleased, "", f.now)
	take()
	lapse := began.Add(lease)
	f.wantHistory(ids[0], append(slices.Clone(want), backend.Attempt{Number: 3, WorkerID: w.ID, StartedAt: began, Outcome: backend.AttemptLeased})...)
	ended(backend.AttemptExpired, "", lapse)
	f.expire()
	last := take()
	f.archive(deliveryOf(last))
	ended(backend.AttemptArchived, "", f.now)
	f.wantHistory(ids[0], want...)
}

func expiryIsInHistory(f *fixture) {
	ids := f.produce(40)
	f.dequeue(40)
	lapse := f.now.Add(lease)
	f.expire()
	p := backend.MessageDequeueParams{Limit: 40, VT: lease, MaxReadCount: 1}
	if r := f.dequeueParams(&p); r.Dead != 40 {
		f.Fatalf("%d dead, want 40", r.Dead)
	}
	for _, id := range ids {
		f.wantHistory(id, backend.Attempt{Number: 1, Outcome: backend.AttemptExpired, EndedAt: lapse})
	}
	f.queue = f.newQueue()
	ids = f.produce(40)
	f.dequeue(40)
	lapse = f.now.Add(lease)
	f.expire()
	f.dequeueAll(7) // in pieces
	for _, id := range ids {
		f.wantHistory(id,
			backend.Attempt{Number: 1, Outcome: backend.AttemptExpired, EndedAt: lapse},
			backend.Attempt{Number: 2, Outcome: backend.AttemptLeased})
	}
}

func undeliveredHasNoHistory(f *fixture) {
	ids := f.produce(1)
	f.giveBack(deliveryOf(f.dequeue(1)[0]))
	f.wantHistory(ids[0])
	f.archive(deliveryOf(f.dequeue(1)[0]))
	f.wantHistory(ids[0], backend.Attempt{Number: 1, Outcome: backend.AttemptArchived, EndedAt: f.now})
}

func historyIsBounded(f *fixture) {
	ids := f.produce(1)
	const n = backend.HistoryMost + 20
	for range n {
		f.fail(backend.Failure{Delivery: deliveryOf(f.dequeue(1)[0]), Error: "boom"})
		f.later(time.Millisecond)
	}
	h := f.history(ids[0])
	if len(h) != backend.HistoryMost || h[0].Number != n-backend.HistoryMost+1 || h[len(h)-1].Number != n {
		f.Fatalf("%d attempts are kept, from %d to %d", len(h), h[0].Number, h[len(h)-1].Number)
	}
}

// askedAgain: the first try was carried out, and its answer was lost. Nor does it matter
// that others have had the message since.
func askedAgain(f *fixture) {
	f.produce(4)
	m := f.dequeue(4)
	released, failed, deleted, never := deliveryOf(m[0]), deliveryOf(m[1]), deliveryOf(m[2]), deliveryOf(m[3])
	f.release(0, released)
	f.fail(backend.Failure{Delivery: failed})
	f.delete(deleted)
	f.expire()
	f.dequeueAll(10)
	again := []backend.Delivery{released, failed, deleted, never}
	got, err := f.b.MessageRelease(f.ctx, &backend.MessageReleaseParams{QueueID: f.queue, Deliveries: again, Again: true, At: f.now})
	f.must("MessageRelease", err)
	f.wantOutcomes(got, backend.SettledBefore, backend.NotHeld, backend.NotHeld, backend.NotHeld)
	var failures []backend.Failure
	for _, d := range again {
		failures = append(failures, backend.Failure{Delivery: d})
	}
	r := f.failParams(&backend.MessageFailParams{Failures: failures, Again: true})
	f.wantOutcomes(r.Outcomes, backend.NotHeld, backend.SettledBefore, backend.NotHeld, backend.NotHeld)
	got, err = f.b.MessageDelete(f.ctx, &backend.MessageDeleteParams{QueueID: f.queue, Deliveries: again, Again: true, At: f.now})
	f.must("MessageDelete", err)
	f.wantOutcomes(got, backend.NotHeld, backend.NotHeld, backend.SettledBefore, backend.NotHeld)
	f.wantOutcomes(f.release(0, again...), repeat(backend.NotHeld, 4)...)
}

func historyGoes(f *fixture) {
	ids := f.produce(3)
	for _, m := range f.dequeue(3) {
		f.fail(backend.Failure{Delivery: deliveryOf(m), Error: "boom"})
	}
	m := f.dequeue(1)
	f.delete(deliveryOf(m[0]))
	m = f.dequeue(1)
	f.archive(deliveryOf(m[0]))
	_, err := f.b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: f.queue})
	f.must("QueuePurge", err)
	_, err = f.b.ArchivePurge(f.ctx, &backend.ArchivePurgeParams{QueueID: f.queue, At: f.now})
	f.must("ArchivePurge", err)
	for _, id := range ids {
		_, err := f.b.MessageHistory(f.ctx, &backend.MessageHistoryParams{ID: id})
		f.wantError("MessageHistory", err, backend.ErrMessageNotFound)
	}
}

func noHistory(f *fixture) {
	_, err := f.b.MessageHistory(f.ctx, &backend.MessageHistoryParams{ID: 1 << 60})
	f.wantError("MessageHistory", err, backend.ErrMessageNotFound)
	f.wantHistory(f.produce(1)[0])
}
