package postgres

import (
	"context"
	"reflect"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/internal/sqlfile"
)

// Step is a migration as tests see it.
type Step struct{ Up, Down string }

// Migrations are all steps, for that schema.
func Migrations(schema string) ([]Step, error) {
	all, err := migrations()
	var steps []Step
	for _, m := range all {
		steps = append(steps, Step{sqlfile.Render(m.up, schema), sqlfile.Render(m.down, schema)})
	}
	return steps, err
}

// Queries are the texts of all queries by the names of their fields.
func (b *Backend) Queries() map[string]string {
	texts := make(map[string]string)
	v := reflect.ValueOf(b.sql)
	for i := range v.NumField() {
		texts[v.Type().Field(i).Name] = v.Field(i).String()
	}
	return texts
}

// Deafen makes listeners listen where nothing is sent.
func (b *Backend) Deafen() { b.sql.ListenerOpen = "listen nothing" }

// CallMode says how the hot statements are sent.
func (b *Backend) CallMode() (named, explicit bool) {
	return b.mode.named.Load(), b.mode.explicit.Load()
}

// ExecOnPool runs a statement on a connection of the pool.
func (b *Backend) ExecOnPool(ctx context.Context, sql string) error {
	_, err := b.pool.Exec(ctx, sql)
	return err
}

// Pool is for what the library never does.
func (b *Backend) Pool() *pgxpool.Pool { return b.pool }

// ReadDSN reads a DSN without connecting.
func ReadDSN(dsn string) error {
	_, err := poolConfig(Config{DSN: dsn}.withDefaults())
	return err
}

// Adapts says whether a statement that met this error is sent again.
func (b *Backend) Adapts(code, message string) bool {
	return b.mode.adapts(&pgconn.PgError{Code: code, Message: message})
}

// Failure is what an operation returns that failed like that and must not be done twice.
func Failure(err error) error { return (&Backend{}).failure(context.Background(), err, false) }
