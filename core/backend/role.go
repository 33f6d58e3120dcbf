package backend

import "context"

// Roles names roles of the database, which exist, by what they may do to the queues of a
// store. A role may be named more than once and has the rights of all its kinds then.
type Roles struct {
	// Owner gets the tables and functions, and may upgrade and remove them. Empty:
	// they stay with whom they are.
	Owner string
	// Producers may store messages and make queues; they read no message.
	Producers []string
	// Consumers may lease and settle messages and make queues; they store none.
	Consumers []string
	// Viewers may read everything and change nothing.
	Viewers []string
}

// RoleBackend is a Backend whose queues have users with rights.
type RoleBackend interface {
	// RoleGrant gives roles exactly the rights of their kinds, all or nothing; what
	// they had before on the tables of pgqrs they lose. ErrConfig: a role does not
	// exist, or the user of the store may not do it. A later version of the schema
	// may need it again.
	RoleGrant(ctx context.Context, r *Roles) error
}
