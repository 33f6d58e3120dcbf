package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// ledger is what a program asked and what it was told, line by line, each by one write.
type ledger struct {
	mu   sync.Mutex
	file *os.File
}

func openLedger(path string) (*ledger, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	return &ledger{file: file}, err
}

// write is one line, of this moment.
func (l *ledger) write(verb string, values ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line, err := json.Marshal(append([]any{verb, time.Now().UnixMicro()}, values...))
	if err == nil {
		_, err = l.file.Write(append(line, '\n'))
	}
	if err != nil {
		panic(err) // a program that cannot write its ledger proves nothing
	}
}

// mayBeDone says whether what was asked may have been done though it failed.
func mayBeDone(err error) bool {
	var e *pgqrs.Error
	return !errors.As(err, &e) || e.MaybeCommitted
}

// told is the error as the ledger has it: its kind first, by the name that it has in Python.
func told(err error) string {
	for _, kind := range []struct {
		err  error
		name string
	}{
		{pgqrs.ErrTimeout, "TimeoutError"}, {pgqrs.ErrConnection, "PgqrsConnectionError"},
		{pgqrs.ErrClosed, "PgqrsConnectionError"}, {pgqrs.ErrConfig, "ConfigError"},
		{pgqrs.ErrInvalid, "ValidationError"}, {pgqrs.ErrQueueNotFound, "QueueNotFoundError"},
	} {
		if errors.Is(err, kind.err) {
			return kind.name + ": " + err.Error()
		}
	}
	return "InternalError: " + err.Error()
}

// tellFootprints writes down what this process takes up, twice a second until done ends.
func (l *ledger) tellFootprints(done <-chan struct{}) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		descriptors, connections := openFiles()
		l.write("footprint", memoryKiB(), runtime.NumGoroutine(), descriptors, connections)
		select {
		case <-tick.C:
		case <-done:
			return
		}
	}
}

// memoryKiB is the memory of this process that is in use.
func memoryKiB() int {
	var pages, resident int
	text, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(text), &pages, &resident)
	}
	if err != nil {
		panic(err)
	}
	return resident * os.Getpagesize() / 1024
}

// openFiles counts what is open: files and the like, and connections.
func openFiles() (descriptors, connections int) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		name, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		switch {
		case err != nil: // that of ReadDir itself
		case strings.HasPrefix(name, "socket:"):
			connections++
		default:
			descriptors++
		}
	}
	return descriptors, connections
}

// lines is a slog.Handler of lines as those of the programs in Python: the moment in
// seconds, the level, the message. What is said of a handler that fails is left out, for
// it fails on purpose.
type lines struct{ file *os.File }

// Enabled implements slog.Handler.
func (lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements slog.Handler.
func (l lines) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "a handler failed") {
		return nil
	}
	_, err := fmt.Fprintf(l.file, "%.6f %s %s\n", float64(r.Time.UnixMicro())/1e6, r.Level, r.Message)
	return err
}

// WithAttrs and WithGroup implement slog.Handler.
func (l lines) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l lines) WithGroup(string) slog.Handler { return l }
