package bridge

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// phase is where a store is in its life; it only grows.
type phase int8

const (
	connecting phase = iota
	failed           // not connected, and never will be
	open
	closing
	closed
)

// Store is one store of the program: the operations in flight, the ring their
// completions come through, and the core that carries them out.
type Store struct {
	library *Library
	ring    *Ring
	// running counts the operations in flight that are not closes.
	running sync.WaitGroup

	mu         sync.Mutex
	phase      phase
	freed      bool
	broken     bool // a panic ended it
	core       Core // set by connect; used while an operation is in flight
	operations map[uint64]*operation
	closeErr   error      // what the first close came to; valid when closed
	logging    *operation // takes the log records; nil: none does
	logLevel   slog.LevelVar
}

// Connect makes a store and starts to connect it.
func (l *Library) Connect(number uint64, config []byte) (*Store, *Refusal) {
	if refusal := l.Poisoned(); refusal != nil {
		return nil, refusal
	}
	ring, err := NewRing(RingSize)
	if err != nil {
		return nil, refuse(StatusNoMemory, "%v", err)
	}
	s := &Store{library: l, ring: ring, operations: make(map[uint64]*operation)}
	s.mu.Lock()
	op, refusal := s.accept(newOperation(number))
	s.mu.Unlock()
	if refusal != nil {
		ring.Close()
		return nil, refusal
	}
	text := append([]byte(nil), config...)
	s.spawn(func() { s.connect(op, text) })
	return s, nil
}

// connect runs in a goroutine.
func (s *Store) connect(op *operation, config []byte) {
	core, err := s.library.open(op.ctx, config, Hooks{OnPanic: s.panicked, Logger: s.newLogger()})
	if err = s.connected(op, core, err); err != nil {
		if core != nil { // it came too late: cancelled, closed or broken meanwhile
			_ = core.Close(context.Background())
		}
		s.fail(op, err)
		return
	}
	s.finish(op, Completion{Op: op.number})
}

// connected makes the store what opening its core came to.
func (s *Store) connected(op *operation, core Core, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && op.ctx.Err() != nil {
		err = context.Cause(op.ctx)
	}
	if s.phase != connecting {
		return err
	}
	if err != nil {
		s.phase = failed
		return err
	}
	s.phase, s.core = open, core
	return nil
}

// FD is the descriptor of the ring, or a refusal.
func (s *Store) FD() (int, *Refusal) {
	if fd := s.ring.FD(); fd >= 0 {
		return fd, nil
	}
	return 0, refuse(StatusBadHandle, "the store was freed")
}

// Drain moves completions into out and returns how many.
func (s *Store) Drain(out []Completion) (int, *Refusal) {
	if n := s.ring.Drain(out); n >= 0 {
		return n, nil
	}
	return 0, refuse(StatusBadHandle, "the store was freed")
}

// Wait blocks until Drain would return one or more, and says whether it would.
func (s *Store) Wait(timeout time.Duration) (bool, *Refusal) {
	n := s.ring.Wait(timeout)
	if n < 0 {
		return false, refuse(StatusBadHandle, "the store was freed")
	}
	return n == 1, nil
}

// Close ends everything that is in flight and then the core. Its completion is
// the last; a later Close completes with or after the first.
func (s *Store) Close(number uint64) *Refusal {
	s.mu.Lock()
	op, refusal := s.accept(&operation{number: number, closes: true})
	if refusal != nil {
		s.mu.Unlock()
		return refusal
	}
	if s.phase == closed {
		s.mu.Unlock()
		s.completeClose(op)
		return nil
	}
	first := s.phase < closing
	ending := s.startClosing()
	s.mu.Unlock()
	if first {
		end(ending)
		s.spawn(s.shutdown)
	}
	return nil
}

// startClosing refuses submits from now on, and returns the operations to end.
// The caller holds mu.
func (s *Store) startClosing() []*operation {
	s.phase = max(s.phase, closing)
	ending := s.inFlight()
	for _, op := range ending {
		if op.ended == StatusOK {
			op.ended = StatusClosed
		}
	}
	return ending
}

// shutdown runs once, in a goroutine, after startClosing. A core that is still
// being opened is not seen here: connect closes it.
func (s *Store) shutdown() {
	idle := make(chan struct{})
	s.spawn(func() { s.running.Wait(); close(idle) })
	patience := time.NewTimer(s.library.closePatience)
	defer patience.Stop()
	select {
	case <-idle:
	case <-patience.C:
	}
	s.mu.Lock()
	core := s.core
	s.mu.Unlock()
	var err error
	if core != nil {
		err = core.Close(context.Background())
	}
	<-idle

	s.mu.Lock()
	if !s.broken {
		s.phase, s.closeErr = closed, err
	}
	s.mu.Unlock()
	s.completeCloses()
}

// completeCloses completes every close so far; later ones complete at once. The
// log ends before.
func (s *Store) completeCloses() {
	s.endLog(func(number uint64) Completion { return Completion{Op: number} })
	s.mu.Lock()
	var closes []*operation
	for _, op := range s.operations {
		if op.closes {
			closes = append(closes, op)
		}
	}
	s.mu.Unlock()
	for _, op := range closes {
		s.completeClose(op)
	}
}

// completeClose says what the first close came to.
func (s *Store) completeClose(op *operation) {
	s.mu.Lock()
	err := s.closeErr
	s.mu.Unlock()
	c := Completion{Op: op.number}
	if err != nil {
		c = s.encodeFailure(op.number, describe(err, StatusOK))
	}
	if !s.remove(op) {
		s.library.discard(c)
		return
	}
	s.push(c)
}

// Free ends the store for the program: its ring and its descriptor are gone when
// this returns, and what nobody drained was given back. A store that was not
// closed is closed in the background.
func (s *Store) Free() *Refusal {
	s.mu.Lock()
	if s.freed {
		s.mu.Unlock()
		return refuse(StatusBadHandle, "the store was freed")
	}
	s.freed = true
	first := s.phase < closing
	ending := s.startClosing()
	s.mu.Unlock()
	for _, c := range s.ring.Close() {
		s.library.discard(c)
	}
	if first {
		end(ending)
		s.spawn(s.shutdown)
	}
	return nil
}
