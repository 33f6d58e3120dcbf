package backendtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var dedupTests = []test{
	{"a key is taken as long as its message lives", keyIsTaken},
	{"a key is free when its message was archived, deleted, purged or is dead", keyIsFreed},
	{"a key that is taken for a time is taken until then, whatever becomes of its message", keyForATime},
	{"a key that has another message by now lasts as that was asked to", keyChangesHands},
	{"a message that is replayed has its key, unless another message has it", replayedHasItsKey},
	{"each payload of a call has its answer, in order", keysOfACall},
	{"keys of two queues have nothing to do with each other", keysOfQueues},
	{"keys compare byte by byte", keysAreBytes},
	{"a large call with keys keeps its order", manyKeys},
	{"of many calls with one key one stores a message", oneKeyManyCalls},
	{"calls at the same time with the same keys in any order all end", keysInAnyOrder},
	{"a message whose key is taken is not counted as produced", keyIsNotCounted},
	{"a sweep deletes what is of no use, and nothing else", sweepDeletes},
	{"a sweep goes on where it stopped", sweepGoesOn},
	{"a queue that is made anew has no keys", keysGoWithTheQueue},
	{"a queue that is gone takes no keys", keysNeedAQueue},
}

// patience is for whoever has nobody to wait for long.
const patience = 10 * time.Second

// keyed stores one message for each key.
func (f *fixture) keyed(keys ...string) []backend.Produced {
	f.Helper()
	return f.keyedFor(0, keys...)
}

func (f *fixture) keyedFor(lasting time.Duration, keys ...string) []backend.Produced {
	f.Helper()
	p := &backend.MessageProduceKeyedParams{
		MessageProduceParams: backend.MessageProduceParams{QueueID: f.queue, At: f.now}, Keys: keys, DedupFor: lasting, Patience: patience,
	}
	for i := range keys {
		p.Payloads = append(p.Payloads, fmt.Append(nil, i))
	}
	answers, err := f.b.MessageProduceKeyed(f.ctx, p)
	f.must("MessageProduceKeyed", err)
	if len(answers) != len(keys) {
		f.Fatalf("%d answers for %d keys", len(answers), len(keys))
	}
	return answers
}

// wantNew checks that all were stored, and returns their ids.
func (f *fixture) wantNew(answers []backend.Produced) []int64 {
	f.Helper()
	ids := make([]int64, len(answers))
	for i, a := range answers {
		if ids[i] = a.ID; a.Deduplicated || a.ID <= 0 {
			f.Fatalf("answer %d is %+v, not a message of its own", i, a)
		}
	}
	return ids
}

func (f *fixture) wantTaken(answers []backend.Produced, by ...int64) {
	f.Helper()
	for i, a := range answers {
		if a != (backend.Produced{ID: by[i], Deduplicated: true}) {
			f.Fatalf("answer %d is %+v, not that %d has the key", i, a, by[i])
		}
	}
}

func keyIsTaken(f *fixture) {
	id := f.wantNew(f.keyed("k"))[0]
	f.wantTaken(f.keyed("k"), id)
	m := f.dequeue(1) // leased
	f.wantTaken(f.keyed("k"), id)
	f.extend(backend.ExtendGrow, time.Minute, deliveryOf(m[0]))
	f.wantTaken(f.keyed("k"), id)
	f.release(time.Hour, deliveryOf(m[0])) // delayed
	f.wantTaken(f.keyed("k"), id)
	f.later(time.Hour)
	m = f.dequeue(1)
	f.expire()
	f.wantTaken(f.keyed("k"), id)
	f.wantCounts(backend.MessageCounts{Ready: 1})
	if string(m[0].Payload) != "0" {
		f.Errorf("the payload is %s", m[0].Payload)
	}
}

func keyIsFreed(f *fixture) {
	for what, end := range map[string]func(backend.Message){
		"archive": func(m backend.Message) { f.archive(deliveryOf(m)) },
		"delete":  func(m backend.Message) { f.delete(deliveryOf(m)) },
		"purge": func(backend.Message) {
			_, err := f.b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: f.queue})
			f.must("QueuePurge", err)
		},
		"dead": func(m backend.Message) {
			f.release(0, deliveryOf(m))
			if r := f.dequeueParams(&backend.MessageDequeueParams{Limit: 9, VT: lease, MaxReadCount: 1}); r.Dead != 1 {
				f.Fatalf("%+v", r)
			}
		},
	} {
		old := f.wantNew(f.keyed("k", "other "+what))[0]
		end(f.dequeue(1)[0])
		answer := f.keyed("k")
		if id := f.wantNew(answer)[0]; id <= old {
			f.Errorf("%s: the new message is %d, the old one %d", what, id, old)
		}
		f.wantTaken(f.keyed("k"), answer[0].ID)
		_, err := f.b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: f.queue})
		f.must("QueuePurge", err)
	}
}

func keyForATime(f *fixture) {
	id := f.wantNew(f.keyedFor(time.Minute, "k"))[0]
	f.archive(deliveryOf(f.dequeue(1)[0]))
	f.later(time.Minute - time.Microsecond)
	f.wantTaken(f.keyedFor(time.Minute, "k"), id) // which does not make it last longer
	f.later(time.Microsecond)
	other := f.wantNew(f.keyedFor(time.Minute, "k"))[0] // lives on
	f.later(time.Minute)
	f.wantNew(f.keyedFor(time.Second, "k"))
	f.wantIDs(f.dequeue(1), other)
	f.later(-30 * time.Second)
	f.wantNew(f.keyedFor(time.Hour, "purged"))
	_, err := f.b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: f.queue})
	f.must("QueuePurge", err)
	f.wantNew(f.keyedFor(time.Hour, "purged"))
}

func keyChangesHands(f *fixture) {
	f.wantNew(f.keyedFor(time.Minute, "k"))
	f.later(time.Minute)
	id := f.wantNew(f.keyed("k"))[0]
	f.later(time.Hour)
	f.wantTaken(f.keyedFor(time.Minute, "k"), id)
	f.archive(deliveriesOf(f.dequeue(2))...)
	again := f.wantNew(f.keyedFor(time.Minute, "k"))[0]
	f.archive(deliveryOf(f.dequeue(1)[0]))
	f.wantTaken(f.keyed("k"), again)
}

func replayedHasItsKey(f *fixture) {
	id := f.wantNew(f.keyed("k"))[0]
	f.archive(deliveryOf(f.dequeue(1)[0]))
	f.wantReplayed(f.replay(id), id)
	f.wantTaken(f.keyed("k"), id)
	f.archive(deliveryOf(f.dequeue(1)[0]))
	other := f.wantNew(f.keyed("k"))[0]
	f.wantReplayed(f.replay(id), id)
	f.wantTaken(f.keyed("k"), other)
	f.wantCounts(backend.MessageCounts{Ready: 2})
}

func keysOfACall(f *fixture) {
	old := f.wantNew(f.keyed("b"))[0]
	a := f.keyed("c", "", "b", "a", "c", "", "b")
	ids := f.wantNew([]backend.Produced{a[0], a[1], a[3], a[5]})
	if !slices.IsSorted(ids) || slices.Contains(ids, old) {
		f.Errorf("ids %v after %d", ids, old)
	}
	f.wantTaken([]backend.Produced{a[2], a[4], a[6]}, old, ids[0], old)
	got := f.dequeue(9)
	f.wantIDs(got, append([]int64{old}, ids...)...)
	for i, want := range []string{"0", "0", "1", "3", "5"} {
		if string(got[i].Payload) != want {
			f.Errorf("message %d has the payload %s", i, got[i].Payload)
		}
	}
	if none := f.keyed(); len(none) != 0 {
		f.Errorf("%v", none)
	}
}

func keysOfQueues(f *fixture) {
	one := f.wantNew(f.keyed("k"))[0]
	first := f.queue
	f.queue = f.newQueue()
	two := f.wantNew(f.keyed("k"))[0]
	f.wantTaken(f.keyed("k"), two)
	f.queue = first
	f.wantTaken(f.keyed("k"), one)
}

func keysAreBytes(f *fixture) {
	keys := []string{
		"a", "A", "ä", "a\u0308", " a", "a ", "\n", "%s", `'"\`, "{a,b}", "null", "NULL", `{"a": 1}`, "\U0001F600",
		strings.Repeat("x", 255), strings.Repeat("ö", 255),
	}
	ids := f.wantNew(f.keyed(keys...))
	f.wantTaken(f.keyed(keys...), ids...)
}

func manyKeys(f *fixture) {
	const n = 45_000
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("key %d", (i*7919)%40_000)
	}
	answers := f.keyed(keys...)
	var fresh []int64
	by := make(map[string]int64)
	for i, a := range answers {
		if first, again := by[keys[i]]; again != a.Deduplicated || again && first != a.ID {
			f.Fatalf("answer %d is %+v, and %q is of %d", i, a, keys[i], first)
		}
		by[keys[i]] = a.ID
		if !a.Deduplicated {
			fresh = append(fresh, a.ID)
		}
	}
	if !slices.IsSorted(fresh) || len(fresh) != 40_000 {
		f.Fatalf("%d messages, in order: %v", len(fresh), slices.IsSorted(fresh))
	}
	f.wantCounts(backend.MessageCounts{Ready: 40_000})
	_, err := f.b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: f.queue})
	f.must("QueuePurge", err)
}

func oneKeyManyCalls(f *fixture) {
	const callers = 8
	answers := make(chan backend.Produced, callers)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() { answers <- f.keyed("k")[0] })
	}
	wg.Wait()
	close(answers)
	var id int64
	fresh := 0
	for a := range answers {
		if !a.Deduplicated {
			fresh++
		}
		if id == 0 {
			id = a.ID
		}
		if a.ID != id {
			f.Errorf("ids %d and %d", id, a.ID)
		}
	}
	if fresh != 1 {
		f.Errorf("%d messages were stored", fresh)
	}
	f.wantCounts(backend.MessageCounts{Ready: 1})
}

func keysInAnyOrder(f *fixture) {
	const n = 50
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprint("k", i)
	}
	reversed := slices.Clone(keys)
	slices.Reverse(reversed)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 5 {
				if i%2 == 0 {
					f.keyed(keys...)
				} else {
					f.keyed(reversed...)
				}
			}
		})
	}
	wg.Wait()
	f.wantCounts(backend.MessageCounts{Ready: n})
}

func keyIsNotCounted(f *fixture) {
	name := f.live()
	f.keyed("a", "b", "a")
	f.keyed("a", "c")
	f.keyed("a")
	f.wantMetrics(name, backend.QueueMetrics{Depth: 3, Ready: 3, Produced: 3})
}

// sweep sweeps everything, and returns how many keys it saw and deleted.
func (f *fixture) sweep() (seen, swept int) {
	f.Helper()
	p := &backend.DedupSweepParams{At: f.now}
	for {
		r, err := f.b.DedupSweep(f.ctx, p)
		f.must("DedupSweep", err)
		seen, swept = seen+r.Seen, swept+r.Swept
		if !r.More {
			return seen, swept
		}
		if r.After == p.After {
			f.Fatalf("a sweep goes on where it began: %+v", r)
		}
		p.After = r.After
	}
}

// swept deletes the keys that other tests have left, and returns how many still stay.
func (f *fixture) swept() int {
	f.Helper()
	now := f.now
	f.later(100 * 365 * 24 * time.Hour)
	f.sweep()
	f.now = now
	seen, _ := f.sweep()
	return seen
}

func sweepDeletes(f *fixture) {
	before := f.swept()
	ids := f.wantNew(f.keyed("lives", "ended"))
	timed := f.wantNew(f.keyedFor(time.Hour, "kept, ended", "kept, lives"))
	f.keyedFor(time.Minute, "over, lives")
	m := f.dequeue(3)
	f.archive(deliveryOf(m[1]))
	f.delete(deliveryOf(m[2]))
	if seen, swept := f.sweep(); seen != before+5 || swept != 1 {
		f.Errorf("a sweep saw %d, %d of them before, and deleted %d", seen, before, swept)
	}
	f.later(time.Minute)
	if seen, swept := f.sweep(); seen != before+4 || swept != 1 {
		f.Errorf("a sweep saw %d, %d of them before, and deleted %d", seen, before, swept)
	}
	f.wantTaken(f.keyed("lives", "kept, ended", "kept, lives"), ids[0], timed[0], timed[1])
	f.wantNew(f.keyed("ended", "over, lives"))
}

func sweepGoesOn(f *fixture) {
	before := f.swept()
	const n = 2500
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprint("key ", i)
	}
	f.keyed(keys...)
	f.archive(deliveriesOf(f.dequeue(1200))...)
	if seen, swept := f.sweep(); seen != before+n || swept != 1200 {
		f.Errorf("a sweep saw %d, %d of them before, and deleted %d", seen, before, swept)
	}
	if seen, swept := f.sweep(); seen != before+n-1200 || swept != 0 {
		f.Errorf("the next one saw %d, and deleted %d", seen, swept)
	}
}

func keysGoWithTheQueue(f *fixture) {
	name := f.ownQueue(backend.QueueSettings{})
	f.keyedFor(time.Hour, "a", "b")
	f.must("QueueDelete", f.b.QueueDelete(f.ctx, &backend.QueueDeleteParams{Name: name, Force: true}))
	q, err := f.b.QueueCreate(f.ctx, &backend.QueueCreateParams{Name: name})
	f.must("QueueCreate", err)
	f.queue = q.ID
	f.wantNew(f.keyedFor(time.Hour, "a", "b"))
}

func keysNeedAQueue(f *fixture) {
	p := &backend.MessageProduceKeyedParams{
		MessageProduceParams: backend.MessageProduceParams{QueueID: 1 << 40, Payloads: ones(1)}, Keys: []string{"k"}, Patience: patience,
	}
	_, err := f.b.MessageProduceKeyed(f.ctx, p)
	f.wantError("MessageProduceKeyed", err, backend.ErrQueueNotFound)
}
