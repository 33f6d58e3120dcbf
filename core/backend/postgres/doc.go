// Package postgres keeps queues in PostgreSQL 14 or newer, through pgx. It
// implements backend.Backend; only core/connect.go and tests import it.
//
// The operations are SQL functions, one round trip each, which the migrations in
// migration/ install; sql/ has the queries that call them. There is no SQL text
// in Go code. What the tables hold and why, the migrations say, and
// docs/adr/0001-log-and-spans.md.
//
// Nothing rests on the state of a session, so that the backend works through
// PgBouncer in transaction mode (but for Listener, which finds out by itself).
package postgres
