package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// producer is a subject that can produce one message; n is its "n".
type producer interface {
	Produce(ctx context.Context, n int64) error
}

// handling is a consumer of the same subject in another process (handle.go).
type handling struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func startHandling(mode ...string) (*handling, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(program, append([]string{os.Args[1], "handle"}, mode...)...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &handling{c, in, bufio.NewReader(out)}, c.Start()
}

// line is the next line of it: how late a message was.
func (h *handling) line() (int64, error) {
	text, err := h.out.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("the consumer ended: %w", err)
	}
	return strconv.ParseInt(text[:len(text)-1], 10, 64)
}

func (h *handling) report(since int64) (r report, err error) {
	if _, err = fmt.Fprintf(h.in, "report %d\n", since); err != nil {
		return r, err
	}
	text, err := h.out.ReadBytes('\n')
	if err != nil {
		return r, fmt.Errorf("the consumer ended: %w", err)
	}
	return r, json.Unmarshal(text, &r)
}

// stop lets it settle what it holds.
func (h *handling) stop() error {
	_ = h.in.Close()
	return h.command.Wait()
}

// wake measures from the call of produce to the call of an idle consumer's handler.
func wake(ctx context.Context, p producer, r *request) (*answer, error) {
	h, err := startHandling("wake")
	if err != nil {
		return nil, err
	}
	a := &answer{Messages: r.Samples}
	for i := range r.Samples + 1 {
		time.Sleep(time.Duration(50+rand.IntN(100)) * time.Millisecond) // it is idle again
		if err := p.Produce(ctx, now()); err != nil {
			return nil, errors.Join(err, h.stop())
		}
		late, err := h.line()
		if err != nil {
			return nil, errors.Join(err, h.stop())
		}
		if i > 0 { // the first is that of its start
			a.Samples = append(a.Samples, float64(late)/1e6)
		}
	}
	return a, h.stop()
}

// startCounting starts a consumer and waits until it has handled a first message.
func startCounting(ctx context.Context, p producer, every int) (*handling, error) {
	h, err := startHandling("count", strconv.Itoa(max(every, 1)))
	if err != nil {
		return nil, err
	}
	if err := p.Produce(ctx, now()); err != nil {
		return nil, errors.Join(err, h.stop())
	}
	if _, err := h.line(); err != nil {
		return nil, errors.Join(err, h.stop())
	}
	return h, nil
}

// through produces from so many goroutines while a consumer handles, and counts
// what was handled.
func through(ctx context.Context, p producer, r *request) (*answer, error) {
	h, err := startCounting(ctx, p, 1<<30)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	first, err := h.report(0)
	if err == nil {
		_, err = loop(ctx, r.Seconds, r.Tasks, func(ctx context.Context, _ int) (int, error) { return 1, p.Produce(ctx, now()) })
	}
	if err != nil {
		return nil, errors.Join(err, h.stop())
	}
	last, err := h.report(0)
	a := &answer{Messages: last.Handled - first.Handled, Seconds: time.Since(began).Seconds()}
	return a, errors.Join(err, h.stop())
}

// load produces at a fixed rate, whatever the answers do, and measures from the
// moment when a message was due to the call of its handler: a producer that falls
// behind makes the later messages late, not fewer.
func load(ctx context.Context, p producer, r *request) (*answer, error) {
	h, err := startCounting(ctx, p, r.Every)
	if err != nil {
		return nil, err
	}
	warmUp := r.Seconds / 5
	began := now()
	total := int((r.Seconds + warmUp) * r.Rate)
	failed := openLoop(began, total, r.Rate, func(due int64) error { return p.Produce(ctx, due) })
	since := began + int64(warmUp*1e9)
	counted, err := h.waitFor(total+1, 10*time.Second)
	if failed == nil {
		failed = err
	}
	if failed != nil {
		return nil, errors.Join(failed, h.stop())
	}
	found, err := h.report(since)
	a := &answer{Messages: total, Seconds: r.Seconds + warmUp, Samples: found.Samples, Missing: total + 1 - counted}
	return a, errors.Join(err, h.stop())
}

// openLoop calls do for each of total messages when it is due, each in a goroutine.
func openLoop(began int64, total int, rate float64, do func(due int64) error) error {
	var (
		group  sync.WaitGroup
		failed atomic.Pointer[error]
	)
	for i := range total {
		due := began + int64(float64(i)/rate*1e9)
		if wait := due - now(); wait > 0 {
			time.Sleep(time.Duration(wait))
		}
		group.Go(func() {
			if err := do(due); err != nil {
				failed.Store(&err)
			}
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// waitFor waits until so many were handled, or the time is over; it returns how
// many were.
func (h *handling) waitFor(n int, most time.Duration) (int, error) {
	for end := time.Now().Add(most); ; time.Sleep(20 * time.Millisecond) {
		r, err := h.report(0)
		if err != nil || r.Handled >= n || time.Now().After(end) {
			return r.Handled, err
		}
	}
}

// memory lets a consumer in a process of its own handle the backlog, and reads
// how much memory it has then.
func memory(r *request) (*answer, error) {
	h, err := startHandling("count", strconv.Itoa(1<<30))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if _, err := h.line(); err != nil {
		return nil, errors.Join(err, h.stop())
	}
	n, err := h.waitFor(r.Backlog, time.Duration(r.Seconds*float64(time.Second)))
	a := &answer{Messages: n, Seconds: time.Since(began).Seconds(), RSS: residentBytes(h.command.Process.Pid)}
	return a, errors.Join(err, h.stop())
}
