package bridge

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// patience bounds every wait of the tests for something that must come.
const patience = 30 * time.Second

// goMemory is Memory that counts: what is freed twice, or never, fails the test.
type goMemory struct {
	mu     sync.Mutex
	blocks map[unsafe.Pointer][]uint64
	wild   int // frees of what was not allocated
	none   atomic.Bool
}

func newGoMemory() *goMemory { return &goMemory{blocks: make(map[unsafe.Pointer][]uint64)} }

func (m *goMemory) Allocate(size int) unsafe.Pointer {
	if m.none.Load() {
		return nil
	}
	block := make([]uint64, max(1, (size+7)/8)) // aligned like malloc's
	for i := range block {
		block[i] = 0xDDDDDDDDDDDDDDDD // malloc does not clear, either
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blocks[unsafe.Pointer(&block[0])] = block
	return unsafe.Pointer(&block[0])
}

func (m *goMemory) Free(p unsafe.Pointer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.blocks[p]; !ok {
		m.wild++
	}
	delete(m.blocks, p)
}

func (m *goMemory) check(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.blocks) != 0 || m.wild != 0 {
		t.Errorf("%d blocks were not freed, %d were freed that are none", len(m.blocks), m.wild)
	}
}

// fakeCore is a Core whose methods do what the test says; those that are nil
// wait for their context.
type fakeCore struct {
	crowded  atomic.Bool // HasRoom says no
	register func()
	produce  func(ctx context.Context, queue string, payload []byte, done func(int64, error))
	dequeue  func(ctx context.Context) (*Batch, error)
	batch    func(ctx context.Context, payloads [][]byte) ([]int64, error)
	next     func(ctx context.Context) (*Batch, error)
	settle   func(what pgqrs.Settlement, t pgqrs.Target) ([]backend.Extension, error)
	close    func() error

	closes        atomic.Int32
	closedStreams atomic.Int32
}

func (f *fakeCore) ProduceAsync(ctx context.Context, queue string, payload []byte, _ pgqrs.ProduceOptions, done func(int64, error)) {
	if f.produce != nil {
		f.produce(ctx, queue, payload, done)
		return
	}
	context.AfterFunc(ctx, func() { done(0, context.Cause(ctx)) })
}

func (f *fakeCore) Admit(_ context.Context, queue string, _ [][]byte, _ pgqrs.ProduceOptions, batch bool) (*pgqrs.Admission, error) {
	return &pgqrs.Admission{Identity: queue, Schema: "s", MakeQueue: batch}, nil
}

func (f *fakeCore) Detach(_ context.Context, t pgqrs.Target) (*pgqrs.Detachment, error) {
	return &pgqrs.Detachment{Identity: "here", Schema: "s", QueueID: t.QueueID, Deliveries: t.Deliveries}, nil
}

func (f *fakeCore) ProduceBatchAsync(ctx context.Context, _ string, payloads [][]byte, _ pgqrs.ProduceOptions, done func([]int64, error)) {
	go func() {
		if f.batch != nil {
			done(f.batch(ctx, payloads))
			return
		}
		done(nil, wait(ctx))
	}()
}

func (f *fakeCore) ProduceKeyedAsync(_ context.Context, _ string, _ [][]byte, keys []string, _ pgqrs.ProduceOptions, _ bool, done func([]pgqrs.Produced, error)) {
	all := make([]pgqrs.Produced, len(keys))
	for i, key := range keys {
		all[i] = pgqrs.Produced{ID: int64(i + 1), Deduplicated: key == "taken"}
	}
	done(all, nil)
}

func (f *fakeCore) HasRoom() bool { return !f.crowded.Load() }

func (f *fakeCore) Register(ctx context.Context, _ pgqrs.Role, _, _ string, port int) (*backend.Worker, error) {
	if f.register != nil {
		f.register()
	}
	return &backend.Worker{ID: 7, QueueID: 3, Port: int32(port)}, nil
}

func (f *fakeCore) DequeueAsync(ctx context.Context, _ int64, _ int, _ time.Duration, done func(*Batch, error)) {
	go func() {
		if f.dequeue != nil {
			done(f.dequeue(ctx))
			return
		}
		done(nil, wait(ctx))
	}()
}

func (f *fakeCore) Next(ctx context.Context) (*Batch, error) {
	if f.next != nil {
		return f.next(ctx)
	}
	return nil, wait(ctx)
}

// SettleAsync never answers when the test says nothing.
func (f *fakeCore) SettleAsync(what pgqrs.Settlement, t pgqrs.Target, done func([]backend.Extension, error)) {
	if f.settle != nil {
		done(f.settle(what, t))
	}
}

// Administered is nothing: what requests do is tested with the real core.
func (f *fakeCore) Administered() *pgqrs.Store { return nil }

// Close is that of the store; streamOnly has the one of a stream.
func (f *fakeCore) Close(context.Context) error {
	f.closes.Add(1)
	if f.close != nil {
		return f.close()
	}
	return nil
}

func wait(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// streamOnly gives a fakeCore's stream a Close of its own.
type streamOnly struct{ *fakeCore }

func (s streamOnly) Close(context.Context) error {
	s.closedStreams.Add(1)
	return nil
}

// fakeKeeper counts what becomes of a batch.
type fakeKeeper struct {
	moved   atomic.Int32
	freed   atomic.Int32
	control atomic.Pointer[pgqrs.BatchControl]
}

func (k *fakeKeeper) MoveControl(c *pgqrs.BatchControl) {
	k.moved.Add(1)
	*c = pgqrs.BatchControl{VTMicros: 41, DeliverByNanos: 42}
	k.control.Store(c)
}

func (k *fakeKeeper) Free() { k.freed.Add(1) }

func newBatch(k Keeper, payloads ...string) *Batch {
	b := &Batch{
		QueueID: 3, Lease: 1001, WorkerID: 9, DequeuedAt: time.UnixMicro(1700000000000001), Keeper: k,
	}
	for i, p := range payloads {
		b.Messages = append(b.Messages, backend.Message{
			ID: int64(100 + i), Payload: []byte(p), EnqueuedAt: time.UnixMicro(1600000000000000 + int64(i)),
			ReadCount: int32(i + 1), ProducerWorkerID: int64(50 + i),
		})
	}
	return b
}

// program is a store as a program uses it: it submits, and drains completions.
type program struct {
	t       *testing.T
	library *Library
	memory  *goMemory
	store   *Store
	core    *fakeCore
	ready   []Completion // drained and not looked for yet
	asked   uint64       // the number of the last request
}

const connectOp = 1 << 60

// connected opens a store on a fake core. At the end of the test it is freed,
// and nothing may be left.
func connected(t *testing.T, core *fakeCore) *program {
	t.Helper()
	p := opening(t, core, func(context.Context, []byte, Hooks) (Core, error) { return asCore{core}, nil })
	if c := p.wait(connectOp); c.Status != StatusOK || c.Kind != ResultNone {
		t.Fatalf("connect completed with %+v", c)
	}
	return p
}

// asCore opens streams that can tell their Close from the store's.
type asCore struct{ *fakeCore }

func (c asCore) Stream(string, pgqrs.StreamOptions) (Source, error) {
	return streamOnly(c), nil
}

func opening(t *testing.T, core *fakeCore, open Opener) *program {
	t.Helper()
	p := &program{t: t, memory: newGoMemory(), core: core}
	p.library = NewLibrary(p.memory, open)
	s, refusal := p.library.Connect(connectOp, []byte("{}"))
	if refusal != nil {
		t.Fatal(refusal)
	}
	p.store = s
	t.Cleanup(func() {
		s.Free()
		for _, c := range p.ready {
			p.library.discard(c)
		}
		ended := make(chan struct{})
		go func() { p.library.goroutines.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("goroutines of the store go on after it was freed")
		}
		p.memory.check(t)
	})
	return p
}

// wait drains until the completion of that operation has come.
func (p *program) wait(op uint64) Completion {
	p.t.Helper()
	for {
		for i, c := range p.ready {
			if c.Op == op {
				p.ready = append(p.ready[:i:i], p.ready[i+1:]...)
				return c
			}
		}
		if ok, refusal := p.store.Wait(patience); !ok {
			p.t.Fatalf("operation %d does not complete (%v)", op, refusal)
		}
		var out [7]Completion
		n, _ := p.store.Drain(out[:])
		p.ready = append(p.ready, out[:n]...)
	}
}

// expect waits for an operation and frees what it brought.
func (p *program) expect(op uint64, status Status) string {
	p.t.Helper()
	c := p.wait(op)
	message := ""
	if c.Kind == ResultError {
		h := (*ErrorHeader)(c.Data)
		message = string(unsafe.Slice((*byte)(unsafe.Add(c.Data, errorHeaderSize)), h.Length))
	}
	p.library.discard(c)
	if c.Status != status {
		p.t.Fatalf("operation %d completed with %d %q, not %d", op, c.Status, message, status)
	}
	return message
}

func accepted(t *testing.T, r *Refusal) {
	t.Helper()
	if r != nil {
		t.Fatalf("refused: %d %s", r.Status, r.Message)
	}
}

func refused(t *testing.T, r *Refusal, status Status) {
	t.Helper()
	if r == nil || r.Status != status || r.Message == "" {
		t.Fatalf("got %+v, not a refusal with %d", r, status)
	}
}

// endOfQueue is a stream's Next that has nothing any more.
func endOfQueue(context.Context) (*Batch, error) { return nil, io.EOF }
