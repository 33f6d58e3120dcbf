package bridge

import (
	"context"
	"testing"

	"github.com/pgqrs/pgqrs/core/backend"
)

// BenchmarkRequest measures a question from the submit to its answer, with a store
// in memory.
func BenchmarkRequest(b *testing.B) {
	memory := newGoMemory()
	l := NewLibrary(memory, OpenCore)
	s, refusal := l.Connect(connectOp, []byte(`{"dsn": "memory://"}`))
	if refusal != nil {
		b.Fatal(refusal)
	}
	defer s.Free()
	await := func() {
		var out [1]Completion
		for n := 0; n == 0; n, _ = s.Drain(out[:]) {
			_, _ = s.Wait(patience)
		}
		l.discard(out[0])
	}
	await()
	if _, err := s.core.Administered().CreateQueue(context.Background(), "tasks", backend.QueueSettings{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if refusal := s.Request(1, []byte("queue_get"), []byte(`{"name": "tasks"}`)); refusal != nil {
			b.Fatal(refusal)
		}
		await()
	}
}
