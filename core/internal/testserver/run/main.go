// Command run starts a private PostgreSQL (package testserver) for tests that
// are not Go tests.
//
//	go run ./core/internal/testserver/run COMMAND [ARGUMENT…]
//
// runs the command with PGQRS_TEST_DSN, PGHOST, PGPORT and PGUSER pointing at
// the server, and exits with its status. Without a command it prints the DSN on
// one line, and then obeys lines on its standard input until that ends:
// "stop", "start", "crash" and "restart" are answered by "ok" or an error.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(command []string) int {
	// A Ctrl-C reaches the command as well; we stay to see it end.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)

	server, err := testserver.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testserver:", err)
		return 1
	}
	defer server.Close()
	if len(command) == 0 {
		fmt.Println(server.AdminDSN())
		obey(server, os.Stdin, os.Stdout)
		return 0
	}
	return runCommand(server, command, signals)
}

func runCommand(server *testserver.Cluster, command []string, signals <-chan os.Signal) int {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(),
		"PGQRS_TEST_DSN="+server.AdminDSN(),
		"PGHOST=127.0.0.1", "PGPORT="+strconv.Itoa(server.Port()), "PGUSER=postgres", "PGSSLMODE=disable")
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 127
	}
	go func() {
		for s := range signals {
			if s != syscall.SIGINT { // the terminal sent it to the command already
				_ = cmd.Process.Signal(s)
			}
		}
	}()
	err := cmd.Wait()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended) && ended.ExitCode() >= 0:
		return ended.ExitCode()
	default:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
}

func obey(server *testserver.Cluster, in io.Reader, out io.Writer) {
	verbs := map[string]func() error{
		"stop": server.Stop, "start": server.Start, "crash": server.Crash, "restart": server.Restart,
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		verb, known := verbs[lines.Text()]
		if !known {
			_, _ = fmt.Fprintf(out, "no such verb: %s\n", lines.Text())
			continue
		}
		answer := "ok"
		if err := verb(); err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		_, _ = fmt.Fprintln(out, answer)
	}
}
