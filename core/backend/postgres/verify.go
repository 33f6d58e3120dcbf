package postgres

import (
	"bufio"
	"context"
	_ "embed" // what a schema of our version is like
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/internal/sqlfile"
)

// expectedSchema describes the schema that our migrations make, one thing a line, as
// the query schema_describe does. A test writes it (go test -run SchemaIsAsExpected -update).
//
//go:embed schema.golden
var expectedSchema string

// SchemaVerify implements backend.SchemaBackend. What others have added is their
// affair; it says what is missing or different of ours.
func (b *Backend) SchemaVerify(ctx context.Context, _ *backend.SchemaVerifyParams) ([]string, error) {
	var differences []string
	err := b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		state, err := b.schemaState(ctx, c)
		if err != nil {
			return err
		}
		steps, err := migrations()
		if err != nil {
			return err
		}
		if state.version != len(steps) {
			differences = []string{fmt.Sprintf("the schema has version %d, and this library knows version %d", state.version, len(steps))}
			return nil
		}
		found, err := b.describe(ctx, c)
		if err != nil {
			return err
		}
		differences = differencesOf(found)
		return nil
	})
	return differences, err
}

// describe says what is there, thing by thing.
func (b *Backend) describe(ctx context.Context, c *pgxpool.Conn) (map[string]string, error) {
	found := make(map[string]string)
	rows, err := c.Query(ctx, b.sql.SchemaDescribe, b.schema)
	if err != nil {
		return nil, err
	}
	var what, says string
	return found, each(rows, func() error { found[what] = says; return nil }, &what, &says)
}

func differencesOf(found map[string]string) (differences []string) {
	lines := bufio.NewScanner(strings.NewReader(expectedSchema))
	for lines.Scan() {
		what, says, _ := strings.Cut(lines.Text(), ": ")
		switch got, there := found[what]; {
		case !there:
			differences = append(differences, what+" is missing")
		case got != says:
			differences = append(differences, fmt.Sprintf("%s is different: it is %q and should be %q", what, got, says))
		}
	}
	return differences
}

// SchemaInstall implements backend.SchemaBackend.
func (b *Backend) SchemaInstall(ctx context.Context, _ *backend.SchemaInstallParams) error {
	return b.prepareSchema(ctx, true)
}

// SchemaUninstall implements backend.SchemaBackend. What belongs to somebody else and
// needs something of ours keeps it from being done.
func (b *Backend) SchemaUninstall(ctx context.Context, _ *backend.SchemaUninstallParams) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	return b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		return b.underLock(ctx, c, func(run func(sql string) error, state schemaState) error {
			if state.version > len(steps) {
				return backend.Errorf(backend.ErrConfig, "the schema %q has version %d and this library knows %d: uninstall it with the library that installed it",
					b.schema, state.version, len(steps))
			}
			for v := state.version; v > 0; v-- {
				if err := run(steps[v-1].down); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// SchemaSQL is the text that installs the schema, or upgrades it from a version, for
// people who run such things themselves: one transaction, for psql and the like.
func SchemaSQL(schema string, from int) (string, error) {
	if schema == "" {
		schema = "public"
	}
	if err := checkSchemaName(schema); err != nil {
		return "", err
	}
	steps, err := migrations()
	if err != nil {
		return "", err
	}
	if from < 0 || from > len(steps) {
		return "", backend.Errorf(backend.ErrInvalid, "the version to upgrade from must be between 0 (nothing is installed) and %d, not %d", len(steps), from)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "-- pgqrs: from version %d of the schema to version %d.\nbegin;\n", from, len(steps))
	if from == 0 && schema != "public" {
		b.WriteString("create schema if not exists {schema};\n")
	}
	for _, step := range steps[from:] {
		fmt.Fprintf(&b, "\n-- migration %s\n\n%s", step.name, step.up)
	}
	b.WriteString("\ncommit;\n")
	return sqlfile.Render(b.String(), schema), nil
}
