package postgres_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
)

// hole is a way to the server through which, once it was told so, nothing passes on the
// connections that there are, ever; new ones work.
type hole struct {
	mu    sync.Mutex
	pairs []*atomic.Bool
}

func (h *hole) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, forgotten := range h.pairs {
		forgotten.Store(true)
	}
}

// serve forwards connections to the server of that DSN and returns the DSN to use.
func (h *hole) serve(t *testing.T, dsn string) string {
	t.Helper()
	target, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target.Host)
			if err != nil {
				_ = client.Close()
				return
			}
			forgotten := &atomic.Bool{}
			h.mu.Lock()
			h.pairs = append(h.pairs, forgotten)
			h.mu.Unlock()
			go pass(client, server, forgotten)
			go pass(server, client, forgotten)
		}
	}()
	through := *target
	through.Host = listener.Addr().String()
	return through.String()
}

func pass(from, to net.Conn, forgotten *atomic.Bool) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil && !forgotten.Load() {
			_ = to.Close()
		}
		if errors.Is(err, io.EOF) || err != nil {
			return
		}
		if !forgotten.Load() {
			_, _ = to.Write(buffer[:n])
		}
	}
}

func openPatient(t *testing.T, dsn string) *postgres.Backend {
	t.Helper()
	b, err := postgres.Open(context.Background(), postgres.Config{
		DSN: dsn, AutoInstall: true, MaxConnections: 4, AnswerTimeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// TestADeadConnectionIsGivenUp: what was on its way may have been done, and what comes
// next has a new connection.
func TestADeadConnectionIsGivenUp(t *testing.T) {
	f := newBench(t)
	var h hole
	b := openPatient(t, h.serve(t, f.dsn))
	produce := &backend.MessageProduceParams{QueueID: f.queue, Payloads: [][]byte{[]byte("1")}}
	_, err := b.MessageProduce(f.ctx, produce)
	f.must(err)
	l, err := b.ListenerOpen(f.ctx)
	f.must(err)
	deaf := make(chan error, 1)
	go func() {
		_, err := l.Wait(f.ctx)
		deaf <- err
	}()
	h.forget()
	_, err = b.MessageProduce(f.ctx, produce)
	var e *backend.Error
	if !errors.As(err, &e) || !errors.Is(err, backend.ErrConnection) || !e.MaybeCommitted {
		t.Fatalf("%#v", err)
	}
	_, err = b.MessageProduce(f.ctx, produce)
	f.must(err)
	// The listener is asked, too, whether it is alive.
	if err := <-deaf; !errors.Is(err, backend.ErrConnection) {
		t.Errorf("the listener: %v", err)
	}
	f.must(l.Close())
}

// TestAnOperationThatTakesTooLongIsCancelled: the server says that it was not done.
func TestAnOperationThatTakesTooLongIsCancelled(t *testing.T) {
	f := newBench(t)
	b := openPatient(t, f.dsn)
	tx, err := f.c.Begin(f.ctx)
	f.must(err)
	_, err = tx.Exec(f.ctx, "lock table pgqrs_spans in access exclusive mode")
	f.must(err)
	_, err = b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: [][]byte{[]byte("1")}})
	f.must(tx.Rollback(f.ctx))
	var e *backend.Error
	if !errors.As(err, &e) || !errors.Is(err, backend.ErrTimeout) || !e.SafeToRetry || e.MaybeCommitted {
		t.Fatalf("%#v", err)
	}
	if n := ask[int](f, "select count(*)::int from pgqrs_log"); n != 0 {
		t.Errorf("%d messages are stored", n)
	}
}
