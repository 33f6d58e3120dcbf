package pgqrs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// ProduceOptions are what the messages of one call share.
type ProduceOptions struct {
	// Delay: ready that long after now, 0 … MaxDelay.
	Delay time.Duration
	// WorkerID is that of a registered producer, or 0.
	WorkerID int64
	// DedupFor, of messages with dedup keys: for that time the keys are taken, whatever
	// becomes of the messages, MinDedupFor … MaxDedupFor. 0: as long as they live.
	DedupFor time.Duration
}

func (o ProduceOptions) validate() error {
	if o.Delay < 0 || o.Delay > MaxDelay {
		return errInvalid("the delay must be between 0 s and 10 years, not %v", o.Delay)
	}
	if o.DedupFor != 0 && (o.DedupFor < MinDedupFor || o.DedupFor > MaxDedupFor) {
		return errInvalid("a dedup key can be taken for 1 ms to 10 years, not %v", o.DedupFor)
	}
	return nil
}

// produceFlight bounds one statement: bytes of payload, counted with what a row
// costs beside them.
const (
	produceFlight  = 8 << 20
	produceRowCost = 1 << 10
)

// production is one call of produce on its way: stored whole or not at all.
type production struct {
	ctx      context.Context
	payloads [][]byte
	keys     []string // nil: without; else one for each payload
	options  ProduceOptions
	batch    bool // an error names the index
	done     func(ids []int64, err error)
	produced []Produced // what done is to find, where there are keys

	room      *room
	held      int64     // of it
	submitted time.Time // since when it waits for the server
}

// end completes it. Its room is free before its caller hears of it.
func (p *production) end(ids []int64, err error) {
	p.room.give(p.held)
	p.done(ids, err)
}

func (p *production) weight() int {
	n := 0
	for _, b := range p.payloads {
		n += len(b) + produceRowCost
	}
	return n
}

// ProduceAsync queues one message, JSON text, and returns at once; done is called
// exactly once, from another goroutine or, when the call is refused at once, from
// this one. Calls of one goroutine to one queue are stored in call order. The
// payload must not change before done. When ctx ends first, the message is
// stored or not. It does not wait for room: ask HasRoom first.
func (s *Store) ProduceAsync(ctx context.Context, queue string, payload []byte, o ProduceOptions, done func(id int64, err error)) {
	s.submit(&production{ctx: ctx, payloads: [][]byte{payload}, options: o, done: func(ids []int64, err error) {
		if err != nil {
			done(0, err)
			return
		}
		done(ids[0], nil)
	}}, queue)
}

// ProduceBatchAsync is ProduceBatch, but returns at once, as ProduceAsync does.
func (s *Store) ProduceBatchAsync(ctx context.Context, queue string, payloads [][]byte, o ProduceOptions, done func(ids []int64, err error)) {
	s.submit(&production{ctx: ctx, payloads: payloads, options: o, batch: true, done: done}, queue)
}

// ProduceBatch stores all payloads, JSON texts, in one transaction, or none, and
// returns their ids in the order of the payloads. An Error's Index names the
// payload that was refused. When the answer was lost with the connection, the
// Error says MaybeCommitted. When ctx ends first, all are stored or none, and the
// payloads must not change even then.
func (s *Store) ProduceBatch(ctx context.Context, queue string, payloads [][]byte, o ProduceOptions) ([]int64, error) {
	return s.produceAndWait(&production{ctx: ctx, payloads: payloads, options: o, batch: true}, queue)
}

// Produce stores one message, JSON text, and returns its id.
func (s *Store) Produce(ctx context.Context, queue string, payload []byte, o ProduceOptions) (int64, error) {
	ids, err := s.produceAndWait(&production{ctx: ctx, payloads: [][]byte{payload}, options: o}, queue)
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

func (s *Store) produceAndWait(p *production, queue string) ([]int64, error) {
	if err := s.checkCall(p, queue); err != nil {
		return nil, err
	}
	p.held = int64(p.weight())
	if err := s.room.await(p.ctx, s.ctx, p.held, s.config.ProduceTimeout); err != nil {
		return nil, err
	}
	type result struct {
		ids []int64
		err error
	}
	c := make(chan result, 1)
	p.done = func(ids []int64, err error) { c <- result{ids, err} }
	s.enqueue(p, queue)
	select {
	case r := <-c:
		return r.ids, r.err
	case <-p.ctx.Done():
		return nil, interrupted(p.ctx)
	}
}

// HasRoom says whether ProduceAsync may be called: Config.MaxPendingBytes are not
// reached. The other calls that produce wait for room by themselves.
func (s *Store) HasRoom() bool { return s.room.isFree() }

// submit queues a production, however much waits already.
func (s *Store) submit(p *production, queue string) {
	if err := s.checkCall(p, queue); err != nil {
		p.done(nil, err)
		return
	}
	p.held = int64(p.weight())
	s.room.take(p.held)
	s.enqueue(p, queue)
}

func (s *Store) checkCall(p *production, queue string) error {
	if err := p.options.validate(); err != nil {
		return err
	}
	if err := validateQueueName(queue); err != nil {
		return err
	}
	if s.isClosed() {
		return errClosed()
	}
	if id := p.options.WorkerID; id != 0 {
		if status := s.workers.status(id); !works(status) {
			return errWorker(id, status)
		}
	}
	return nil
}

// enqueue puts a production that has its room in line, when the rate of its queue
// allows it.
func (s *Store) enqueue(p *production, queue string) {
	p.room, p.submitted = &s.room, time.Now()
	s.limit(queue, p)
}

// carryProductions stores one flight: neighbours with the same options in one
// statement. What cannot be stored fails alone.
func (s *Store) carryProductions(queue string, flight []*production) {
	good := make([]*production, 0, len(flight))
	for _, p := range flight {
		if err := s.checkProduction(p); err != nil {
			p.end(nil, err)
			continue
		}
		if len(p.payloads) == 0 {
			p.end([]int64{}, nil)
			continue
		}
		good = append(good, p)
	}
	for len(good) > 0 {
		group := sameOptions(good)
		if group[0].keys == nil {
			s.store(queue, group)
		} else {
			s.storeKeyed(queue, group)
		}
		good = good[len(group):]
	}
}

// sameOptions returns as many of the first as have the same options.
func sameOptions(all []*production) []*production {
	n := 1
	for n < len(all) && all[n].options == all[0].options {
		n++
	}
	return all[:n:n]
}

func (s *Store) checkProduction(p *production) error {
	if p.ctx.Err() != nil {
		return contextError(p.ctx)
	}
	if s.isClosed() {
		return errClosed()
	}
	i, err := s.checkPayloads(p.payloads)
	var e *Error
	if p.batch && errors.As(err, &e) {
		e.Index = i
		e.Message = fmt.Sprintf("payload at index %d: %s", i, e.Message)
	}
	return err
}

// store carries out productions with the same options in one transaction. When
// the server refuses it, each half is tried by itself, so that in the end a bad
// one fails alone.
func (s *Store) store(queue string, group []*production) {
	payloads := slices.Clip(group[0].payloads)
	for _, p := range group[1:] {
		payloads = append(payloads, p.payloads...)
	}
	ids, err := s.storePayloads(queue, payloads, group[0])
	if n := len(group); n > 1 && mayBeOfOne(err) {
		s.store(queue, group[:n/2])
		s.store(queue, group[n/2:])
		return
	}
	for _, p := range group {
		if err != nil {
			p.end(nil, err)
			continue
		}
		n := len(p.payloads)
		p.end(ids[:n:n], nil)
		ids = ids[n:]
	}
}

// mayBeOfOne says whether the error of many may be the fault of one of them.
func mayBeOfOne(err error) bool {
	return err != nil && !transient(err) && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrQueueNotFound)
}

// storePayloads finds the queue and stores the payloads. It tries again while
// the server cannot be reached, but never what may have been stored already, and no
// longer than the first of the group, which has waited longest, may wait.
func (s *Store) storePayloads(queue string, payloads [][]byte, first *production) ([]int64, error) {
	var ids []int64
	o := first.options
	err := s.retryUntil(s.ctx, s.deadlineOf(first), func() error {
		return s.withQueue(s.ctx, queue, func(q *backend.Queue) (err error) {
			ids, err = s.backend.MessageProduce(s.ctx, &backend.MessageProduceParams{
				QueueID: q.ID, Payloads: payloads, Delay: o.Delay, WorkerID: o.WorkerID,
			})
			if err == nil {
				s.waker.produced(q.ID)
				s.merger.produced(q.ID, len(payloads))
			}
			return err
		})
	})
	return ids, err
}

// deadlineOf is until when a production is tried again that has not been stored.
func (s *Store) deadlineOf(p *production) time.Time { return p.submitted.Add(s.config.ConnectTimeout) }

// retryWhileSafe calls do until it succeeds, fails for good, or the connection
// time-out of the store has passed.
func (s *Store) retryWhileSafe(ctx context.Context, do func() error) error {
	return s.retryUntil(ctx, time.Now().Add(s.config.ConnectTimeout), do)
}

// retryUntil is retryWhileSafe with another end; it tries once in any case.
func (s *Store) retryUntil(ctx context.Context, deadline time.Time, do func() error) error {
	wait := reconnectBackoff()
	for {
		err := do()
		if err == nil || !SafeToRetry(err) || s.isClosed() {
			return s.closedInstead(err)
		}
		d := wait.delay()
		if time.Now().Add(d).After(deadline) || !sleep(ctx, d) {
			return s.closedInstead(err)
		}
	}
}
