package pgqrs_test

import (
	"testing"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// TestAServerThatIsAwayIsLoggedOnce lets six fetches fail, and then one succeed.
func TestAServerThatIsAwayIsLoggedOnce(t *testing.T) {
	p := onMemory(t)
	f := newFaulty()
	s := p.through(t, f.wrap)
	p.produce(t, "tasks", 1)
	f.failBefore("dequeue", times(6, unreachable()))
	st := openStream(t, s, "tasks", pgqrs.StreamOptions{})
	next(t, st)
	if calls := f.countCalls("dequeue"); calls < 7 {
		t.Errorf("%d fetches", calls)
	}
	for what, want := range map[string]int{"trying again until it does": 1, "the server answers again": 1, "doing=\"fetching messages\"": 6} {
		if got := p.log.count(what); got != want {
			t.Errorf("%d lines say %q, not %d:\n%v", got, what, want, p.log)
		}
	}
	closeStream(t, st)
}
