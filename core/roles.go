package pgqrs

import (
	"context"

	"github.com/pgqrs/pgqrs/core/backend"
)

// GrantRoles gives roles of the database exactly the rights that their kind of work needs
// on the queues of this store, all or nothing; what they had before on the tables of
// pgqrs they lose. The roles exist already. The store's user owns the tables, or is a
// superuser. To be called again after an upgrade of the schema. ErrConfig where there is
// no such role or right, and for stores in memory, which have no users.
func (s *Store) GrantRoles(ctx context.Context, r backend.Roles) error {
	if s.isClosed() {
		return errClosed()
	}
	b, ok := s.backend.(backend.RoleBackend)
	if !ok {
		return backend.Errorf(ErrConfig, "this store has no users, and so no roles")
	}
	return b.RoleGrant(ctx, &r)
}
