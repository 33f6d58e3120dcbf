package pgqrs

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Message is one delivered message: its record, and what can be done with it.
// The methods settle this very delivery: they answer false when its lease does
// not hold the message any more.
type Message struct {
	backend.Message
	store *Store
	over  atomic.Bool // settled through this value
}

// Unmarshal decodes the payload into v, as json.Unmarshal does.
func (m *Message) Unmarshal(v any) error {
	if err := json.Unmarshal(m.Payload, v); err != nil {
		return fmt.Errorf("payload of message %d: %w", m.ID, err)
	}
	return nil
}

func (m *Message) target() Target {
	return Target{QueueID: m.QueueID, WorkerID: m.ConsumerWorkerID, Deliveries: []backend.Delivery{{Lease: m.Lease, ID: m.ID}}}
}

// Archive moves the message to the archive.
func (m *Message) Archive(ctx context.Context) (bool, error) {
	return m.settled(m.store.Archive(ctx, m.target()))
}

// Delete removes the message without a trace.
func (m *Message) Delete(ctx context.Context) (bool, error) {
	return m.settled(m.store.Delete(ctx, m.target()))
}

// ArchiveTx moves the message to the archive inside the caller's transaction (see
// Tx), which must be READ COMMITTED: true says that it is archived if that commits.
// When it rolls back, the message is leased until VT as before, but a consume loop
// keeps it no more, and settles it as the handler's answer says.
func (m *Message) ArchiveTx(ctx context.Context, tx Tx) (bool, error) {
	return only(m.store.ArchiveTx(ctx, tx, m.target()))
}

// DeleteTx removes the message without a trace, inside the caller's transaction;
// otherwise like ArchiveTx.
func (m *Message) DeleteTx(ctx context.Context, tx Tx) (bool, error) {
	return only(m.store.DeleteTx(ctx, tx, m.target()))
}

// Release makes the message ready again delay after now.
func (m *Message) Release(ctx context.Context, delay time.Duration) (bool, error) {
	return m.settled(m.store.Release(ctx, m.target(), delay))
}

// Fail ends the delivery as failed, as a consume loop does whose handler returned err:
// see Store.Fail. delay may be DelayByPolicy.
func (m *Message) Fail(ctx context.Context, err error, delay time.Duration) (bool, error) {
	f := Failure{Delay: delay}
	if err != nil {
		f.Error = err.Error()
	}
	return m.settled(m.store.Fail(ctx, m.target(), []Failure{f}, backend.RetryPolicy{}))
}

// ExtendVT makes the lease end that much later, and VT follows: nobody else may
// read or extend it at the same time.
func (m *Message) ExtendVT(ctx context.Context, by time.Duration) (bool, error) {
	answers, err := m.store.ExtendVT(ctx, m.target(), by)
	if err != nil || !answers[0].Held {
		return false, err
	}
	m.VT = answers[0].VT
	return true, nil
}

// settled takes the answer of a call that ends the delivery.
func (m *Message) settled(answers []bool, err error) (bool, error) {
	held, err := only(answers, err)
	if held {
		m.over.Store(true)
	}
	return held, err
}

// only takes the one answer of a call with one delivery.
func only(answers []bool, err error) (bool, error) {
	return err == nil && answers[0], err
}
