package pgqrs_test

import (
	"runtime"
	"sync"
	"testing"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// TestFewGoroutinesRest: of many that worked at once a few stay, which take what
// comes next; and none when the store has closed.
func TestFewGoroutinesRest(t *testing.T) {
	nothingLeft(t)
	s, err := pgqrs.Connect(t.Context(), "memory://")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	before := runtime.NumGoroutine()
	var started, done sync.WaitGroup
	gate := make(chan struct{})
	for range 50 {
		started.Add(1)
		done.Add(1)
		s.Spawn(func() {
			defer done.Done()
			started.Done()
			<-gate
		})
	}
	started.Wait() // all at once: nobody waits for another to finish
	close(gate)
	done.Wait()
	until(t, "all but four have ended", func() bool { return runtime.NumGoroutine() == before+4 })
	for range 100 {
		done.Add(1)
		s.Spawn(done.Done)
		done.Wait()
	}
	until(t, "four are left", func() bool { return runtime.NumGoroutine() == before+4 })
}
