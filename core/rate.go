package pgqrs

import (
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// rates bound what a store produces into each of its queues: one token bucket per
// queue. golang.org/x/time/rate has no batch that is larger than a burst, which is
// common here: ours goes when the bucket is full, and leaves a debt.
type rates struct {
	perSecond float64 // 0: no bound
	burst     float64
	waits     bool

	mu sync.Mutex
	by map[string]*rateLine
}

// rateLine is the bucket of one queue, and the calls that wait for it in their order.
// A goroutine lets them go while there are any.
type rateLine struct {
	tokens float64
	as     time.Time // of when that many
	line   []waitingProduction
}

type waitingProduction struct {
	p   *production
	due time.Time
}

// take takes n tokens now, or says how long until they are there. reserve: and takes
// them all the same, so that those who come later wait for later ones.
func (l *rateLine) take(now time.Time, n, perSecond, burst float64, reserve bool) time.Duration {
	if gained := now.Sub(l.as).Seconds() * perSecond; gained > 0 {
		l.tokens, l.as = min(burst, l.tokens+gained), now
	}
	lacking := min(n, burst) - l.tokens
	if lacking <= 0 || reserve {
		l.tokens -= n
	}
	if lacking <= 0 {
		return 0
	}
	return time.Duration(lacking / perSecond * float64(time.Second))
}

// limit hands a production to the coalescer when the rate of its queue allows it.
func (s *Store) limit(queue string, p *production) {
	r := &s.rates
	if r.perSecond == 0 || len(p.payloads) == 0 {
		s.lane(p).add(queue, p)
		return
	}
	now := time.Now()
	r.mu.Lock()
	l := r.by[queue]
	if l == nil {
		if r.by == nil {
			r.by = make(map[string]*rateLine)
		}
		l = &rateLine{tokens: r.burst, as: now}
		r.by[queue] = l
	}
	wait := l.take(now, float64(len(p.payloads)), r.perSecond, r.burst, r.waits)
	switch {
	case wait == 0 && len(l.line) == 0:
		r.mu.Unlock()
		s.lane(p).add(queue, p)
		return
	case !r.waits:
		r.mu.Unlock()
		e := backend.Errorf(ErrRateLimited, "more than max_enqueue_per_second (%g) into the queue %q: try again in %v", r.perSecond, queue, wait.Round(time.Millisecond))
		e.RetryAfter, e.SafeToRetry = wait, true
		p.end(nil, e)
		return
	}
	l.line = append(l.line, waitingProduction{p, now.Add(wait)})
	first := len(l.line) == 1
	r.mu.Unlock()
	if first && !s.tasks.start(func() { s.letGo(queue, l) }) {
		s.letGo(queue, l)
	}
}

// letGo lets the calls of a line go when they are due, and returns when none waits.
// The first stays in the line until it has gone, so that nobody overtakes it.
func (s *Store) letGo(queue string, l *rateLine) {
	for {
		s.rates.mu.Lock()
		first := l.line[0]
		s.rates.mu.Unlock()
		s.awaitRate(first)
		s.lane(first.p).add(queue, first.p) // it finds out whether somebody still waits for it
		s.rates.mu.Lock()
		l.line = l.line[1:]
		left := len(l.line)
		s.rates.mu.Unlock()
		if left == 0 {
			return
		}
	}
}

// awaitRate waits until the call is due, or given up, or the store has closed.
func (s *Store) awaitRate(w waitingProduction) {
	timer := time.NewTimer(time.Until(w.due))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.p.ctx.Done():
	case <-s.ctx.Done():
	}
}
