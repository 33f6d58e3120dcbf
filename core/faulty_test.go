package pgqrs_test

import (
	"context"
	"sync"

	"github.com/pgqrs/pgqrs/core/backend"
)

// faulty is a backend that fails on command. The operations are called by their
// short names: produce, produce keyed, dequeue, archive, delete, release, extend, listen, notify,
// beat.
type faulty struct {
	backend.Backend

	mu     sync.Mutex
	before map[string]func(ctx context.Context) error // an error: the operation is not done
	after  map[string]func(ctx context.Context) error // an error: its answer is lost
	calls  map[string]int
}

func newFaulty() *faulty {
	return &faulty{
		before: make(map[string]func(context.Context) error),
		after:  make(map[string]func(context.Context) error),
		calls:  make(map[string]int),
	}
}

// wrap is for place.through.
func (f *faulty) wrap(b backend.Backend) backend.Backend { f.Backend = b; return f }

func (f *faulty) failBefore(operation string, do func(context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before[operation] = do
}

func (f *faulty) failAfter(operation string, do func(context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after[operation] = do
}

func (f *faulty) countCalls(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[operation]
}

// times makes a function that returns err the first n times.
func times(n int, err error) func(context.Context) error {
	var mu sync.Mutex
	return func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if n--; n < 0 {
			return nil
		}
		return err
	}
}

func always(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func lostAnswer() error {
	return &backend.Error{Kind: backend.ErrConnection, Message: "the connection was lost", MaybeCommitted: true, Index: -1}
}

func unreachable() error {
	return &backend.Error{Kind: backend.ErrConnection, Message: "cannot reach the server", SafeToRetry: true, Index: -1}
}

// run does an operation, with what was commanded around it.
func run[P, R any](ctx context.Context, f *faulty, operation string, p P, do func(context.Context, P) (R, error)) (R, error) {
	f.mu.Lock()
	f.calls[operation]++
	before, after := f.before[operation], f.after[operation]
	f.mu.Unlock()
	var none R
	if before != nil {
		if err := before(ctx); err != nil {
			return none, err
		}
	}
	r, err := do(ctx, p)
	if err == nil && after != nil {
		if err := after(ctx); err != nil {
			return none, err
		}
	}
	return r, err
}

func (f *faulty) MessageProduce(ctx context.Context, p *backend.MessageProduceParams) ([]int64, error) {
	return run(ctx, f, "produce", p, f.Backend.MessageProduce)
}

func (f *faulty) MessageProduceKeyed(ctx context.Context, p *backend.MessageProduceKeyedParams) ([]backend.Produced, error) {
	return run(ctx, f, "produce keyed", p, f.Backend.MessageProduceKeyed)
}

func (f *faulty) MessageDequeue(ctx context.Context, p *backend.MessageDequeueParams) (*backend.MessageDequeueResult, error) {
	return run(ctx, f, "dequeue", p, f.Backend.MessageDequeue)
}

func (f *faulty) MessageArchive(ctx context.Context, p *backend.MessageArchiveParams) ([]backend.Outcome, error) {
	return run(ctx, f, "archive", p, f.Backend.MessageArchive)
}

func (f *faulty) MessageDelete(ctx context.Context, p *backend.MessageDeleteParams) ([]backend.Outcome, error) {
	return run(ctx, f, "delete", p, f.Backend.MessageDelete)
}

func (f *faulty) MessageRelease(ctx context.Context, p *backend.MessageReleaseParams) ([]backend.Outcome, error) {
	return run(ctx, f, "release", p, f.Backend.MessageRelease)
}

func (f *faulty) MessageExtend(ctx context.Context, p *backend.MessageExtendParams) ([]backend.Extension, error) {
	return run(ctx, f, "extend", p, f.Backend.MessageExtend)
}

func (f *faulty) WorkerBeat(ctx context.Context, p *backend.WorkerBeatParams) ([]backend.Worker, error) {
	return run(ctx, f, "beat", p, f.Backend.WorkerBeat)
}

func (f *faulty) ListenerOpen(ctx context.Context) (backend.Listener, error) {
	return run(ctx, f, "listen", struct{}{}, func(ctx context.Context, _ struct{}) (backend.Listener, error) {
		return f.Backend.ListenerOpen(ctx)
	})
}

func (f *faulty) QueueNotify(ctx context.Context, p *backend.QueueNotifyParams) error {
	_, err := run(ctx, f, "notify", p, func(ctx context.Context, p *backend.QueueNotifyParams) (struct{}, error) {
		return struct{}{}, f.Backend.QueueNotify(ctx, p)
	})
	return err
}
