package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgqrs/pgqrs/core/backend"
)

// exact are payloads that jsonb would change.
var exact = []string{
	`1e300`, `-0.0`, `1.0`, `0.1e-7`, `{"b":1,"a":2,"b":3}`, ` [ 1 , 2 ] `, `"\u00e9é😀"`, `""`, `null`, `{}`,
	strings.Repeat("9", 4300), `"` + strings.Repeat("x", 1<<20) + `"`, strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
}

func TestPayloadsComeBackToTheByte(t *testing.T) {
	f := newBench(t)
	var payloads [][]byte
	for _, p := range exact {
		payloads = append(payloads, []byte(p))
	}
	_, err := f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: payloads})
	f.must(err)
	for _, p := range exact {
		f.exec("select pgqrs_produce('tasks', $1)", json.RawMessage(p))
	}
	got := f.dequeue(100)
	if len(got) != 2*len(exact) {
		t.Fatalf("dequeued %d messages", len(got))
	}
	for i, m := range got {
		if string(m.Payload) != exact[i%len(exact)] {
			t.Errorf("payload %d is %.60q, want %.60q", i, m.Payload, exact[i%len(exact)])
		}
	}
	// The views show all of them.
	if n := ask[int](f, "select count(payload::text) from pgqrs_messages"); n != len(got) {
		t.Errorf("the view shows %d", n)
	}
}

func TestManyPayloadsAreStoredInOrderInOneTransaction(t *testing.T) {
	f := newBench(t)
	const n = 50_001
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = fmt.Append(nil, i)
	}
	ids, err := f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: payloads})
	f.must(err)
	if len(ids) != n || !slices.IsSorted(ids) {
		t.Fatalf("%d ids", len(ids))
	}
	if bad := ask[int](f, "select count(*) from pgqrs_log where payload::text::bigint <> id - $1", ids[0]); bad != 0 {
		t.Errorf("%d payloads are in another's place", bad)
	}
	payloads[n-1] = []byte(`{"bad"`)
	_, err = f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.another, Payloads: payloads})
	if !errors.Is(err, backend.ErrSerialization) {
		t.Errorf("a bad payload: %v", err)
	}
	if left := ask[int](f, "select count(*) from pgqrs_log where queue_id = $1", f.another); left != 0 {
		t.Errorf("%d messages of a refused batch were stored", left)
	}
}

// TestSetsStaySmall produces and merges in the worst way, with the ids of two
// queues mixed, and looks at the rows.
func TestSetsStaySmall(t *testing.T) {
	f := newBench(t)
	f.exec("select pgqrs_enqueue(case g % 3 when 0 then $1::bigint else $2::bigint end, array['1'::json]) from generate_series(1, 3000) g", f.queue, f.another)
	f.exec("alter sequence pgqrs_log_id_seq increment 100")
	f.produce(300) // 100 apart
	f.exec("alter sequence pgqrs_log_id_seq increment 1")
	f.produce(1000)
	held := f.dequeue(5000)
	if len(held) != 2300 || !slices.IsSortedFunc(held, func(a, b backend.Message) int { return int(a.ID - b.ID) }) {
		t.Fatalf("dequeued %d messages, or not in order", len(held))
	}
	var some []backend.Delivery
	for i, d := range deliveries(held) {
		if i%2 == 0 {
			some = append(some, d)
		}
	}
	_, err := f.b.MessageArchive(f.ctx, &backend.MessageArchiveParams{QueueID: f.queue, Deliveries: some})
	f.must(err)
	f.wantRight()
	if rows := ask[int](f, "select count(*) from pgqrs_spans where queue_id = $1", f.queue); rows > 40 {
		t.Errorf("%d rows for the messages of one lease", rows)
	}
}

func TestSQLProduceIsPartOfTheCallersTransaction(t *testing.T) {
	f := newBench(t)
	tx, err := f.c.Begin(f.ctx)
	f.must(err)
	_, err = tx.Exec(f.ctx, "select pgqrs_produce('tasks', '1'), pgqrs_produce('new queue', '2', '1 hour')")
	f.must(err)
	if n := len(f.dequeue(10)); n != 0 {
		t.Errorf("%d messages before the commit", n)
	}
	f.must(tx.Rollback(f.ctx))
	f.exec("select pgqrs_produce('tasks', '1', '1 hour')")
	ids := askAll[int64](f, `select pgqrs_produce_batch('tasks', array['"a"', '"b"', '"c"']::json[])`)
	if !slices.IsSorted(ids) || len(ids) != 3 {
		t.Errorf("ids %v", ids)
	}
	var got []string
	for _, m := range f.dequeue(10) {
		got = append(got, string(m.Payload))
	}
	if want := []string{`"a"`, `"b"`, `"c"`}; !slices.Equal(got, want) {
		t.Errorf("dequeued %v, want %v", got, want)
	}
	if n := ask[int](f, "select count(*) from pgqrs_queues where queue_name = 'new queue'"); n != 0 {
		t.Error("a queue of a transaction that was rolled back is there")
	}
}

func TestSQLProduceRefusesWhatTheViewsCouldNotShow(t *testing.T) {
	f := newBench(t)
	for _, c := range []struct{ call, state string }{
		{`pgqrs_produce('tasks', '"\u0000"')`, "22P05"},
		{`pgqrs_produce('tasks', '"\ud800"')`, "22P02"},
		{`pgqrs_produce('tasks', '1e200000')`, "22003"},
		{`pgqrs_produce('tasks', '{')`, "22P02"},
		{`pgqrs_produce('tasks', null)`, "22004"},
		{`pgqrs_produce_batch('tasks', array['1', '"\u0000"']::json[])`, "22P05"},
		{`pgqrs_produce_batch('tasks', array['1', null]::json[])`, "22004"},
		{`pgqrs_produce_batch('tasks', null)`, "22004"},
		{`pgqrs_produce('', '1')`, "22023"},
		{`pgqrs_produce(repeat('x', 256), '1')`, "22023"},
		{`pgqrs_produce(null, '1')`, "22023"},
		{`pgqrs_produce('tasks', '1', '-1 s')`, "22023"},
		{`pgqrs_produce('tasks', '1', '11 years')`, "22023"},
		{`pgqrs_produce('tasks', '1', dedup_key => '')`, "22023"},
		{`pgqrs_produce('tasks', '1', dedup_key => repeat('ö', 256))`, "22023"},
		{`pgqrs_produce('tasks', '1', dedup_key => 'k', dedup_for => '0')`, "22023"},
		{`pgqrs_produce('tasks', '1', dedup_key => 'k', dedup_for => '11 years')`, "22023"},
		{`pgqrs_produce('tasks', '1', dedup_for => '1 hour')`, "22023"},
		{`pgqrs_produce('tasks', '{', dedup_key => 'k')`, "22P02"},
		{`pgqrs_produce('tasks', '"\u0000"', dedup_key => 'k')`, "22P05"},
		{`pgqrs_produce('tasks', '1', '-1 s', 'k')`, "22023"},
		{`pgqrs_produce_keyed('tasks', array['1', '2']::json[], array['k'])`, "22023"},
		{`pgqrs_produce_keyed('tasks', array['1']::json[], null)`, "22023"},
		{`pgqrs_produce_keyed('tasks', null, null)`, "22004"},
		{`pgqrs_produce_keyed('', array['1']::json[], array['k'])`, "22023"},
	} {
		_, err := f.c.Exec(f.ctx, "select "+c.call)
		var server *pgconn.PgError
		if !errors.As(err, &server) || server.Code != c.state {
			t.Errorf("%s: %v, want %s", c.call, err, c.state)
		}
	}
	if n := ask[int](f, "select count(*) from pgqrs_log"); n != 0 {
		t.Errorf("%d messages were stored", n)
	}
	if n := askAll[int64](f, "select pgqrs_produce_batch('tasks', '{}')"); len(n) != 0 {
		t.Errorf("an empty batch has ids %v", n)
	}
}

func TestSQLProduceTakesKeys(t *testing.T) {
	f := newBench(t)
	first := ask[int64](f, "select pgqrs_produce('fresh', '1', dedup_key => 'k')")
	if again := ask[int64](f, "select pgqrs_produce('fresh', '2', '1 hour', 'k', '1 hour')"); again != first {
		t.Errorf("message %d has the key, and the answer is %d", first, again)
	}
	if other := ask[int64](f, "select pgqrs_produce('fresh', '3', dedup_key => repeat('ö', 255))"); other <= first {
		t.Errorf("another key has message %d", other)
	}
	rows := askAll[string](f, `select k.deduplicated::text || (k.id - $1) from pgqrs_produce_keyed(
		'fresh', array['4', '5', '6', '7']::json[], array['a', null, 'k', 'a'], dedup_for => '1 hour') k`, first)
	if want := []string{"false2", "false3", "true0", "true2"}; !slices.Equal(rows, want) {
		t.Errorf("answers %v, want %v", rows, want)
	}
	if n := askAll[int64](f, "select id from pgqrs_produce_keyed('fresh', '{}', '{}')"); len(n) != 0 {
		t.Errorf("no payloads have ids %v", n)
	}
	got := askAll[string](f, "select payload::text from pgqrs_messages order by id")
	if want := []string{"1", "3", "4", "5"}; !slices.Equal(got, want) {
		t.Errorf("payloads %v, want %v", got, want)
	}
}

// TestSQLProducersMayMakeTheSameQueueAtOnce: the second waits for the first.
func TestSQLProducersMayMakeTheSameQueueAtOnce(t *testing.T) {
	f := newBench(t)
	tx, err := f.c.Begin(f.ctx)
	f.must(err)
	_, err = tx.Exec(f.ctx, "select pgqrs_produce('fresh', '1')")
	f.must(err)
	other := f.connect()
	done := make(chan error, 1)
	go func() {
		_, err := other.Exec(f.ctx, "select pgqrs_produce('fresh', '2')")
		done <- err
	}()
	f.eventually("the second producer waits", func() bool {
		var n int
		f.must(tx.QueryRow(f.ctx, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").Scan(&n))
		return n > 0
	})
	f.must(tx.Commit(f.ctx))
	f.must(<-done)
	if n := ask[int](f, "select count(*) from pgqrs_messages where queue_id = (select id from pgqrs_queues where queue_name = 'fresh')"); n != 2 {
		t.Errorf("%d messages", n)
	}
}

// TestSettingsOfTheCallerDoNotMatter calls everything under settings that would
// break functions that rely on them.
func TestSettingsOfTheCallerDoNotMatter(t *testing.T) {
	f := newBench(t)
	config, err := pgconn.ParseConfig(f.dsn)
	f.must(err)
	for _, set := range []string{
		"default_transaction_isolation = 'serializable'", "search_path = ''", "standard_conforming_strings = off",
		"enable_indexscan = off", "plan_cache_mode = force_custom_plan", "synchronous_commit = off", "datestyle = 'German'", "intervalstyle = 'iso_8601'",
		"timezone = 'Asia/Kathmandu'", "extra_float_digits = -15", "bytea_output = 'escape'",
	} {
		f.exec(fmt.Sprintf("alter database %q set %s", config.Database, set))
	}
	b := open(t, f.dsn)
	defer func() { f.must(b.Close()) }()
	ids, err := b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: [][]byte{[]byte("1"), []byte("2"), []byte("3")}, Delay: 0})
	f.must(err)
	keyed, err := b.MessageProduceKeyed(f.ctx, &backend.MessageProduceKeyedParams{
		MessageProduceParams: backend.MessageProduceParams{QueueID: f.another, Payloads: payloads(3)},
		Keys:                 []string{"k", "", "k"}, DedupFor: time.Hour, Patience: time.Minute})
	if err != nil || keyed[0].Deduplicated || keyed[1].Deduplicated || !keyed[2].Deduplicated {
		t.Errorf("produced %+v, %v", keyed, err)
	}
	_, err = b.DedupSweep(f.ctx, &backend.DedupSweepParams{})
	f.must(err)
	r, err := b.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: f.queue, Limit: 3, VT: time.Minute})
	f.must(err)
	if len(r.Messages) != len(ids) || r.Messages[0].VT.Sub(r.Messages[0].DequeuedAt) != time.Minute {
		t.Fatalf("dequeued %+v", r)
	}
	o, err := b.MessageArchive(context.Background(), &backend.MessageArchiveParams{QueueID: f.queue, Deliveries: deliveries(r.Messages)})
	if err != nil || slices.Contains(o, backend.NotHeld) {
		t.Errorf("archived %v, %v", o, err)
	}
}
