package postgres_test

import (
	"testing"

	"github.com/pgqrs/pgqrs/core/backend"
)

func TestABacklogOfSingleMessagesIsAsSmallAsOneOfBatches(t *testing.T) {
	f := newBench(t)
	f.exec("select pgqrs_enqueue($1, array['1'::json]) from generate_series(1, 5000)", f.queue)
	p := &backend.QueueMergeParams{QueueID: f.queue}
	calls, saved := 0, 0
	for {
		r, err := f.b.QueueMerge(f.ctx, p)
		f.must(err)
		calls++
		saved += r.Saved
		if r.Upto.IsZero() {
			break
		}
		p.Start = r.Upto
	}
	if n := ask[int](f, "select count(*) from pgqrs_spans"); n > 5000/250+calls || saved != 5000-n {
		t.Errorf("%d rows are left, and %d were saved in %d calls", n, saved, calls)
	}
	f.wantRight()
	// Rows read are bounded by the call, not by the backlog.
	f.exec("select pgqrs_enqueue($1, array['1'::json]) from generate_series(1, 5000)", f.queue)
	f.wantBounded("merge", map[string]int64{"pgqrs_spans": 2100}, "select pgqrs_merge($1, age => '0 s')", f.queue)
}

// A dequeue holds some of the rows while others are merged around them.
func TestAMergePassesOverWhatIsLocked(t *testing.T) {
	f := newBench(t)
	f.exec("select pgqrs_enqueue($1, array['1'::json]) from generate_series(1, 30)", f.queue)
	tx, err := f.connect().Begin(f.ctx)
	f.must(err)
	_, err = tx.Exec(f.ctx, "select pgqrs_dequeue($1, 10, '1 h', null, 5)", f.queue)
	f.must(err)
	r, err := f.b.QueueMerge(f.ctx, &backend.QueueMergeParams{QueueID: f.queue})
	f.must(err)
	if r.Saved != 19 {
		t.Errorf("%d rows were saved", r.Saved)
	}
	f.must(tx.Commit(f.ctx))
	if n := ask[int](f, "select sum(n) from pgqrs_spans"); n != 30 {
		t.Errorf("%d messages are left", n)
	}
	f.wantRight()
}
