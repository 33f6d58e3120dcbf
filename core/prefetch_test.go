package pgqrs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// A queue of long messages must not fill the memory of who consumes it, whatever its
// batch size, and whatever the messages before were like.
func TestAStreamHoldsNoMoreBytesThanItMay(t *testing.T) {
	const most = 64 << 10
	for _, size := range []int{0, 1000} {
		t.Run(fmt.Sprintf("batch size %d", size), func(t *testing.T) {
			onEach(t, func(t *testing.T, p *place) {
				s := p.connect(t, pgqrs.WithMaxPrefetchBytes(most))
				want := p.produceOfBytes(t, "tasks", 9_000, 60)
				want = append(want, p.produceOfBytes(t, "tasks", 10, 400)...)
				want = append(want, p.produceOfBytes(t, "tasks", 3*most, 2)...)
				want = append(want, p.produceOfBytes(t, "tasks", 9_000, 20)...)
				st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute, BatchSize: size})
				var got []int64
				for len(got) < len(want) {
					b := next(t, st)
					held := 0
					for i := range b.Messages {
						held += len(b.Messages[i].Payload)
					}
					if held > most && len(b.Messages) > 1 {
						t.Fatalf("%d messages of %d bytes at once", len(b.Messages), held)
					}
					for m, ok := b.Next(); ok; m, ok = b.Next() {
						got = append(got, m.ID)
						if m.ReadCount != 1 {
							t.Errorf("read_ct of %d is %d", m.ID, m.ReadCount)
						}
					}
					b.Free()
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%v instead of %v", got, want)
				}
				closeStream(t, st)
			})
		})
	}
}

// produceOfBytes stores n messages of that length.
func (p *place) produceOfBytes(t *testing.T, queue string, bytes, n int) []int64 {
	t.Helper()
	q, err := p.observer.QueueEnsure(t.Context(), &backend.QueueEnsureParams{Name: queue})
	must(t, err)
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = []byte(`"` + strings.Repeat("x", bytes-2) + `"`)
	}
	ids, err := p.observer.MessageProduce(t.Context(), &backend.MessageProduceParams{QueueID: q.ID, Payloads: payloads})
	must(t, err)
	return ids
}

// What is open and not handed on counts as a whole; the next fetch has the room that is left.
func TestOpenBatchesTakeRoomOfTheNextFetch(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		const most, bytes = 100 << 10, 10 << 10
		s := p.connect(t, pgqrs.WithMaxPrefetchBytes(most))
		p.produceOfBytes(t, "tasks", bytes, 50)
		st := openStream(t, s, "tasks", pgqrs.StreamOptions{VT: time.Minute})
		first := next(t, st) // nothing was known: it filled the room
		if n := len(first.Messages); n != most/bytes {
			t.Fatalf("the first fetch is of %d", n)
		}
		for range most/bytes - 1 {
			take(t, first)
		}
		second := make(chan *pgqrs.Batch)
		go func() { b, _ := st.Next(t.Context()); second <- b }()
		until(t, "what was in excess is back", func() bool { return p.counts(t, "tasks").Ready == 40 })
		take(t, first) // its last one
		b := receive(t, "the second fetch", second)
		if n := len(b.Messages); n != most/bytes/2 {
			t.Errorf("the second fetch is of %d", n)
		}
		third := next(t, st)
		if n := len(third.Messages); n != most/bytes/2 {
			t.Errorf("the third fetch is of %d", n)
		}
		closeStream(t, st)
	})
}
