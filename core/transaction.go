package pgqrs

import (
	"context"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Tx is a transaction of the caller on the database of the store, on a connection
// of the caller's own: a pgx.Tx (github.com/jackc/pgx/v5), a savepoint
// (Tx.Begin) included. pgqrs runs single statements there; it neither ends the
// transaction nor changes a setting of its session.
type Tx = backend.Tx

// ProduceTx stores payloads, JSON texts, inside the caller's transaction: they are
// there when it commits, and never were when it rolls back; consumers that sleep
// wake then. The payloads are checked as by ProduceBatch. A queue that is missing
// is made beforehand and committed, so that nobody waits for the caller.
func (s *Store) ProduceTx(ctx context.Context, tx Tx, queue string, payloads [][]byte, o ProduceOptions) ([]int64, error) {
	if _, err := s.Admit(ctx, queue, payloads, o, true); err != nil {
		return nil, err
	}
	if len(payloads) == 0 {
		return []int64{}, nil
	}
	return s.backend.MessageProduceTx(ctx, tx, &backend.MessageProduceTxParams{
		Queue: queue, MakeQueue: s.config.AutoCreateQueues, Payloads: payloads, Delay: o.Delay, WorkerID: o.WorkerID,
	})
}

// ArchiveTx moves the messages to the archive inside the caller's transaction, which
// must be READ COMMITTED. One answer per delivery, in order: true says that it is
// archived if the transaction commits. Before, each is given a lease of its own,
// committed (Detach tells what follows from that), so that others whose messages
// were leased together with these do not wait for the caller.
func (s *Store) ArchiveTx(ctx context.Context, tx Tx, t Target) ([]bool, error) {
	return s.settleTx(ctx, tx, t, s.backend.MessageArchiveTx)
}

// DeleteTx removes the messages without a trace inside the caller's transaction, and
// is otherwise like ArchiveTx.
func (s *Store) DeleteTx(ctx context.Context, tx Tx, t Target) ([]bool, error) {
	return s.settleTx(ctx, tx, t, s.backend.MessageDeleteTx)
}

func (s *Store) settleTx(ctx context.Context, tx Tx, t Target,
	settle func(context.Context, Tx, *backend.MessageSettleTxParams) ([]backend.Outcome, error)) ([]bool, error) {
	d, err := s.Detach(ctx, t)
	if err != nil {
		return nil, err
	}
	p := &backend.MessageSettleTxParams{QueueID: d.QueueID}
	for _, delivery := range d.Deliveries {
		if delivery.Lease != 0 {
			p.Deliveries = append(p.Deliveries, delivery)
		}
	}
	answers := make([]bool, len(d.Deliveries))
	if len(p.Deliveries) == 0 {
		return answers, nil
	}
	outcomes, err := settle(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	for i, delivery := range d.Deliveries {
		if delivery.Lease != 0 {
			answers[i], outcomes = outcomes[0] == backend.Settled, outcomes[1:]
		}
	}
	return answers, nil
}

// producing stores a batch: Store.ProduceBatch, or ProduceTx in some transaction.
type producing func(ctx context.Context, queue string, payloads [][]byte, o ProduceOptions) ([]int64, error)

func (s *Store) producingIn(tx Tx) producing {
	return func(ctx context.Context, queue string, payloads [][]byte, o ProduceOptions) ([]int64, error) {
		return s.ProduceTx(ctx, tx, queue, payloads, o)
	}
}

// Admission is what a binding needs to store messages in a transaction itself.
type Admission struct {
	// Identity of the store's schema: the function that stores refuses another.
	Identity string
	// Schema has the function.
	Schema string
	// MakeQueue: the function may make the queue, should it have gone again.
	MakeQueue bool
}

// Admit makes sure that messages may be stored inside a transaction of the caller,
// for bindings whose program holds the connection: it checks all that ProduceBatch
// checks (batch), or Produce, with the same errors, and makes a queue that is
// missing, committed.
func (s *Store) Admit(ctx context.Context, queue string, payloads [][]byte, o ProduceOptions, batch bool) (*Admission, error) {
	if err := s.checkTransactions(); err != nil {
		return nil, err
	}
	p := &production{ctx: ctx, payloads: payloads, options: o, batch: batch}
	if err := s.checkCall(p, queue); err != nil {
		return nil, err
	}
	if err := s.checkProduction(p); err != nil {
		return nil, err
	}
	admission := &Admission{Identity: s.backend.Identity(), Schema: s.config.Schema, MakeQueue: s.config.AutoCreateQueues}
	if len(payloads) == 0 {
		return admission, nil
	}
	return admission, s.retryWhileSafe(ctx, func() error {
		_, err := s.queue(ctx, queue)
		return err
	})
}

// checkTransactions refuses where nobody can have a transaction.
func (s *Store) checkTransactions() error {
	if !s.backend.Capabilities().Transactions {
		return errInvalid("this store has no database in which a transaction could be (memory://)")
	}
	return nil
}
