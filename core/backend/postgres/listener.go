package postgres

import (
	"context"
	"crypto/rand"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgqrs/pgqrs/core/backend"
)

// listenTest is how long a listener's own test notification may take.
const listenTest = 2 * time.Second

// listenCheck is how often a listener that hears nothing asks whether it could.
const listenCheck = 30 * time.Second

// channel is the notification channel of our schema. pgqrs_produce_batch makes
// the same name.
func (b *Backend) channel() string {
	return "pgqrs_" + strings.ReplaceAll(b.identity, "-", "")
}

// Listener implements backend.Listener on a connection of its own.
type Listener struct {
	b    *Backend
	conn *pgx.Conn
	// ctx ends with Close, so that Wait does.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// waiting is held by Wait, and by whoever ends the connection.
	waiting sync.Mutex
	closed  sync.Once
	// until says when this listener's sleep on a queue ends. The channel is that
	// of the whole schema; what is for others is passed over.
	mu        sync.Mutex
	until     map[int64]time.Time
	interrupt context.CancelFunc // of the wait that is on; under mu
}

// ListenerOpen implements backend.ListenerBackend.
func (b *Backend) ListenerOpen(ctx context.Context) (backend.Listener, error) {
	ctx, cancel := b.bind(ctx)
	defer cancel(nil)
	connecting, stop := context.WithTimeout(ctx, b.connectTimeout)
	defer stop()
	conn, err := pgx.ConnectConfig(connecting, b.connection.Copy())
	if err != nil {
		return nil, b.failure(ctx, err, true)
	}
	l := &Listener{b: b, conn: conn, until: make(map[int64]time.Time)}
	l.ctx, l.cancel = context.WithCancelCause(b.closing)
	b.listeners.Store(l, nil)
	if b.closing.Err() != nil {
		_ = l.Close() // Close of the backend may have looked before we were there
	}
	if err := l.listen(ctx); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// listen subscribes, and waits for a notification of our own: through a pooler
// in transaction mode LISTEN seems to succeed and nothing ever arrives.
func (l *Listener) listen(ctx context.Context) error {
	channel := l.b.channel()
	if _, err := l.conn.Exec(ctx, strings.ReplaceAll(l.b.sql.ListenerOpen, "{channel}", channel)); err != nil {
		return l.b.failure(ctx, err, true)
	}
	token := "test " + rand.Text()
	err := l.b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		_, err := c.Exec(ctx, l.b.sql.ListenerTest, channel, token)
		return err
	})
	if err != nil {
		return err
	}
	test, cancel := context.WithTimeout(ctx, listenTest)
	defer cancel()
	for {
		n, err := l.conn.WaitForNotification(test)
		if err != nil && ctx.Err() == nil && test.Err() != nil {
			return &backend.Error{Kind: backend.ErrListenUnavailable, Message: backend.ErrListenUnavailable.Error(), Index: -1, Cause: err}
		}
		if err != nil {
			return l.b.failure(ctx, err, true)
		}
		if n.Payload == token {
			return nil
		}
	}
}

// Sleep implements backend.Listener.
func (l *Listener) Sleep(ctx context.Context, queueIDs []int64) error {
	l.remember(queueIDs) // first: a notification may come before the answer does
	return l.b.do(ctx, true, func(ctx context.Context, c *pgxpool.Conn) error {
		_, err := c.Exec(ctx, l.b.sql.ListenerSleep, queueIDs, backend.SleepTTL)
		return err
	})
}

// remember notes that this listener sleeps on these queues, and forgets those
// on which it slept long ago.
func (l *Listener) remember(queueIDs []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(l.until, func(_ int64, until time.Time) bool { return until.Before(now) })
	for _, id := range queueIDs {
		l.until[id] = now.Add(2 * backend.SleepTTL) // the server's TTL begins later than ours
	}
}

// concerns says whether this listener sleeps on a queue.
func (l *Listener) concerns(queueID int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.until[queueID]
	return ok
}

// Wait implements backend.Listener. After an error that is not ctx's the
// connection is gone.
func (l *Listener) Wait(ctx context.Context) (int64, error) {
	l.waiting.Lock()
	defer l.waiting.Unlock()
	both, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(l.ctx, func() { cancel(backend.ErrClosed) })
	defer stop()
	for {
		n, err := l.hear(both)
		switch {
		case err == nil && n == nil: // it is alive
		case err == nil:
			// What is not a queue's id is the test of another listener.
			if id, err := strconv.ParseInt(n.Payload, 10, 64); err == nil && l.concerns(id) {
				return id, nil
			}
		case l.ctx.Err() != nil:
			return 0, &backend.Error{Kind: backend.ErrClosed, Message: "the listener was closed", Index: -1, Cause: err}
		default:
			return 0, l.b.failure(ctx, err, true)
		}
	}
}

// hear waits for a notification. From time to time, and when check was called, it asks
// whether the server is still there, for on a connection that died without a word nothing
// is ever heard: nil and no error when it is.
func (l *Listener) hear(ctx context.Context) (*pgconn.Notification, error) {
	waiting, cancel := context.WithTimeout(ctx, listenCheck)
	defer cancel()
	l.mu.Lock()
	l.interrupt = cancel
	l.mu.Unlock()
	n, err := l.conn.WaitForNotification(waiting)
	if err == nil || ctx.Err() != nil || waiting.Err() == nil || l.conn.IsClosed() {
		return n, err
	}
	pinging, stop := context.WithTimeout(ctx, min(longestPing, l.b.answerTimeout))
	defer stop()
	return nil, l.conn.Ping(pinging)
}

// check makes Wait ask whether the server is still there.
func (l *Listener) check() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.interrupt != nil {
		l.interrupt()
	}
}

// Close implements backend.Listener.
func (l *Listener) Close() error {
	l.closed.Do(func() {
		l.cancel(backend.ErrClosed)
		l.b.listeners.Delete(l)
		l.waiting.Lock() // Wait has returned
		defer l.waiting.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = l.conn.Close(ctx)
	})
	return nil
}
