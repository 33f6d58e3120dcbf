//go:build unix && !linux

package monotonic

// Nanos returns CLOCK_MONOTONIC in nanoseconds, as clock_gettime in C does.
func Nanos() int64 { return clock() }
