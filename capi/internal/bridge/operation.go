package bridge

import (
	"context"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Why an operation was asked to end: the cause of its context.
var (
	errCancelled = backend.Errorf(context.Canceled, "the operation was cancelled")
	errClosed    = backend.Errorf(backend.ErrClosed, "the store was closed")
	errPanicked  = backend.Errorf(nil, "the library panicked")
)

// operation is one accepted operation, from its submit to its completion: it is
// in Store.operations exactly that long, and who removes it completes it.
type operation struct {
	number uint64
	ctx    context.Context
	cancel context.CancelCauseFunc
	// ended is why it was asked to end; StatusOK: it was not. Under Store.mu.
	ended Status
	// stream is nil but for pgqrs_consume_iter. closes marks pgqrs_close, logs
	// pgqrs_log: nothing waits for these two to end.
	stream *Stream
	closes bool
	logs   bool
}

// newOperation makes an operation with a context of its own. The context has no
// parent: the registry is what ends all of them, and a parent would cost a map
// entry under one more lock for each produce.
func newOperation(number uint64) *operation {
	op := &operation{number: number}
	op.ctx, op.cancel = context.WithCancelCause(context.Background())
	return op
}

// begin accepts an operation: it reserves its place in the ring and enters it in
// the registry.
func (s *Store) begin(number uint64) (*operation, *Refusal) {
	if refusal := s.library.Poisoned(); refusal != nil { // also where it is connecting
		return nil, refusal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.phase {
	case connecting:
		return nil, refuse(StatusBadHandle, "the store is not connected yet: wait for the completion of pgqrs_connect")
	case failed:
		return nil, refuse(StatusBadHandle, "the store could not be connected")
	}
	return s.accept(newOperation(number))
}

// accept does the work of begin, in any phase but the last. The caller holds mu.
func (s *Store) accept(op *operation) (*operation, *Refusal) {
	if refusal := s.library.Poisoned(); refusal != nil {
		return nil, refusal
	}
	if s.phase >= closing && !op.closes || s.freed {
		return nil, refuse(StatusBadHandle, "the store is closed")
	}
	if _, taken := s.operations[op.number]; taken {
		return nil, refuse(StatusBadArgument, "operation %d is in flight: let no two share a number", op.number)
	}
	if op.closes && s.phase < closing {
		s.ring.ReserveExtra()
	} else if !s.ring.Reserve() {
		return nil, refuse(StatusFull, "%d operations are in flight: drain completions, then try again", RingSize)
	}
	s.operations[op.number] = op
	if !op.closes && !op.logs {
		s.running.Add(1)
	}
	return op, nil
}

// remove takes an operation out of the registry. It says true once: to whom is
// to complete it.
func (s *Store) remove(op *operation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removeLocked(op)
}

func (s *Store) removeLocked(op *operation) bool {
	if s.operations[op.number] != op {
		return false
	}
	delete(s.operations, op.number)
	if op.stream != nil {
		s.ring.Release(op.stream.credits)
		op.stream.credits = 0
	}
	return true
}

// inFlight lists the operations that are neither closes nor the log. The caller
// holds mu.
func (s *Store) inFlight() []*operation {
	var all []*operation
	for _, op := range s.operations {
		if !op.closes && !op.logs {
			all = append(all, op)
		}
	}
	return all
}

// withdraw refuses an operation that was accepted just now, for want of room in the core.
// One that was completed meanwhile, because the store closes, stays accepted.
func (s *Store) withdraw(op *operation) *Refusal {
	if !s.remove(op) {
		return nil
	}
	s.ring.Release(1)
	s.running.Done()
	return refuse(StatusFull, "max_pending_bytes of messages wait to be stored: try again when completions have come")
}

// finish completes an operation, unless that was done already.
func (s *Store) finish(op *operation, c Completion) {
	if !s.remove(op) {
		s.library.discard(c)
		return
	}
	s.push(c)
	s.running.Done()
}

// complete completes an operation with what came of it.
func (s *Store) complete(op *operation, c Completion, err error) {
	if err != nil {
		s.fail(op, err)
		return
	}
	c.Op = op.number
	s.finish(op, c)
}

// fail completes an operation with an error, unless it has completed already.
func (s *Store) fail(op *operation, err error) {
	if !s.remove(op) {
		return
	}
	s.push(s.encodeFailure(op.number, describe(err, s.asked(op))))
	s.running.Done()
}

// push hands a completion to the program, or frees what it carries when the
// store was freed.
func (s *Store) push(c Completion) {
	if !s.ring.Push(c) {
		s.library.discard(c)
	}
}

// perform accepts an operation and carries it out in a goroutine. work returns
// the completion of success; its op is filled in here.
func (s *Store) perform(number uint64, work func(ctx context.Context) (Completion, error)) *Refusal {
	op, refusal := s.begin(number)
	if refusal != nil {
		return refusal
	}
	s.spawn(func() {
		c, err := work(op.ctx)
		s.complete(op, c, err)
	})
	return nil
}

// entrust accepts an operation that the core carries out in goroutines of its own.
// start is called in this thread, and what it is given is called with the outcome,
// once, from anywhere. An operation that is asked to end completes at once; what comes of
// it later is discarded, which gives messages back.
func (s *Store) entrust(number uint64, start func(ctx context.Context, done func(Completion, error))) (refusal *Refusal) {
	op, refusal := s.begin(number)
	if refusal != nil {
		return refusal
	}
	defer s.guardSubmit(op, &refusal)
	stop := context.AfterFunc(op.ctx, func() {
		defer s.guard()
		s.fail(op, context.Cause(op.ctx))
	})
	start(op.ctx, func(c Completion, err error) {
		defer s.guard()
		stop()
		if err == nil && c.Kind == ResultBatch && s.asked(op) != StatusOK {
			// Who cancels a dequeue does not want its messages: they go back now.
			s.library.discard(c)
			err = context.Cause(op.ctx)
		}
		s.complete(op, c, err)
	})
	return nil
}

// asked is why the operation was asked to end; StatusOK: it was not.
func (s *Store) asked(op *operation) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return op.ended
}

// Cancel asks an operation to end early. One that is not in flight any more is
// no error: its completion is on its way.
func (s *Store) Cancel(number uint64) *Refusal {
	if refusal := s.library.Poisoned(); refusal != nil {
		return refusal
	}
	s.mu.Lock()
	if s.freed {
		s.mu.Unlock()
		return refuse(StatusBadHandle, "the store is closed")
	}
	op := s.operations[number]
	if op == nil || op.closes || op.ended != StatusOK {
		s.mu.Unlock()
		return nil
	}
	if op.logs {
		s.mu.Unlock()
		s.endLog(func(number uint64) Completion {
			return s.encodeFailure(number, describe(errCancelled, StatusCancelled))
		})
		return nil
	}
	op.ended = StatusCancelled
	s.mu.Unlock()
	op.cancel(errCancelled)
	return nil
}

// end asks operations to end because the store closes.
func end(operations []*operation) {
	for _, op := range operations {
		op.cancel(errClosed)
	}
}
