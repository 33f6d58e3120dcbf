package monotonic

import (
	"testing"
	"time"
)

func TestNanosIsTheClockOfC(t *testing.T) {
	for range 1000 {
		before := clock()
		now := Nanos()
		after := clock()
		// What may lie between the two readings that it begins with.
		const slack = int64(10 * time.Millisecond)
		if now < before-slack || now > after+slack {
			t.Fatalf("%d is not between %d and %d", now, before, after)
		}
	}
}
