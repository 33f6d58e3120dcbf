package pgqrs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// TestTheFirstBadPayloadOfABatchIsNamed: also of one that several goroutines check.
func TestTheFirstBadPayloadOfABatchIsNamed(t *testing.T) {
	nothingLeft(t)
	s, err := pgqrs.Connect(t.Context(), "memory://")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	const count = 2000
	for _, size := range []int{0, 500} {
		one := []byte(`"` + strings.Repeat("a", size) + `"`)
		good := slices.Repeat([][]byte{one}, count)
		ids, err := s.ProduceBatch(t.Context(), "q", good, pgqrs.ProduceOptions{})
		if err != nil || len(ids) != count {
			t.Fatal(len(ids), err)
		}
		for _, bad := range [][]int{{0}, {count - 1}, {1000, 1001}, {70, 700, 1999}, {1990, 3}} {
			payloads := slices.Clone(good)
			for _, i := range bad {
				payloads[i] = []byte(`"\u0000"`)
			}
			_, err := s.ProduceBatch(t.Context(), "q", payloads, pgqrs.ProduceOptions{})
			var e *pgqrs.Error
			if !errors.As(err, &e) || e.Index != slices.Min(bad) {
				t.Errorf("size %d, bad %v: %v", size, bad, err)
			}
		}
	}
}
