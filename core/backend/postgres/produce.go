package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// A statement stores at most so many messages, of so many bytes in all; the
// server keeps a statement's parameters in memory, some of them twice.
const (
	produceMost  = 20_000
	produceBytes = 16 << 20
)

// MessageProduce implements backend.MessageBackend. What fits into one statement
// is one round trip; more is several statements in one transaction.
func (b *Backend) MessageProduce(ctx context.Context, p *backend.MessageProduceParams) ([]int64, error) {
	var ids []int64
	if len(p.Payloads) == 0 {
		return ids, nil
	}
	err := b.do(ctx, false, func(ctx context.Context, c *pgxpool.Conn) error {
		ids = ids[:0] // of a try that was rolled back
		first := pieceOf(p.Payloads)
		if len(first) == len(p.Payloads) {
			return b.enqueue(ctx, c, p, first, &ids)
		}
		return pgx.BeginTxFunc(ctx, c, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
			for left := p.Payloads; len(left) > 0; {
				piece := pieceOf(left)
				if err := b.enqueue(ctx, tx, p, piece, &ids); err != nil {
					return err
				}
				left = left[len(piece):]
			}
			return nil
		})
	})
	if err != nil {
		return nil, payloadFailure(err)
	}
	return ids, nil
}

// pieceOf returns as many of the first payloads as one statement may have, at
// least one.
func pieceOf(payloads [][]byte) [][]byte {
	size := 0
	for i, p := range payloads {
		if size += len(p); i > 0 && (i == produceMost || size > produceBytes) {
			return payloads[:i]
		}
	}
	return payloads
}

// enqueue stores payloads and appends their ids.
func (b *Backend) enqueue(ctx context.Context, c interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, p *backend.MessageProduceParams, payloads [][]byte, ids *[]int64) error {
	var stored []int64
	err := c.QueryRow(ctx, b.sql.MessageProduce, b.mode.args(
		p.QueueID, payloadArray(payloads), p.Delay, orNull(p.WorkerID), moment(p.At))...).Scan(&stored)
	*ids = append(*ids, stored...)
	return err
}

// payloadFailure: what the server has to say about values here, it says about
// payloads. Core has checked them, so this is seldom.
func payloadFailure(err error) error {
	var server *pgconn.PgError
	var e *backend.Error
	if errors.As(err, &e) && errors.Is(err, backend.ErrInvalid) && errors.As(err, &server) {
		switch server.Code {
		case "22P02", "22021", "22P05", "22032": // not JSON, not UTF-8, not storable
			e.Kind = backend.ErrSerialization
		}
	}
	return err
}
