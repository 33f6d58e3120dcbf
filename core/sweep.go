package pgqrs

import "github.com/pgqrs/pgqrs/core/backend"

const (
	// sweepShare: sweeping takes at most a quarter of the time.
	sweepShare = 3
	// sweepMost is how many pieces of a sweep are done at a time in which most keys are
	// of use. Those in which most are not do not count: they are as many as were produced.
	sweepMost = 20
)

// sweeper deletes dedup keys that are of no use any more, of all queues in turn: one that
// nobody produces with again, nobody else finds.
type sweeper struct {
	store *Store
	after backend.DedupPlace // where to go on
}

// sweep goes on with the sweep, until its end or for a while, and says whether it has
// deleted any.
func (w *sweeper) sweep() (any bool) {
	for kept := 0; kept < sweepMost; {
		r, err := w.store.backend.DedupSweep(w.store.ctx, &backend.DedupSweepParams{After: w.after})
		if err != nil {
			w.store.log.Debug("dedup keys that are of no use were not deleted; the next time may succeed", "error", err)
			return any
		}
		any = any || r.Swept > 0
		if 2*r.Swept < r.Seen {
			kept++
		}
		if w.after = r.After; !r.More {
			w.after = backend.DedupPlace{}
			return any
		}
	}
	return any
}
