//go:build unix

// Package monotonic reads the clock that other languages of the same process
// read too, so that a moment can be handed to them. It imports nothing of pgqrs.
package monotonic

import "golang.org/x/sys/unix"

// Nanos returns CLOCK_MONOTONIC in nanoseconds, as clock_gettime in C and
// time.monotonic_ns in Python (on Linux) do.
func Nanos() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // POSIX: only for a clock that does not exist
	}
	return t.Nano()
}
