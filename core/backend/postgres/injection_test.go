package postgres_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// TestStringsThatLookLikeSQLAreJustStrings sends them wherever a string can go.
func TestStringsThatLookLikeSQLAreJustStrings(t *testing.T) {
	f := newBench(t)
	for _, text := range []string{
		`'; drop table pgqrs_log; --`, `"; drop table pgqrs_log; --`, `$$; drop table pgqrs_log; $$`, `$name$; select 1; $name$`,
		`{schema}`, `$body$`, `\'; drop table pgqrs_log; --`, `%I %s %L`, `*/ drop table pgqrs_log /*`, "\n--\n;", `$1`, `:name`, `?`,
	} {
		q, err := f.b.QueueEnsure(f.ctx, &backend.QueueEnsureParams{Name: text})
		f.must(err)
		again, err := f.b.QueueGet(f.ctx, &backend.QueueGetParams{Name: text})
		f.must(err)
		w, err := f.b.WorkerRegister(f.ctx, &backend.WorkerRegisterParams{QueueID: q.ID, Name: text, Hostname: text})
		f.must(err)
		payload, err := json.Marshal(map[string]string{text: text})
		f.must(err)
		_, err = f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: q.ID, WorkerID: w.ID, Payloads: [][]byte{payload}})
		f.must(err)
		bySQL := ask[int64](f, "select pgqrs_produce($1, $2::json)", text, string(payload))
		d, err := f.b.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: q.ID, Limit: 2, VT: time.Hour})
		f.must(err)
		kept := ask[string](f, "select name || hostname from pgqrs_workers where id = $1", w.ID)
		if q.Name != text || *again != *q || kept != text+text {
			t.Errorf("%q: queue %q, then %q, worker %q", text, q.Name, again.Name, kept)
		}
		if len(d.Messages) != 2 || d.Messages[1].ID != bySQL {
			t.Fatalf("%q: %d messages", text, len(d.Messages))
		}
		for _, m := range d.Messages {
			if string(m.Payload) != string(payload) {
				t.Errorf("%q: payload %s", text, m.Payload)
			}
		}
	}
}

// TestTheServerShowsNoPassword: nothing that others see of a session has it.
func TestTheServerShowsNoPassword(t *testing.T) {
	const password = "S3cr3t-0f-th3-house"
	f := newBench(t)
	b := open(t, strings.Replace(f.dsn, "postgres@", "postgres:"+password+"@", 1))
	defer func() { f.must(b.Close()) }()
	if b.Pool().Config().ConnConfig.Password != password {
		t.Fatal("the DSN has no password")
	}
	for _, row := range askAll[string](f, "select a::text from pg_stat_activity a where datname = current_database()") {
		if strings.Contains(row, password) {
			t.Errorf("%s", row)
		}
	}
	if n := ask[int64](f, "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'pgqrs'"); n == 0 {
		t.Error("no session is called pgqrs")
	}
}
