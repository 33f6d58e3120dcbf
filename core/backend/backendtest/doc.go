// Package backendtest says in tests what package backend says in words. Every
// backend must pass Exercise, the conformance suite, and FuzzModel, which runs
// random operations and holds each answer against a model of the contract.
//
// A backend hooks in with one file of tests:
//
//	var harness = backendtest.Harness{
//		Open: func(t testing.TB) backend.Backend { … a fresh, empty store … },
//		Second: func(t testing.TB, b backend.Backend) backend.Backend {
//			… another Backend on the queues of b …
//		},
//	}
//
//	func TestContract(t *testing.T) { backendtest.Exercise(t, harness) }
//	func TestModel(t *testing.T)    { backendtest.Model(t, harness, 40, 300) }
//	func FuzzModel(f *testing.F)    { backendtest.FuzzModel(f, harness) }
//
// # Time
//
// No test sleeps and no clock needs to be injected: the tests pass At with every
// operation, move it forward by hand, and begin with the present. A backend must
// take At as now wherever it is given. The few operations without At (making and
// finding queues, MessageGet, purge, listeners) use the backend's own clock, and
// nothing is tested of them that depends on what it shows.
//
// # Freedom
//
// The contract leaves a store room in a few places, so that one which keeps the
// state of many messages in one row can do so. The suite and the model accept
// exactly this:
//
//   - Suspects. A message whose lease expired while it was held is a suspect: its
//     holder may have died of it. (One that was given back is none.) Suspects that
//     were leased once may come back in pieces: some of what one lease held stays
//     behind in a dequeue that takes another part of it. A suspect that was leased
//     r ≥ 2 times comes back alone, or with others of the same lease and the same
//     read count: at most max(1, n >> 2r) of the n that the lease still held; and
//     a dequeue that meets one behind other messages ends before it.
//   - Place. What a dequeue leased and gets back Undelivered may stand as early as
//     the first message of that dequeue stood, instead of in its own place.
//   - Equals. Order is by (vt, id). But what one call leased, extended or released
//     together may come as one. Where the ids of two such sets lie between each
//     other (the ones were held when the others were leased, or a call named some
//     of a lease and not those between, or an answer was not in the order of ids),
//     their messages of one vt may be out of the order of their ids.
//   - The dead. A message that was leased too often becomes dead when a dequeue
//     passes it, that is, when anything behind it is delivered or nothing is. One
//     further back may become dead in the same dequeue or in a later one.
//
// The package is imported by tests only. It imports the standard library and
// package backend.
package backendtest
