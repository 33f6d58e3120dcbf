package postgres_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgqrs/pgqrs/core/backend"
)

// TestAWalkSkipsWhatIsDead holds a snapshot, so that the entries of messages that
// were leased stay in the index, and compares the buffers that a walk reads from
// the low watermark and from the very beginning.
func TestAWalkSkipsWhatIsDead(t *testing.T) {
	f := newBench(t)
	old := f.connect()
	tx, err := old.BeginTx(f.ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	f.must(err)
	_, err = tx.Exec(f.ctx, "select count(*) from pgqrs_spans") // the snapshot
	f.must(err)
	f.exec(`do $$ begin
		for i in 1 .. 3000 loop
			perform pgqrs_enqueue(1, array['1'::json]);
			perform pgqrs_dequeue(1, 1, '1 day', null, 5);
		end loop;
	end $$`)
	f.produce(2)
	cost := func(floor string) (buffers int64) {
		f.Helper()
		rows := askAll[string](f, "explain (analyze, buffers, format json) select id from pgqrs_spans where queue_id = 1 and vt >= $1 and vt <= now() order by vt, hi limit 1", floor)
		var plan []struct {
			Plan map[string]any
		}
		f.must(json.Unmarshal([]byte(rows[0]), &plan))
		return int64(plan[0].Plan["Shared Hit Blocks"].(float64) + plan[0].Plan["Shared Read Blocks"].(float64))
	}
	low := ask[time.Time](f, "select min(vt) from pgqrs_spans where queue_id = 1 and vt <= now()")
	if whole, short := cost("-infinity"), cost(low.Format(time.RFC3339Nano)); short*10 > whole {
		t.Errorf("a walk reads %d buffers from the watermark and %d from the beginning", short, whole)
	}
}

// TestWhatCommitsLateIsFound: a transaction that began long ago stores a message
// below the low watermark of a consumer.
func TestWhatCommitsLateIsFound(t *testing.T) {
	f := newBench(t)
	tx, err := f.c.Begin(f.ctx)
	f.must(err)
	var late int64
	f.must(tx.QueryRow(f.ctx, "select pgqrs_produce('tasks', '1')").Scan(&late))
	for range 3 {
		f.produce(1)
		if len(f.dequeue(1)) != 1 {
			t.Fatal("nothing to dequeue")
		}
	}
	f.must(tx.Commit(f.ctx))
	if m := f.dequeue(1); len(m) != 1 || m[0].ID != late {
		t.Errorf("dequeued %+v, want %d", m, late)
	}
}

// TestWhatCommitsLateIsFoundWhileOthersCome: not at the next dequeue, perhaps,
// but within seconds, though the queue is never empty.
func TestWhatCommitsLateIsFoundWhileOthersCome(t *testing.T) {
	f := newBench(t)
	tx, err := f.c.Begin(f.ctx)
	f.must(err)
	var late int64
	f.must(tx.QueryRow(f.ctx, "select pgqrs_produce('tasks', '1')").Scan(&late))
	f.produce(250)
	f.dequeue(1)
	f.must(tx.Commit(f.ctx))
	f.eventually("the late message is delivered", func() bool {
		f.produce(2)
		m := f.dequeue(1)
		return len(m) == 1 && m[0].ID == late
	})
}

// TestWhatIsGivenBackKeepsItsPlaceUnderTheWatermark: the process that gives back
// knows that it has to look lower.
func TestWhatIsGivenBackKeepsItsPlaceUnderTheWatermark(t *testing.T) {
	f := newBench(t)
	f.produce(10)
	f.produce(10)
	first := f.dequeue(10)
	f.dequeue(5)
	_, err := f.b.MessageRelease(f.ctx, &backend.MessageReleaseParams{QueueID: f.queue, Deliveries: deliveries(first), Undelivered: true})
	f.must(err)
	if again := f.dequeue(20); len(again) != 15 || again[0].ID != first[0].ID {
		t.Errorf("dequeued %d messages, the first is %d, want %d", len(again), again[0].ID, first[0].ID)
	}
}
