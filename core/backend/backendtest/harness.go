package backendtest

import (
	"testing"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Harness tells the tests how to reach the backend that they are to test.
type Harness struct {
	// Open returns a Backend on a fresh, empty store. It fails t when it cannot.
	// The tests close what it returns; Open removes what else it has made, with
	// t.Cleanup. Exercise calls it once for each group of tests, and a few times
	// more; Model and FuzzModel call it once.
	Open func(t testing.TB) backend.Backend
	// Second returns another Backend on the same queues as b, with connections of
	// its own. The tests close it.
	Second func(t testing.TB, b backend.Backend) backend.Backend
}

// open opens a fresh store for the time of a test.
func (h Harness) open(t testing.TB) backend.Backend {
	t.Helper()
	b := h.Open(t)
	t.Cleanup(func() { closeBackend(t, b) })
	return b
}

// second opens another Backend on the queues of b.
func (h Harness) second(t testing.TB, b backend.Backend) backend.Backend {
	t.Helper()
	other := h.Second(t, b)
	t.Cleanup(func() { closeBackend(t, other) })
	return other
}

func closeBackend(t testing.TB, b backend.Backend) {
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// Exercise runs the conformance suite: one subtest for each sentence that the
// contract in package backend says or implies.
func Exercise(t *testing.T, h Harness) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"queue", queueTests},
		{"setting", settingTests},
		{"metrics", metricsTests},
		{"worker", workerTests},
		{"produce", produceTests},
		{"dedup", dedupTests},
		{"dequeue", dequeueTests},
		{"settle", settleTests},
		{"release", releaseTests},
		{"seize", seizeTests},
		{"extend", extendTests},
		{"transaction", transactionTests},
		{"poison", poisonTests},
		{"fail", failTests},
		{"archive", archiveTests},
		{"record", recordTests},
		{"merge", mergeTests},
		{"listener", listenerTests},
		{"concurrency", concurrencyTests},
		{"lifetime", lifetimeTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			b := h.open(t)
			for _, c := range group.tests {
				t.Run(c.name, func(t *testing.T) { c.run(newFixture(t, h, b)) })
			}
		})
	}
}

// test is one sentence and the function that proves it.
type test struct {
	name string
	run  func(f *fixture)
}
