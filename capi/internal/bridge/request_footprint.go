package bridge

import (
	"context"
	"runtime"
	"runtime/metrics"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// footprintRecord is what the library takes up in its process, as it crosses. It is of
// all stores together.
type footprintRecord struct {
	Goroutines int   `json:"goroutines"`
	HeapBytes  int64 `json:"heap_bytes"` // of Go; batches lie in the program's memory
}

func footprint(context.Context, *pgqrs.Store, *none) (*footprintRecord, error) {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	return &footprintRecord{Goroutines: runtime.NumGoroutine(), HeapBytes: int64(heap[0].Value.Uint64())}, nil
}
