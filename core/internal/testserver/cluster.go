package testserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Cluster is one private PostgreSQL server. Its methods are for one goroutine
// at a time.
type Cluster struct {
	bin    string
	dir    string
	port   int
	runAs  *syscall.Credential
	alive  io.Closer // closing it tells the reaper to end everything
	reaper *exec.Cmd
}

// Settings that make a test server fast. fsync is off: what a commit wrote
// survives the death of the server's processes all the same, and no test turns
// the power off.
const settings = `
listen_addresses = '127.0.0.1'
unix_socket_directories = '%s'
max_connections = 300
fsync = off
full_page_writes = off
log_min_messages = warning
max_prepared_transactions = 10
`

// Start makes a cluster and starts it. Close ends it.
func Start() (*Cluster, error) {
	bin, err := findPrograms()
	if err != nil {
		return nil, err
	}
	runAs, err := serverUser()
	if err != nil {
		return nil, err
	}
	// Not TMPDIR: the path of a unix socket has room for some 100 bytes, and
	// the server's user must reach it.
	dir, err := os.MkdirTemp("/tmp", "pgqrs-test-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, dir: dir, runAs: runAs}
	if err := c.create(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) create() error {
	if c.runAs != nil {
		if err := os.Chown(c.dir, int(c.runAs.Uid), int(c.runAs.Gid)); err != nil {
			return err
		}
		var err error
		if c.bin, err = reachablePrograms(c.bin, c.dir); err != nil {
			return err
		}
	}
	if err := c.reap(); err != nil {
		return err
	}
	if err := c.run("initdb", "-D", c.data(), "-U", "postgres", "-A", "trust",
		"--no-locale", "--encoding=UTF8", "--no-sync"); err != nil {
		return err
	}
	config, err := os.OpenFile(filepath.Join(c.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(config, settings, c.dir)
	if err = errors.Join(err, config.Close()); err != nil {
		return err
	}
	return c.startOnFreePort()
}

// startOnFreePort tries again when somebody took the port between our look and
// the server's.
func (c *Cluster) startOnFreePort() error {
	var err error
	for range 5 {
		if c.port, err = freePort(); err != nil {
			return err
		}
		if err = c.Start(); err == nil {
			return nil
		}
	}
	return err
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}

// reap starts a shell that waits for the end of its input, which comes when we
// close it or die, and then stops the server and removes the folder. It is in a
// session of its own, so that a Ctrl-C or the kill of our process group, which
// would leave the server running, does not reach it.
func (c *Cluster) reap() error {
	const script = `trap '' INT TERM HUP; read -r _; ` +
		`"$1/pg_ctl" -D "$2/data" -m immediate -w stop; rm -rf "$2"/* ; rmdir "$2"`
	c.reaper = exec.Command("/bin/sh", "-c", script, "sh", c.bin, c.dir)
	c.reaper.Dir = "/"
	c.reaper.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.runAs}
	input, err := c.reaper.StdinPipe()
	if err != nil {
		return err
	}
	c.alive = input
	return c.reaper.Start()
}

// Close stops the server and removes all it had.
func (c *Cluster) Close() {
	if c.reaper != nil && c.reaper.Process != nil {
		_ = c.alive.Close()
		_ = c.reaper.Wait() // its status is pg_ctl's, which may find nothing to stop
	}
	_ = os.RemoveAll(c.dir) // what the reaper may not remove: the copy of the programs
}

// Start starts a stopped or crashed server on its old port.
func (c *Cluster) Start() error {
	err := c.run("pg_ctl", "-D", c.data(), "-l", c.log(), "-o", fmt.Sprintf("-p %d", c.port), "-w", "-t", "60", "start")
	if err != nil {
		text, _ := c.Log()
		return fmt.Errorf("%w\nthe server's log:\n%s", err, text)
	}
	return nil
}

// Stop ends the server in good order; its connections are cut.
func (c *Cluster) Stop() error {
	return c.run("pg_ctl", "-D", c.data(), "-m", "fast", "-w", "stop")
}

// Crash ends the server at once, without a checkpoint: the next Start recovers
// from the log, and what was committed asynchronously may be lost.
func (c *Cluster) Crash() error {
	return c.run("pg_ctl", "-D", c.data(), "-m", "immediate", "-w", "stop")
}

// Restart is Stop and Start.
func (c *Cluster) Restart() error {
	if err := c.Stop(); err != nil {
		return err
	}
	return c.Start()
}

// Port is where the server listens on 127.0.0.1.
func (c *Cluster) Port() int { return c.port }

// Dir is the folder of the unix socket.
func (c *Cluster) Dir() string { return c.dir }

// AdminDSN is a superuser's DSN of the database postgres.
func (c *Cluster) AdminDSN() string { return c.dsn("postgres") }

func (c *Cluster) dsn(database string) string {
	return fmt.Sprintf("postgresql://postgres@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}

// Log is all that the server has written to its log: warnings, errors and what
// it says of its own state.
func (c *Cluster) Log() ([]byte, error) { return os.ReadFile(c.log()) }

func (c *Cluster) log() string { return filepath.Join(c.dir, "log") }

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// run runs one of the server's programs to its end, as the server's user.
func (c *Cluster) run(program string, args ...string) error {
	cmd := exec.CommandContext(context.Background(), filepath.Join(c.bin, program), args...)
	cmd.Dir = c.dir // the server's user may have no access to ours
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.runAs}
	// A file, not a pipe: the server inherits it from pg_ctl, and a pipe would
	// be read until the server ends.
	output, err := os.CreateTemp(c.dir, "output-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(output.Name()) }()
	cmd.Stdout, cmd.Stderr = output, output
	err = errors.Join(cmd.Run(), output.Close())
	if err != nil {
		text, _ := os.ReadFile(output.Name())
		return fmt.Errorf("%s: %w\n%s", program, err, strings.TrimSpace(string(text)))
	}
	return nil
}
