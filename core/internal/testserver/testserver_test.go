package testserver

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { Main(m) }

func ask(t *testing.T, dsn, query string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	connection, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(ctx) }()
	var answer string
	if err := connection.QueryRow(ctx, query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestDSNGivesEachCallADatabaseOfItsOwn(t *testing.T) {
	first, second := DSN(t), DSN(t)
	if a, b := ask(t, first, "select current_database()"), ask(t, second, "select current_database()"); a == b {
		t.Fatalf("both are %s", a)
	}
}

func TestDSNIsDroppedAtTheEndOfItsTestDespiteOpenConnections(t *testing.T) {
	var name string
	t.Run("uses it", func(t *testing.T) {
		dsn := DSN(t)
		name = ask(t, dsn, "select current_database()")
		if _, err := pgx.Connect(context.Background(), dsn); err != nil { // left open on purpose
			t.Fatal(err)
		}
	})
	if n := ask(t, DSN(t), "select count(*)::text from pg_database where datname = '"+name+"'"); n != "0" {
		t.Fatalf("%s is still there", name)
	}
}

func TestServerKeepsWhatWasCommittedThroughRestartAndCrash(t *testing.T) {
	server := Server(t)
	dsn := server.DSN(t)
	for _, end := range []func() error{server.Restart, func() error {
		if err := server.Crash(); err != nil {
			return err
		}
		return server.Start()
	}} {
		if err := execute(dsn, "create table if not exists kept(n int); insert into kept values (1)"); err != nil {
			t.Fatal(err)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	if n := ask(t, dsn, "select count(*)::text from kept"); n != "2" {
		t.Fatalf("%s rows of 2", n)
	}
}

// TestAKilledProcessLeavesNoServerBehind starts this test binary again, lets it
// start a server, and kills it.
func TestAKilledProcessLeavesNoServerBehind(t *testing.T) {
	if where := os.Getenv("PGQRS_TESTSERVER_CHILD"); where != "" {
		c, err := Start()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(where+".new", []byte(c.Dir()), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(where+".new", where); err != nil {
			t.Fatal(err)
		}
		select {} // until killed
	}
	where := filepath.Join(t.TempDir(), "dir")
	child := exec.Command(os.Args[0], "-test.run=^TestAKilledProcessLeavesNoServerBehind$")
	child.Env = append(os.Environ(), "PGQRS_TESTSERVER_CHILD="+where)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var dir string
	eventually(t, "the child has a server", func() bool {
		text, err := os.ReadFile(where)
		dir = string(text)
		return err == nil
	})
	port := strings.Split(readFile(t, filepath.Join(dir, "data", "postmaster.pid")), "\n")[3]
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	eventually(t, "the folder and the server are gone", func() bool {
		_, noDir := os.Stat(dir)
		connection, refused := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
		if refused == nil {
			_ = connection.Close()
		}
		return os.IsNotExist(noDir) && refused != nil
	})
}

func TestMissingProgramsSayWhatToDo(t *testing.T) {
	t.Setenv("PGQRS_TEST_PGBIN", t.TempDir())
	if _, err := Start(); err == nil || !strings.Contains(err.Error(), "PGQRS_TEST_PGBIN") {
		t.Fatalf("got %v", err)
	}
}

func TestProgramsInAClosedFolderAreCopied(t *testing.T) {
	bin, err := findPrograms()
	if err != nil {
		t.Fatal(err)
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(closed, "package", "pginstall18", "bin")
	for _, dir := range []string{inside, filepath.Join(closed, "package.libs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(inside, "initdb"), []byte("x"), 0o755); err != nil {
		t.Fatal(err)
	}
	target := t.TempDir()
	got, err := reachablePrograms(inside, target)
	if want := filepath.Join(target, "programs", "package", "pginstall18", "bin"); err != nil || got != want {
		t.Fatalf("got %s, %v, want %s", got, err, want)
	}
	if readFile(t, filepath.Join(got, "initdb")) != "x" || !isDir(filepath.Join(target, "programs", "package.libs")) {
		t.Fatal("the copy is not whole")
	}
	if got, err := reachablePrograms(bin, target); openToOthers(bin) && (err != nil || got != bin) {
		t.Fatalf("%s was copied to %s, %v", bin, got, err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}
