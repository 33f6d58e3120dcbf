package backendtest

import (
	"context"

	"github.com/pgqrs/pgqrs/core/backend"
)

// A transaction is of a database, so what is done inside one is tested with the
// backends that have it. Here is what is the same for all.
var transactionTests = []test{
	{"a delivery that is detached has a new lease, and nothing else is new", detachedIsHeld},
	{"what is not held cannot be detached", detachedWasHeld},
	{"what is no transaction is refused", noTransaction},
}

// detach gives deliveries a lease of their own; nil where the backend has no
// transactions, and says so.
func (f *fixture) detach(d ...backend.Delivery) []backend.Delivery {
	f.Helper()
	detached, err := f.b.MessageDetach(f.ctx, &backend.MessageDetachParams{QueueID: f.queue, Deliveries: d})
	if !f.b.Capabilities().Transactions {
		f.wantError("MessageDetach without transactions", err, backend.ErrInvalid)
		return nil
	}
	f.must("MessageDetach", err)
	return detached
}

func detachedIsHeld(f *fixture) {
	f.produce(5)
	m := f.dequeue(5)
	before := f.get(m[1].ID)
	detached := f.detach(deliveryOf(m[1]), deliveryOf(m[3]))
	if detached == nil {
		return
	}
	if len(detached) != 2 || detached[0].ID != m[1].ID || detached[0].Lease <= m[1].Lease || detached[1].ID != m[3].ID {
		f.Fatalf("detached %+v", detached)
	}
	after := f.get(m[1].ID)
	f.wantSame(after, before.Message)
	if after.Lease != detached[0].Lease || !after.VT.Equal(before.VT) || after.State != backend.StateLeased {
		f.Errorf("the record was %+v, and is %+v", before, after)
	}
	f.wantOutcomes(f.archive(deliveriesOf(m)...), backend.Settled, backend.NotHeld, backend.Settled, backend.NotHeld, backend.Settled)
	f.wantOutcomes(f.archive(detached[0]), backend.Settled)
	f.wantOutcomes(f.release(0, detached[1]), backend.Settled)
	f.wantIDs(f.dequeueAll(10), m[3].ID)
}

func detachedWasHeld(f *fixture) {
	f.produce(2)
	m := f.dequeue(2)
	f.archive(deliveryOf(m[0]))
	detached := f.detach(deliveryOf(m[0]), backend.Delivery{Lease: m[1].Lease + 1, ID: m[1].ID}, deliveryOf(m[1]))
	if detached == nil {
		return
	}
	if detached[0].Lease != 0 || detached[1].Lease != 0 || detached[2].Lease == 0 {
		f.Errorf("detached %+v", detached)
	}
}

// none has the methods of a transaction.
type none struct{}

func (none) Commit(context.Context) error   { return nil }
func (none) Rollback(context.Context) error { return nil }

func noTransaction(f *fixture) {
	for _, tx := range []backend.Tx{nil, none{}} {
		_, err := f.b.MessageProduceTx(f.ctx, tx, &backend.MessageProduceTxParams{Queue: "tasks", Payloads: [][]byte{[]byte("1")}})
		f.wantError("MessageProduceTx", err, backend.ErrInvalid)
		p := &backend.MessageSettleTxParams{QueueID: f.queue, Deliveries: []backend.Delivery{{Lease: 1, ID: 1}}}
		_, err = f.b.MessageArchiveTx(f.ctx, tx, p)
		f.wantError("MessageArchiveTx", err, backend.ErrInvalid)
		_, err = f.b.MessageDeleteTx(f.ctx, tx, p)
		f.wantError("MessageDeleteTx", err, backend.ErrInvalid)
	}
}
