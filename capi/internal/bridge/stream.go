package bridge

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// streamCloseGrace bounds how long a stream gives back what was not delivered
// before its last completion comes. What is not given back comes again by its vt.
const streamCloseGrace = 5 * time.Second

// ConsumeOptions is pgqrs_consume_options.
type ConsumeOptions struct {
	BatchSize      uint32
	KeepDelivered  uint32
	VTMicros       int64
	MaxLeaseMicros int64
	UntilEmpty     uint32
	Reserved       uint32
	Worker         int64
}

// Stream is one stream of deliveries. One goroutine fetches a batch for each
// credit. It is an operation of its store, in flight from pgqrs_consume_iter to
// the last completion; each open credit holds a place in the ring.
type Stream struct {
	store *Store
	op    *operation
	// credits are open, under Store.mu; credited wakes the goroutine.
	credits  int
	credited chan struct{}
}

// ConsumeIter opens a stream.
func (s *Store) ConsumeIter(number uint64, queue []byte, o ConsumeOptions) (*Stream, *Refusal) {
	options, refusal := o.core()
	if refusal != nil {
		return nil, refusal
	}
	op, refusal := s.begin(number)
	if refusal != nil {
		return nil, refusal
	}
	st := &Stream{store: s, op: op, credited: make(chan struct{}, 1)}
	s.mu.Lock()
	op.stream = st
	s.mu.Unlock()
	name := string(queue)
	s.spawn(func() {
		panicOnCommand(name)
		st.run(name, options)
	})
	return st, nil
}

func (o ConsumeOptions) core() (pgqrs.StreamOptions, *Refusal) {
	vt, refusal := duration("vt_us", o.VTMicros)
	if refusal != nil {
		return pgqrs.StreamOptions{}, refusal
	}
	maxLease, refusal := duration("max_lease_us", o.MaxLeaseMicros)
	if refusal != nil {
		return pgqrs.StreamOptions{}, refusal
	}
	if o.BatchSize > math.MaxInt32 {
		return pgqrs.StreamOptions{}, refuse(StatusBadArgument, "batch_size is out of range: %d", o.BatchSize)
	}
	if o.KeepDelivered > 1 || o.UntilEmpty > 1 || o.Reserved != 0 {
		return pgqrs.StreamOptions{}, refuse(StatusBadArgument, "keep_delivered and until_empty are 0 or 1, reserved is 0")
	}
	return pgqrs.StreamOptions{
		BatchSize: int(o.BatchSize), VT: vt, MaxLease: maxLease,
		KeepDelivered: o.KeepDelivered == 1, UntilEmpty: o.UntilEmpty == 1, WorkerID: o.Worker,
	}, nil
}

// Credit asks for one more batch.
func (st *Stream) Credit() *Refusal {
	s := st.store
	if refusal := s.library.Poisoned(); refusal != nil {
		return refusal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[st.op.number] != st.op || st.op.ended != StatusOK {
		return refuse(StatusBadHandle, "the stream has ended")
	}
	if !s.ring.Reserve() {
		return refuse(StatusFull, "%d operations are in flight: drain completions, then try again", RingSize)
	}
	st.credits++
	select {
	case st.credited <- struct{}{}:
	default: // it has not seen the last one yet, and will see both
	}
	return nil
}

// Close ends the stream; one that has ended is no error.
func (st *Stream) Close() {
	s := st.store
	s.mu.Lock()
	if st.op.ended == StatusOK {
		st.op.ended = StatusClosed
	}
	s.mu.Unlock()
	st.op.cancel(errClosed)
}

// run delivers until something ends the stream, gives back what was not
// delivered, and completes it.
func (st *Stream) run(queue string, options pgqrs.StreamOptions) {
	from, err := st.store.core.Stream(queue, options)
	if err == nil {
		err = st.deliver(from)
		grace, stop := context.WithTimeout(context.Background(), streamCloseGrace)
		_ = from.Close(grace) // the core logs it; they come again by their vt
		stop()
	}
	st.finish(err)
}

// finish completes the stream: closing is its normal end, an empty queue with
// until_empty too.
func (st *Stream) finish(err error) {
	s := st.store
	normal := errors.Is(err, io.EOF)
	switch s.asked(st.op) {
	case StatusClosed:
		normal = true
	case StatusCancelled:
		normal, err = false, errCancelled
	}
	if normal {
		s.finish(st.op, Completion{Op: st.op.number})
		return
	}
	s.fail(st.op, err)
}

// deliver answers each credit by a batch, until there is an end.
func (st *Stream) deliver(from Source) error {
	for {
		if !st.waitForCredit() {
			return context.Cause(st.op.ctx)
		}
		b, err := from.Next(st.op.ctx)
		if err != nil {
			return err
		}
		data := st.store.library.lend(b)
		if data == nil {
			return errNoMemory
		}
		st.push(Completion{
			Op: st.op.number, Kind: ResultBatch, Flags: FlagMore,
			Value: int64(len(b.Messages)), Data: data,
		})
	}
}

// waitForCredit waits until a credit is open; false: until the stream ends.
func (st *Stream) waitForCredit() bool {
	for {
		st.store.mu.Lock()
		credits, ended := st.credits, st.op.ended
		st.store.mu.Unlock()
		if ended != StatusOK {
			return false
		}
		if credits > 0 {
			return true
		}
		select {
		case <-st.credited:
		case <-st.op.ctx.Done():
			return false
		}
	}
}

// push answers one credit. Once the stream was asked to end nothing more comes
// but its last completion, and a batch goes back.
func (st *Stream) push(c Completion) {
	s := st.store
	s.mu.Lock()
	if s.operations[st.op.number] == st.op && st.op.ended == StatusOK {
		st.credits--
		pushed := s.ring.Push(c)
		s.mu.Unlock()
		if pushed {
			return
		}
	} else {
		s.mu.Unlock()
	}
	s.library.discard(c)
}
