package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/backendtest"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// dsnOf knows where each backend of a test lives, for Harness.Second.
type dsnOf struct {
	*postgres.Backend
	dsn string
}

// open connects to a database with the default configuration.
func open(t testing.TB, dsn string) *postgres.Backend {
	t.Helper()
	b, err := postgres.Open(context.Background(), postgres.Config{DSN: dsn, ConnectTimeout: 20 * time.Second, AutoInstall: true})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return b
}

var harness = backendtest.Harness{
	Open: func(t testing.TB) backend.Backend {
		dsn := testserver.DSN(t)
		return dsnOf{open(t, dsn), dsn}
	},
	Second: func(t testing.TB, b backend.Backend) backend.Backend {
		dsn := b.(dsnOf).dsn
		return dsnOf{open(t, dsn), dsn}
	},
}

func TestContract(t *testing.T) { backendtest.Exercise(t, harness) }

func TestModel(t *testing.T) { backendtest.Model(t, harness, 20, 200) }

func FuzzModel(f *testing.F) { backendtest.FuzzModel(f, harness) }
