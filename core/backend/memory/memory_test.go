package memory_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/backendtest"
	"github.com/pgqrs/pgqrs/core/backend/memory"
)

var stores atomic.Int64

// harness gives each store a name, so that a second Backend finds it.
var harness = backendtest.Harness{
	Open: func(testing.TB) backend.Backend {
		return memory.Open(fmt.Sprintf("store-%d", stores.Add(1)))
	},
	Second: func(_ testing.TB, b backend.Backend) backend.Backend {
		return memory.Open(b.Identity()[len("memory://"):])
	},
}

func TestContract(t *testing.T) { backendtest.Exercise(t, harness) }

func TestModel(t *testing.T) { backendtest.Model(t, harness, 60, 300) }

func FuzzModel(f *testing.F) { backendtest.FuzzModel(f, harness) }
