package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// As the producers in Python: tasks that produce at a steady rate, now and then a batch, or
// with a delay.
const (
	tasks        = 8
	batches      = 0.05
	largestBatch = 60
	delayed      = 0.05
	errorPause   = 50 * time.Millisecond
)

// produce runs until ctx ends; what is on its way then is awaited.
func produce(ctx context.Context, o options, book *ledger, s *pgqrs.Store) {
	var numbers atomic.Int64
	var running sync.WaitGroup
	for range tasks {
		running.Go(func() {
			for ctx.Err() == nil {
				n := produceOnce(ctx, o, book, s, fmt.Sprintf("%s-%d", o.name, numbers.Add(1)))
				pause(ctx, seconds(float64(n*tasks)/o.rate))
			}
		})
	}
	running.Wait()
}

// produceOnce is one call, written down before and after: how many messages it was to store.
func produceOnce(ctx context.Context, o options, book *ledger, s *pgqrs.Store, key string) int {
	count, how := 1, pgqrs.ProduceOptions{}
	if rand.Float64() < batches {
		count = 2 + rand.IntN(largestBatch-1)
	}
	if rand.Float64() < delayed {
		how.Delay = seconds(rand.Float64())
	}
	payloads := make([][]byte, count)
	for i := range payloads {
		payloads[i] = fmt.Appendf(nil, `{"key":"%s.%d","pad":"%s"}`, key, i, strings.Repeat("x", rand.IntN(301)))
	}
	book.write("ask", key, count)
	ids, err := s.ProduceBatch(context.WithoutCancel(ctx), o.queue, payloads, how)
	if err != nil {
		book.write("refused", key, mayBeDone(err), told(err))
		pause(ctx, errorPause)
		return count
	}
	book.write("stored", key, ids)
	return count
}
