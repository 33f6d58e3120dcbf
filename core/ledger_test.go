package pgqrs

import (
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// batchOf makes a batch of a worker's lease that ended that long ago.
func batchOf(worker, lease int64, ended time.Duration, ids ...int64) *Batch {
	r := &backend.MessageDequeueResult{}
	for _, id := range ids {
		r.Messages = append(r.Messages, backend.Message{ID: id, Lease: lease})
	}
	p := &backend.MessageDequeueParams{QueueID: 1, WorkerID: worker, VT: time.Second}
	return newBatch(nil, nil, p, r, time.Now().Add(-ended-p.VT))
}

func TestTheLedgerForgetsLeasesThatEndedLongAgo(t *testing.T) {
	l := newLedger()
	l.addWorker(7, 1, false)
	const n = 10 * firstSweep
	for lease := range int64(n) {
		ended := 2 * forgetExpiredIn
		if lease%100 == 0 {
			ended = 0
		}
		l.add(batchOf(7, lease+1, ended, lease))
	}
	if len(l.batches) > n/100+firstSweep || len(l.workers[7]) != len(l.batches) {
		t.Errorf("%d batches, %d of the worker", len(l.batches), len(l.workers[7]))
	}
	for id := int64(0); id < n; id += 100 {
		target := Target{WorkerID: 7, Deliveries: []backend.Delivery{{ID: id}}}
		if found, queueID := l.resolve(target); found[0].Lease != id+1 || queueID != 1 {
			t.Fatalf("message %d: %+v", id, found)
		}
	}
	l.removeWorker(7)
	if len(l.batches)+len(l.workers)+len(l.queues)+len(l.streams) != 0 {
		t.Errorf("%+v", l)
	}
}

func TestIDsAreFoundInBatchesOfAnyOrder(t *testing.T) {
	for _, ids := range [][]int64{{1, 2, 5}, {5, 1, 2}, {9}} {
		b := batchOf(7, 1, 0, ids...)
		for i, id := range ids {
			if b.index(id) != i {
				t.Errorf("%d of %v is at %d", id, ids, b.index(id))
			}
		}
		if b.index(3) != -1 || b.index(100) != -1 {
			t.Errorf("%v holds what it does not", ids)
		}
	}
}

func TestFetchesShrinkForASlowReader(t *testing.T) {
	a := &adaptiveSize{}
	for _, step := range []struct {
		since time.Duration // the last fetch, which was full
		want  int
	}{
		{0, 32}, {0, 64}, {0, 128}, {comesQuickly, 128}, {comesSlowly, 64}, {comesSlowly, 32}, {comesSlowly, 16},
		{comesSlowly, 8}, {comesSlowly, 8}, {0, 16},
	} {
		a.at = a.at.Add(-step.since - time.Millisecond)
		if size := a.next(); size != step.want {
			t.Fatalf("%v after the last: %d instead of %d", step.since, size, step.want)
		}
		a.fetched(true)
	}
	a.fetched(false)
	if size := a.next(); size != 16 {
		t.Errorf("after a fetch that was not full: %d", size)
	}
}
