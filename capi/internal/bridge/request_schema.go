package bridge

import (
	"context"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

func schemaInstall(ctx context.Context, s *pgqrs.Store, _ *none) (none, error) {
	return none{}, s.InstallSchema(ctx)
}

func schemaVerify(ctx context.Context, s *pgqrs.Store, _ *none) ([]string, error) {
	differences, err := s.VerifySchema(ctx)
	if differences == nil {
		differences = []string{} // [] and not null
	}
	return differences, err
}

func schemaUninstall(ctx context.Context, s *pgqrs.Store, _ *none) (none, error) {
	return none{}, s.UninstallSchema(ctx)
}

type schemaText struct {
	Schema      *string `json:"schema"`
	FromVersion *int    `json:"from_version"`
}

func schemaSQL(_ context.Context, _ *pgqrs.Store, a *schemaText) (string, error) {
	return pgqrs.SchemaSQL(or(a.Schema, "public"), or(a.FromVersion, 0))
}
