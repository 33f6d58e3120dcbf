package pgqrs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// suspects stores messages whose processes have died twice, an hour ago.
func (p *place) suspects(t *testing.T, queue string, n int) []int64 {
	t.Helper()
	q, err := p.observer.QueueEnsure(t.Context(), &backend.QueueEnsureParams{Name: queue})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Hour)
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = []byte("1")
	}
	ids, err := p.observer.MessageProduce(t.Context(), &backend.MessageProduceParams{QueueID: q.ID, Payloads: payloads, At: at})
	if err != nil {
		t.Fatal(err)
	}
	for leased := 0; leased < 2*n; at = at.Add(time.Minute) { // they come back in pieces
		r, err := p.observer.MessageDequeue(t.Context(), &backend.MessageDequeueParams{QueueID: q.ID, Limit: 2*n - leased, VT: time.Second, At: at})
		if err != nil {
			t.Fatal(err)
		}
		if leased += len(r.Messages); len(r.Messages) == 0 {
			t.Fatal("nothing was ready")
		}
	}
	return ids
}

// wantNothing checks that a stream has nothing to hand on for now.
func wantNothing(t *testing.T, st *pgqrs.Stream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if b, err := st.Next(ctx); !errors.Is(err, pgqrs.ErrTimeout) {
		t.Fatalf("the stream answered %v, %v", b, err)
	}
}

// archiveNext takes the one message of the next batch and archives it.
func archiveNext(t *testing.T, s *pgqrs.Store, st *pgqrs.Stream, want int64) {
	t.Helper()
	b := next(t, st)
	m := take(t, b)
	if m.ID != want {
		t.Fatalf("message %d instead of %d", m.ID, want)
	}
	if len(b.Messages) != 1 {
		t.Fatalf("%d messages came together", len(b.Messages))
	}
	b.Free()
	archiveOne(t, s, m)
}

func archiveOne(t *testing.T, s *pgqrs.Store, m backend.Message) {
	t.Helper()
	held, err := s.Archive(t.Context(), pgqrs.Target{QueueID: m.QueueID, Deliveries: []backend.Delivery{{Lease: m.Lease, ID: m.ID}}})
	if err != nil || !held[0] {
		t.Fatal(held, err)
	}
}

func TestNothingIsFetchedBehindASuspect(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.suspects(t, "tasks", 2)
		p.produce(t, "tasks", 5)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute, KeepDelivered: true})
		b := next(t, st)
		m := take(t, b)
		b.Free()
		wantNothing(t, st)
		if n := p.counts(t, "tasks").Leased; n != 1 {
			t.Errorf("%d messages are leased beside the suspect", n-1)
		}
		archiveOne(t, s, m)
		archiveNext(t, s, st, ids[1])
		if b = next(t, st); len(b.Messages) != 5 {
			t.Errorf("%d of 5 others came", len(b.Messages))
		}
		closeStream(t, st)
	})
}

func TestASuspectIsHandedOnWhenAllBeforeItIsOver(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		p.produce(t, "tasks", 1)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute, KeepDelivered: true})
		b := next(t, st)
		m := take(t, b)
		b.Free()
		ids := p.suspects(t, "tasks", 1)
		wantNothing(t, st)
		archiveOne(t, s, m)
		archiveNext(t, s, st, ids[0])
		closeStream(t, st)
	})
}

func TestAHandlerThatTakesLongKeepsASuspectWaitingForOneVT(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		p.produce(t, "tasks", 1)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: vt, KeepDelivered: true})
		b := next(t, st)
		take(t, b) // and never settle it
		b.Free()
		ids := p.suspects(t, "tasks", 1)
		archiveNext(t, s, st, ids[0])
		closeStream(t, st)
	})
}
