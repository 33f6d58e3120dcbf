package bridge

import (
	"context"
	"strings"
	"testing"
	"unsafe"
)

func TestPanicInAnOperationEndsItsStoreAndPoisonsTheLibrary(t *testing.T) {
	core := &fakeCore{register: func() { panic("boom") }}
	p := connected(t, core)
	accepted(t, p.store.Produce(1, []byte("q"), nil, 0, 0))
	st := openStream(t, p, 2)
	accepted(t, st.Credit())
	other, refusal := p.library.Connect(1, nil)
	accepted(t, refusal)
	t.Cleanup(func() { other.Free() })

	accepted(t, p.store.Register(3, 2, []byte("q"), nil, 0))
	for op := uint64(1); op <= 3; op++ {
		if message := p.expect(op, StatusInternal); !strings.Contains(message, "boom") || !strings.Contains(message, "guard_test.go") {
			t.Errorf("the error says neither what panicked nor where: %s", message)
		}
	}
	for _, refusal := range []*Refusal{
		p.store.Produce(4, nil, nil, 0, 0), p.store.Close(4), p.store.Cancel(1), st.Credit(),
		other.Produce(4, nil, nil, 0, 0), other.Close(4),
	} {
		refused(t, refusal, StatusPoisoned)
	}
	_, refusal = p.library.Connect(5, nil)
	refused(t, refusal, StatusPoisoned)
	if p.store.ring.places != 0 {
		t.Errorf("%d places are still taken", p.store.ring.places)
	}
	st.Close()
	accepted(t, p.store.Free())
	accepted(t, other.Free())
	p.library.goroutines.Wait()
	if core.closes.Load() == 0 {
		t.Error("the core was not closed")
	}
}

func TestPanicInTheThreadOfAProduceRefusesIt(t *testing.T) {
	p := connected(t, &fakeCore{produce: func(context.Context, string, []byte, func(int64, error)) { panic("boom") }})
	accepted(t, p.store.Dequeue(1, 9, 1, 0))
	refused(t, p.store.Produce(2, []byte("q"), nil, 0, 0), StatusPoisoned)
	p.expect(1, StatusInternal)
	if n := p.store.ring.places; n != 0 || len(p.ready) != 0 {
		t.Errorf("a refused produce has a completion, or holds a place (%d)", n)
	}
}

func TestPanicAfterAProduceHasCompletedDoesNotRefuseIt(t *testing.T) {
	p := connected(t, &fakeCore{produce: func(_ context.Context, _ string, _ []byte, done func(int64, error)) {
		done(1, nil)
		panic("boom")
	}})
	accepted(t, p.store.Produce(1, []byte("q"), nil, 0, 0))
	p.expect(1, StatusOK)
	refused(t, p.store.Produce(2, []byte("q"), nil, 0, 0), StatusPoisoned)
}

func TestPanicInTheCoresOwnGoroutineEndsTheStore(t *testing.T) {
	core := &fakeCore{}
	var panicked func(any, []byte)
	p := opening(t, core, func(_ context.Context, _ []byte, h Hooks) (Core, error) {
		panicked = h.OnPanic
		return asCore{core}, nil
	})
	p.expect(connectOp, StatusOK)
	accepted(t, p.store.Dequeue(1, 9, 1, 0))
	panicked("boom", []byte("trace"))
	if message := p.expect(1, StatusInternal); !strings.Contains(message, "boom") || !strings.Contains(message, "trace") {
		t.Error(message)
	}
}

func TestPanicWhileConnectingAndClosing(t *testing.T) {
	p := opening(t, nil, func(context.Context, []byte, Hooks) (Core, error) { panic("boom") })
	p.expect(connectOp, StatusInternal)

	both := make(chan struct{})
	p = connected(t, &fakeCore{close: func() error { <-both; panic("boom") }})
	accepted(t, p.store.Close(1))
	accepted(t, p.store.Close(2))
	close(both)
	p.expect(1, StatusInternal)
	p.expect(2, StatusInternal)
}

func TestBatchesAreGivenBackAfterAPanic(t *testing.T) {
	keeper := &fakeKeeper{}
	p := connected(t, &fakeCore{dequeue: func(context.Context) (*Batch, error) { return newBatch(keeper, "1"), nil }})
	accepted(t, p.store.Dequeue(1, 9, 1, 0))
	c := p.wait(1)
	p.library.Panicked("boom", nil)
	p.library.FreeBatch(uintptr(c.Data))
	p.library.FreeBatch(uintptr(unsafe.Pointer(&c)))
	p.library.goroutines.Wait()
	if keeper.freed.Load() != 1 {
		t.Error("the batch was not given back")
	}
}
