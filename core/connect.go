package pgqrs

import (
	"context"
	"strings"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/memory"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
)

// Connect opens a store and returns when it is connected. dsn is
//
//   - postgresql://user@host/database and the like, or libpq's key=value form;
//     PGHOST, PGPORT, PGUSER and the other variables of libpq count as usual.
//     The schema is installed or upgraded when needed.
//   - memory://name for unit tests: queues in this process, shared by all that
//     connect to that name; memory:// alone is private.
func Connect(ctx context.Context, dsn string, options ...Option) (*Store, error) {
	c := NewConfig(dsn)
	for _, o := range options {
		o(c)
	}
	return ConnectConfig(ctx, c)
}

// ConnectConfig is Connect for a Config, which must not change afterwards.
func ConnectConfig(ctx context.Context, c *Config) (*Store, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	b, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	return newStore(c, b), nil
}

// open is the only place that knows the backends.
func open(ctx context.Context, c *Config) (backend.Backend, error) {
	if name, ok := strings.CutPrefix(c.DSN, "memory://"); ok {
		return memory.Open(name), nil
	}
	if strings.HasPrefix(c.DSN, "embedded:") {
		return nil, backend.Errorf(ErrConfig, "embedded:// is started by the Python package; give the server's own postgresql:// address here")
	}
	return postgres.Open(ctx, postgres.Config{
		DSN: c.DSN, Schema: c.Schema, MaxConnections: c.MaxConnections,
		ConnectTimeout: c.ConnectTimeout, AnswerTimeout: c.AnswerTimeout, AutoInstall: c.AutoInstall,
	})
}
