package postgres_test

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgqrs/pgqrs/core/backend"
)

// race is a schedule forced on a real server: sessions, each a connection, whose
// statements interleave as the test says. What a session waits for is seen in the
// server's own views, so that nothing rests on time.
type race struct {
	bench
	// long is two hours ago. Messages are produced then, so that a lease that was
	// drawn soon after is one that expired, by the clock of the server.
	long time.Time
}

// newRace makes a race on the database of f, with a queue of its own.
func newRace(f *bench, t testing.TB) *race {
	t.Helper()
	r := &race{bench: *f, long: time.Now().Add(-2 * time.Hour).Truncate(time.Microsecond)}
	r.TB = t
	var cancel context.CancelFunc
	r.ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	q, err := r.b.QueueCreate(r.ctx, &backend.QueueCreateParams{Name: t.Name()})
	r.must(err)
	r.queue = q.ID
	return r
}

// stock produces n messages, ready for two hours, in one call.
func (r *race) stock(n int) []int64 {
	r.Helper()
	ids, err := r.b.MessageProduce(r.ctx, &backend.MessageProduceParams{QueueID: r.queue, Payloads: payloads(n), At: r.long})
	r.must(err)
	if ids[n-1]-ids[0] != int64(n-1) {
		r.Fatalf("the ids %d … %d of one batch have gaps", ids[0], ids[n-1])
	}
	return ids
}

func payloads(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = []byte(`{"task":"send_email"}`)
	}
	return all
}

// session is one connection.
type session struct {
	r *race
	c *pgx.Conn
}

func (r *race) session() *session {
	r.Helper()
	return &session{r: r, c: r.connect()}
}

func (s *session) exec(sql string, args ...any) {
	s.r.Helper()
	_, err := s.c.Exec(s.r.ctx, sql, args...)
	s.r.must(err)
}

// begin starts a transaction as the library does.
func (s *session) begin() {
	s.r.Helper()
	s.exec(s.r.b.Queries()["Begin"])
}

func (s *session) commit() {
	s.r.Helper()
	s.exec("commit")
}

func (s *session) rollback() {
	s.r.Helper()
	s.exec("rollback")
}

// dequeueing is what a session asks for; the zero value of each field but limit
// has a meaning.
type dequeueing struct {
	limit, maxReadCount int
	worker              int64
	at                  time.Time
}

// leased is the answer of pgqrs_dequeue.
type leased struct {
	lease          int64 // 0: nothing was leased
	ids            []int64
	takenAt, until time.Time
	dead           int
	empty          bool // no message is left in the queue
	due            time.Duration
}

// leaseTime is what sessions lease messages for.
const leaseTime = 30 * time.Second

// tryDequeue calls pgqrs_dequeue once, with the library's query.
func (s *session) tryDequeue(d dequeueing) (leased, error) {
	var l leased
	var at any
	if !d.at.IsZero() {
		at = d.at
	}
	rows, err := s.c.Query(s.r.ctx, s.r.b.Queries()["MessageDequeue"], s.r.queue, d.limit, leaseTime, d.worker, d.maxReadCount, "-infinity", at, leaseTime)
	if err != nil {
		return l, err
	}
	var id, lease, due *int64
	var dead *int
	var takenAt, until *time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, nil, nil, nil, nil, &lease, &takenAt, &until, &dead, nil, &due}, func() error {
		if id != nil {
			l.ids = append(l.ids, *id)
			return nil
		}
		l.dead = *dead
		if lease != nil {
			l.lease, l.takenAt, l.until = *lease, *takenAt, *until
		} else if l.empty = due == nil; !l.empty {
			l.due = time.Duration(*due) * time.Microsecond
		}
		return nil
	})
	return l, err
}

func (s *session) dequeue(d dequeueing) leased {
	s.r.Helper()
	l, err := s.tryDequeue(d)
	s.r.must(err)
	return l
}

// held is the messages lo to hi of a lease.
type held struct{ lease, lo, hi int64 }

// of names messages of a lease, from the first to the last.
func (l leased) of(lo, hi int64) held { return held{l.lease, lo, hi} }

// all names all messages of a lease, whose ids have no gaps.
func (l leased) all() held { return held{l.lease, l.ids[0], l.ids[len(l.ids)-1]} }

// trySettle calls a settling function by the name of its query and returns what
// it answered, ascending and in one piece where it can be.
func (s *session) trySettle(query string, what []held, rest ...any) ([]held, error) {
	var leases, los, his []int64
	for _, h := range what {
		leases, los, his = append(leases, h.lease), append(los, h.lo), append(his, h.hi)
	}
	args := append([]any{s.r.queue, leases, los, his}, rest...)
	rows, err := s.c.Query(s.r.ctx, s.r.b.Queries()[query], args...)
	if err != nil {
		return nil, err
	}
	answers, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (held, error) {
		var h held
		into := []any{&h.lease, &h.lo, &h.hi}
		for len(into) < len(row.FieldDescriptions()) {
			into = append(into, nil)
		}
		return h, row.Scan(into...)
	})
	return joined(answers), err
}

// joined sorts, and makes one of what follows each other.
func joined(all []held) []held {
	slices.SortFunc(all, func(a, b held) int { return cmp.Or(cmp.Compare(a.lease, b.lease), cmp.Compare(a.lo, b.lo)) })
	var joined []held
	for _, h := range all {
		if n := len(joined) - 1; n >= 0 && joined[n].lease == h.lease && joined[n].hi+1 == h.lo {
			joined[n].hi = h.hi
			continue
		}
		joined = append(joined, h)
	}
	return joined
}

func (s *session) settle(query string, what []held, rest ...any) []held {
	s.r.Helper()
	answer, err := s.trySettle(query, what, rest...)
	s.r.must(err)
	return answer
}

// archive, remove, extend and giveBack are the settling functions as most tests
// call them.
func (s *session) archive(what ...held) []held {
	s.r.Helper()
	return s.settle("MessageArchive", what, false, nil)
}

func (s *session) remove(what ...held) []held {
	s.r.Helper()
	return s.settle("MessageDelete", what)
}

func (s *session) extend(by time.Duration, what ...held) []held {
	s.r.Helper()
	return s.settle("MessageExtend", what, by, false, nil)
}

// giveBack releases what was not delivered.
func (s *session) giveBack(what ...held) []held {
	s.r.Helper()
	return s.settle("MessageRelease", what, true, time.Duration(0), nil)
}

// tryPurge calls pgqrs_purge once, for all messages there are.
func (s *session) tryPurge() (n int64, err error) {
	err = s.c.QueryRow(s.r.ctx, s.r.b.Queries()["QueuePurge"], s.r.queue, int64(1)<<60).Scan(&n)
	return n, err
}

// pending is a call that runs beside the test.
type pending[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// start calls f beside the test.
func start[T any](f func() (T, error)) *pending[T] {
	p := &pending[T]{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.value, p.err = f()
	}()
	return p
}

// blocked starts a call of session s and returns when it waits for a lock.
func blocked[T any](s *session, f func() (T, error)) *pending[T] {
	s.r.Helper()
	p := start(f)
	s.r.eventually("the session waits for a lock", func() bool {
		select {
		case <-p.done:
			s.r.Fatalf("the call did not wait: it returned %v, %v", p.value, p.err)
		default:
		}
		return ask[bool](&s.r.bench, "select coalesce(wait_event_type = 'Lock', false) from pg_stat_activity where pid = $1", s.c.PgConn().PID())
	})
	return p
}

// wait returns what a call returned.
func wait[T any](r *race, p *pending[T]) T {
	r.Helper()
	select {
	case <-p.done:
		r.must(p.err)
	case <-r.ctx.Done():
		r.Fatal("a call did not return")
	}
	return p.value
}

// waitsFor says whether one session waits for another.
func (r *race) waitsFor(s, other *session) bool {
	r.Helper()
	return ask[bool](&r.bench, "select $1 = any (pg_blocking_pids($2))", int32(other.c.PgConn().PID()), int32(s.c.PgConn().PID()))
}

// gate is the advisory lock on which paused functions wait. It is far below all
// leases.
const gate = 47

// pausing is the worker whose dequeues are paused.
const pausing = 99

// closeGate closes the gate, and returns what opens it.
func (r *race) closeGate() (open func()) {
	r.Helper()
	keeper := r.session()
	keeper.exec("select pg_advisory_lock($1::bigint)", gate)
	return func() {
		r.Helper()
		keeper.exec("select pg_advisory_unlock($1::bigint)", gate)
	}
}

// pauseDequeue makes the dequeues of the worker pausing wait behind a place in
// the text of pgqrs_dequeue until resume is called.
func (r *race) pauseDequeue(behind string) (resume func()) {
	r.Helper()
	r.change("pgqrs_dequeue", behind, behind+`
		if worker = 99 then
			perform pg_advisory_lock_shared(47), pg_advisory_unlock_shared(47);
		end if;`)
	return r.closeGate()
}

// pauseTake makes who settles a lease wait between the snapshot that shows its rows and
// their locks until resume is called.
func (r *race) pauseTake(lease int64) (resume func()) {
	r.Helper()
	const behind = "s.lease = asked and s.ids && todo"
	const order = "\n                order by s.id\n                for update"
	r.change("pgqrs_take", behind+order, fmt.Sprintf(
		"%s and (asked <> %d or pg_advisory_lock_shared(47) is not null and pg_advisory_unlock_shared(47))%s", behind, lease, order))
	return r.closeGate()
}

// paused returns when n sessions wait at the gate.
func (r *race) paused(n int64) {
	r.Helper()
	r.eventually("the dequeue pauses", func() bool {
		return ask[int64](&r.bench, `
			select count(*) from pg_locks
			where locktype = 'advisory' and not granted and classid = 0 and objid = $1
			  and database = (select oid from pg_database where datname = current_database())`, gate) == n
	})
}

// change replaces a piece of the text of a function until the end of the test.
func (r *race) change(function, old, with string) {
	r.Helper()
	const definition = "select pg_get_functiondef(oid) from pg_proc where proname = $1 and pronamespace = 'public'::regnamespace"
	text := ask[string](&r.bench, definition, function)
	if n := strings.Count(text, old); n != 1 {
		r.Fatalf("%s has %q %d times", function, old, n)
	}
	r.exec(strings.Replace(text, old, with, 1))
	r.Cleanup(func() {
		c, err := pgx.Connect(context.Background(), r.dsn)
		r.must(err)
		defer func() { _ = c.Close(context.Background()) }()
		_, err = c.Exec(context.Background(), text)
		r.must(err)
	})
}

// want fails the test when an answer is another.
func (r *race) want(what string, got, want any) {
	r.Helper()
	if !reflect.DeepEqual(got, want) {
		r.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// wantSound checks that every message of the queue that the log has is in one
// row, live or done, that no row has a message that the log does not have, and
// that the rows' counts and bounds are true.
func (r *race) wantSound() {
	r.Helper()
	wrong := askAll[string](&r.bench, `
		with rows as (
			select 'span' as what, id, n, lo, hi, ids from pgqrs_spans where queue_id = $1
			union all
			select outcome, id, n, lo, hi, ids from pgqrs_done where queue_id = $1
		), members as (
			select r.what, r.id as row_id, m as id from rows r, unnest(r.ids) u, generate_series(lower(u), upper(u) - 1) m
		)
		select format('message %s is in %s rows and %s times in the log', coalesce(m.id, l.id), count(distinct (m.what, m.row_id)), count(distinct l.id))
		from members m full join (select id from pgqrs_log where queue_id = $1) l using (id)
		group by coalesce(m.id, l.id)
		having count(distinct (m.what, m.row_id)) <> 1 or count(distinct l.id) <> 1
		union all
		select format('%s %s says %s of %s to %s', r.what, r.id, r.n, r.lo, r.hi) from rows r
		where r.n <> (select sum(upper(u) - lower(u)) from unnest(r.ids) u) or lower(r.ids) < r.lo or upper(r.ids) > r.hi + 1`, r.queue)
	if len(wrong) > 0 {
		r.Fatalf("%d faults: %s", len(wrong), strings.Join(wrong[:min(5, len(wrong))], "; "))
	}
}

// wantCounts checks where the messages of the queue are.
func (r *race) wantCounts(want backend.MessageCounts) {
	r.Helper()
	got, err := r.b.MessageCount(r.ctx, &backend.MessageCountParams{QueueID: r.queue})
	r.must(err)
	if *got != want {
		r.Fatalf("the queue has %+v, want %+v", *got, want)
	}
}
