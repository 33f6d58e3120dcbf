package pgqrs_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

func withRate(perSecond float64, burst int, waits bool) pgqrs.Option {
	return func(c *pgqrs.Config) {
		c.MaxEnqueuePerSecond, c.MaxEnqueueBurst, c.RateLimitWaits = perSecond, burst, waits
	}
}

// The clock of the bucket is given.
func TestATokenBucketLetsARateAndABurstThrough(t *testing.T) {
	start := time.Now()
	b := pgqrs.NewBucket(start, 10, 5)
	for i, c := range []struct {
		at      time.Duration
		n       float64
		reserve bool
		want    time.Duration
	}{
		{0, 5, false, 0},
		{0, 1, false, 100 * time.Millisecond},
		{50 * time.Millisecond, 1, false, 50 * time.Millisecond},
		{100 * time.Millisecond, 1, false, 0},
		{10 * time.Second, 5, false, 0}, // not more than a burst after a pause
		{10 * time.Second, 1, false, 100 * time.Millisecond},
		{20 * time.Second, 20, false, 0}, // larger than a burst: goes when the bucket is full
		{20 * time.Second, 1, false, 1600 * time.Millisecond},
		{40 * time.Second, 5, true, 0},
		{40 * time.Second, 2, true, 200 * time.Millisecond},
		{40 * time.Second, 3, true, 500 * time.Millisecond},
		{40*time.Second - time.Hour, 1, true, 600 * time.Millisecond}, // a clock that goes back gives nothing
	} {
		if got := b.Take(start.Add(c.at), c.n, c.reserve); (got - c.want).Abs() > time.Microsecond {
			t.Errorf("%d: wait %v, not %v", i, got, c.want)
		}
	}
}

func TestWhatIsOverTheRateIsRefused(t *testing.T) {
	s := onMemory(t).connect(t, withRate(0.001, 2, false))
	produce := func(queue string, n int) error {
		_, err := s.ProduceBatch(t.Context(), queue, slices.Repeat([][]byte{[]byte("1")}, n), pgqrs.ProduceOptions{})
		return err
	}
	must(t, produce("tasks", 2))
	must(t, produce("others", 5)) // larger than the burst
	must(t, produce("tasks", 0))
	err := produce("tasks", 1)
	var e *pgqrs.Error
	if !errors.Is(err, pgqrs.ErrRateLimited) || !errors.As(err, &e) || !strings.Contains(err.Error(), `"tasks"`) ||
		e.RetryAfter < 900*time.Second || e.RetryAfter > 1000*time.Second || !pgqrs.SafeToRetry(err) {
		t.Errorf("%v %+v", err, e)
	}
}

// Calls over the rate wait in their order; one that is given up does not wait, and
// none outlives the store.
func TestWhatIsOverTheRateWaits(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t, withRate(50, 2, true))
		var ids [20]chan int64
		began := time.Now()
		for i := range ids {
			ids[i] = make(chan int64, 1)
			s.ProduceAsync(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{}, func(id int64, err error) {
				if err != nil {
					t.Error(err)
				}
				ids[i] <- id
			})
		}
		var last int64
		for _, c := range ids {
			id := receive(t, "an id", c)
			if id <= last {
				t.Errorf("message %d after %d", id, last)
			}
			last = id
		}
		if took := time.Since(began); took < 18*time.Second/50 {
			t.Errorf("20 messages at 50 a second took %v", took)
		}
		slow := p.connect(t, withRate(0.001, 1, true))
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 3)
		for _, c := range []context.Context{t.Context(), ctx, t.Context()} {
			slow.ProduceAsync(c, "tasks", []byte("1"), pgqrs.ProduceOptions{}, func(_ int64, err error) { failed <- err })
		}
		must(t, receive(t, "the first", failed))
		cancel()
		if err := receive(t, "the cancelled", failed); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		closeStore(t, slow)
		if err := receive(t, "the closed", failed); !errors.Is(err, pgqrs.ErrClosed) {
			t.Error(err)
		}
	})
}
