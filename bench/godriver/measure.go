package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// payload is the message of every workload: 80 bytes of JSON.
func payload(i int) []byte {
	return fmt.Appendf(nil, `{"task":"send_email","to":"user@example.com","subject":"Hello","n":%d}`, 100_000_000_000+i)
}

func payloads(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = payload(i)
	}
	return all
}

// fillBatch is how many messages a backlog is made of at once.
const fillBatch = 1000

// fill calls produce until n messages are there.
func fill(n int, produce func(batch [][]byte) error) error {
	batch := payloads(fillBatch)
	for n > 0 {
		k := min(n, fillBatch)
		if err := produce(batch[:k]); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// loop calls do from so many workers, again and again, until the time is over or,
// for a worker, until its call did nothing. It counts what the calls did, and the
// time until the last of them returned.
func loop(ctx context.Context, seconds float64, workers int, do func(ctx context.Context, worker int) (int, error)) (*answer, error) {
	var (
		total  atomic.Int64
		failed error
		once   sync.Once
		group  sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	end := began.Add(time.Duration(seconds * float64(time.Second)))
	for w := range workers {
		group.Go(func() {
			for time.Now().Before(end) {
				n, err := do(ctx, w)
				if err != nil {
					once.Do(func() { failed = err; cancel() })
					return
				}
				if n == 0 {
					return
				}
				total.Add(int64(n))
			}
		})
	}
	group.Wait()
	return &answer{Messages: int(total.Load()), Seconds: time.Since(began).Seconds()}, failed
}
