//go:build unix

// Package monotonic reads the clock that other languages of the same process
// read too, so that a moment can be handed to them. It imports nothing of pgqrs.
package monotonic

import "golang.org/x/sys/unix"

func clock() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // POSIX: only for a clock that does not exist
	}
	return t.Nano()
}
