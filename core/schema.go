package pgqrs

import (
	"context"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
)

// InstallSchema makes the tables, or brings them to the version of this library, as
// connecting does (Config.AutoInstall).
func (s *Store) InstallSchema(ctx context.Context) error {
	_, err := administer(ctx, s, func() (struct{}, error) {
		return struct{}{}, s.backend.SchemaInstall(ctx, &backend.SchemaInstallParams{})
	})
	return err
}

// VerifySchema says what of the tables, columns, indexes and functions is missing, or is
// not as this library expects it: one sentence each; none when all is well. What others
// have added is not looked at.
func (s *Store) VerifySchema(ctx context.Context) ([]string, error) {
	return administer(ctx, s, func() ([]string, error) {
		return s.backend.SchemaVerify(ctx, &backend.SchemaVerifyParams{})
	})
}

// UninstallSchema removes all that InstallSchema made, with every queue and message, and
// nothing else; the schema's name stays. The store is of no use afterwards.
func (s *Store) UninstallSchema(ctx context.Context) error {
	_, err := administer(ctx, s, func() (struct{}, error) {
		return struct{}{}, s.backend.SchemaUninstall(ctx, &backend.SchemaUninstallParams{})
	})
	return err
}

// SchemaSQL returns the SQL that installs the tables in a schema (from 0), or upgrades
// them from that version: for those who run such things themselves, with psql and the
// like. One transaction.
func SchemaSQL(schema string, from int) (string, error) { return postgres.SchemaSQL(schema, from) }
