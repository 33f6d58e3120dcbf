package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// wrongRows finds rows of the hot tables that break what holds of each of them. The
// tables have no CHECK for it, which would cost every insert. 250 ids that lie
// apart are 125 ranges when every other one is taken out.
const wrongRows = `
	select format('%s %s of lease %s: %s says %s, of %s to %s, in %s ranges, delivered %s times',
	              what, id, lease, ids, n, lo, hi, ranges, read_ct)
	from (
		select r.*, (select count(*) from unnest(r.ids)) as ranges,
		       (select sum(upper(u) - lower(u)) from unnest(r.ids) u) as members
		from (
			select 'span' as what, id, lease, n, lo, hi, ids, read_ct, lease > 0 as held, dequeued_at from pgqrs_spans
			union all
			select outcome, id, lease, n, lo, hi, ids, read_ct, outcome = 'archived', dequeued_at from pgqrs_done
		) r
	) rows
	where what not in ('span', 'archived', 'dead')
	   or n not between 1 and 250 or members is distinct from n or ranges > 125
	   or hi - lo not between 0 and 4095 or lower(ids) < lo or upper(ids) > hi + 1
	   or lease < 0 or read_ct < 0 or held and (lease = 0 or read_ct = 0 or dequeued_at is null)`

// wantRight checks the rows of the hot tables.
func (f *bench) wantRight() {
	f.Helper()
	if wrong := askAll[string](f, wrongRows); len(wrong) > 0 {
		f.Fatalf("%d wrong rows: %s", len(wrong), strings.Join(wrong[:min(5, len(wrong))], "; "))
	}
}

// operator calls everything that writes the hot tables, at random, with leases
// that are held, lapsed and over, under a clock of its own.
type operator struct {
	*bench
	random *rand.Rand
	now    time.Time
	known  []backend.Delivery // of all dequeues
}

// TestRandomOperationsLeaveRightRows: the server's functions alone keep the rows
// right.
func TestRandomOperationsLeaveRightRows(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	o := &operator{bench: newBench(t), random: rand.New(rand.NewPCG(seed, 0)), now: time.Now()}
	for range 40 {
		for range 15 {
			o.operate()
		}
		o.wantRight()
	}
	if n := ask[int](o.bench, "select count(distinct outcome) from pgqrs_done"); n != 2 {
		t.Error("nothing was archived, or nothing died")
	}
}

func (o *operator) operate() {
	o.Helper()
	o.now = o.now.Add(time.Duration(o.random.Int64N(int64(time.Second))))
	var err error
	switch o.random.IntN(13) {
	case 0, 1:
		o.produceSome()
	case 12:
		_, err = o.b.QueueMerge(o.ctx, &backend.QueueMergeParams{QueueID: o.queue, At: o.now})
	case 2, 3, 4, 5:
		o.dequeueSome()
	case 6, 7:
		_, err = o.b.MessageArchive(o.ctx, &backend.MessageArchiveParams{
			QueueID: o.queue, Deliveries: o.some(), Again: o.random.IntN(2) == 0, At: o.now})
	case 8:
		_, err = o.b.MessageDelete(o.ctx, &backend.MessageDeleteParams{QueueID: o.queue, Deliveries: o.some()})
	case 9, 10:
		_, err = o.b.MessageRelease(o.ctx, &backend.MessageReleaseParams{
			QueueID: o.queue, Deliveries: o.some(), Undelivered: o.random.IntN(2) == 0, Delay: o.span(), At: o.now})
	case 11:
		_, err = o.b.MessageExtend(o.ctx, &backend.MessageExtendParams{
			QueueID: o.queue, Deliveries: o.some(), By: o.span(), Mode: backend.ExtendMode(o.random.IntN(2)), At: o.now})
	}
	o.must(err)
}

// span is a time in which a few operations happen.
func (o *operator) span() time.Duration {
	return time.Duration(o.random.Int64N(int64(5 * time.Second)))
}

// produceSome stores messages of this queue alone, or between those of another, or
// far apart; or loses payloads that were stored, as a damaged log would.
func (o *operator) produceSome() {
	o.Helper()
	switch o.random.IntN(5) {
	case 0:
		o.exec("select pgqrs_enqueue(case when random() < 0.9 then $1::bigint else $2::bigint end, array['1'::json], '0', null, $3) from generate_series(1, $4::integer)",
			o.queue, o.another, o.now, 1+o.random.IntN(400))
	case 1:
		o.exec("delete from pgqrs_log where id % 100 = $1", o.random.IntN(100))
	case 2:
		o.exec(fmt.Sprintf("alter sequence pgqrs_log_id_seq increment %d", 2+o.random.IntN(1+o.random.IntN(300))))
		defer o.exec("alter sequence pgqrs_log_id_seq increment 1")
		fallthrough
	default:
		_, err := o.b.MessageProduce(o.ctx, &backend.MessageProduceParams{
			QueueID: o.queue, Payloads: payloads(1 + o.random.IntN(700)), Delay: o.span(), At: o.now})
		o.must(err)
	}
}

func (o *operator) dequeueSome() {
	o.Helper()
	r, err := o.b.MessageDequeue(o.ctx, &backend.MessageDequeueParams{
		QueueID: o.queue, Limit: 1 + o.random.IntN(1+o.random.IntN(1000)), VT: time.Second + o.span(), MaxReadCount: 2, At: o.now})
	o.must(err)
	o.known = append(o.known, deliveries(r.Messages)...)
}

// some are deliveries that follow each other, all of them or every so many, of the
// latest dequeues mostly.
func (o *operator) some() []backend.Delivery {
	var some []backend.Delivery
	step := 1 + o.random.IntN(3)
	for i := len(o.known) - 1 - o.random.IntN(50); i >= 0 && len(some) < 1+o.random.IntN(1000); i -= step {
		some = append(some, o.known[i])
	}
	return some
}
