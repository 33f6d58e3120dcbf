package backendtest

import (
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var concurrencyTests = []test{
	{"8 goroutines archive each of 5000 messages once", drainedOnce},
	{"4 consumers that take 250 messages one at a time are not told empty before the end", emptyAtTheEnd},
	{"of many who settle one delivery one succeeds", oneSettles},
	{"parts of one lease are settled at the same time", partsAreSettled},
	{"consumers that come while messages are produced get each once", producedWhileDrained},
}

// backends returns n Backends on the same queues: the group's and others in turn.
func (f *fixture) backends(n int) []backend.Backend {
	other := f.h.second(f, f.b)
	all := make([]backend.Backend, n)
	for i := range all {
		all[i] = []backend.Backend{f.b, other}[i%2]
	}
	return all
}

// seen counts how often each message came.
type seen struct {
	mu    sync.Mutex
	times map[int64]int
}

func (s *seen) add(messages []backend.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.times == nil {
		s.times = make(map[int64]int)
	}
	for _, m := range messages {
		s.times[m.ID]++
	}
}

func (s *seen) total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.times)
}

// wantOnce checks that each of the messages came once, and no other.
func (f *fixture) wantOnce(s *seen, ids []int64) {
	f.Helper()
	for _, id := range ids {
		if s.times[id] != 1 {
			f.Errorf("message %d came %d times", id, s.times[id])
		}
	}
	if len(s.times) != len(ids) {
		f.Errorf("%d messages came, want %d", len(s.times), len(ids))
	}
}

// drain dequeues and archives until it is told that the queue is empty. It
// returns early after an error, which it reports.
func (f *fixture) drain(b backend.Backend, limit int, s *seen) {
	for {
		r, err := b.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: f.queue, Limit: limit, VT: time.Hour})
		if err != nil {
			f.Errorf("MessageDequeue: %v", err)
			return
		}
		if len(r.Messages) == 0 {
			return
		}
		s.add(r.Messages)
		outcomes, err := b.MessageArchive(f.ctx, &backend.MessageArchiveParams{QueueID: f.queue, Deliveries: deliveriesOf(r.Messages)})
		if err != nil {
			f.Errorf("MessageArchive: %v", err)
			return
		}
		for i, o := range outcomes {
			if o != backend.Settled {
				f.Errorf("message %d is %v, want settled", r.Messages[i].ID, o)
			}
		}
	}
}

func drainedOnce(f *fixture) {
	f.now = time.Time{}
	var ids []int64
	for range 5 {
		ids = append(ids, f.produce(1000)...)
	}
	var s seen
	var wg sync.WaitGroup
	for i, b := range f.backends(8) {
		wg.Go(func() { f.drain(b, 10+i, &s) })
	}
	wg.Wait()
	f.wantOnce(&s, ids)
	f.wantCounts(backend.MessageCounts{Archived: 5000})
}

func emptyAtTheEnd(f *fixture) {
	f.now = time.Time{}
	ids := f.produce(250)
	var s seen
	var wg sync.WaitGroup
	for _, b := range f.backends(4) {
		wg.Go(func() {
			for {
				r, err := b.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: f.queue, Limit: 1, VT: time.Hour})
				if err != nil {
					f.Errorf("MessageDequeue: %v", err)
					return
				}
				if len(r.Messages) == 0 {
					break
				}
				s.add(r.Messages)
			}
			// Nothing becomes ready again in this hour, so what is ready now was
			// ready when this consumer was told that nothing is.
			c, err := b.MessageCount(f.ctx, &backend.MessageCountParams{QueueID: f.queue})
			if err != nil || c.Ready > 0 {
				f.Errorf("a consumer was told empty with %+v, %v", c, err)
			}
		})
	}
	wg.Wait()
	f.wantOnce(&s, ids)
}

func oneSettles(f *fixture) {
	const n, settlers = 20, 8
	f.produce(n)
	d := deliveriesOf(f.dequeue(n))
	var outcomes [settlers][]backend.Outcome
	var wg sync.WaitGroup
	for i, b := range f.backends(settlers) {
		wg.Go(func() {
			var err error
			switch i % 4 {
			case 0:
				outcomes[i], err = b.MessageArchive(f.ctx, &backend.MessageArchiveParams{QueueID: f.queue, Deliveries: d, At: f.now})
			case 1:
				outcomes[i], err = b.MessageDelete(f.ctx, &backend.MessageDeleteParams{QueueID: f.queue, Deliveries: d, At: f.now})
			default:
				outcomes[i], err = b.MessageRelease(f.ctx, &backend.MessageReleaseParams{
					QueueID: f.queue, Deliveries: d, Undelivered: i%4 == 2, At: f.now,
				})
			}
			if err != nil || len(outcomes[i]) != n {
				f.Errorf("settler %d got %v, %v", i, outcomes[i], err)
			}
		})
	}
	wg.Wait()
	if f.Failed() {
		return
	}
	for j := range n {
		settled := 0
		for i := range settlers {
			if outcomes[i][j] == backend.Settled {
				settled++
			}
		}
		if settled != 1 {
			f.Errorf("delivery %d was settled %d times", j, settled)
		}
	}
}

func partsAreSettled(f *fixture) {
	const n, settlers = 600, 6
	f.produce(n)
	d := deliveriesOf(f.dequeue(n))
	var wg sync.WaitGroup
	for i, b := range f.backends(settlers) {
		var mine []backend.Delivery
		for j := i; j < n; j += settlers {
			mine = append(mine, d[j])
		}
		wg.Go(func() {
			for _, part := range [][]backend.Delivery{mine[:30], mine[30:31], mine[31:]} {
				x, err := b.MessageExtend(f.ctx, &backend.MessageExtendParams{QueueID: f.queue, Deliveries: part, By: time.Second, At: f.now})
				if err != nil || len(x) != len(part) || !x[0].Held {
					f.Errorf("settler %d extended %v, %v", i, x, err)
				}
				o, err := b.MessageArchive(f.ctx, &backend.MessageArchiveParams{QueueID: f.queue, Deliveries: part, At: f.now})
				if err != nil {
					f.Errorf("settler %d: %v", i, err)
				}
				for _, one := range o {
					if one != backend.Settled {
						f.Errorf("settler %d got %v", i, one)
					}
				}
			}
		})
	}
	wg.Wait()
	f.wantCounts(backend.MessageCounts{Archived: n})
}

func producedWhileDrained(f *fixture) {
	const calls, size = 40, 25
	f.now = time.Time{}
	var s seen
	var ids []int64
	var wg sync.WaitGroup
	all := f.backends(4)
	wg.Go(func() {
		for range calls {
			made, err := all[0].MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: ones(size)})
			if err != nil {
				f.Errorf("MessageProduce: %v", err)
				return
			}
			ids = append(ids, made...)
		}
	})
	for _, b := range all {
		wg.Go(func() {
			for s.total() < calls*size && f.ctx.Err() == nil && !f.Failed() {
				f.drain(b, 7, &s)
			}
		})
	}
	wg.Wait()
	f.wantOnce(&s, ids)
	f.wantCounts(backend.MessageCounts{Archived: calls * size})
}
