package bridge

import (
	"context"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// roleNames are roles of the database by what they may do.
type roleNames struct {
	Owner     *string   `json:"owner"`
	Producers *[]string `json:"producers"`
	Consumers *[]string `json:"consumers"`
	Viewers   *[]string `json:"viewers"`
}

func rolesGrant(ctx context.Context, s *pgqrs.Store, a *roleNames) (none, error) {
	return none{}, s.GrantRoles(ctx, backend.Roles{
		Owner:     or(a.Owner, ""),
		Producers: or(a.Producers, nil), Consumers: or(a.Consumers, nil), Viewers: or(a.Viewers, nil),
	})
}
