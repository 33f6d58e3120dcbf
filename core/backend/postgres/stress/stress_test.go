package stress

import (
	"bytes"
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

// The environment variable is for runs of many packages, of which only this one
// knows the flags.
var (
	duration = flag.Duration("stress.duration", durationByDefault(), "how long the stress runs; the default is $PGQRS_STRESS_DURATION, or 4s")
	seed     = flag.Uint64("stress.seed", 0, "what the random numbers begin with; 0: another seed each time")
)

func durationByDefault() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("PGQRS_STRESS_DURATION")); err == nil {
		return d
	}
	return 4 * time.Second
}

const (
	producers = 2
	consumers = 6
	processes = 2 // backends with pools of their own
)

// run is one stress.
type run struct {
	testing.TB
	ctx       context.Context // ends when the calls have ended at the latest
	began     time.Time
	until     time.Time
	installed int // length of the server's log by then
	server    *testserver.Cluster
	dsn       string
	backends  []*postgres.Backend
	queues    []queue
	history   History
	pool      pool
	live      gauge
}

// queue is a queue, and what is done to it beside the rest.
type queue struct {
	id           int64
	maxReadCount int
	purged       bool
}

// TestStress produces, dequeues and settles at random from many connections, while
// leases expire, queues are purged, connections are ended and the server crashes,
// and then checks that what each call answered can have been so.
func TestStress(t *testing.T) {
	first := *seed
	if first == 0 {
		first = rand.Uint64()
	}
	t.Logf("-stress.seed=%d -stress.duration=%v", first, *duration)
	r := newRun(t, *duration)
	var wg sync.WaitGroup
	for i := range producers + consumers {
		random := rand.New(rand.NewPCG(first, uint64(i)))
		w := &worker{run: r, random: random, number: i}
		if i < producers {
			wg.Go(w.produceAll)
		} else {
			wg.Go(w.consumeAll)
		}
	}
	r.disturb(rand.New(rand.NewPCG(first, producers+consumers)))
	wg.Wait()
	r.judge(first)
}

func newRun(t testing.TB, d time.Duration) *run {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d+2*time.Minute)
	t.Cleanup(cancel)
	r := &run{TB: t, ctx: ctx, server: testserver.Server(t)}
	r.dsn = r.server.DSN(t)
	for range processes {
		b, err := postgres.Open(ctx, postgres.Config{DSN: r.dsn, MaxConnections: 8, ConnectTimeout: 20 * time.Second, AutoInstall: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		r.backends = append(r.backends, b)
	}
	for _, q := range []queue{{}, {maxReadCount: 4}, {purged: true}} {
		name := map[bool]string{true: "purged", false: "kept"}[q.purged] + strings.Repeat("+", q.maxReadCount)
		made, err := r.backends[0].QueueCreate(ctx, &backend.QueueCreateParams{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		q.id = made.ID
		r.queues = append(r.queues, q)
	}
	log, err := r.server.Log()
	if err != nil {
		t.Fatal(err)
	}
	r.installed = len(log)
	r.began = time.Now()
	r.until = r.began.Add(d)
	return r
}

// ended says that the stress is over.
func (r *run) ended() bool { return r.Failed() || r.ctx.Err() != nil || !time.Now().Before(r.until) }

// wait waits, but not beyond the end of the stress.
func (r *run) wait(d time.Duration) {
	timer := time.NewTimer(min(d, time.Until(r.until)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
	}
}

// judge checks the history and shows what cannot be.
func (r *run) judge(first uint64) {
	r.Helper()
	c, err := pgx.Connect(r.ctx, r.dsn)
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = c.Close(r.ctx) }()
	state, err := Read(r.ctx, c)
	if err != nil {
		r.Fatal(err)
	}
	r.wantQuietServer()
	faults := r.history.Check(state)
	r.Logf("%s; at the end %s", r.history.Summary(), state.Summary())
	if len(faults) == 0 {
		return
	}
	r.Errorf("%d faults with -stress.seed=%d", len(faults), first)
	told := make(map[int64]bool)
	for _, f := range faults {
		if len(told) == 20 {
			break
		}
		r.Error(f)
		if !told[f.ID] {
			told[f.ID] = true
			r.Log(r.history.Tell(f.ID))
		}
	}
}

// wantQuietServer checks that the server had nothing to say of deadlocks, which
// the backend would hide by trying again, nor of anything worse.
func (r *run) wantQuietServer() {
	r.Helper()
	text, err := r.server.Log()
	if err != nil {
		r.Fatal(err)
	}
	lines := bytes.Split(text[r.installed:], []byte("\n"))
	for i, line := range lines {
		for _, bad := range []string{"deadlock detected", "could not serialize", "PANIC", "TRAP", "ERROR"} {
			if bytes.Contains(line, []byte(bad)) {
				r.Errorf("the server says:\n%s", bytes.Join(lines[i:min(i+20, len(lines))], []byte("\n")))
				break
			}
		}
	}
}
