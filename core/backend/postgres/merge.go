package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgqrs/pgqrs/core/backend"
)

// QueueMerge implements backend.QueueBackend.
func (b *Backend) QueueMerge(ctx context.Context, p *backend.QueueMergeParams) (*backend.QueueMergeResult, error) {
	var r backend.QueueMergeResult
	var upto *time.Time
	args := []any{p.QueueID, moment(p.Start), p.Age, moment(p.At)}
	err := b.transact(ctx, true, b.sql.QueueMerge, args, func(rows pgx.Rows) error {
		return each(rows, func() error { return nil }, &r.Saved, &upto)
	})
	if err != nil {
		return nil, err
	}
	if upto != nil {
		r.Upto = *upto
	}
	return &r, nil
}
