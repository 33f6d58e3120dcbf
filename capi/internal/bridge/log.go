package bridge

import (
	"log/slog"
	"unsafe"
)

// Log levels of pgqrs.h.
const (
	LogDebug   int32 = 0
	LogInfo    int32 = 1
	LogWarning int32 = 2
	LogError   int32 = 3
)

// silent is above every level: a library does not write to the standard error of
// its host unasked.
const silent slog.Level = 1000

// newLogger makes the logger of the store's core. Its records go to the program
// once that has asked, and until then nowhere.
func (s *Store) newLogger() *slog.Logger {
	s.logLevel.Set(silent)
	return slog.New(slog.NewJSONHandler(recordWriter{s}, &slog.HandlerOptions{Level: &s.logLevel}))
}

// Log asks for the log records of the store from that level on. Each comes as a
// completion with FlagMore; the last comes when the operation is cancelled, or
// before that of the close.
func (s *Store) Log(number uint64, level int32) *Refusal {
	levels := [...]slog.Level{LogDebug: slog.LevelDebug, LogInfo: slog.LevelInfo, LogWarning: slog.LevelWarn, LogError: slog.LevelError}
	if level < LogDebug || level > LogError {
		return refuse(StatusBadArgument, "level is out of range: %d", level)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.phase == connecting || s.phase == failed:
		return refuse(StatusBadHandle, "the store is not connected")
	case s.logging != nil:
		return refuse(StatusBadArgument, "operation %d takes the log records already", s.logging.number)
	}
	op, refusal := s.accept(&operation{number: number, logs: true})
	if refusal != nil {
		return refusal
	}
	s.logging = op
	s.logLevel.Set(levels[level])
	return nil
}

// endLog completes the operation that takes log records, if there is one.
func (s *Store) endLog(c func(number uint64) Completion) {
	s.mu.Lock()
	op := s.logging
	s.logging = nil
	s.logLevel.Set(silent)
	if op != nil {
		delete(s.operations, op.number)
	}
	s.mu.Unlock()
	if op != nil {
		s.push(c(op.number))
	}
}

// recordWriter takes records as JSON texts, one a call.
type recordWriter struct{ store *Store }

// Write hands a record to the program. When the ring is full it is dropped: a log
// must not get in the way of work.
func (w recordWriter) Write(text []byte) (int, error) {
	s := w.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logging == nil || !s.ring.Reserve() {
		return len(text), nil
	}
	c, err := s.library.encodeText(unsafe.String(unsafe.SliceData(text), len(text)))
	if err != nil {
		s.ring.Release(1)
		return len(text), nil
	}
	c.Op, c.Flags = s.logging.number, FlagMore
	s.push(c)
	return len(text), nil
}
