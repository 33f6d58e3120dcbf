package postgres_test

import (
	"github.com/pgqrs/pgqrs/core/backend"
)

// The counters are exact at every moment: a row of the tally is counted from the commit
// of its transaction on, before it is folded and afterwards, and once.
var metricsRaces = []raceTest{
	{"what commits after a fold is counted", lateCommitIsCounted},
	{"who folds while another does so does not wait", secondFoldDoesNotWait},
	{"a queue's deletion waits for who folds its tally", deletionWaitsForFold},
	{"what was rolled back is not counted", rolledBackIsNotCounted},
}

// fold calls pgqrs_fold with the library's query.
func (s *session) fold() (n int, err error) {
	err = s.c.QueryRow(s.r.ctx, s.r.b.Queries()["MetricsFold"]).Scan(&n)
	return n, err
}

func (r *race) wantProduced(want int64) {
	r.Helper()
	m, err := r.b.MetricsGet(r.ctx, &backend.MetricsGetParams{Name: r.name()})
	r.must(err)
	r.want("produced", m.Produced, want)
}

func lateCommitIsCounted(r *race) {
	r.stock(3)
	a, b := r.session(), r.session()
	a.begin()
	must(r, a.tryProduce)
	must(r, b.fold)
	r.wantProduced(3)
	a.commit()
	r.wantProduced(5)
	r.want("folded", must(r, b.fold), 1)
	r.wantProduced(5)
	r.want("folded again", must(r, b.fold), 0)
}

func secondFoldDoesNotWait(r *race) {
	r.stock(3)
	a, b := r.session(), r.session()
	a.begin()
	must(r, a.fold)
	r.want("folded by another", must(r, b.fold), 0)
	r.wantProduced(3)
	a.rollback()
	r.wantProduced(3)
	must(r, b.fold)
	r.wantProduced(3)
}

func deletionWaitsForFold(r *race) {
	r.stock(3)
	a, b := r.session(), r.session()
	a.begin()
	must(r, a.fold)
	deletion := blocked(b, b.deleteQueue(true))
	a.commit()
	r.want("deleted", wait(r, deletion), true)
	r.wantGone()
}

func rolledBackIsNotCounted(r *race) {
	a, b := r.session(), r.session()
	a.begin()
	must(r, a.tryProduce)
	a.rollback()
	must(r, b.fold)
	r.wantProduced(0)
}
