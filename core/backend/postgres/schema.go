package postgres

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/internal/sqlfile"
)

//go:embed migration/*.sql
var migrationFiles embed.FS

// migration is one step from a version of the schema to the next. Each step
// writes its version, and the oldest version of the library that can use the
// result (compatible_from), into pgqrs_schema itself.
type migration struct {
	version  int
	name     string
	up, down string // SQL, still with {schema}
}

// migrations returns all steps, the first first.
func migrations() ([]migration, error) {
	names, err := fs.Glob(migrationFiles, "migration/*.up.sql")
	if err != nil {
		return nil, err
	}
	var all []migration
	for i, up := range names { // sorted by Glob
		name := strings.TrimSuffix(path.Base(up), ".up.sql")
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, errors.New("postgres: migration " + name + " is out of order")
		}
		upText, err := fs.ReadFile(migrationFiles, up)
		if err != nil {
			return nil, err
		}
		downText, err := fs.ReadFile(migrationFiles, strings.TrimSuffix(up, ".up.sql")+".down.sql")
		if err != nil {
			return nil, err
		}
		all = append(all, migration{version: version, name: name, up: string(upText), down: string(downText)})
	}
	return all, nil
}

// schemaState is what pgqrs_schema says.
type schemaState struct {
	version, compatibleFrom int // 0: not installed
	identity                string
}

// checkSchemaName refuses what PostgreSQL would refuse or cut short.
func checkSchemaName(name string) error {
	if len(name) > 63 || strings.ContainsRune(name, 0) || strings.HasPrefix(name, "pg_") {
		return backend.Errorf(backend.ErrConfig, "the schema's name must have 1 to 63 bytes, none of them NUL, and not begin with pg_")
	}
	return nil
}

// prepareSchema makes sure that the schema is there and fit for this library. A
// schema that is current costs one select.
func (b *Backend) prepareSchema(ctx context.Context, install bool) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, b.connectTimeout)
	defer cancel()
	err = b.do(limited, true, func(ctx context.Context, c *pgxpool.Conn) error {
		if err := checkServer(c.Conn()); err != nil {
			return err
		}
		if err := b.mode.discover(ctx, c, b.sql.BackendProcess); err != nil {
			return err
		}
		state, err := b.schemaState(ctx, c)
		if err != nil {
			return err
		}
		if install && state.version < len(steps) {
			if state, err = b.install(ctx, c, steps); err != nil {
				return err
			}
		}
		b.identity = state.identity
		return b.checkVersion(state, len(steps))
	})
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return b.failure(ctx, &noConnectionError{after: b.connectTimeout, cause: limited.Err()}, true)
	}
	return err
}

// checkServer refuses servers that lack what the schema is made of (multiranges
// came with PostgreSQL 14).
func checkServer(c *pgx.Conn) error {
	text := c.PgConn().ParameterStatus("server_version")
	digits := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(text)
	}
	if major, err := strconv.Atoi(text[:digits]); err == nil && major < 14 {
		return backend.Errorf(backend.ErrConfig, "the server is PostgreSQL %s; pgqrs needs 14 or newer", text)
	}
	return nil
}

// schemaState reads what is installed; a version of 0 where nothing is.
func (b *Backend) schemaState(ctx context.Context, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) (schemaState, error) {
	var s schemaState
	err := q.QueryRow(ctx, b.sql.SchemaState).Scan(&s.version, &s.compatibleFrom, &s.identity)
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Code == stateUndefinedTable {
		return schemaState{}, nil
	}
	return s, err
}

// checkVersion compares an installed version with the newest that we know.
func (b *Backend) checkVersion(s schemaState, newest int) error {
	switch {
	case s.version == 0:
		return backend.Errorf(backend.ErrConfig, "pgqrs is not installed in the schema %q: run `pgqrs install`, or connect with auto_install", b.schema)
	case s.version < newest:
		return backend.Errorf(backend.ErrConfig, "the schema %q has version %d and this library needs %d: run `pgqrs install`, or connect with auto_install",
			b.schema, s.version, newest)
	case newest < s.compatibleFrom:
		return backend.Errorf(backend.ErrConfig, "the schema %q has version %d, which libraries from version %d on can use; this one has version %d: upgrade pgqrs",
			b.schema, s.version, s.compatibleFrom, newest)
	}
	return nil
}

// install brings the schema to our version, in one transaction. Others who want
// the same wait, and then find it done.
func (b *Backend) install(ctx context.Context, c *pgxpool.Conn, steps []migration) (state schemaState, err error) {
	err = b.underLock(ctx, c, func(run func(sql string) error, found schemaState) error {
		for _, step := range steps[min(found.version, len(steps)):] {
			if err := run(step.up); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return state, err
	}
	return b.schemaState(ctx, c)
}

// underLock changes the schema in one transaction, alone: change gets what is there, and
// what runs the text of a migration. A schema that is missing is made.
func (b *Backend) underLock(ctx context.Context, c *pgxpool.Conn, change func(run func(sql string) error, found schemaState) error) error {
	return pgx.BeginTxFunc(ctx, c, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, b.sql.SchemaLock, b.schema); err != nil {
			return err
		}
		var hasSchema, hasTables bool
		if err := tx.QueryRow(ctx, b.sql.SchemaExists, b.schema).Scan(&hasSchema, &hasTables); err != nil {
			return err
		}
		if !hasSchema {
			if _, err := tx.Exec(ctx, b.sql.SchemaCreate); err != nil {
				return err
			}
		}
		var found schemaState
		if hasTables {
			var err error
			if found, err = b.schemaState(ctx, tx); err != nil {
				return err
			}
		}
		return change(func(sql string) error {
			// The simple protocol: a file has many statements.
			_, err := tx.Conn().PgConn().Exec(ctx, sqlfile.Render(sql, b.schema)).ReadAll()
			return err
		}, found)
	})
}
