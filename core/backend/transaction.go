package backend

import (
	"context"
	"time"
)

// Tx is a transaction of the caller, on a connection that is not the backend's.
// Which kinds of transaction a backend can work in is for it to say: the postgres
// backend takes a pgx.Tx (v5), which has these methods and others. Nothing here
// calls them: the transaction is the caller's to end.
type Tx interface {
	Commit(ctx context.Context) error
	Rollback(ctx context.Context) error
}

// TransactionBackend works inside a transaction of the caller: what it does there
// is visible when that commits, and never was when it rolls back. A backend that
// cannot do so (Capabilities.Transactions) answers ErrInvalid, as for a transaction
// of a kind, or of a database, that is not its own. Nothing is asked twice: an
// error has ended the transaction in most databases, so that only its owner can
// begin anew, and none says SafeToRetry.
type TransactionBackend interface {
	// MessageProduceTx is MessageProduce in the caller's transaction. Listeners
	// hear of it when that commits.
	MessageProduceTx(ctx context.Context, tx Tx, p *MessageProduceTxParams) ([]int64, error)

	// MessageDetach gives deliveries, in a transaction of its own, a lease that they
	// share with no others, and changes nothing else. One Delivery per delivery, in
	// order; its Lease is 0 where it was not held.
	MessageDetach(ctx context.Context, p *MessageDetachParams) ([]Delivery, error)
	// MessageArchiveTx and MessageDeleteTx settle detached deliveries in the
	// caller's transaction. Until that has ended they are nobody else's; when it
	// rolls back they are leased as before. One Outcome per delivery, in order.
	MessageArchiveTx(ctx context.Context, tx Tx, p *MessageSettleTxParams) ([]Outcome, error)
	MessageDeleteTx(ctx context.Context, tx Tx, p *MessageSettleTxParams) ([]Outcome, error)
}

// MessageProduceTxParams describes messages that share one fate. The queue is
// named: should it have been deleted since core made it, it is made again inside
// the transaction, with MakeQueue, or else ErrQueueNotFound.
type MessageProduceTxParams struct {
	Queue     string
	MakeQueue bool
	Payloads  [][]byte
	Delay     time.Duration
	WorkerID  int64 // 0: none
}

// MessageDetachParams names deliveries that get a lease of their own.
type MessageDetachParams struct {
	QueueID    int64
	Deliveries []Delivery
}

// MessageSettleTxParams names detached deliveries to settle.
type MessageSettleTxParams struct {
	QueueID    int64
	Deliveries []Delivery
}
