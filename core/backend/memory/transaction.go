package memory

import (
	"context"

	"github.com/pgqrs/pgqrs/core/backend"
)

// errNoTransactions: there is no database here in which a caller could have one.
func errNoTransactions() error {
	return backend.Errorf(backend.ErrInvalid, "a store on memory:// has no database in which a transaction could be")
}

// MessageProduceTx implements backend.TransactionBackend: it refuses.
func (b *Backend) MessageProduceTx(context.Context, backend.Tx, *backend.MessageProduceTxParams) ([]int64, error) {
	return nil, errNoTransactions()
}

// MessageProduceKeyedTx implements backend.DedupBackend: it refuses.
func (b *Backend) MessageProduceKeyedTx(context.Context, backend.Tx, *backend.MessageProduceKeyedTxParams) ([]backend.Produced, error) {
	return nil, errNoTransactions()
}

// MessageDetach implements backend.TransactionBackend: it refuses.
func (b *Backend) MessageDetach(context.Context, *backend.MessageDetachParams) ([]backend.Delivery, error) {
	return nil, errNoTransactions()
}

// MessageArchiveTx implements backend.TransactionBackend: it refuses.
func (b *Backend) MessageArchiveTx(context.Context, backend.Tx, *backend.MessageSettleTxParams) ([]backend.Outcome, error) {
	return nil, errNoTransactions()
}

// MessageDeleteTx implements backend.TransactionBackend: it refuses.
func (b *Backend) MessageDeleteTx(context.Context, backend.Tx, *backend.MessageSettleTxParams) ([]backend.Outcome, error) {
	return nil, errNoTransactions()
}
