package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgqrs/pgqrs/core/backend"
)

// callers is the caller's transaction as pgx has it. All that we do there are
// single statements: no setting is made, and no savepoint.
func callers(tx backend.Tx) (pgx.Tx, error) {
	t, ok := tx.(pgx.Tx)
	if !ok || t == nil {
		return nil, backend.Errorf(backend.ErrInvalid, "the transaction must be a pgx.Tx of github.com/jackc/pgx/v5, not %T", tx)
	}
	return t, nil
}

// MessageProduceTx implements backend.TransactionBackend.
func (b *Backend) MessageProduceTx(ctx context.Context, tx backend.Tx, p *backend.MessageProduceTxParams) ([]int64, error) {
	t, err := callers(tx)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, 0, len(p.Payloads))
	for left := p.Payloads; len(left) > 0; {
		piece := pieceOf(left)
		left = left[len(piece):]
		var stored []int64
		err := t.QueryRow(ctx, b.sql.MessageProduceTx,
			b.identity, p.Queue, textsOf(piece), p.Delay.Microseconds(), p.WorkerID, p.MakeQueue).Scan(&stored)
		if err != nil {
			return nil, payloadFailure(b.failureInside(ctx, err))
		}
		ids = append(ids, stored...)
	}
	return ids, nil
}

// textsOf are payloads as any protocol of pgx sends them.
func textsOf(payloads [][]byte) []string {
	texts := make([]string, len(payloads))
	for i, payload := range payloads {
		texts[i] = string(payload)
	}
	return texts
}

// MessageDetach implements backend.TransactionBackend.
func (b *Backend) MessageDetach(ctx context.Context, p *backend.MessageDetachParams) ([]backend.Delivery, error) {
	answers, err := b.settle(ctx, p.QueueID, p.Deliveries, settling{
		sql: b.sql.MessageDetach, rest: same(), extra: func(a *answer) []any { return []any{&a.detached} },
	})
	if err != nil {
		return nil, err
	}
	detached := make([]backend.Delivery, len(p.Deliveries))
	for i, d := range p.Deliveries {
		detached[i].ID = d.ID
		if a := find(answers, d); a != nil {
			detached[i].Lease = a.detached
		}
	}
	return detached, nil
}

// MessageArchiveTx implements backend.TransactionBackend.
func (b *Backend) MessageArchiveTx(ctx context.Context, tx backend.Tx, p *backend.MessageSettleTxParams) ([]backend.Outcome, error) {
	return b.settleInside(ctx, tx, b.sql.MessageArchiveTx, p)
}

// MessageDeleteTx implements backend.TransactionBackend.
func (b *Backend) MessageDeleteTx(ctx context.Context, tx backend.Tx, p *backend.MessageSettleTxParams) ([]backend.Outcome, error) {
	return b.settleInside(ctx, tx, b.sql.MessageDeleteTx, p)
}

func (b *Backend) settleInside(ctx context.Context, tx backend.Tx, sql string, p *backend.MessageSettleTxParams) ([]backend.Outcome, error) {
	t, err := callers(tx)
	if err != nil {
		return nil, err
	}
	leases, ids := make([]int64, len(p.Deliveries)), make([]int64, len(p.Deliveries))
	for i, d := range p.Deliveries {
		leases[i], ids[i] = d.Lease, d.ID
	}
	var settled []int64
	if err := t.QueryRow(ctx, sql, b.identity, p.QueueID, leases, ids).Scan(&settled); err != nil {
		return nil, b.failureInside(ctx, err)
	}
	slices.Sort(settled)
	all := make([]backend.Outcome, len(p.Deliveries))
	for i, id := range ids {
		if _, ok := slices.BinarySearch(settled, id); ok {
			all[i] = backend.Settled
		}
	}
	return all, nil
}

// failureInside is failure for a statement in the caller's transaction: only the
// caller can begin that anew, and nothing of it was committed.
func (b *Backend) failureInside(ctx context.Context, err error) error {
	err = b.failure(ctx, err, false)
	var e *backend.Error
	if !errors.As(err, &e) {
		return err
	}
	e.SafeToRetry, e.MaybeCommitted = false, false
	var server *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrTxClosed):
		e.Kind, e.Message = backend.ErrInvalid, "the transaction has ended already"
	case !errors.As(err, &server):
	case server.Code == stateOtherStore:
		e.Kind, e.Message = backend.ErrInvalid, "the transaction is not of the store's database: "+server.Message
	case server.Code == stateIsolation:
		e.Kind = backend.ErrInvalid
	case server.Code == stateUndefinedTable, server.Code == stateUndefinedFunction, server.Code == stateUndefinedSchema:
		e.Kind = backend.ErrInvalid
		e.Message = fmt.Sprintf("the transaction is not of the store's database, or its pgqrs is older: in the schema %q there, %s", b.schema, server.Message)
	}
	return err
}
