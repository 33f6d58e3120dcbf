// Command goprogram is a program of the soak bench that is written in Go: a producer or a
// consumer, as soak/programs has them in Python, with a ledger of the same lines
// (soak/ledger.py says what they mean). It runs until SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// options are what the bench tells a program, by the same names as those in Python.
type options struct {
	role, queue, folder, name, mode string
	rate, vt, answerTimeout         float64
}

func main() {
	var o options
	flag.StringVar(&o.role, "role", "", "producer or consumer")
	flag.StringVar(&o.queue, "queue", "", "the queue")
	flag.StringVar(&o.folder, "folder", "", "where the ledger and the log go")
	flag.StringVar(&o.name, "name", "", "the name of the program")
	flag.StringVar(&o.mode, "mode", "", "go-produce, go-handler or go-iterate")
	flag.Float64Var(&o.rate, "rate", 100, "messages a second")
	flag.Float64Var(&o.vt, "vt", 2, "seconds")
	flag.Float64Var(&o.answerTimeout, "answer-timeout", 3, "seconds")
	flag.Float64("produce-timeout", 0, "of others")
	flag.Int64("seed", 0, "of others: the scheduler makes runs differ anyway")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (o options) run() error {
	book, err := openLedger(filepath.Join(o.folder, o.name+".ledger"))
	if err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(o.folder, o.name+".log"))
	if err != nil {
		return err
	}
	book.write("hello", o.name, o.role)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := o.connect(ctx, slog.New(lines{file}))
	if err != nil || s == nil {
		return err
	}
	telling, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		book.tellFootprints(telling)
	}()
	if o.role == "producer" {
		produce(ctx, o, book, s)
	} else if err := consume(ctx, o, book, s); err != nil {
		return err
	}
	close(telling)
	<-told
	if err := s.Close(context.Background()); err != nil {
		return err
	}
	book.write("bye")
	return nil
}

// connect tries again where the server is away, as any program that is started while it
// is; nil: it was told to stop meanwhile.
func (o options) connect(ctx context.Context, log *slog.Logger) (*pgqrs.Store, error) {
	for ctx.Err() == nil {
		s, err := pgqrs.Connect(ctx, os.Getenv("PGQRS_DSN"), func(c *pgqrs.Config) {
			c.MaxConnections = 4
			c.DefaultLockTime = seconds(o.vt)
			c.ConnectTimeout = 15 * time.Second
			c.AnswerTimeout = seconds(o.answerTimeout)
			c.Logger = log
		})
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, pgqrs.ErrConnection) && !errors.Is(err, pgqrs.ErrTimeout) && ctx.Err() == nil {
			return nil, err
		}
		pause(ctx, 200*time.Millisecond)
	}
	return nil, nil
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
