package bridge

import (
	"context"
	"testing"
)

// What a produce costs in the thread of the program, without the core.
func BenchmarkProduce(b *testing.B) {
	core := &fakeCore{produce: func(_ context.Context, _ string, _ []byte, done func(int64, error)) { done(1, nil) }}
	library := NewLibrary(newGoMemory(), func(context.Context, []byte, Hooks) (Core, error) { return asCore{core}, nil })
	s, _ := library.Connect(0, nil)
	s.Wait(patience)
	out := make([]Completion, 1000)
	s.Drain(out)
	queue, payload := []byte("tasks"), make([]byte, 80)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if r := s.Produce(uint64(i), queue, payload, 0, 0); r != nil {
			b.Fatal(r)
		}
		if i%1000 == 999 {
			s.Drain(out)
		}
	}
	s.Free()
}
