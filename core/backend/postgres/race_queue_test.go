package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgqrs/pgqrs/core/backend"
)

// A queue is deleted when nobody can put anything into it any more, and what others
// are doing with its messages has ended. So nothing of it is left behind.
var queueRaces = []raceTest{
	{"a deletion waits for who produces, and deletes that too", deletionWaitsForProducer},
	{"a deletion without force waits for who produces, and is refused", gentleDeletionWaitsForProducer},
	{"who produces while the queue is deleted is told that it is gone", producerWaitsForDeletion},
	{"an old snapshot does not produce into a deleted queue", oldSnapshotProducesNothing},
	{"pgqrs_produce makes a queue anew that is deleted meanwhile", sqlMakesTheQueueAnew},
	{"a deletion waits for a dequeue", deletionWaitsForDequeue},
	{"a deletion waits for an archive, and deletes that too", deletionWaitsForArchive},
	{"a worker is not registered on a queue that is being deleted", registrationWaitsForDeletion},
	{"two may delete a queue at once", twoDeletions},
	{"a deletion that fails half-way leaves a queue that can be used", deletionFailsHalfWay},
}

// name is what the race's queue is called.
func (r *race) name() string { return r.Name() }

// deleteQueue calls pgqrs_queue_delete with the library's query.
func (s *session) deleteQueue(force bool) func() (bool, error) {
	return func() (was bool, err error) {
		err = s.c.QueryRow(s.r.ctx, s.r.b.Queries()["QueueDelete"], s.r.name(), force).Scan(&was)
		return was, err
	}
}

// tryProduce calls pgqrs_enqueue and returns the SQLSTATE of its error.
func (s *session) tryProduce() (string, error) {
	_, err := s.c.Exec(s.r.ctx, "select pgqrs_enqueue($1, array['1', '2']::json[])", s.r.queue)
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code, nil
	}
	return "", err
}

// wantGone checks that no row of any table is about the queue.
func (r *race) wantGone() {
	r.Helper()
	for _, table := range []string{"log", "spans", "done", "attempts", "workers", "waiting", "tally", "totals", "rates", "dedup"} {
		r.want("rows in pgqrs_"+table, ask[int64](&r.bench, "select count(*) from pgqrs_"+table+" where queue_id = $1", r.queue), int64(0))
	}
	r.want("queues", ask[int64](&r.bench, "select count(*) from pgqrs_queues where id = $1", r.queue), int64(0))
}

func deletionWaitsForProducer(r *race) {
	a, b := r.session(), r.session()
	a.begin()
	r.want("produced", must(r, a.tryProduce), "")
	deletion := blocked(b, b.deleteQueue(true))
	a.commit()
	r.want("deleted", wait(r, deletion), true)
	r.wantGone()
}

func gentleDeletionWaitsForProducer(r *race) {
	a, b := r.session(), r.session()
	a.begin()
	r.want("produced", must(r, a.tryProduce), "")
	deletion := blocked(b, func() (string, error) {
		_, err := b.deleteQueue(false)()
		var server *pgconn.PgError
		if errors.As(err, &server) {
			return server.Code, nil
		}
		return "", err
	})
	a.commit()
	r.want("refused with", wait(r, deletion), "PQ003")
	r.wantCounts(backend.MessageCounts{Ready: 2})
}

func producerWaitsForDeletion(r *race) {
	a, b := r.session(), r.session()
	a.begin()
	must(r, a.deleteQueue(false))
	produce := blocked(b, b.tryProduce)
	a.commit()
	r.want("produced", wait(r, produce), "PQ001")
	r.wantGone()
}

func oldSnapshotProducesNothing(r *race) {
	for _, level := range []string{"repeatable read", "serializable"} {
		a, b := r.session(), r.session()
		b.exec("begin isolation level " + level)
		b.exec("select count(*) from pgqrs_queues")
		must(r, a.deleteQueue(true))
		r.want(level, must(r, b.tryProduce), "40001")
		b.rollback()
		r.wantGone()
		q, err := r.b.QueueCreate(r.ctx, &backend.QueueCreateParams{Name: r.name()})
		r.must(err)
		r.queue = q.ID
	}
}

func sqlMakesTheQueueAnew(r *race) {
	a, b := r.session(), r.session()
	a.begin()
	must(r, a.deleteQueue(true))
	produce := blocked(b, func() (id int64, err error) {
		err = b.c.QueryRow(r.ctx, "select pgqrs_produce($1, '1')", r.name()).Scan(&id)
		return id, err
	})
	a.commit()
	id := wait(r, produce)
	r.wantGone()
	q, err := r.b.QueueGet(r.ctx, &backend.QueueGetParams{Name: r.name()})
	r.must(err)
	r.want("queue of the message", ask[int64](&r.bench, "select queue_id from pgqrs_messages where id = $1", id), q.ID)
}

func deletionWaitsForDequeue(r *race) {
	r.stock(250)
	a, b := r.session(), r.session()
	a.begin()
	l := a.dequeue(dequeueing{limit: 50})
	deletion := blocked(b, b.deleteQueue(true))
	a.commit()
	r.want("deleted", wait(r, deletion), true)
	r.want("archived", a.archive(l.all()), []held(nil))
	r.wantGone()
}

func deletionWaitsForArchive(r *race) {
	ids := r.stock(250)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 250})
	a.begin()
	a.archive(l.of(ids[100], ids[149]))
	deletion := blocked(b, b.deleteQueue(true))
	a.commit()
	r.want("deleted", wait(r, deletion), true)
	r.wantGone()
}

func registrationWaitsForDeletion(r *race) {
	a, b := r.session(), r.session()
	a.begin()
	must(r, a.deleteQueue(true))
	register := blocked(b, func() (int64, error) {
		tag, err := b.c.Exec(r.ctx, r.b.Queries()["WorkerRegister"], "", r.queue, "host", 1, "ready", nil)
		return tag.RowsAffected(), err
	})
	a.commit()
	r.want("registered", wait(r, register), int64(0))
	r.wantGone()
}

func twoDeletions(r *race) {
	r.stock(3)
	a, b := r.session(), r.session()
	a.begin()
	must(r, a.deleteQueue(true))
	second := blocked(b, b.deleteQueue(true))
	a.commit()
	r.want("deleted twice", wait(r, second), false)
	r.wantGone()
}

// deletionFailsHalfWay: the library had emptied the queue in pieces when its process
// died.
func deletionFailsHalfWay(r *race) {
	r.stock(5)
	_, err := r.b.QueuePurge(r.ctx, &backend.QueuePurgeParams{QueueID: r.queue})
	r.must(err)
	r.want("produced", must(r, r.session().tryProduce), "")
	l := r.session().dequeue(dequeueing{limit: 5})
	r.want("dequeued", len(l.ids), 2)
	r.must(r.b.QueueDelete(r.ctx, &backend.QueueDeleteParams{Name: r.name(), Force: true}))
	r.wantGone()
}

// TestManyQueuesSlowNothing has 10,000 queues: every call about one of them reads
// that one alone, and a page of them reads a page.
func TestManyQueuesSlowNothing(t *testing.T) {
	f := newBench(t)
	f.exec("insert into pgqrs_queues (queue_name) select 'queue ' || to_char(g, 'FM00000') from generate_series(1, 10000) g")
	one := map[string]int64{"pgqrs_queues": 1}
	queries := f.b.Queries()
	for _, when := range []string{"without statistics", "with statistics"} {
		f.wantBounded("queue_get "+when, one, queries["QueueGet"], "queue 05000")
		f.wantBounded("queue_pause "+when, one, queries["QueuePause"], "queue 05000", nil)
		f.wantBounded("queue_update "+when, one, queries["QueueUpdate"],
			"queue 05000", true, time.Minute, false, nil, false, nil, false, "none", time.Duration(0), time.Duration(0), 0.0)
		f.wantBounded("queue_list "+when, map[string]int64{"pgqrs_queues": 100}, queries["QueueList"], "queue 05000", 100)
		f.wantBounded("pgqrs_produce "+when, map[string]int64{"pgqrs_queues": 3}, "select pgqrs_produce('queue 05000', '1')")
		f.wantBounded("pgqrs_dequeue "+when, map[string]int64{"pgqrs_queues": 2, "pgqrs_spans": 2, "pgqrs_log": 1},
			"select pgqrs_dequeue((select id from pgqrs_queues where queue_name = 'queue 05000'), 1, '1 h', null, 5)")
		f.exec("analyze")
	}
	page, err := f.b.QueueList(f.ctx, &backend.QueueListParams{After: "queue 09998", Limit: 1000})
	f.must(err)
	if len(page) != 4-1 { // 09999, 10000, tasks
		t.Errorf("the last page has %d queues", len(page))
	}
}

// must returns what a call returned that does not fail.
func must[T any](r *race, f func() (T, error)) T {
	r.Helper()
	v, err := f()
	r.must(err)
	return v
}
