// Command godriver measures what is written in Go for the benchmark: the floors
// (what the server can do at all), the row model, and package pgqrs itself.
//
//	PGQRS_BENCH_DSN=postgresql://… godriver floor|rows|pgqrs
//
// It speaks the protocol of bench/pydriver.py: one line of JSON says that it is
// ready and which tables are its own; then each line on standard input is a
// request and is answered by one line. bench/runner.py is its only caller.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
)

// subject is what is measured. Prepare brings its tables into the state from which
// Run measures; nothing that Prepare does is timed.
type subject interface {
	Prepare(ctx context.Context, r *request) error
	Run(ctx context.Context, r *request) (*answer, error)
	Tables() []string // truncated by the runner before each Prepare
	Close()
}

// request is one line from the runner: the parameters of a workload.
type request struct {
	Do        string  `json:"do"` // prepare, run
	Kind      string  `json:"kind"`
	Tasks     int     `json:"tasks"`
	Batch     int     `json:"batch"`
	Backlog   int     `json:"backlog"`
	Consumers int     `json:"consumers"`
	Seconds   float64 `json:"seconds"`
}

// answer is one line to the runner.
type answer struct {
	Messages int     `json:"messages"`
	Seconds  float64 `json:"seconds"`
	Error    string  `json:"error,omitempty"`
}

var errUnknown = errors.New("this subject has no such workload")

var subjects = map[string]func(ctx context.Context, dsn string) (subject, error){
	"floor": openFloor,
	"rows":  openRows,
	"pgqrs": openPgqrs,
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "godriver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if len(os.Args) != 2 || subjects[os.Args[1]] == nil {
		return errors.New("usage: godriver floor|rows|pgqrs")
	}
	s, err := subjects[os.Args[1]](ctx, os.Getenv("PGQRS_BENCH_DSN"))
	if err != nil {
		return err
	}
	defer s.Close()
	out := json.NewEncoder(os.Stdout)
	hello := map[string]any{"ready": true, "tables": s.Tables(), "versions": map[string]string{"go": runtime.Version()}}
	if err := out.Encode(hello); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := out.Encode(obey(ctx, s, lines.Bytes())); err != nil {
			return err
		}
	}
	return nil
}

func obey(ctx context.Context, s subject, line []byte) *answer {
	var r request
	err := json.Unmarshal(line, &r)
	a := &answer{}
	switch {
	case err != nil:
	case r.Do == "prepare":
		runtime.GC() // of what was measured before
		err = s.Prepare(ctx, &r)
	default:
		if got, e := s.Run(ctx, &r); e != nil {
			err = e
		} else {
			a = got
		}
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}
