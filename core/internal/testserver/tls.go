package testserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNoTLS: the server was built without TLS.
var ErrNoTLS = errors.New("the server was built without TLS")

// EnableTLS makes the cluster offer TLS with that certificate and key, both PEM. Plain
// connections go on working.
func (c *Cluster) EnableTLS(certificate, key []byte) error {
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, c.AdminDSN())
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close(ctx) }()
	var server *pgconn.PgError
	switch _, err = connection.Exec(ctx, "alter system set ssl = on"); {
	case errors.As(err, &server): // a superuser, so that nothing else can be wrong
		return errors.Join(ErrNoTLS, err)
	case err != nil:
		return err
	}
	for name, text := range map[string][]byte{"server.crt": certificate, "server.key": key} {
		file := filepath.Join(c.data(), name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return err
		}
		if c.runAs != nil {
			if err := os.Chown(file, int(c.runAs.Uid), int(c.runAs.Gid)); err != nil {
				return err
			}
		}
	}
	return c.Restart()
}
