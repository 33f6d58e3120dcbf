package bridge

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

func TestProduceCompletesWithTheIDOrTheError(t *testing.T) {
	p := connected(t, &fakeCore{produce: func(_ context.Context, queue string, payload []byte, done func(int64, error)) {
		if queue == "bad" {
			done(0, backend.Errorf(backend.ErrSerialization, "not JSON: %s", payload)) // at once, in this thread
			return
		}
		go done(4711, nil)
	}})
	accepted(t, p.store.Produce(1, []byte("good"), []byte("1"), 0, 0))
	accepted(t, p.store.Produce(2, []byte("bad"), []byte("x"), 0, 0))
	if c := p.wait(1); c.Status != StatusOK || c.Kind != ResultValue || c.Value != 4711 || c.Flags != 0 {
		t.Errorf("%+v", c)
	}
	if message := p.expect(2, StatusSerialization); message != "not JSON: x" {
		t.Error(message)
	}
}

func TestProduceCopiesItsInputAndKeepsTheOrderOfCalls(t *testing.T) {
	var payloads []string
	var held [][]byte
	p := connected(t, &fakeCore{produce: func(_ context.Context, _ string, payload []byte, done func(int64, error)) {
		held = append(held, payload) // no lock: the core is called in the thread of the submit
		done(int64(len(held)), nil)
	}})
	buffer := []byte("0")
	for i := range 10 {
		buffer[0] = byte('0' + i)
		accepted(t, p.store.Produce(uint64(i), []byte("q"), buffer, 0, 0))
	}
	for _, h := range held {
		payloads = append(payloads, string(h))
	}
	if got := strings.Join(payloads, ""); got != "0123456789" {
		t.Error(got)
	}
	for i := range 10 {
		if c := p.wait(uint64(i)); c.Value != int64(i+1) {
			t.Errorf("%+v", c)
		}
	}
}

func TestProduceBatchSplitsTheTextByLengths(t *testing.T) {
	p := connected(t, &fakeCore{batch: func(_ context.Context, payloads [][]byte) ([]int64, error) {
		if len(payloads) == 3 && string(payloads[0]) == "1" && len(payloads[1]) == 0 && string(payloads[2]) == "23" {
			return []int64{5, 6, 7}, nil
		}
		return nil, &backend.Error{Kind: backend.ErrInvalid, Message: "other payloads", Index: 2}
	}})
	accepted(t, p.store.ProduceBatch(1, []byte("q"), []byte("123"), []uint64{1, 0, 2}, 0, 0))
	c := p.wait(1)
	if c.Kind != ResultIDs || c.Value != 3 {
		t.Fatalf("%+v", c)
	}
	if ids := unsafe.Slice((*int64)(c.Data), 3); ids[0] != 5 || ids[2] != 7 {
		t.Error(ids)
	}
	p.library.discard(c)
	accepted(t, p.store.ProduceBatch(2, []byte("q"), nil, nil, 0, 0))
	if c := p.wait(2); c.Status != StatusInvalid || (*ErrorHeader)(c.Data).Index != 2 {
		t.Errorf("%+v", c)
	} else {
		p.library.discard(c)
	}
}

func TestProduceArrayStoresTheElements(t *testing.T) {
	p := connected(t, &fakeCore{batch: func(_ context.Context, payloads [][]byte) ([]int64, error) {
		if len(payloads) == 2 && string(payloads[0]) == "1" && string(payloads[1]) == `"a,b"` {
			return []int64{5, 6}, nil
		}
		return nil, &backend.Error{Kind: backend.ErrInvalid, Message: "other payloads", Index: 2}
	}})
	text := []byte(`[1, "a,b"]`)
	accepted(t, p.store.ProduceArray(1, []byte("q"), text, 0, 0))
	clear(text) // it was copied
	c := p.wait(1)
	if c.Kind != ResultIDs || c.Value != 2 {
		t.Errorf("%+v", c)
	}
	p.library.discard(c)
	accepted(t, p.store.ProduceArray(2, []byte("q"), []byte("[1"), 0, 0))
	c = p.wait(2)
	if c.Status != StatusSerialization || (*ErrorHeader)(c.Data).Index != -1 {
		t.Errorf("%+v", c)
	}
	p.library.discard(c)
	refused(t, p.store.ProduceArray(3, []byte("q"), []byte("[1]"), -1, 0), StatusBadArgument)
}

func TestRegisterAnswersJSON(t *testing.T) {
	p := connected(t, &fakeCore{})
	accepted(t, p.store.Register(1, 2, []byte("q"), []byte("host"), 80))
	c := p.wait(1)
	if got := string(content(c.Data, int(c.Value))); got != `{"worker_id":7,"queue_id":3}` {
		t.Error(got)
	}
	p.library.discard(c)
	refused(t, p.store.Register(2, 3, []byte("q"), nil, 80), StatusBadArgument)
}

func TestAdmitAndDetachAnswerWhatATransactionNeeds(t *testing.T) {
	p := connected(t, &fakeCore{})
	accepted(t, p.store.Admit(1, []byte("q"), []byte("123"), []uint64{1, 2}, 1, 0, 0))
	c := p.wait(1)
	if got := string(content(c.Data, int(c.Value))); got != `{"identity":"q","schema":"s","make_queue":true}` {
		t.Error(got)
	}
	p.library.discard(c)
	accepted(t, p.store.Detach(2, Target{QueueID: 3, Leases: []int64{5, 6}, IDs: []int64{1, 2}}))
	c = p.wait(2)
	if got := string(content(c.Data, int(c.Value))); got != `{"identity":"here","schema":"s","queue_id":3,"leases":[5,6]}` {
		t.Error(got)
	}
	p.library.discard(c)
	refused(t, p.store.Admit(3, nil, nil, nil, 2, 0, 0), StatusBadArgument)
	refused(t, p.store.Admit(3, nil, nil, nil, 0, -1, 0), StatusBadArgument)
	refused(t, p.store.Detach(3, Target{IDs: []int64{1}}), StatusBadArgument)
}

func TestKeysCrossAndComeBackAsSigns(t *testing.T) {
	p := connected(t, &fakeCore{})
	accepted(t, p.store.ProduceKeyed(1, []byte("q"), []byte("123"), []uint64{1, 0, 2}, []byte("atakenb"), []uint64{1, 5, 1}, 1, 0, 5, 0))
	c := p.wait(1)
	if got := unsafe.Slice((*int64)(c.Data), c.Value); c.Kind != ResultIDs || !slices.Equal(got, []int64{1, -2, 3}) {
		t.Errorf("%+v: %v", c, got)
	}
	p.library.discard(c)
	accepted(t, p.store.ProduceKeyed(2, []byte("q"), nil, nil, nil, nil, 0, 0, 0, 0))
	p.expect(2, StatusOK)
	one := []uint64{1}
	refused(t, p.store.ProduceKeyed(3, nil, []byte("1"), one, []byte("k"), one, 2, 0, 0, 0), StatusBadArgument)
	refused(t, p.store.ProduceKeyed(3, nil, []byte("1"), one, []byte("k"), one, 1, -1, 0, 0), StatusBadArgument)
	refused(t, p.store.ProduceKeyed(3, nil, []byte("1"), one, []byte("k"), one, 1, 0, -1, 0), StatusBadArgument)
	p.core.crowded.Store(true)
	refused(t, p.store.ProduceKeyed(3, nil, []byte("1"), one, []byte("k"), one, 1, 0, 0, 0), StatusFull)
}

func TestDequeueAnswersABatchOrNothing(t *testing.T) {
	keeper := &fakeKeeper{}
	full := true
	p := connected(t, &fakeCore{dequeue: func(context.Context) (*Batch, error) {
		if full {
			return newBatch(keeper, "1", "2"), nil
		}
		return nil, nil
	}})
	accepted(t, p.store.Dequeue(1, 9, 10, 0))
	c := p.wait(1)
	if c.Kind != ResultBatch || c.Value != 2 || p.library.Lent() != 1 {
		t.Fatalf("%+v", c)
	}
	full = false
	accepted(t, p.store.Dequeue(2, 9, 10, 0))
	if c := p.wait(2); c.Kind != ResultNone || c.Status != StatusOK {
		t.Errorf("%+v", c)
	}
	p.store.Free()
	p.library.FreeBatch(uintptr(c.Data)) // may outlive its store
	if keeper.freed.Load() != 1 {
		t.Error("the batch was not freed")
	}
}

func TestSettlingPairsLeasesWithIDs(t *testing.T) {
	var seen pgqrs.Target
	p := connected(t, &fakeCore{
		settle: func(_ pgqrs.Settlement, to pgqrs.Target) ([]backend.Extension, error) {
			seen = to
			return []backend.Extension{{Held: true, VT: time.UnixMicro(5)}, {}}, nil
		},
	})
	ids, leases := []int64{1, 2}, []int64{10, 20}
	byPair := Target{QueueID: 3, Leases: leases, IDs: ids}
	for op, submit := range map[uint64]func(uint64) *Refusal{
		1: func(op uint64) *Refusal { return p.store.Archive(op, byPair) },
		2: func(op uint64) *Refusal { return p.store.Delete(op, byPair) },
		3: func(op uint64) *Refusal { return p.store.Release(op, byPair, 5) },
	} {
		accepted(t, submit(op))
		c := p.wait(op)
		if got := content(c.Data, 2); c.Kind != ResultAnswers || c.Value != 2 || got[0] != 1 || got[1] != 0 {
			t.Errorf("%+v", c)
		}
		p.library.discard(c)
		if len(seen.Deliveries) != 2 || seen.QueueID != 3 || seen.Deliveries[1] != (backend.Delivery{Lease: 20, ID: 2}) {
			t.Errorf("%+v", seen)
		}
	}
	accepted(t, p.store.Archive(4, Target{Worker: 9, IDs: ids}))
	p.expect(4, StatusOK)
	if seen.WorkerID != 9 || seen.Deliveries[1] != (backend.Delivery{Lease: 0, ID: 2}) {
		t.Errorf("%+v", seen)
	}
	accepted(t, p.store.ExtendVT(5, byPair, 5))
	if c := p.wait(5); c.Kind != ResultMoments || *(*int64)(c.Data) != 5 {
		t.Errorf("%+v", c)
	} else {
		p.library.discard(c)
	}
	refused(t, p.store.Archive(6, Target{IDs: ids}), StatusBadArgument)
	refused(t, p.store.Archive(6, Target{Worker: 9, IDs: ids, Leases: []int64{10, 0}}), StatusBadArgument)
}

func TestSubmitsRefuseNumbersOutOfRange(t *testing.T) {
	p := connected(t, &fakeCore{})
	for _, micros := range []int64{-2, 1 << 62} {
		refused(t, p.store.Produce(1, nil, nil, micros, 0), StatusBadArgument)
		refused(t, p.store.ProduceBatch(1, nil, nil, nil, micros, 0), StatusBadArgument)
		refused(t, p.store.Dequeue(1, 9, 1, micros), StatusBadArgument)
		refused(t, p.store.Release(1, Target{}, micros), StatusBadArgument)
		refused(t, p.store.ExtendVT(1, Target{}, micros), StatusBadArgument)
		for _, o := range []ConsumeOptions{{VTMicros: micros}, {MaxLeaseMicros: micros}} {
			_, refusal := p.store.ConsumeIter(1, nil, o)
			refused(t, refusal, StatusBadArgument)
		}
	}
	refused(t, p.store.Dequeue(1, 9, 1<<31, 0), StatusBadArgument)
	for _, o := range []ConsumeOptions{{KeepDelivered: 2}, {UntilEmpty: 7}, {Reserved: 1}, {BatchSize: 1 << 31}} {
		_, refusal := p.store.ConsumeIter(1, nil, o)
		refused(t, refusal, StatusBadArgument)
	}
}

func TestTwoOperationsInFlightCannotShareANumber(t *testing.T) {
	p := connected(t, &fakeCore{})
	accepted(t, p.store.Dequeue(1, 9, 1, 0))
	refused(t, p.store.Dequeue(1, 9, 1, 0), StatusBadArgument)
	refused(t, p.store.Close(1), StatusBadArgument)
	accepted(t, p.store.Cancel(1))
	p.expect(1, StatusCancelled)
	accepted(t, p.store.Dequeue(1, 9, 1, 0)) // free again
}

func TestFullRingRefusesAndTheFirstCloseStillFits(t *testing.T) {
	p := connected(t, &fakeCore{})
	p.store.ring.limit = 3
	for op := range uint64(3) {
		accepted(t, p.store.Produce(op, []byte("q"), nil, 0, 0))
	}
	refused(t, p.store.Produce(3, []byte("q"), nil, 0, 0), StatusFull)
	accepted(t, p.store.Close(4))
	refused(t, p.store.Close(5), StatusFull)
	for op := range uint64(3) {
		p.expect(op, StatusClosed)
	}
	p.expect(4, StatusOK)
	if places := p.store.ring.places; places != 0 {
		t.Errorf("%d places are still taken", places)
	}
}

func TestCancelEndsWhatIsInFlight(t *testing.T) {
	p := connected(t, &fakeCore{})
	accepted(t, p.store.Produce(1, []byte("q"), nil, 0, 0))
	accepted(t, p.store.Dequeue(2, 9, 1, 0))
	accepted(t, p.store.Cancel(1))
	accepted(t, p.store.Cancel(1))
	accepted(t, p.store.Cancel(99)) // is not in flight
	if message := p.expect(1, StatusCancelled); message != "the operation was cancelled" {
		t.Error(message)
	}
	accepted(t, p.store.Cancel(2))
	p.expect(2, StatusCancelled)
}

func TestCancelledDequeueGivesBackWhatItLeased(t *testing.T) {
	keeper := &fakeKeeper{}
	p := connected(t, &fakeCore{dequeue: func(ctx context.Context) (*Batch, error) {
		<-ctx.Done()
		return newBatch(keeper, "1"), nil // it had been leased before the cancel came
	}})
	accepted(t, p.store.Dequeue(1, 9, 1, 0))
	accepted(t, p.store.Cancel(1))
	p.expect(1, StatusCancelled)
	for deadline := time.Now().Add(patience); keeper.freed.Load() != 1 || p.library.Lent() != 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the batch was not given back")
		}
	}
}

func TestCancelledOperationThatWasDoneKeepsItsResult(t *testing.T) {
	p := connected(t, &fakeCore{produce: func(ctx context.Context, _ string, _ []byte, done func(int64, error)) {
		context.AfterFunc(ctx, func() { done(8, nil) })
	}})
	accepted(t, p.store.Produce(1, []byte("q"), nil, 0, 0))
	accepted(t, p.store.Cancel(1))
	if c := p.wait(1); c.Status != StatusOK || c.Value != 8 {
		t.Errorf("%+v", c)
	}
}

func TestCloseCompletesEverythingAndItselfLast(t *testing.T) {
	core := &fakeCore{}
	p := connected(t, core)
	for op := range uint64(20) {
		accepted(t, p.store.Dequeue(op, 9, 1, 0))
	}
	accepted(t, p.store.Close(100))
	refused(t, p.store.Dequeue(21, 9, 1, 0), StatusBadHandle)
	_, refusal := p.store.ConsumeIter(22, []byte("q"), ConsumeOptions{})
	refused(t, refusal, StatusBadHandle)
	p.expect(100, StatusOK)
	if len(p.ready) != 20 {
		t.Errorf("%d completions came before that of the close, not 20", len(p.ready))
	}
	for op := range uint64(20) {
		p.expect(op, StatusClosed)
	}
	accepted(t, p.store.Close(101))
	p.expect(101, StatusOK)
	if core.closes.Load() != 1 {
		t.Errorf("the core was closed %d times", core.closes.Load())
	}
}

func TestCloseWaitsForWhatDoesNotHeedItsContext(t *testing.T) {
	released := make(chan struct{})
	core := &fakeCore{batch: func(context.Context, [][]byte) ([]int64, error) {
		<-released
		return nil, nil
	}}
	p := connected(t, core)
	p.library.closePatience = 0
	accepted(t, p.store.ProduceBatch(1, []byte("q"), nil, nil, 0, 0))
	accepted(t, p.store.Close(2))
	for core.closes.Load() == 0 { // the core is closed under it
		runtime.Gosched()
	}
	if ok, _ := p.store.Wait(20 * time.Millisecond); ok {
		t.Error("the close did not wait")
	}
	close(released)
	p.expect(2, StatusOK)
	if len(p.ready) != 1 {
		t.Errorf("%d completions came before that of the close, not 1", len(p.ready))
	}
	p.expect(1, StatusOK)
}

func TestCloseLetsOperationsEndBeforeTheCore(t *testing.T) {
	core := &fakeCore{}
	core.batch = func(ctx context.Context, _ [][]byte) ([]int64, error) {
		<-ctx.Done()
		if core.closes.Load() != 0 {
			t.Error("the core was closed under an operation that heeds its context")
		}
		return nil, context.Cause(ctx)
	}
	p := connected(t, core)
	accepted(t, p.store.ProduceBatch(1, []byte("q"), nil, nil, 0, 0))
	accepted(t, p.store.Close(2))
	p.expect(2, StatusOK)
	p.expect(1, StatusClosed)
}

func TestCloseTellsWhatWentWrong(t *testing.T) {
	p := connected(t, &fakeCore{close: func() error { return backend.Errorf(backend.ErrConnection, "gone") }})
	accepted(t, p.store.Close(1))
	p.expect(1, StatusConnection)
	accepted(t, p.store.Close(2))
	if message := p.expect(2, StatusConnection); message != "gone" {
		t.Error(message)
	}
}

func TestConnectThatFailsLeavesAStoreThatCanOnlyBeClosed(t *testing.T) {
	p := opening(t, nil, func(context.Context, []byte, Hooks) (Core, error) {
		return nil, backend.Errorf(backend.ErrConfig, "no such option")
	})
	p.expect(connectOp, StatusConfig)
	refused(t, p.store.Produce(1, nil, nil, 0, 0), StatusBadHandle)
	accepted(t, p.store.Close(2))
	p.expect(2, StatusOK)
}

func TestConnectCanBeCancelledAndClosed(t *testing.T) {
	for name, end := range map[string]struct {
		submit func(*program) *Refusal
		status Status
	}{
		"cancel": {func(p *program) *Refusal { return p.store.Cancel(connectOp) }, StatusCancelled},
		"close":  {func(p *program) *Refusal { return p.store.Close(1) }, StatusClosed},
	} {
		t.Run(name, func(t *testing.T) {
			core := &fakeCore{}
			p := opening(t, core, func(ctx context.Context, _ []byte, _ Hooks) (Core, error) {
				<-ctx.Done()
				return asCore{core}, nil // it was connected just then
			})
			refused(t, p.store.Produce(5, nil, nil, 0, 0), StatusBadHandle)
			accepted(t, end.submit(p))
			p.expect(connectOp, end.status)
			if name == "close" {
				p.expect(1, StatusOK)
			}
			refused(t, p.store.Produce(5, nil, nil, 0, 0), StatusBadHandle)
			if core.closes.Load() != 1 {
				t.Errorf("the core was closed %d times", core.closes.Load())
			}
		})
	}
}

func TestFreedStoreGivesBackWhatNobodyDrained(t *testing.T) {
	keepers := []*fakeKeeper{{}, {}}
	served := make(chan struct{})
	var n int
	core := &fakeCore{
		dequeue: func(context.Context) (*Batch, error) { return newBatch(keepers[0], "1"), nil },
		next: func(ctx context.Context) (*Batch, error) {
			if n++; n == 1 {
				return newBatch(keepers[1], "2"), nil
			}
			close(served)
			return nil, wait(ctx)
		},
	}
	p := connected(t, core)
	accepted(t, p.store.Dequeue(1, 9, 1, 0))
	stream, refusal := p.store.ConsumeIter(2, []byte("q"), ConsumeOptions{})
	accepted(t, refusal)
	accepted(t, stream.Credit())
	accepted(t, stream.Credit())
	accepted(t, p.store.Produce(3, []byte("q"), nil, 0, 0))
	<-served // both batches are in the ring, or on their way into it

	accepted(t, p.store.Free())
	refused(t, p.store.Free(), StatusBadHandle)
	refused(t, p.store.Close(4), StatusBadHandle)
	refused(t, p.store.Cancel(3), StatusBadHandle)
	_, refusal = p.store.Drain(make([]Completion, 1))
	refused(t, refusal, StatusBadHandle)
	_, refusal = p.store.FD()
	refused(t, refusal, StatusBadHandle)
	_, refusal = p.store.Wait(-1)
	refused(t, refusal, StatusBadHandle)

	p.library.goroutines.Wait()
	for i, k := range keepers {
		if k.freed.Load() != 1 {
			t.Errorf("batch %d was freed %d times", i, k.freed.Load())
		}
	}
	if core.closes.Load() != 1 || p.library.Lent() != 0 {
		t.Error("the core was not closed, or a batch is still lent")
	}
}

func TestNoMemoryIsAnErrorOfTheOperation(t *testing.T) {
	p := connected(t, &fakeCore{batch: func(context.Context, [][]byte) ([]int64, error) { return []int64{1}, nil }})
	p.memory.none.Store(true)
	accepted(t, p.store.ProduceBatch(1, []byte("q"), nil, nil, 0, 0))
	if c := p.wait(1); c.Status != StatusNoMemory || c.Kind != ResultNone || c.Data != nil {
		t.Errorf("%+v", c)
	}
	p.memory.none.Store(false)
}

// TestWithoutRoomInTheCoreAProduceIsRefused: it takes up no place of the ring either.
func TestWithoutRoomInTheCoreAProduceIsRefused(t *testing.T) {
	core := &fakeCore{}
	p := connected(t, core)
	core.crowded.Store(true)
	for range RingSize + 1 {
		refused(t, p.store.Produce(1, []byte("q"), []byte("1"), 0, 0), StatusFull)
	}
	refused(t, p.store.ProduceBatch(1, []byte("q"), []byte("1"), []uint64{1}, 0, 0), StatusFull)
	core.crowded.Store(false)
	accepted(t, p.store.Produce(1, []byte("q"), []byte("1"), 0, 0))
}
