// Package bridge is the C library without C: what stands behind pgqrs.h, in
// pure Go, so that the race detector and go test reach all of it.
//
// A Library holds what the stores of one process share, a Store is one handle
// of the C interface: a registry of operations in flight, a completion ring and
// its wake-up, and the core that does the work. Data goes one way: a submit goes
// down to the core, its result comes up as a Completion that the program drains.
// Nothing here calls into the program.
//
// Package capi, which is all the cgo there is, calls this package from threads
// of the program; any method may be called by any of them at the same time. The
// package imports core and the standard library. What it knows of C is the
// layout of memory (codec.go), and capi checks that against the compiler.
//
// Every goroutine starts in Store.spawn or comes in through Store.guard: a panic
// never ends the host process (guard.go).
package bridge
