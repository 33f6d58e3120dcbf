//go:build !unix

package monotonic

import "time"

var start = time.Now()

// Nanos counts from the start of the process: no clock is shared here.
func Nanos() int64 { return int64(time.Since(start)) }
