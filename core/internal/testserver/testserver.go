package testserver

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// shared is the cluster of this test binary, started at the first DSN.
var shared struct {
	once    sync.Once
	cluster *Cluster
	err     error
}

// Main runs the tests and then stops the shared cluster. Call it from TestMain
// of a package that uses DSN:
//
//	func TestMain(m *testing.M) { testserver.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	if shared.cluster != nil {
		shared.cluster.Close()
	}
	os.Exit(code)
}

// DSN returns the DSN of a fresh, empty database, which is dropped at the end
// of the test, connections and all.
func DSN(t testing.TB) string {
	t.Helper()
	admin := os.Getenv("PGQRS_TEST_DSN")
	if admin == "" {
		shared.once.Do(func() { shared.cluster, shared.err = Start() })
		if shared.err != nil {
			t.Fatalf("testserver: %v", shared.err)
		}
		admin = shared.cluster.AdminDSN()
	}
	return freshDatabase(t, admin)
}

// Server starts a cluster for this test alone, that ends with it.
func Server(t testing.TB) *Cluster {
	t.Helper()
	c, err := Start()
	if err != nil {
		t.Fatalf("testserver: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// DSN returns the DSN of a fresh, empty database on this cluster.
func (c *Cluster) DSN(t testing.TB) string {
	t.Helper()
	name := randomName()
	if err := execute(c.AdminDSN(), "create database "+name); err != nil {
		t.Fatalf("testserver: %v", err)
	}
	return c.dsn(name) // it goes with the cluster
}

func freshDatabase(t testing.TB, admin string) string {
	t.Helper()
	name := randomName()
	dsn, err := withDatabase(admin, name)
	if err == nil {
		err = execute(admin, "create database "+name)
	}
	if err != nil {
		t.Fatalf("testserver: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(admin, "drop database if exists "+name+" with (force)"); err != nil {
			t.Errorf("testserver: %v", err)
		}
	})
	return dsn
}

func randomName() string { return "pgqrs_test_" + strings.ToLower(rand.Text()[:12]) }

func withDatabase(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil || (u.Scheme != "postgresql" && u.Scheme != "postgres") {
		return "", fmt.Errorf("PGQRS_TEST_DSN must look like postgresql://user@host:port/database")
	}
	u.Path = "/" + name
	return u.String(), nil
}

func execute(dsn, sql string) error {
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close(ctx) }()
	_, err = connection.Exec(ctx, sql)
	return err
}
