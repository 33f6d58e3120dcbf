// Package secret keeps passwords out of what is printed.
package secret

import "strings"

// DSN is a data source name to be shown: its scheme, and an ellipsis, since nobody can
// tell for sure where in the rest of it, which may be written wrongly, the password is.
// The name of a store in memory is shown whole.
func DSN(dsn string) string {
	scheme, _, isURL := strings.Cut(dsn, "://")
	switch {
	case !isURL:
		return "…"
	case scheme == "memory":
		return dsn
	case scheme == "postgresql", scheme == "postgres", scheme == "embedded":
		return scheme + "://…"
	default:
		return "…"
	}
}
