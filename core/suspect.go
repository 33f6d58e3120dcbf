package pgqrs

import (
	"context"
	"time"
)

// A suspect is a batch of messages that were leased at least twice before: one of
// them may kill its process. Backends deliver such ones in ever smaller pieces, each
// alone in its dequeue (docs/adr/0005-suspects.md). But what a stream fetches ahead, and
// what is handled and not archived yet, would die with the culprit all the same, and be
// counted once more each time. So a suspect is alone in its stream, too: it is handed on
// when all before it is over, and nothing is fetched behind it until it is over itself.
// Either is waited for at most one vt, which is the user's word for how long work takes:
// a handler that runs for an hour must not keep a hundred others from running.

// suspectFrom is the read_ct of a message that was leased twice before.
const suspectFrom = 3

// overPoll bounds how long a stream takes to see that a batch is over of which nobody
// told it, because its last message was lost or lapsed.
const overPoll = 50 * time.Millisecond

// awaitNoSuspect waits until no suspect is in the reader's hands.
func (st *Stream) awaitNoSuspect() {
	st.awaitOver(func(b *Batch) bool { return b.suspect })
}

// awaitAlone waits until all but this batch is over.
func (st *Stream) awaitAlone(suspect *Batch) {
	st.awaitOver(func(b *Batch) bool { return b != suspect })
}

// awaitOver waits until no batch that concerns the caller is left, the stream ends, or
// a vt has passed.
func (st *Stream) awaitOver(concerns func(*Batch) bool) {
	b := st.anyLive(concerns)
	if b == nil {
		return // as nearly always
	}
	ctx, stop := context.WithTimeout(st.store.ctx, b.vt)
	defer stop()
	for ctx.Err() == nil && st.anyLive(concerns) != nil {
		st.wait(ctx, st.over, overPoll)
	}
}

// anyLive returns a batch that is not over and concerns the caller; nil when there is
// none, and once the stream has ended.
func (st *Stream) anyLive(concerns func(*Batch) bool) *Batch {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.isEnded {
		return nil
	}
	for b := range st.live {
		if concerns(b) && !b.isOver() {
			return b
		}
	}
	return nil
}
