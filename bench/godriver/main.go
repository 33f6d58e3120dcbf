// Command godriver measures what is written in Go for the benchmark: the floors
// (what the server can do at all), the row model, package pgqrs itself, and the
// peers River and PgQ.
//
//	PGQRS_BENCH_DSN=postgresql://… godriver SUBJECT            the driver
//	PGQRS_BENCH_DSN=postgresql://… godriver SUBJECT handle …   a consumer of it (handle.go)
//
// It speaks the protocol of bench/pydriver.py: one line of JSON says that it is
// ready and which tables are its own; then each line on standard input is a
// request and is answered by one line. bench/runner.py is its only caller.
//
// It is a module of its own, so that no peer is among what pgqrs depends on.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

// subject is what is measured. Prepare brings its tables into the state from which
// Run measures; nothing that Prepare does is timed.
type subject interface {
	Prepare(ctx context.Context, r *request) error
	Run(ctx context.Context, r *request) (*answer, error)
	Tables() []string // truncated by the runner before each Prepare
	Live() string     // the query that counts what is not done yet, or ""
	Close()
}

// request is one line from the runner: the parameters of a workload.
type request struct {
	Do        string  `json:"do"` // prepare, run
	Kind      string  `json:"kind"`
	Tasks     int     `json:"tasks"`
	Batch     int     `json:"batch"`
	Bytes     int     `json:"bytes"` // of a payload; 0: the usual 80
	Backlog   int     `json:"backlog"`
	Consumers int     `json:"consumers"`
	Samples   int     `json:"samples"`
	Every     int     `json:"every"`
	Rate      float64 `json:"rate"`
	Seconds   float64 `json:"seconds"`
}

// answer is one line to the runner. Which of its fields are there depends on the
// kind of the workload.
type answer struct {
	Messages int       `json:"messages"`
	Seconds  float64   `json:"seconds"`
	Samples  []float64 `json:"samples_ms,omitempty"`
	Missing  int       `json:"missing,omitempty"`
	RSS      int64     `json:"rss_bytes,omitempty"`
	Error    string    `json:"error,omitempty"`
}

var errUnknown = errors.New("this subject has no such workload")

type opener func(ctx context.Context, dsn string) (subject, error)

var subjects = map[string]opener{
	"floor": openFloor,
	"rows":  openRows,
	"pgqrs": openPgqrs,
	"river": openRiver,
	"pgq":   openPgq,
}

// shown are the modules whose versions go with the figures of a subject.
var shown = map[string]string{
	"river": "github.com/riverqueue/river",
	"pgq":   "github.com/jackc/pgx/v5",
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "godriver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || subjects[args[0]] == nil {
		return errors.New("usage: godriver floor|rows|pgqrs|river|pgq [handle wake|count EVERY]")
	}
	open, dsn := subjects[args[0]], os.Getenv("PGQRS_BENCH_DSN")
	if len(args) > 1 {
		return handle(ctx, open, dsn, args[2:])
	}
	out := json.NewEncoder(os.Stdout)
	s, err := open(ctx, dsn)
	if err != nil {
		return errors.Join(err, out.Encode(answer{Error: err.Error()}))
	}
	defer s.Close()
	hello := map[string]any{"ready": true, "tables": s.Tables(), "live": s.Live(), "versions": versions(args[0])}
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

func versions(name string) map[string]string {
	found := map[string]string{"go": runtime.Version()}
	if built, ok := debug.ReadBuildInfo(); ok {
		for _, module := range built.Deps {
			if module.Path == shown[name] {
				found[module.Path] = module.Version
			}
		}
	}
	return found
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
		if got, e := runKind(ctx, s, &r); e != nil {
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

// runKind does what every subject does the same way, and leaves the rest to it.
func runKind(ctx context.Context, s subject, r *request) (*answer, error) {
	p, produces := s.(producer)
	if _, consumes := s.(consumer); produces && consumes {
		switch r.Kind {
		case "wake":
			return wake(ctx, p, r)
		case "through":
			return through(ctx, p, r)
		case "load":
			return load(ctx, p, r)
		case "memory":
			return memory(r)
		}
	}
	return s.Run(ctx, r)
}
