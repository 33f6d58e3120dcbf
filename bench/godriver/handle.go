package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// consumer is a subject whose library has a consuming loop.
type consumer interface {
	// Handle calls seen with each payload, until ctx ends. What was seen has been
	// settled when it returns.
	Handle(ctx context.Context, seen func(payload []byte)) error
}

// kept is how many latencies a report has at most; more are thinned out evenly
// by rank, which leaves median and percentiles what they were.
const kept = 200

// handle is a consumer in a process of its own, which is how those that wait for a
// message are measured (consume.go, pydriver.py). The message carries in "n" when
// it was due to be produced, by CLOCK_MONOTONIC, which all processes share.
//
//	handle wake           writes for each message how late it came, in nanoseconds
//	handle count EVERY    writes a line at its first message, and obeys standard
//	                      input: "report SINCE" is answered by one line of JSON on
//	                      every EVERYth message that was due after SINCE
//
// It ends at the end of its input.
func handle(ctx context.Context, open opener, dsn string, args []string) error {
	s, err := open(ctx, dsn)
	if err != nil {
		return err
	}
	defer s.Close()
	c, ok := s.(consumer)
	if !ok {
		return errUnknown
	}
	t := &tally{wakes: args[0] == "wake", every: 1}
	if !t.wakes {
		if t.every, err = strconv.Atoi(args[1]); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			since, _ := strconv.ParseInt(strings.TrimPrefix(lines.Text(), "report "), 10, 64)
			_ = json.NewEncoder(os.Stdout).Encode(t.report(since))
		}
	}()
	if err := c.Handle(ctx, t.add); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// tally is what a consumer has seen.
type tally struct {
	wakes bool
	every int

	mu      sync.Mutex
	handled int
	due     []int64
	late    []int64
}

// report is what the driver learns of it.
type report struct {
	Handled int       `json:"handled"`
	Samples []float64 `json:"samples_ms"`
}

func (t *tally) add(payload []byte) {
	at := now()
	var message struct{ N int64 }
	if err := json.Unmarshal(payload, &message); err != nil {
		panic(err) // of our own making
	}
	if t.wakes {
		fmt.Println(at - message.N)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.handled == 0 {
		fmt.Println(0)
	}
	if t.handled%t.every == 0 {
		t.due = append(t.due, message.N)
		t.late = append(t.late, at-message.N)
	}
	t.handled++
}

func (t *tally) report(since int64) report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := report{Handled: t.handled, Samples: []float64{}}
	if since == 0 {
		return r
	}
	for i, due := range t.due {
		if due >= since {
			r.Samples = append(r.Samples, float64(t.late[i])/1e6)
		}
	}
	r.Samples = thin(r.Samples)
	return r
}

func thin(samples []float64) []float64 {
	slices.Sort(samples)
	if len(samples) <= kept {
		return samples
	}
	thinned := make([]float64, kept)
	for i := range thinned {
		thinned[i] = samples[int(math.Round(float64(i)*float64(len(samples)-1)/(kept-1)))]
	}
	return thinned
}

// now is CLOCK_MONOTONIC, in nanoseconds.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // every system has it
	}
	return t.Nano()
}

// residentBytes reads the memory of a process, 0 where that cannot be known.
func residentBytes(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
