package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// MessageProduceKeyed implements backend.DedupBackend. As MessageProduce does, it
// makes one round trip of what fits into one statement. More is several statements in
// one transaction; each locks its keys in their order, but not all of them together, so
// that two such calls may deadlock: then the server ends one, which is tried again.
func (b *Backend) MessageProduceKeyed(ctx context.Context, p *backend.MessageProduceKeyedParams) ([]backend.Produced, error) {
	if len(p.Payloads) == 0 {
		return nil, nil
	}
	var answers []backend.Produced
	var err error
	if first := pieceOf(p.Payloads); len(first) == len(p.Payloads) {
		err = b.transact(ctx, false, b.sql.MessageProduceKeyed, keyedArgs(p, first, p.Keys), func(rows pgx.Rows) error {
			var ids []int64
			err := each(rows, func() error { return nil }, &ids)
			answers = answersOf(ids)
			return err
		})
	} else {
		err = b.do(ctx, false, func(ctx context.Context, c *pgxpool.Conn) error {
			answers = answers[:0] // of a try that was rolled back
			return pgx.BeginTxFunc(ctx, c, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
				return inPiecesWith(p.Payloads, p.Keys, func(payloads [][]byte, keys []string) error {
					var ids []int64
					args := b.mode.args(keyedArgs(p, payloads, keys)...)
					err := tx.QueryRow(ctx, b.sql.MessageProduceKeyed, args...).Scan(&ids)
					answers = append(answers, answersOf(ids)...)
					return err
				})
			})
		})
	}
	if err != nil {
		return nil, keyTaken(payloadFailure(err))
	}
	return answers, nil
}

// MessageProduceKeyedTx implements backend.DedupBackend.
func (b *Backend) MessageProduceKeyedTx(ctx context.Context, tx backend.Tx, p *backend.MessageProduceKeyedTxParams) ([]backend.Produced, error) {
	t, err := callers(tx)
	if err != nil {
		return nil, err
	}
	var answers []backend.Produced
	err = inPiecesWith(p.Payloads, p.Keys, func(payloads [][]byte, keys []string) error {
		var ids []int64
		err := t.QueryRow(ctx, b.sql.MessageProduceKeyedTx, b.identity, p.Queue, textsOf(payloads), nullable(keys),
			p.DedupFor.Microseconds(), p.Delay.Microseconds(), p.WorkerID, p.MakeQueue).Scan(&ids)
		answers = append(answers, answersOf(ids)...)
		return err
	})
	if err != nil {
		return nil, keyTaken(payloadFailure(b.failureInside(ctx, err)))
	}
	return answers, nil
}

// DedupSweep implements backend.DedupBackend.
func (b *Backend) DedupSweep(ctx context.Context, p *backend.DedupSweepParams) (*backend.DedupSweepResult, error) {
	var r backend.DedupSweepResult
	var queue *int64
	var key *string
	args := []any{p.After.QueueID, p.After.Key, moment(p.At)}
	err := b.transact(ctx, true, b.sql.DedupSweep, args, func(rows pgx.Rows) error {
		return each(rows, func() error { return nil }, &r.Seen, &r.Swept, &queue, &key)
	})
	if err != nil {
		return nil, err
	}
	if r.More = queue != nil; r.More {
		r.After = backend.DedupPlace{QueueID: *queue, Key: *key}
	}
	return &r, nil
}

// inPiecesWith calls store with as many payloads, and their keys, as one statement may
// have, until all had their turn.
func inPiecesWith(payloads [][]byte, keys []string, store func(payloads [][]byte, keys []string) error) error {
	for len(payloads) > 0 {
		piece := pieceOf(payloads)
		n := len(piece)
		if err := store(piece, keys[:n]); err != nil {
			return err
		}
		payloads, keys = payloads[n:], keys[n:]
	}
	return nil
}

func keyedArgs(p *backend.MessageProduceKeyedParams, payloads [][]byte, keys []string) []any {
	return []any{
		p.QueueID, payloadArray(payloads), nullable(keys), p.Delay, orNull(p.DedupFor), orNull(p.WorkerID), moment(p.At),
		orNull(p.Patience),
	}
}

// nullable are keys as the functions take them: null where there is none.
func nullable(keys []string) []*string {
	all := make([]*string, len(keys))
	for i := range keys {
		if keys[i] != "" {
			all[i] = &keys[i]
		}
	}
	return all
}

// answersOf reads what pgqrs_enqueue_keyed returns.
func answersOf(ids []int64) []backend.Produced {
	answers := make([]backend.Produced, len(ids))
	for i, id := range ids {
		answers[i] = backend.Produced{ID: max(id, -id), Deduplicated: id < 0}
	}
	return answers
}

// keyTaken tells of a key that an open transaction has taken.
func keyTaken(err error) error {
	var server *pgconn.PgError
	var e *backend.Error
	if errors.As(err, &e) && errors.As(err, &server) && server.Code == stateLockNotAvailable {
		e.Message = "a transaction that is still open has stored a message with the same dedup_key: " + server.Message
	}
	return err
}
