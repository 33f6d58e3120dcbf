package backendtest

import (
	"context"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var lifetimeTests = []test{
	{"backends on the same queues have one identity", identityIsShared},
	{"a second backend sees what the first did", secondSees},
	{"an operation whose context has ended does nothing", endedContext},
	{"a closed backend refuses every operation", closedRefuses},
	{"closing one backend leaves the other alone", closeIsOnesOwn},
	{"what a durable backend stored is there when it is opened again", durableSurvives},
	{"without a moment the clock counts", clockCounts},
}

func identityIsShared(f *fixture) {
	other, stranger := f.h.second(f, f.b), f.h.open(f)
	if f.b.Identity() == "" || f.b.Identity() != other.Identity() {
		f.Errorf("identities of one store are %q and %q", f.b.Identity(), other.Identity())
	}
	if f.b.Identity() == stranger.Identity() {
		f.Errorf("two stores have the identity %q", f.b.Identity())
	}
	if f.b.Capabilities() != other.Capabilities() {
		f.Errorf("capabilities of one store are %+v and %+v", f.b.Capabilities(), other.Capabilities())
	}
}

func secondSees(f *fixture) {
	ids := f.produce(2)
	m := f.dequeue(1)
	f.b = f.h.second(f, f.b)
	f.wantIDs(f.dequeue(2), ids[1])
	f.wantOutcomes(f.archive(deliveryOf(m[0])), backend.Settled)
	f.wantCounts(backend.MessageCounts{Leased: 1, Archived: 1})
}

// operation is one call with valid arguments.
type operation struct {
	name string
	do   func(ctx context.Context) error
}

// operations are all of a Backend, on a delivery that is held.
func (f *fixture) operations(d backend.Delivery) []operation {
	b, q := f.b, f.queue
	deliveries := []backend.Delivery{d}
	return []operation{
		{"QueueCreate", func(ctx context.Context) error {
			_, err := b.QueueCreate(ctx, &backend.QueueCreateParams{Name: "never"})
			return err
		}},
		{"QueueEnsure", func(ctx context.Context) error {
			_, err := b.QueueEnsure(ctx, &backend.QueueEnsureParams{Name: "never"})
			return err
		}},
		{"QueueGet", func(ctx context.Context) error {
			_, err := b.QueueGet(ctx, &backend.QueueGetParams{Name: "never"})
			return err
		}},
		{"QueuePurge", func(ctx context.Context) error {
			_, err := b.QueuePurge(ctx, &backend.QueuePurgeParams{QueueID: q})
			return err
		}},
		{"QueueMerge", func(ctx context.Context) error {
			_, err := b.QueueMerge(ctx, &backend.QueueMergeParams{QueueID: q, Age: time.Hour, At: f.now})
			return err
		}},
		{"WorkerRegister", func(ctx context.Context) error {
			_, err := b.WorkerRegister(ctx, &backend.WorkerRegisterParams{QueueID: q, Hostname: "h", At: f.now})
			return err
		}},
		{"WorkerMove", func(ctx context.Context) error {
			_, err := b.WorkerMove(ctx, &backend.WorkerMoveParams{IDs: []int64{1}, To: backend.WorkerReady, At: f.now})
			return err
		}},
		{"WorkerBeat", func(ctx context.Context) error {
			_, err := b.WorkerBeat(ctx, &backend.WorkerBeatParams{IDs: []int64{1}, At: f.now})
			return err
		}},
		{"WorkerGet", func(ctx context.Context) error {
			_, err := b.WorkerGet(ctx, &backend.WorkerGetParams{ID: 1, At: f.now})
			return err
		}},
		{"WorkerList", func(ctx context.Context) error {
			_, err := b.WorkerList(ctx, &backend.WorkerListParams{Limit: 1, At: f.now})
			return err
		}},
		{"WorkerHealth", func(ctx context.Context) error {
			_, err := b.WorkerHealth(ctx, &backend.WorkerHealthParams{At: f.now})
			return err
		}},
		{"WorkerPurge", func(ctx context.Context) error {
			_, err := b.WorkerPurge(ctx, &backend.WorkerPurgeParams{StoppedFor: lease, SilentFor: lease, Limit: 1, At: f.now})
			return err
		}},
		{"WorkerHeld", func(ctx context.Context) error {
			_, err := b.WorkerHeld(ctx, &backend.WorkerHeldParams{QueueID: q, WorkerID: 1, Limit: 1, At: f.now})
			return err
		}},
		{"MessageProduce", func(ctx context.Context) error {
			_, err := b.MessageProduce(ctx, &backend.MessageProduceParams{QueueID: q, Payloads: ones(1), At: f.now})
			return err
		}},
		{"MessageDequeue", func(ctx context.Context) error {
			_, err := b.MessageDequeue(ctx, &backend.MessageDequeueParams{QueueID: q, Limit: 1, VT: lease, At: f.now})
			return err
		}},
		{"MessageArchive", func(ctx context.Context) error {
			_, err := b.MessageArchive(ctx, &backend.MessageArchiveParams{QueueID: q, Deliveries: deliveries, At: f.now})
			return err
		}},
		{"MessageDelete", func(ctx context.Context) error {
			_, err := b.MessageDelete(ctx, &backend.MessageDeleteParams{QueueID: q, Deliveries: deliveries, At: f.now})
			return err
		}},
		{"MessageRelease", func(ctx context.Context) error {
			_, err := b.MessageRelease(ctx, &backend.MessageReleaseParams{QueueID: q, Deliveries: deliveries, At: f.now})
			return err
		}},
		{"MessageExtend", func(ctx context.Context) error {
			_, err := b.MessageExtend(ctx, &backend.MessageExtendParams{QueueID: q, Deliveries: deliveries, By: lease, At: f.now})
			return err
		}},
		{"MessageGet", func(ctx context.Context) error {
			_, err := b.MessageGet(ctx, &backend.MessageGetParams{ID: d.ID})
			return err
		}},
		{"MessageCount", func(ctx context.Context) error {
			_, err := b.MessageCount(ctx, &backend.MessageCountParams{QueueID: q, At: f.now})
			return err
		}},
		{"ListenerOpen", func(ctx context.Context) error {
			l, err := b.ListenerOpen(ctx)
			if err == nil {
				f.must("Listener.Close", l.Close())
			}
			return err
		}},
		{"QueueNotify", func(ctx context.Context) error {
			return b.QueueNotify(ctx, &backend.QueueNotifyParams{QueueIDs: []int64{q}})
		}},
	}
}

func endedContext(f *fixture) {
	f.produce(2)
	m := f.dequeue(1)[0]
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	for _, op := range f.operations(deliveryOf(m)) {
		f.wantError(op.name+" with an ended context", op.do(ctx), context.Canceled)
	}
	f.wantCounts(backend.MessageCounts{Ready: 1, Leased: 1})
	_, err := f.b.QueueGet(f.ctx, &backend.QueueGetParams{Name: "never"})
	f.wantError("QueueGet", err, backend.ErrQueueNotFound)
	if x := f.extend(backend.ExtendKeep, 0, deliveryOf(m)); !x[0].Held || !x[0].VT.Equal(m.VT) {
		f.Errorf("the lease is %+v, want until %v", x[0], m.VT)
	}
}

func closedRefuses(f *fixture) {
	f.produce(1)
	m := f.dequeue(1)[0]
	f.b = f.h.second(f, f.b)
	f.must("Close", f.b.Close())
	f.must("a second Close", f.b.Close())
	for _, op := range f.operations(deliveryOf(m)) {
		f.wantError(op.name+" on a closed backend", op.do(f.ctx), backend.ErrClosed)
	}
}

func closeIsOnesOwn(f *fixture) {
	ids := f.produce(1)
	f.must("Close", f.h.second(f, f.b).Close())
	f.wantIDs(f.dequeue(1), ids...)
}

// durableSurvives ends with the last Backend where nothing is promised beyond it.
func durableSurvives(f *fixture) {
	first := newFixture(f, f.h, f.h.open(f))
	ids := first.produce(2)
	done := deliveryOf(first.dequeue(1)[0])
	first.archive(done)
	first.must("Close", first.b.Close())
	if !first.b.Capabilities().Durable {
		return
	}
	first.b = f.h.second(f, first.b)
	first.wantCounts(backend.MessageCounts{Ready: 1, Archived: 1})
	first.wantIDs(first.dequeue(10), ids[1])
	first.wantOutcomes(first.archiveAgain(done), backend.SettledBefore)
}

// clockCounts leaves At out everywhere.
func clockCounts(f *fixture) {
	f.now = time.Time{}
	f.produce(1)
	f.produceDelayed(1, time.Hour)
	m := f.dequeue(10)
	if len(m) != 1 || !m[0].VT.Equal(m[0].DequeuedAt.Add(lease)) || m[0].EnqueuedAt.After(m[0].DequeuedAt) {
		f.Fatalf("dequeued %+v", m)
	}
	f.wantVT(f.extend(backend.ExtendGrow, lease, deliveryOf(m[0])), m[0].VT.Add(lease))
	f.wantCounts(backend.MessageCounts{Leased: 1, Delayed: 1})
	f.wantOutcomes(f.archive(deliveryOf(m[0])), backend.Settled)
	f.wantCounts(backend.MessageCounts{Delayed: 1, Archived: 1})
}
