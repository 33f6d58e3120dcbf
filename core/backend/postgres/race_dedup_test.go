package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgqrs/pgqrs/core/backend"
)

// A key has one message: who meets a rival waits for its end, and looks again then. Who
// meets a key that is taken for certain waits for nobody.
var dedupRaces = []raceTest{
	{"of two rivals for a key the second gets the message of the first", rivalGetsTheFirst},
	{"a rival of one that rolls back stores its own message", rivalOfRollback},
	{"two rivals for a key whose message has ended do not both get it", rivalsForAFreedKey},
	{"a key whose message is being archived is taken until that commits", keyOfAnOpenArchive},
	{"a message that ends while a rival is waited for frees the key", messageEndsMeanwhile},
	{"a key is found taken while its message moves from row to row", keyOfAMovingMessage},
	{"a key that is taken keeps nobody waiting, in an open transaction either", takenKeyIsNotLocked},
	{"batches that take the same keys in opposite orders do not deadlock", batchesDoNotDeadlock},
	{"a key whose time is over goes to one of two rivals", rivalsForAnExpiredKey},
	{"who has no patience is told, and has stored nothing", impatientRival},
	{"who dies in the transaction that takes a key leaves it free", deathFreesTheKey},
	{"a sweep leaves alone a key that is being taken", sweepBesideARival},
	{"a sweep leaves alone a key that went to another message meanwhile", sweepOfAKeyThatMoved},
	{"who meets a key that a sweep deletes just then stores its message", rivalOfASweep},
	{"two sweeps at once do not wait for each other", twoSweeps},
	{"an old snapshot is refused", keysUnderAnOldSnapshot},
	{"a deletion waits for who takes a key, and deletes that too", deletionWaitsForKey},
}

// produceKeyed calls pgqrs_enqueue_keyed as the library does in the caller's
// transaction, and returns its answer: negative where the key was taken.
func (s *session) produceKeyed(keys ...string) func() ([]int64, error) {
	return s.produceKeyedFor(0, 0, keys...)
}

func (s *session) produceKeyedFor(lasting, patience time.Duration, keys ...string) func() ([]int64, error) {
	orNull := func(d time.Duration) any {
		if d == 0 {
			return nil
		}
		return d
	}
	return func() (ids []int64, err error) {
		texts := make([]string, len(keys))
		for i := range keys {
			texts[i] = "1"
		}
		err = s.c.QueryRow(s.r.ctx, `select pgqrs_enqueue_keyed($1, $2::text[]::json[], $3::text[], lasting => $4, patience => $5)`,
			s.r.queue, texts, keys, orNull(lasting), orNull(patience)).Scan(&ids)
		return ids, err
	}
}

// keyed produces one message with a key.
func (s *session) keyed(key string) int64 {
	s.r.Helper()
	return must(s.r, s.produceKeyed(key))[0]
}

// stateOf is the SQLSTATE of a call's error.
func stateOf[T any](f func() (T, error)) (string, error) {
	_, err := f()
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code, nil
	}
	return "", err
}

// wantOneOf checks that one message of those was stored, and that all answers name it.
func (r *race) wantOneOf(answers ...int64) {
	r.Helper()
	fresh := 0
	for _, id := range answers {
		if id > 0 {
			fresh++
		}
		r.want("the message that has the key", max(id, -id), max(answers[0], -answers[0]))
	}
	r.want("messages that were stored", fresh, 1)
}

func rivalGetsTheFirst(r *race) {
	a, b := r.session(), r.session()
	a.begin()
	first := a.keyed("k")
	rival := blocked(b, b.produceKeyed("k"))
	a.commit()
	r.want("the rival's answer", wait(r, rival), []int64{-first})
	r.wantCounts(backend.MessageCounts{Ready: 1})
	r.wantSound()
}

func rivalOfRollback(r *race) {
	a, b, c := r.session(), r.session(), r.session()
	a.begin()
	gone := a.keyed("k")
	one, two := blocked(b, b.produceKeyed("k")), blocked(c, c.produceKeyed("k"))
	a.rollback()
	answers := []int64{wait(r, one)[0], wait(r, two)[0]}
	r.wantOneOf(answers...)
	if slices.Contains(answers, -gone) {
		r.Errorf("%v is the answer about %d, which never was", answers, gone)
	}
	r.wantCounts(backend.MessageCounts{Ready: 1})
	r.wantSound()
}

func rivalsForAFreedKey(r *race) {
	a, b := r.session(), r.session()
	old := a.keyed("k")
	l := a.dequeue(dequeueing{limit: 1})
	a.archive(l.all())
	a.begin()
	first := a.keyed("k")
	if first <= old {
		r.Fatalf("the answer is %d, the message that ended was %d", first, old)
	}
	rival := blocked(b, b.produceKeyed("k"))
	a.commit()
	r.want("the rival's answer", wait(r, rival), []int64{-first})
	r.wantCounts(backend.MessageCounts{Ready: 1, Archived: 1})
}

func keyOfAnOpenArchive(r *race) {
	a, b := r.session(), r.session()
	old := a.keyed("k")
	l := a.dequeue(dequeueing{limit: 1})
	a.begin()
	a.archive(l.all())
	r.want("before the commit", b.keyed("k"), -old)
	a.rollback()
	r.want("after a rollback", b.keyed("k"), -old)
	a.begin()
	a.archive(l.all())
	fresh := a.keyed("k")
	r.want("for who archives it", fresh > old, true)
	r.want("for others, before the commit", b.keyed("k"), -old)
	a.commit()
	r.want("after the commit", b.keyed("k"), -fresh)
	r.wantCounts(backend.MessageCounts{Ready: 1, Archived: 1})
	r.wantSound()
}

// messageEndsMeanwhile: it ends between the locks and the look behind them, so that no
// snapshot from before will do.
func messageEndsMeanwhile(r *race) {
	for i, keys := range [][]string{{"pause"}, {"k", "pause"}} {
		a, b := r.session(), r.session()
		a.begin()
		first := a.keyed(keys[0])
		resume := r.pauseKeyed()
		rival := blocked(b, b.produceKeyed(keys...))
		a.commit()
		r.paused(1)
		l := a.dequeue(dequeueing{limit: 1})
		r.want("dequeued", l.ids, []int64{first})
		a.archive(l.all())
		resume()
		fresh := wait(r, rival)
		r.want("a message of its own", fresh[0] > first, true)
		r.wantCounts(backend.MessageCounts{Ready: int64(len(keys)), Archived: int64(1 + 2*i)})
		l = a.dequeue(dequeueing{limit: 2})
		a.archive(l.all())
	}
	r.wantSound()
}

// pauseKeyed makes who produces with the key "pause" wait between locking its keys and
// looking again.
func (r *race) pauseKeyed() (resume func()) {
	r.Helper()
	const behind = "locked := true;"
	for function, which := range map[string]string{"pgqrs_enqueue_with_key": "key", "pgqrs_enqueue_keyed": "any (keys)"} {
		r.change(function, behind, behind+`
			if 'pause' = `+which+` then
				perform pg_advisory_lock_shared(47), pg_advisory_unlock_shared(47);
			end if;`)
	}
	return r.closeGate()
}

func keyOfAMovingMessage(r *race) {
	ids := make([]int64, 100)
	a, b := r.session(), r.session()
	keys := make([]string, len(ids))
	for i := range keys {
		keys[i] = string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	copy(ids, must(r, a.produceKeyed(keys...)))
	wanted := make([]int64, len(ids))
	for i := range ids {
		wanted[i] = -ids[i]
	}
	look := func(when string) {
		r.Helper()
		r.want("while others "+when, must(r, b.produceKeyed(keys...)), wanted)
	}
	a.begin()
	l := a.dequeue(dequeueing{limit: 40}) // splits
	look("lease")
	a.commit()
	look("have leased")
	a.begin()
	a.extend(time.Minute, l.of(ids[10], ids[19]))
	look("extend")
	a.giveBack(l.of(ids[0], ids[9]))
	look("give back")
	a.commit()
	look("have given back")
	a.begin()
	a.exec("select pgqrs_merge($1, age => '0 s')", r.queue)
	look("merge")
	a.commit()
	look("have merged")
	r.wantSound()
}

func takenKeyIsNotLocked(r *race) {
	a, b := r.session(), r.session()
	id := a.keyed("k")
	a.begin()
	r.want("inside", a.keyed("k"), -id)
	r.want("outside", b.keyed("k"), -id) // which would wait
	b.exec("select from pgqrs_dedup where queue_id = $1 for update nowait", r.queue)
	a.commit()
}

func batchesDoNotDeadlock(r *race) {
	a, b, c := r.session(), r.session(), r.session()
	a.begin()
	id := a.keyed("b")
	one := blocked(b, b.produceKeyed("c", "b", "a")) // has a, waits for b
	two := blocked(c, c.produceKeyed("a", "b", "c")) // waits for a
	a.commit()
	x, y := wait(r, one), wait(r, two)
	r.want("the first", []bool{x[0] > 0, x[1] == -id, x[2] > x[0]}, []bool{true, true, true})
	r.want("the second", y, []int64{-x[2], -id, -x[0]})
	r.wantSound()
}

func rivalsForAnExpiredKey(r *race) {
	a, b := r.session(), r.session()
	old := must(r, a.produceKeyedFor(time.Hour, 0, "k"))[0]
	r.exec("update pgqrs_dedup set expires_at = now() where queue_id = $1", r.queue)
	a.begin()
	first := must(r, a.produceKeyedFor(time.Hour, 0, "k"))[0]
	rival := blocked(b, b.produceKeyedFor(time.Hour, 0, "k"))
	a.commit()
	r.want("the rival's answer", wait(r, rival), []int64{-first})
	r.want("a new message", first > old, true)
	r.wantCounts(backend.MessageCounts{Ready: 2})
}

func impatientRival(r *race) {
	a, b := r.session(), r.session()
	a.begin()
	a.keyed("k")
	state := must(r, func() (string, error) { return stateOf(b.produceKeyedFor(0, 10*time.Millisecond, "free", "k")) })
	r.want("the error", state, "55P03")
	r.want("lock_timeout afterwards", must(r, func() (s string, err error) {
		return s, b.c.QueryRow(r.ctx, "show lock_timeout").Scan(&s)
	}), "0")
	_, err := r.b.MessageProduceKeyed(r.ctx, &backend.MessageProduceKeyedParams{
		MessageProduceParams: backend.MessageProduceParams{QueueID: r.queue, Payloads: payloads(1)},
		Keys:                 []string{"k"}, Patience: 10 * time.Millisecond,
	})
	var e *backend.Error
	if !errors.Is(err, backend.ErrTimeout) || !errors.As(err, &e) || !e.SafeToRetry || e.MaybeCommitted {
		r.Errorf("the library says %v", err)
	}
	a.rollback()
	r.wantCounts(backend.MessageCounts{})
}

func deathFreesTheKey(r *race) {
	a, b := r.session(), r.session()
	a.begin()
	a.keyed("k")
	rival := blocked(b, b.produceKeyed("k"))
	r.exec("select pg_terminate_backend($1)", a.c.PgConn().PID())
	r.want("the rival has a message of its own", wait(r, rival)[0] > 0, true)
	r.wantCounts(backend.MessageCounts{Ready: 1})
}

// sweepAll sweeps the keys of all queues, and returns how many were deleted.
func (s *session) sweepAll() (swept int64, err error) {
	var queue *int64
	var key *string
	for first := true; first || queue != nil; first = false {
		var n int64
		err := s.c.QueryRow(s.r.ctx, s.r.b.Queries()["DedupSweep"], orZero(queue), orZero(key), nil).Scan(nil, &n, &queue, &key)
		if err != nil {
			return swept, err
		}
		swept += n
	}
	return swept, nil
}

func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// freed makes a key whose message was archived.
func (r *race) freed(s *session, key string) int64 {
	r.Helper()
	id := s.keyed(key)
	l := s.dequeue(dequeueing{limit: 1})
	s.archive(l.all())
	return id
}

func sweepBesideARival(r *race) {
	a, b := r.session(), r.session()
	must(r, b.sweepAll)
	r.freed(a, "k")
	r.freed(a, "other")
	a.begin()
	id := a.keyed("k")
	fresh := a.keyed("new")
	r.want("deleted", must(r, b.sweepAll), int64(1))
	a.commit()
	r.want("deleted afterwards", must(r, b.sweepAll), int64(0))
	r.want("the keys", must(r, b.produceKeyed("k", "new")), []int64{-id, -fresh})
}

func sweepOfAKeyThatMoved(r *race) {
	a, b := r.session(), r.session()
	must(r, b.sweepAll)
	r.freed(a, "k")
	resume := r.closeGate()
	r.change("pgqrs_dedup_sweep", "for update skip locked", "and pg_advisory_lock_shared(47) is not null and pg_advisory_unlock_shared(47) for update skip locked")
	sweep := blocked(b, b.sweepAll) // has its snapshot
	id := a.keyed("k")
	resume()
	r.want("deleted", wait(r, sweep), int64(0))
	r.want("the key", a.keyed("k"), -id)
}

func rivalOfASweep(r *race) {
	a, b := r.session(), r.session()
	must(r, a.sweepAll)
	old := r.freed(a, "k")
	a.begin()
	r.want("deleted", must(r, a.sweepAll), int64(1))
	rival := blocked(b, b.produceKeyed("k"))
	a.commit()
	r.want("a message of its own", wait(r, rival)[0] > old, true)
	r.wantCounts(backend.MessageCounts{Ready: 1, Archived: 1})
}

func twoSweeps(r *race) {
	a, b := r.session(), r.session()
	must(r, a.sweepAll)
	r.freed(a, "k")
	a.begin()
	r.want("deleted", must(r, a.sweepAll), int64(1))
	r.want("deleted by the other", must(r, b.sweepAll), int64(0))
	a.rollback()
	r.want("deleted by the other afterwards", must(r, b.sweepAll), int64(1))
}

func keysUnderAnOldSnapshot(r *race) {
	a := r.session()
	for _, level := range []string{"repeatable read", "serializable"} {
		a.exec("begin isolation level " + level)
		r.want(level, must(r, func() (string, error) { return stateOf(a.produceKeyed("k")) }), "PQ004")
		a.rollback()
	}
}

func deletionWaitsForKey(r *race) {
	a, b := r.session(), r.session()
	a.keyed("kept")
	a.begin()
	a.keyed("k")
	deletion := blocked(b, b.deleteQueue(true))
	a.commit()
	r.want("deleted", wait(r, deletion), true)
	r.wantGone()
	r.want("a queue that is gone", must(r, func() (string, error) { return stateOf(a.produceKeyed("k")) }), "PQ001")
	r.wantGone()
}

// TestKeysReadNoMoreThanTheyNeed has 100,000 messages with keys.
func TestKeysReadNoMoreThanTheyNeed(t *testing.T) {
	f := newBench(t)
	for _, table := range []string{"dedup", "spans", "log"} {
		f.exec("alter table pgqrs_" + table + " set (autovacuum_enabled = off)")
	}
	fill := func(name string, n, calls int) {
		f.exec("select pgqrs_enqueue_keyed($1, array_agg('1'::json), array_agg($2 || g)) from generate_series(1, $3) g group by g % $4",
			f.queue, name, n, calls)
	}
	fill("ended ", 20_000, 2)
	f.dequeue(20_000)
	f.exec("select pgqrs_archive($1, array_agg(lease), array_agg(lo), array_agg(hi)) from pgqrs_spans where lease > 0", f.queue)
	fill("key ", 50_000, 5)
	fill("single ", 3000, 3000)
	keyed := func(what string, most map[string]int64, key string, n int) {
		f.Helper()
		most["pgqrs_queues"] = 1
		f.wantBounded(what, most, "select pgqrs_enqueue_keyed($1, array_agg('1'::json), array_agg($2 || g)) from generate_series(1, $3) g", f.queue, key, n)
	}
	for _, when := range []string{"without statistics", "with statistics"} {
		for i := range 7 {
			keyed(fmt.Sprint("a new key ", when), map[string]int64{"pgqrs_dedup": 3}, fmt.Sprint(when, i, "x"), 1)
			keyed("new keys "+when, map[string]int64{"pgqrs_dedup": 300}, fmt.Sprint(when, i, "y"), 100)
			keyed("keys that are taken "+when, map[string]int64{"pgqrs_dedup": 100, "pgqrs_spans": 100}, "key ", 100)
			keyed("keys of single messages "+when, map[string]int64{"pgqrs_dedup": 100, "pgqrs_spans": 100}, "single ", 100)
			keyed("a key that is taken "+when, map[string]int64{"pgqrs_dedup": 1, "pgqrs_spans": 1}, "single ", 1)
			keyed("keys that are free "+when, map[string]int64{"pgqrs_dedup": 600, "pgqrs_spans": 200}, fmt.Sprint("ended ", i), 10)
		}
		f.wantBounded("a sweep "+when, map[string]int64{"pgqrs_dedup": 2000, "pgqrs_spans": 1000}, "select pgqrs_dedup_sweep($1, 'k')", f.queue)
		f.exec("analyze")
	}
}
