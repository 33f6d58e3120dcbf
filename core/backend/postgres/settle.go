package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// A transaction settles deliveries of at most so many leases, because it takes
// an advisory lock for each, and the server's lock table is finite.
const settleLeases = 256

// span names the messages lo to hi of one lease.
type span struct{ lease, lo, hi int64 }

// spansOf makes the fewest spans that name exactly these deliveries, ascending.
func spansOf(deliveries []backend.Delivery) []span {
	sorted := slices.Clone(deliveries)
	slices.SortFunc(sorted, func(a, b backend.Delivery) int {
		return cmp.Or(cmp.Compare(a.Lease, b.Lease), cmp.Compare(a.ID, b.ID))
	})
	var spans []span
	for _, d := range sorted {
		if n := len(spans) - 1; n >= 0 && spans[n].lease == d.Lease && d.ID <= spans[n].hi+1 {
			spans[n].hi = d.ID
			continue
		}
		spans = append(spans, span{d.Lease, d.ID, d.ID})
	}
	return spans
}

// pieces cuts spans where one transaction has enough leases.
func pieces(spans []span) [][]span {
	var all [][]span
	begin, leases := 0, 0
	for i, s := range spans {
		if i > begin && s.lease == spans[i-1].lease {
			continue
		}
		if leases++; leases > settleLeases {
			all = append(all, spans[begin:i])
			begin, leases = i, 1
		}
	}
	return append(all, spans[begin:])
}

// answer is a span that was settled, and how.
type answer struct {
	span
	before   bool
	vt       time.Time
	detached int64 // the new lease
	dies     bool
}

// find returns the answer that has a delivery, nil when none has. answers are
// sorted.
func find(answers []answer, d backend.Delivery) *answer {
	i, _ := slices.BinarySearchFunc(answers, d, func(a answer, d backend.Delivery) int {
		return cmp.Or(cmp.Compare(a.lease, d.Lease), cmp.Compare(a.hi, d.ID))
	})
	if i < len(answers) && answers[i].lease == d.Lease && answers[i].lo <= d.ID {
		return &answers[i]
	}
	return nil
}

// settling is a settling function and what goes with it. rest are its parameters
// behind the spans; extra says where in an answer its columns behind the first three
// go.
type settling struct {
	twice  repeatable
	noWait bool
	sql    string
	rest   func(piece []span) []any
	extra  func(*answer) []any
}

// same are the same parameters for each piece.
func same(values ...any) func([]span) []any {
	return func([]span) []any { return values }
}

// settle runs a settling function on deliveries and returns its answers, sorted.
func (b *Backend) settle(ctx context.Context, queueID int64, deliveries []backend.Delivery, f settling) ([]answer, error) {
	if len(deliveries) == 0 {
		return nil, nil
	}
	return b.settleSpans(ctx, queueID, spansOf(deliveries), f)
}

func (b *Backend) settleSpans(ctx context.Context, queueID int64, spans []span, f settling) ([]answer, error) {
	var answers []answer
	for i, piece := range pieces(spans) {
		var got []answer
		read := func(rows pgx.Rows) error {
			got = got[:0] // of a try that was rolled back
			var a answer
			return each(rows, func() error {
				got = append(got, a)
				return nil
			}, append([]any{&a.lease, &a.lo, &a.hi}, f.extra(&a)...)...)
		}
		var err error
		if f.noWait {
			err = b.settleFree(ctx, queueID, piece, f, read)
		} else {
			err = b.transact(ctx, f.twice, f.sql, f.arguments(queueID, piece), read)
		}
		if err != nil {
			return nil, partly(err, i > 0)
		}
		answers = append(answers, got...)
	}
	slices.SortFunc(answers, func(a, b answer) int {
		return cmp.Or(cmp.Compare(a.lease, b.lease), cmp.Compare(a.hi, b.hi))
	})
	return answers, nil
}

func (f settling) arguments(queueID int64, piece []span) []any {
	var leases, los, his []int64
	for _, s := range piece {
		leases, los, his = append(leases, s.lease), append(los, s.lo), append(his, s.hi)
	}
	return append([]any{queueID, leases, los, his}, f.rest(piece)...)
}

// settleFree settles those spans whose lease no open transaction is settling.
func (b *Backend) settleFree(ctx context.Context, queueID int64, piece []span, f settling, read func(pgx.Rows) error) error {
	return b.do(ctx, f.twice, func(ctx context.Context, c *pgxpool.Conn) error {
		return pgx.BeginTxFunc(ctx, c, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
			leases := make([]int64, len(piece))
			for i, s := range piece {
				leases[i] = s.lease
			}
			rows, err := tx.Query(ctx, b.sql.MessageFreeLeases, leases)
			if err != nil {
				return err
			}
			free, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			if err != nil {
				return err
			}
			left := slices.DeleteFunc(slices.Clone(piece), func(s span) bool { return !slices.Contains(free, s.lease) })
			if rows, err = tx.Query(ctx, f.sql, f.arguments(queueID, left)...); err != nil {
				return err
			}
			return read(rows)
		})
	})
}

// partly adds to an error that earlier pieces were committed.
func partly(err error, committed bool) error {
	var e *backend.Error
	if committed && errors.As(err, &e) {
		e.MaybeCommitted, e.SafeToRetry = true, false
	}
	return err
}

// outcomes answers for each delivery.
func outcomes(deliveries []backend.Delivery, answers []answer) []backend.Outcome {
	all := make([]backend.Outcome, len(deliveries))
	for i, d := range deliveries {
		if find(answers, d) != nil {
			all[i] = backend.Settled
		}
	}
	return all
}

// markSettledBefore marks those that were not held and that the query finds: it gets the
// queue, leases and ids, and returns leases and ids.
func (b *Backend) markSettledBefore(ctx context.Context, queueID int64, deliveries []backend.Delivery, all []backend.Outcome, sql string, rest ...any) error {
	var leases, ids []int64
	for i, d := range deliveries {
		if all[i] == backend.NotHeld {
			leases, ids = append(leases, d.Lease), append(ids, d.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	before, err := collect(ctx, b, true, pgx.RowToStructByPos[backend.Delivery], sql, append([]any{queueID, leases, ids}, rest...)...)
	for i, d := range deliveries {
		if all[i] == backend.NotHeld && slices.Contains(before, d) {
			all[i] = backend.SettledBefore
		}
	}
	return err
}

// none: a settling function with three columns.
func none(*answer) []any { return nil }

// MessageArchive implements backend.MessageBackend.
func (b *Backend) MessageArchive(ctx context.Context, p *backend.MessageArchiveParams) ([]backend.Outcome, error) {
	answers, err := b.settle(ctx, p.QueueID, p.Deliveries, settling{
		noWait: p.NoWait, sql: b.sql.MessageArchive, rest: same(p.Again, moment(p.At)),
		extra: func(a *answer) []any { return []any{&a.before} },
	})
	if err != nil {
		return nil, err
	}
	var before []answer
	now := slices.DeleteFunc(answers, func(a answer) bool {
		if a.before {
			before = append(before, a)
		}
		return a.before
	})
	all := outcomes(p.Deliveries, now)
	for i, d := range p.Deliveries {
		// What this call archived is in the archive by now, so it is in both.
		if all[i] == backend.NotHeld && find(before, d) != nil {
			all[i] = backend.SettledBefore
		}
	}
	return all, nil
}

// MessageDelete implements backend.MessageBackend.
func (b *Backend) MessageDelete(ctx context.Context, p *backend.MessageDeleteParams) ([]backend.Outcome, error) {
	answers, err := b.settle(ctx, p.QueueID, p.Deliveries, settling{noWait: p.NoWait, sql: b.sql.MessageDelete, rest: same(), extra: none})
	if err != nil {
		return nil, err
	}
	all := outcomes(p.Deliveries, answers)
	if p.Again {
		err = b.markSettledBefore(ctx, p.QueueID, p.Deliveries, all, b.sql.MessageGone)
	}
	return all, err
}

// MessageRelease implements backend.MessageBackend.
func (b *Backend) MessageRelease(ctx context.Context, p *backend.MessageReleaseParams) ([]backend.Outcome, error) {
	if p.Undelivered {
		// Behind the commit: a full walk that did not see them loses its watermark,
		// whether it has ended or not (model/watermark.pml).
		defer b.marks.of(p.QueueID).lower()
	}
	answers, err := b.settle(ctx, p.QueueID, p.Deliveries, settling{
		noWait: p.NoWait, sql: b.sql.MessageRelease, rest: same(p.Undelivered, p.Delay, moment(p.At)), extra: none,
	})
	if err != nil {
		return nil, err
	}
	all := outcomes(p.Deliveries, answers)
	if p.Again && !p.Undelivered {
		err = b.markSettledBefore(ctx, p.QueueID, p.Deliveries, all, b.sql.MessageAttempted, backend.AttemptReleased)
	}
	return all, err
}

// MessageExtend implements backend.MessageBackend.
func (b *Backend) MessageExtend(ctx context.Context, p *backend.MessageExtendParams) ([]backend.Extension, error) {
	keep := p.Mode == backend.ExtendKeep
	answers, err := b.settle(ctx, p.QueueID, p.Deliveries, settling{
		twice: repeatable(keep), noWait: p.NoWait, sql: b.sql.MessageExtend, rest: same(p.By, keep, moment(p.At)),
		extra: func(a *answer) []any { return []any{&a.vt} },
	})
	if err != nil {
		return nil, err
	}
	all := make([]backend.Extension, len(p.Deliveries))
	for i, d := range p.Deliveries {
		if a := find(answers, d); a != nil {
			all[i] = backend.Extension{Held: true, VT: a.vt}
		}
	}
	return all, nil
}
