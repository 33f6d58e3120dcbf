package backendtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Model runs the programs of testdata/model and those of the seeds 1 … seeds, of
// so many steps each, and compares every answer with the model. Run one seed
// again with -run 'Test…/seed=17$'.
func Model(t *testing.T, h Harness, seeds, steps int) {
	b := h.open(t)
	programs, err := keptPrograms()
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range programs {
		t.Run(name, func(t *testing.T) { check(t, b, p) })
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			check(t, b, randomProgram(seed+1, steps))
		})
	}
}

// FuzzModel lets Go's fuzzer write the programs. It begins with those of
// testdata/model; what it finds is reported as such a file, to be kept there.
func FuzzModel(f *testing.F, h Harness) {
	const longest = 200
	b := h.open(f)
	programs, err := keptPrograms()
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range programs {
		f.Add(p.bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p := programOf(data)
		check(t, b, p[:min(len(p), longest)])
	})
}

// check runs a program. When it fails, it reports the shortest program that it
// finds to fail too, with what happened in that.
func check(t *testing.T, b backend.Backend, p program) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	log, err := run(ctx, b, p)
	if err == nil {
		return
	}
	small, smallLog, smallErr := shrink(ctx, b, p)
	if smallErr == nil { // it does not fail again: a race, or a matter of ids
		small, smallLog, smallErr = p, log, err
	}
	t.Fatalf("%v\n\nThe shortest program found that fails (a file for testdata/model):\n%s\nWhat happened in it:\n%s\n%v",
		err, small, strings.Join(tail(smallLog, 60), "\n"), smallErr)
}

// shrink looks for a short part of a program that still fails: it leaves out ever
// smaller pieces, for as long as that takes, at most 20 seconds.
func shrink(ctx context.Context, b backend.Backend, p program) (small program, log []string, err error) {
	deadline := time.Now().Add(20 * time.Second)
	small = p
	log, err = run(ctx, b, small)
	if err == nil {
		return nil, nil, nil
	}
	for piece := len(p) / 2; piece > 0; piece /= 2 {
		for from := 0; from+piece <= len(small); {
			if time.Now().After(deadline) {
				return small, log, err
			}
			part := slices.Delete(slices.Clone(small), from, from+piece)
			if l, e := run(ctx, b, part); e != nil {
				small, log, err = part, l, e
			} else {
				from += piece
			}
		}
	}
	return small, log, err
}

func tail[T any](s []T, n int) []T { return s[max(0, len(s)-n):] }
