package backendtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var archiveTests = []test{
	{"the archive is listed from the latest to the first, page by page", archiveIsListed},
	{"a list is of one queue, one state, one worker or one time", archiveIsFiltered},
	{"a dead message says its last error", deadSaysError},
	{"a replayed message is ready as if it were new", replayedIsReady},
	{"of a set some are replayed and the others stay", replayOfSome},
	{"a replay of what is not there does nothing", replayOfNothing},
	{"a replayed message may die again, and its history goes on", replayedDiesAgain},
	{"done messages are deleted by their ids", doneAreDeleted},
	{"a purge takes what was done with long ago", purgeTakesOld},
	{"retention takes what has been kept long enough", retentionTakesOld},
	{"the counters follow the archive", countersFollow},
}

// archiveEach archives n messages one by one, a second apart, and returns their ids.
func (f *fixture) archiveEach(n int) []int64 {
	f.Helper()
	ids := f.produce(n)
	for range ids {
		f.later(time.Second)
		f.wantOutcomes(f.archive(deliveryOf(f.dequeue(1)[0])), backend.Settled)
	}
	return ids
}

// kill makes all ready messages of the queue dead, whose handler says text.
func (f *fixture) kill(text string) []int64 {
	f.Helper()
	var failures []backend.Failure
	var ids []int64
	for _, m := range f.dequeueAll(1000) {
		failures = append(failures, byPolicy(m, text))
		ids = append(ids, m.ID)
	}
	f.failParams(&backend.MessageFailParams{Failures: failures, MaxReadCount: 1})
	return ids
}

// list lists all that the filter means, in pages of that size.
func (f *fixture) list(filter backend.ArchiveFilter, page int) []backend.ArchivedMessage {
	f.Helper()
	var all []backend.ArchivedMessage
	p := backend.ArchiveListParams{ArchiveFilter: filter, Limit: page}
	for {
		got, err := f.b.ArchiveList(f.ctx, &p)
		f.must("ArchiveList", err)
		all = append(all, got...)
		if len(got) < page {
			break
		}
		last := got[len(got)-1]
		p.After = backend.ArchivePlace{ArchivedAt: last.ArchivedAt, ID: last.ID}
	}
	n, err := f.b.ArchiveCount(f.ctx, &backend.ArchiveCountParams{ArchiveFilter: filter})
	f.must("ArchiveCount", err)
	if int(n) != len(all) {
		f.Fatalf("ArchiveCount says %d of what ArchiveList says %d", n, len(all))
	}
	return all
}

func (f *fixture) wantList(filter backend.ArchiveFilter, want ...int64) {
	f.Helper()
	for _, page := range []int{1000, 3} {
		var ids []int64
		for _, m := range f.list(filter, page) {
			ids = append(ids, m.ID)
		}
		if !slices.Equal(ids, want) {
			f.Fatalf("in pages of %d the archive is %v, want %v", page, short(ids), short(want))
		}
	}
}

func backward(ids []int64) []int64 {
	ids = slices.Clone(ids)
	slices.Reverse(ids)
	return ids
}

func archiveIsListed(f *fixture) {
	ids := f.archiveEach(7)
	more := f.produce(300)
	f.later(time.Second)
	f.archive(deliveriesOf(f.dequeue(300))...) // all of one moment
	want := slices.Concat(backward(more), backward(ids))
	f.wantList(backend.ArchiveFilter{QueueID: f.queue}, want...)
	m := f.list(backend.ArchiveFilter{QueueID: f.queue}, 1000)[306]
	if string(m.Payload) != "0" || m.State != backend.StateArchived || m.ReadCount != 1 || m.DequeuedAt.IsZero() || m.QueueID != f.queue || m.Lease == 0 {
		f.Fatalf("the first archived message is %+v", m)
	}
}

func archiveIsFiltered(f *fixture) {
	began := f.now
	ids := f.archiveEach(3)
	f.later(time.Second)
	f.produce(2)
	dead := f.kill("boom")
	w, err := f.b.WorkerRegister(f.ctx, &backend.WorkerRegisterParams{QueueID: f.queue, Hostname: "host", At: f.now})
	f.must("WorkerRegister", err)
	f.later(time.Second)
	own := f.produce(1)
	m := f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: lease, WorkerID: w.ID}).Messages
	f.archive(deliveryOf(m[0]))
	all := slices.Concat(own, backward(dead), backward(ids))
	f.wantList(backend.ArchiveFilter{QueueID: f.queue}, all...)
	f.wantList(backend.ArchiveFilter{QueueID: f.queue, State: backend.StateDead}, backward(dead)...)
	f.wantList(backend.ArchiveFilter{QueueID: f.queue, State: backend.StateArchived}, own[0], ids[2], ids[1], ids[0])
	f.wantList(backend.ArchiveFilter{WorkerID: w.ID}, own...)
	f.wantList(backend.ArchiveFilter{QueueID: f.queue, Since: began.Add(2 * time.Second), Until: began.Add(4 * time.Second)}, ids[2], ids[1])
	other := f.newQueue()
	f.wantList(backend.ArchiveFilter{QueueID: other})
	f.queue = other
	late := f.archiveEach(1)
	got := f.list(backend.ArchiveFilter{Since: began.Add(5 * time.Second), Until: f.now.Add(time.Second)}, 10) // and those of other tests
	has := func(id int64) bool {
		return slices.ContainsFunc(got, func(m backend.ArchivedMessage) bool { return m.ID == id })
	}
	if !has(late[0]) || !has(own[0]) {
		f.Fatalf("of all queues the archive is %v", got)
	}
}

func deadSaysError(f *fixture) {
	f.produce(1)
	f.fail(backend.Failure{Delivery: deliveryOf(f.dequeue(1)[0]), Error: "first"})
	f.later(time.Second)
	f.fail(backend.Failure{Delivery: deliveryOf(f.dequeue(1)[0]), Error: "second"})
	f.later(time.Second)
	f.dequeue(1)
	f.expire()
	f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: lease, MaxReadCount: 3})
	m := f.list(backend.ArchiveFilter{QueueID: f.queue, State: backend.StateDead}, 10)
	if len(m) != 1 || m[0].Error != "second" || m[0].ReadCount != 3 {
		f.Fatalf("the dead letters are %+v", m)
	}
}

func (f *fixture) replay(ids ...int64) []int64 {
	f.Helper()
	got, err := f.b.ArchiveReplay(f.ctx, &backend.ArchiveReplayParams{QueueID: f.queue, IDs: ids, At: f.now})
	f.must("ArchiveReplay", err)
	return got
}

func (f *fixture) wantReplayed(got []int64, want ...int64) {
	f.Helper()
	if !slices.Equal(got, want) {
		f.Fatalf("replayed %v, want %v", short(got), short(want))
	}
}

func replayedIsReady(f *fixture) {
	ids := f.produce(3)
	f.kill("boom")
	f.later(time.Second)
	f.wantReplayed(f.replay(ids[2], ids[0]), ids[0], ids[2])
	f.wantCounts(backend.MessageCounts{Ready: 2, Dead: 1})
	m := f.dequeue(10)
	f.wantIDs(m, ids[0], ids[2])
	if m[0].ReadCount != 1 || string(m[0].Payload) != "0" || m[0].EnqueuedAt.Equal(f.now) {
		f.Fatalf("the replayed message is %+v", m[0])
	}
	f.wantOutcomes(f.archive(deliveriesOf(m)...), backend.Settled, backend.Settled)
	f.wantReplayed(f.replay(ids...), ids...) // archived ones too
	f.wantIDs(f.dequeue(10), ids...)
}

func replayOfSome(f *fixture) {
	ids := f.produce(600)
	m := f.dequeue(600)
	f.archive(deliveriesOf(m)...)
	var some, rest []int64
	for i, id := range ids {
		if i%7 == 3 {
			some = append(some, id)
		} else {
			rest = append(rest, id)
		}
	}
	f.later(time.Second)
	f.wantReplayed(f.replay(some...), some...)
	f.wantReplayed(f.replay(some...))
	f.wantList(backend.ArchiveFilter{QueueID: f.queue}, backward(rest)...)
	f.wantIDs(f.dequeueAll(1000), some...)
	// What stayed is answered when it is asked again, and what was replayed is not.
	f.wantOutcomes(f.archiveAgain(deliveryOf(m[0]), deliveryOf(m[3])), backend.SettledBefore, backend.NotHeld)
	f.wantReplayed(f.replay(rest...), rest...)
	f.wantCounts(backend.MessageCounts{Ready: int64(len(rest)), Leased: int64(len(some))})
}

func replayOfNothing(f *fixture) {
	ids := f.produce(3)
	f.dequeue(1)
	f.wantReplayed(f.replay())
	f.wantReplayed(f.replay(append(ids, 1<<60)...)) // ready, leased, unknown
	f.wantCounts(backend.MessageCounts{Ready: 2, Leased: 1})
	f.kill("")
	first := f.queue
	f.queue = f.newQueue()
	f.wantReplayed(f.replay(ids...)) // of another queue
	f.queue = first
	f.wantCounts(backend.MessageCounts{Leased: 1, Dead: 2})
}

func replayedDiesAgain(f *fixture) {
	ids := f.produce(1)
	f.kill("first")
	f.later(time.Second)
	f.replay(ids...)
	f.kill("second")
	f.wantHistory(ids[0],
		backend.Attempt{Number: 1, Outcome: backend.AttemptFailed, EndedAt: f.now.Add(-time.Second), Error: "first"},
		backend.Attempt{Number: 1, Outcome: backend.AttemptFailed, EndedAt: f.now, Error: "second"})
	m := f.list(backend.ArchiveFilter{QueueID: f.queue}, 10)
	if len(m) != 1 || m[0].Error != "second" || m[0].ReadCount != 1 {
		f.Fatalf("the dead letters are %+v", m)
	}
}

func doneAreDeleted(f *fixture) {
	ids := f.archiveEach(5)
	alive := f.produce(1)
	n, err := f.b.ArchiveDelete(f.ctx, &backend.ArchiveDeleteParams{QueueID: f.queue, IDs: []int64{ids[1], ids[3], ids[3], alive[0], 1 << 60}})
	f.must("ArchiveDelete", err)
	if n != 2 {
		f.Fatalf("%d messages were deleted, want 2", n)
	}
	f.wantList(backend.ArchiveFilter{QueueID: f.queue}, ids[4], ids[2], ids[0])
	_, err = f.b.MessageGet(f.ctx, &backend.MessageGetParams{ID: ids[1]})
	f.wantError("MessageGet", err, backend.ErrMessageNotFound)
	f.wantIDs(f.dequeue(10), alive...)
}

func purgeTakesOld(f *fixture) {
	ids := f.archiveEach(4)
	f.later(time.Second)
	f.produce(3)
	dead := f.kill("boom")
	alive := f.produce(1)
	purge := func(age time.Duration) int64 {
		n, err := f.b.ArchivePurge(f.ctx, &backend.ArchivePurgeParams{QueueID: f.queue, OlderThan: age, At: f.now})
		f.must("ArchivePurge", err)
		return n
	}
	if n := purge(3 * time.Second); n != 2 {
		f.Fatalf("%d messages were purged, want 2", n)
	}
	f.wantList(backend.ArchiveFilter{QueueID: f.queue}, slices.Concat(backward(dead), []int64{ids[3], ids[2]})...)
	if n := purge(0); n != 5 {
		f.Fatalf("%d messages were purged, want 5", n)
	}
	f.wantIDs(f.dequeue(10), alive...)
}

func retentionTakesOld(f *fixture) {
	keep := 90 * time.Second
	f.setQueue(backend.QueueUpdateParams{Retention: backend.Change[*time.Duration]{Given: true, To: &keep}})
	ids := f.archiveEach(3)
	kept := f.queue
	f.queue = f.newQueue() // without retention
	others := f.archiveEach(1)
	f.later(keep - 1500*time.Millisecond) // the first two are older than that
	var total int64
	for {
		n, err := f.b.ArchiveExpire(f.ctx, &backend.ArchiveExpireParams{At: f.now})
		f.must("ArchiveExpire", err)
		if total += n; n == 0 {
			break
		}
	}
	if total < 2 {
		f.Fatalf("%d messages expired, want 2 and those of other tests", total)
	}
	f.wantList(backend.ArchiveFilter{QueueID: f.queue}, others...)
	f.wantList(backend.ArchiveFilter{QueueID: kept}, ids[2])
}

func countersFollow(f *fixture) {
	ids := f.archiveEach(5)
	f.produce(4)
	dead := f.kill("boom")
	f.replay(ids[0], dead[0], dead[1])
	_, err := f.b.ArchiveDelete(f.ctx, &backend.ArchiveDeleteParams{QueueID: f.queue, IDs: []int64{ids[1], dead[2]}})
	f.must("ArchiveDelete", err)
	_, err = f.b.ArchivePurge(f.ctx, &backend.ArchivePurgeParams{QueueID: f.queue, OlderThan: time.Second, At: f.now})
	f.must("ArchivePurge", err)
	all, err := f.b.MetricsList(f.ctx, &backend.MetricsListParams{Limit: 100000})
	f.must("MetricsList", err)
	for _, m := range all {
		if m.QueueID == f.queue {
			got := fmt.Sprint(m.Depth, m.Archived, m.Dead, m.Produced, m.Acked)
			if got != "3 1 1 9 5" { // two more were purged
				f.Fatalf("depth, archived, dead, produced and acked are %s", got)
			}
		}
	}
}
