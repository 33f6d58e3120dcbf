package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// firstN is the "n" of the first message of a backlog: of twelve digits, so that
// all messages have 80 bytes.
const firstN = 100_000_000_000

// usualBytes is the size of a payload without a pad.
const usualBytes = 80

// payload is the message of every workload, as compact JSON. Text that does not
// compress makes it as long as wanted.
func payload(n int64, size int) []byte {
	text := fmt.Appendf(nil, `{"task":"send_email","to":"user@example.com","subject":"Hello","n":%d`, n)
	if pad := pad(size); pad != "" {
		text = fmt.Appendf(text, `,"pad":%q`, pad)
	}
	return append(text, '}')
}

// pad is what a payload of this size has too much of, or nothing.
func pad(size int) string {
	missing := size - usualBytes - len(`,"pad":""`)
	if missing <= 0 {
		return ""
	}
	random := rand.New(rand.NewPCG(1, 1))
	raw := make([]byte, missing/4*3+3)
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	return base64.StdEncoding.EncodeToString(raw)[:missing]
}

func payloads(n, size int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = payload(firstN+int64(i), size)
	}
	return all
}

// fillBatch is how many messages a backlog is made of at once.
const fillBatch = 1000

// fill calls produce until the backlog is there, a batch or some megabytes at once.
func fill(r *request, produce func(batch [][]byte) error) error {
	n := r.Backlog
	batch := payloads(min(n, fillBatch, max(1, fillBatch*usualBytes*10/max(r.Bytes, 1))), r.Bytes)
	for n > 0 {
		k := min(n, len(batch))
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

// consumeBacklog lets the loop of a library handle the backlog, or what of it can
// be handled in the time. What is in work at the end is not counted.
func consumeBacklog(ctx context.Context, c consumer, r *request) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.Seconds*float64(time.Second)))
	defer cancel()
	var handled atomic.Int64
	ended := make(chan *answer, 1)
	began := time.Now()
	context.AfterFunc(ctx, func() {
		ended <- &answer{Messages: int(handled.Load()), Seconds: time.Since(began).Seconds()}
	})
	err := c.Handle(ctx, func(payload []byte) {
		if len(payload) > 0 && handled.Add(1) == int64(r.Backlog) {
			cancel()
		}
	})
	cancel()
	return <-ended, err
}
