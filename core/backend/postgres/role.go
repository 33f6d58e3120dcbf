package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// RoleGrant implements backend.RoleBackend. The statements are made by the server, which
// quotes the names.
func (b *Backend) RoleGrant(ctx context.Context, r *backend.Roles) error {
	var kinds, roles []string
	add := func(kind string, names ...string) {
		for _, name := range names {
			kinds, roles = append(kinds, kind), append(roles, name)
		}
	}
	if r.Owner != "" {
		add("owner", r.Owner)
	}
	add("producer", r.Producers...)
	add("consumer", r.Consumers...)
	add("viewer", r.Viewers...)
	return b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		return pgx.BeginTxFunc(ctx, c, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, b.sql.RoleGrants, kinds, roles)
			if err != nil {
				return err
			}
			statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			for _, statement := range statements {
				if _, err := tx.Conn().PgConn().Exec(ctx, statement).ReadAll(); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
