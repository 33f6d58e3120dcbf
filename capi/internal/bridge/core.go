package bridge

import (
	"context"
	"log/slog"
	"time"
	"unsafe"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// Core is what a Store of the bridge needs of a *pgqrs.Store; OpenCore adapts
// one. Tests have a fake.
type Core interface {
	ProduceAsync(ctx context.Context, queue string, payload []byte, o pgqrs.ProduceOptions, done func(id int64, err error))
	ProduceBatchAsync(ctx context.Context, queue string, payloads [][]byte, o pgqrs.ProduceOptions, done func(ids []int64, err error))
	ProduceKeyedAsync(ctx context.Context, queue string, payloads [][]byte, keys []string, o pgqrs.ProduceOptions, batch bool, done func([]pgqrs.Produced, error))
	// HasRoom says whether these three may be called: else too much waits to be stored.
	HasRoom() bool
	Register(ctx context.Context, role pgqrs.Role, queue, hostname string, port int) (*backend.Worker, error)
	DequeueAsync(ctx context.Context, workerID int64, limit int, vt time.Duration, done func(*Batch, error))
	Stream(queue string, o pgqrs.StreamOptions) (Source, error)
	SettleAsync(what pgqrs.Settlement, t pgqrs.Target, done func([]backend.Extension, error))
	// Administered is what requests are carried out on (request.go).
	Administered() *pgqrs.Store
	Admit(ctx context.Context, queue string, payloads [][]byte, o pgqrs.ProduceOptions, batch bool) (*pgqrs.Admission, error)
	Detach(ctx context.Context, t pgqrs.Target) (*pgqrs.Detachment, error)
	Close(ctx context.Context) error
}

// Source is what a Stream needs of a *pgqrs.Stream.
type Source interface {
	Next(ctx context.Context) (*Batch, error)
	Close(ctx context.Context) error
}

// Batch is delivered messages on their way to the program.
type Batch struct {
	QueueID    int64
	Lease      int64
	WorkerID   int64
	DequeuedAt time.Time
	Messages   []backend.Message
	Keeper     Keeper
}

// Keeper is the part of a *pgqrs.Batch that lives on after its messages were
// copied into the memory of the program.
type Keeper interface {
	MoveControl(c *pgqrs.BatchControl)
	Free()
}

// Opener opens a core from the JSON text of pgqrs_connect.
type Opener func(ctx context.Context, config []byte, h Hooks) (Core, error)

// Hooks are what a core tells its store.
type Hooks struct {
	// OnPanic gets what panics in the goroutines of the core.
	OnPanic func(value any, stack []byte)
	// Logger gets what happens in the background.
	Logger *slog.Logger
}

// OpenCore is the Opener of the library.
func OpenCore(ctx context.Context, config []byte, h Hooks) (Core, error) {
	c, err := pgqrs.ParseConfig(config)
	if err != nil {
		return nil, err
	}
	c.OnPanic, c.Logger = h.OnPanic, h.Logger
	s, err := pgqrs.ConnectConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	return core{s}, nil
}

// core makes Core of a *pgqrs.Store: only what returns a concrete type there
// needs a word.
type core struct{ *pgqrs.Store }

func (c core) DequeueAsync(ctx context.Context, workerID int64, limit int, vt time.Duration, done func(*Batch, error)) {
	c.Store.DequeueAsync(ctx, workerID, limit, vt, func(b *pgqrs.Batch, err error) { done(delivered(b), err) })
}

func (c core) Stream(queue string, o pgqrs.StreamOptions) (Source, error) {
	s, err := c.OpenStream(queue, o)
	if err != nil {
		return nil, err
	}
	return source{s}, nil
}

func (c core) Administered() *pgqrs.Store { return c.Store }

type source struct{ stream *pgqrs.Stream }

func (s source) Next(ctx context.Context) (*Batch, error) {
	b, err := s.stream.Next(ctx)
	return delivered(b), err
}

func (s source) Close(ctx context.Context) error { return s.stream.Close(ctx) }

// delivered takes the messages out of a batch: once they are copied into the memory
// of the program they need not lie in Go's too, as long as the program has them.
func delivered(b *pgqrs.Batch) *Batch {
	if b == nil {
		return nil
	}
	messages := b.Messages
	b.Messages = nil
	return &Batch{
		QueueID: b.QueueID, Lease: b.Lease, WorkerID: b.WorkerID,
		DequeuedAt: b.DequeuedAt, Messages: messages, Keeper: b,
	}
}

// Memory is where results lie that the program takes: malloc in the library, so
// that it may free them at any time and in any thread.
type Memory interface {
	// Allocate returns size bytes, aligned for any record, or nil.
	Allocate(size int) unsafe.Pointer
	// Free gives back what Allocate returned.
	Free(p unsafe.Pointer)
}
