package pgqrs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// skewed is a backend whose clock is ahead of that of its clients, or behind it.
type skewed struct {
	backend.Backend
	by time.Duration
}

func (s skewed) now() time.Time { return time.Now().Add(s.by) }

func (s skewed) MessageProduce(ctx context.Context, p *backend.MessageProduceParams) ([]int64, error) {
	p.At = s.now()
	return s.Backend.MessageProduce(ctx, p)
}

func (s skewed) MessageDequeue(ctx context.Context, p *backend.MessageDequeueParams) (*backend.MessageDequeueResult, error) {
	p.At = s.now()
	return s.Backend.MessageDequeue(ctx, p)
}

func (s skewed) MessageArchive(ctx context.Context, p *backend.MessageArchiveParams) ([]backend.Outcome, error) {
	p.At = s.now()
	return s.Backend.MessageArchive(ctx, p)
}

func (s skewed) MessageRelease(ctx context.Context, p *backend.MessageReleaseParams) ([]backend.Outcome, error) {
	p.At = s.now()
	return s.Backend.MessageRelease(ctx, p)
}

func (s skewed) MessageFail(ctx context.Context, p *backend.MessageFailParams) (*backend.MessageFailResult, error) {
	p.At = s.now()
	return s.Backend.MessageFail(ctx, p)
}

func (s skewed) MessageExtend(ctx context.Context, p *backend.MessageExtendParams) ([]backend.Extension, error) {
	p.At = s.now()
	return s.Backend.MessageExtend(ctx, p)
}

// TestAClientWhoseClockIsOffByAnHour: leases are kept, delays are waited for, what failed
// comes again and an expired lease is given to another, as if both clocks were right.
func TestAClientWhoseClockIsOffByAnHour(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			onEach(t, func(t *testing.T, p *place) {
				s := p.through(t, func(b backend.Backend) backend.Backend { return skewed{b, by} })
				slow := produceOne(t, s, `"slow"`, 0)
				bad := produceOne(t, s, `"bad"`, 0)
				delayed := produceOne(t, s, `"delayed"`, vt/2)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				over := make(chan error, 1)
				go func() {
					over <- pgqrs.Dequeue().From("tasks").VT(vt.Seconds()).Concurrency(3).
						RetryAfter(func(*pgqrs.Message, error) time.Duration { return vt / 2 }).
						Handle(func(_ context.Context, m *pgqrs.Message) error {
							switch {
							case m.ID == slow:
								first := p.record(t, slow).VT
								until(t, "the lease was extended", func() bool { return p.record(t, slow).VT.Sub(first) > 2*vt })
							case m.ID == bad && m.ReadCount == 1:
								return errors.New("boom")
							}
							return nil
						}).Execute(ctx, s)
				}()
				until(t, "all were archived", func() bool { return p.counts(t, "tasks").Archived == 3 })
				stop()
				if err := receive(t, "the loop's end", over); err != nil {
					t.Error(err)
				}
				for id, reads := range map[int64]int32{slow: 1, bad: 2, delayed: 1} {
					r := p.record(t, id)
					if r.ReadCount != reads {
						t.Errorf("message %d was delivered %d times, want %d", id, r.ReadCount, reads)
					}
					if off := time.Since(r.ArchivedAt) + by; off.Abs() > 10*time.Minute {
						t.Errorf("message %d was archived at %v, which is no moment of the server", id, r.ArchivedAt)
					}
				}
				lost := produceOne(t, s, `"lost"`, 0)
				c := newConsumer(t, s, "tasks")
				until(t, "an expired lease came back", func() bool {
					got, err := c.DequeueManyWithDelay(t.Context(), 1, 0.1)
					return err == nil && len(got) == 1 && got[0].ID == lost && got[0].ReadCount == 2
				})
			})
		})
	}
}

func produceOne(t *testing.T, s *pgqrs.Store, payload string, delay time.Duration) int64 {
	t.Helper()
	id, err := s.Produce(t.Context(), "tasks", []byte(payload), pgqrs.ProduceOptions{Delay: delay})
	if err != nil {
		t.Fatal(err)
	}
	return id
}
