package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// MessageFail implements backend.MessageBackend.
func (b *Backend) MessageFail(ctx context.Context, p *backend.MessageFailParams) (*backend.MessageFailResult, error) {
	failures := make(map[backend.Delivery]*backend.Failure, len(p.Failures))
	deliveries := make([]backend.Delivery, len(p.Failures))
	for i := range p.Failures {
		f := &p.Failures[i]
		deliveries[i] = f.Delivery
		if failures[f.Delivery] == nil {
			failures[f.Delivery] = f
		}
	}
	if len(deliveries) == 0 {
		return &backend.MessageFailResult{}, nil
	}
	answers, err := b.settleSpans(ctx, p.QueueID, singles(failures), settling{
		noWait: p.NoWait, sql: b.sql.MessageFail,
		rest:  func(piece []span) []any { return failing(p, piece, failures) },
		extra: func(a *answer) []any { return []any{&a.dies} },
	})
	if err != nil {
		return nil, err
	}
	r := &backend.MessageFailResult{Outcomes: outcomes(deliveries, answers)}
	if p.Again {
		if err := b.markSettledBefore(ctx, p.QueueID, deliveries, r.Outcomes, b.sql.MessageAttempted, backend.AttemptFailed); err != nil {
			return nil, err
		}
	}
	for _, a := range answers {
		if a.dies {
			r.Dead++
		}
	}
	return r, nil
}

// singles are spans of one delivery each, ascending.
func singles(failures map[backend.Delivery]*backend.Failure) []span {
	spans := make([]span, 0, len(failures))
	for d := range failures {
		spans = append(spans, span{d.Lease, d.ID, d.ID})
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.lease, b.lease), cmp.Compare(a.lo, b.lo))
	})
	return spans
}

// failing are the parameters of pgqrs_fail behind the spans of this piece.
func failing(p *backend.MessageFailParams, piece []span, failures map[backend.Delivery]*backend.Failure) []any {
	texts := make([]string, len(piece))
	delays := make([]*time.Duration, len(piece))
	vts := make([]time.Duration, len(piece))
	for i, s := range piece {
		f := failures[backend.Delivery{Lease: s.lease, ID: s.lo}]
		texts[i], vts[i] = f.Error, f.VT
		if f.Delay != backend.DelayByPolicy {
			delays[i] = &f.Delay
		}
	}
	var kind any
	if p.Retry.Kind != "" {
		kind = string(p.Retry.Kind)
	}
	return []any{texts, delays, vts, p.MaxReadCount, kind, p.Retry.Base, p.Retry.Max, p.Retry.Jitter, moment(p.At)}
}
