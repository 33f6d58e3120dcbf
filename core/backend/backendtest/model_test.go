package backendtest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/memory"
)

// faulty is a memory store with one fault. The model is worth something only if
// it finds each.
type faulty struct {
	*memory.Backend
	dequeue func(p *backend.MessageDequeueParams, r *backend.MessageDequeueResult)
	archive func(p *backend.MessageArchiveParams, o []backend.Outcome)
	extend  func(p *backend.MessageExtendParams)
	release func(p *backend.MessageReleaseParams)
}

func (f *faulty) MessageDequeue(ctx context.Context, p *backend.MessageDequeueParams) (*backend.MessageDequeueResult, error) {
	q := *p
	r, err := f.Backend.MessageDequeue(ctx, &q)
	if f.dequeue != nil && err == nil {
		f.dequeue(p, r)
	}
	return r, err
}

func (f *faulty) MessageArchive(ctx context.Context, p *backend.MessageArchiveParams) ([]backend.Outcome, error) {
	o, err := f.Backend.MessageArchive(ctx, p)
	if f.archive != nil && err == nil {
		f.archive(p, o)
	}
	return o, err
}

func (f *faulty) MessageExtend(ctx context.Context, p *backend.MessageExtendParams) ([]backend.Extension, error) {
	q := *p
	if f.extend != nil {
		f.extend(&q)
	}
	return f.Backend.MessageExtend(ctx, &q)
}

func (f *faulty) MessageRelease(ctx context.Context, p *backend.MessageReleaseParams) ([]backend.Outcome, error) {
	q := *p
	if f.release != nil {
		f.release(&q)
	}
	return f.Backend.MessageRelease(ctx, &q)
}

func TestModelFindsFaults(t *testing.T) {
	faults := map[string]*faulty{
		"the order within an answer": {dequeue: func(_ *backend.MessageDequeueParams, r *backend.MessageDequeueResult) {
			slices.Reverse(r.Messages)
		}},
		"a message lost from an answer": {dequeue: func(_ *backend.MessageDequeueParams, r *backend.MessageDequeueResult) {
			if len(r.Messages) > 2 {
				r.Messages = slices.Delete(r.Messages, 1, 2)
			}
		}},
		"a message twice in an answer": {dequeue: func(p *backend.MessageDequeueParams, r *backend.MessageDequeueResult) {
			if n := len(r.Messages); n > 0 && n < p.Limit {
				r.Messages = append(r.Messages, r.Messages[n-1])
			}
		}},
		"a queue that seems empty": {dequeue: func(_ *backend.MessageDequeueParams, r *backend.MessageDequeueResult) {
			if len(r.Messages) == 1 {
				r.Messages = nil
			}
		}},
		"a payload": {dequeue: func(_ *backend.MessageDequeueParams, r *backend.MessageDequeueResult) {
			for i := range r.Messages {
				r.Messages[i].Payload = []byte("0")
			}
		}},
		"the number of dead": {dequeue: func(_ *backend.MessageDequeueParams, r *backend.MessageDequeueResult) { r.Dead = 0 }},
		"when the next is due": {dequeue: func(_ *backend.MessageDequeueParams, r *backend.MessageDequeueResult) {
			r.NextDue++
		}},
		"an answer for a delivery that is not held": {archive: func(_ *backend.MessageArchiveParams, o []backend.Outcome) {
			for i := range o {
				o[i] = backend.Settled
			}
		}},
		"an answer asked again": {archive: func(p *backend.MessageArchiveParams, o []backend.Outcome) {
			for i := range o {
				if p.Again && o[i] == backend.SettledBefore {
					o[i] = backend.NotHeld
				}
			}
		}},
		"the mode of an extension":       {extend: func(p *backend.MessageExtendParams) { p.Mode = backend.ExtendKeep }},
		"the other mode of an extension": {extend: func(p *backend.MessageExtendParams) { p.Mode = backend.ExtendGrow }},
		"a release as undelivered":       {release: func(p *backend.MessageReleaseParams) { p.Undelivered = true }},
		"a release as delivered":         {release: func(p *backend.MessageReleaseParams) { p.Undelivered = false }},
		"a delay":                        {release: func(p *backend.MessageReleaseParams) { p.Delay = 0 }},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			f.Backend = memory.New(nil)
			defer closeBackend(t, f)
			for seed := range uint64(5) {
				if _, err := run(t.Context(), f, randomProgram(seed, 300)); err != nil {
					return
				}
			}
			t.Error("no program found it")
		})
	}
}

func TestShrinkFindsAShortProgram(t *testing.T) {
	f := &faulty{Backend: memory.New(nil), release: func(p *backend.MessageReleaseParams) { p.Undelivered = false }}
	defer closeBackend(t, f)
	p, log, err := shrink(t.Context(), f, randomProgram(1, 200))
	if err == nil || len(log) == 0 || len(p) > 5 {
		t.Fatalf("shrunk to %d steps:\n%s%s\n%v", len(p), p, strings.Join(log, "\n"), err)
	}
	parsed, err := parseProgram(p.String())
	if err != nil {
		t.Fatal(err)
	}
	if parsed.String() != p.String() || programOf(p.bytes()).String() != p.String() {
		t.Fatalf("%s was parsed as %s", p, parsed)
	}
}

// The answers are those of a store that keeps many messages in one row: suspects
// come back in pieces, and then alone.
func TestModelAdmitsWhatTheContractAllows(t *testing.T) {
	now := time.Now()
	m := newModel()
	for id := int64(1); id <= 8; id++ {
		m.produce(backend.Message{ID: id, VT: now})
	}
	alive := func(int64) (bool, error) { return false, nil }
	answer := func(lease int64, at time.Time, ids ...int64) error {
		p := &backend.MessageDequeueParams{Limit: 8, VT: time.Second, At: at}
		r := &backend.MessageDequeueResult{}
		for _, id := range ids {
			msg := m.items[id].Message
			msg.Lease, msg.ReadCount, msg.VT, msg.DequeuedAt = lease, msg.ReadCount+1, at.Add(time.Second), at
			r.Messages = append(r.Messages, msg)
		}
		return m.dequeue(p, r, alive)
	}
	later := func() time.Time { now = now.Add(2 * time.Second); return now }
	for _, ids := range [][]int64{{1, 2, 3, 4, 5, 6, 7}, {1, 2, 3, 5, 4, 6, 7, 8}, {1, 2, 3, 4, 5, 6, 8}, {}} {
		if err := answer(1, now, ids...); err == nil {
			t.Fatalf("%v was admitted of 8 that were new", ids)
		}
	}
	for lease, ids := range [][]int64{{1, 2, 3, 4, 5, 6, 7, 8}, {1, 2}} {
		if err := answer(int64(lease+1), later(), ids...); err != nil {
			t.Fatal(err)
		}
	}
	if err := answer(3, now, 3, 4, 5, 6, 7, 8); err != nil {
		t.Fatal(err)
	}
	later()
	if err := answer(4, now, 1, 2); err == nil {
		t.Fatal("two suspects of two leases came together and were admitted")
	}
	if err := answer(4, now, 1); err != nil {
		t.Fatal(err)
	}
}
