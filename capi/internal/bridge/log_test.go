package bridge

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"unsafe"
)

// logging connects a store and returns it with the logger of its core.
func logging(t *testing.T, core *fakeCore) (*program, *slog.Logger) {
	t.Helper()
	var logger *slog.Logger
	p := opening(t, core, func(_ context.Context, _ []byte, h Hooks) (Core, error) {
		logger = h.Logger
		return asCore{core}, nil
	})
	p.expect(connectOp, StatusOK)
	return p, logger
}

// record waits for the next log record.
func (p *program) record(op uint64) map[string]any {
	p.t.Helper()
	c := p.wait(op)
	defer p.library.discard(c)
	if c.Status != StatusOK || c.Kind != ResultJSON || c.Flags != FlagMore {
		p.t.Fatalf("not a log record: %+v", c)
	}
	var record map[string]any
	if err := json.Unmarshal(unsafe.Slice((*byte)(c.Data), c.Value), &record); err != nil {
		p.t.Fatal(err)
	}
	return record
}

func TestLogRecordsComeFromTheLevelOnThatWasAskedFor(t *testing.T) {
	p, logger := logging(t, &fakeCore{})
	logger.Error("nobody has asked yet")
	accepted(t, p.store.Log(7, LogWarning))
	logger.Info("not of that level")
	logger.Warn("a lease was lost", "queue", "tasks", "id", 12)
	if r := p.record(7); r["level"] != "WARN" || r["msg"] != "a lease was lost" || r["queue"] != "tasks" || r["id"] != 12.0 {
		t.Errorf("got %v", r)
	}
}

func TestLogEndsJustBeforeTheClose(t *testing.T) {
	core := &fakeCore{}
	p, logger := logging(t, core)
	core.close = func() error { logger.Warn("said while closing"); return nil }
	accepted(t, p.store.Log(7, LogDebug))
	accepted(t, p.store.Close(8))
	if r := p.record(7); r["msg"] != "said while closing" {
		t.Errorf("got %v", r)
	}
	p.expect(7, StatusOK)
	p.expect(8, StatusOK)
}

func TestLogEndsWhenItIsCancelledAndCanBeAskedForAgain(t *testing.T) {
	p, logger := logging(t, &fakeCore{})
	accepted(t, p.store.Log(7, LogError))
	refused(t, p.store.Log(8, LogError), StatusBadArgument)
	accepted(t, p.store.Cancel(7))
	p.expect(7, StatusCancelled)
	logger.Error("nobody listens")
	accepted(t, p.store.Log(7, LogError))
	logger.Error("heard")
	if r := p.record(7); r["msg"] != "heard" {
		t.Errorf("got %v", r)
	}
	refused(t, p.store.Log(9, 4), StatusBadArgument)
	refused(t, p.store.Log(9, -1), StatusBadArgument)
}

func TestLogRecordThatFindsTheRingFullIsDropped(t *testing.T) {
	p, logger := logging(t, &fakeCore{})
	accepted(t, p.store.Log(7, LogInfo))
	p.store.ring.limit = p.store.ring.places
	logger.Info("dropped")
	p.store.ring.limit++
	logger.Info("kept")
	if r := p.record(7); r["msg"] != "kept" {
		t.Errorf("got %v", r)
	}
}
