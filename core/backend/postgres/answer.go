package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A connection can be dead without anybody saying so (docs/adr/0051-answers.md): its server lost power, a
// firewall forgot it, a proxy hangs. An operation on it would wait for minutes, or for
// ever. So each waits for its answer for a limited time. Then the server is asked to
// cancel, which ends what merely takes long (a lock, say) with an error that says that
// nothing was done; and where no answer comes even then the connection is given up.
const (
	// cancelGrace is how long the server has to answer a request to cancel.
	cancelGrace = time.Second
	// longestPing bounds the look at a connection that was idle, before its use.
	longestPing = 5 * time.Second
	pingAfter   = time.Second
	// goodbye bounds the last words to the server when a connection is closed. pgx
	// waits for fifteen seconds, in which the dead one takes up a place in the pool.
	goodbye = time.Second
)

// keepAlive finds a peer that is gone within half a minute, on connections that wait
// for nothing, too: that of a listener. Go's default takes two and a half minutes.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// errNoAnswer is the cause of the end of an operation that waited for too long.
var errNoAnswer = errors.New("no answer")

// noAnswerError: the server did not answer in time, and the connection was given up.
type noAnswerError struct {
	after time.Duration
	cause error
}

func (e *noAnswerError) Error() string {
	return fmt.Sprintf("no answer within %v: %v", e.after, e.cause)
}

func (e *noAnswerError) Unwrap() error { return e.cause }

// answering calls operate with a context that ends when the server takes too long.
// Other connections of the pool are then dropped where they are idle, and otherwise after
// their use.
func (b *Backend) answering(ctx context.Context, operate func(context.Context) error) error {
	limited, cancel := context.WithTimeoutCause(ctx, b.answerTimeout, errNoAnswer)
	defer cancel()
	err := operate(limited)
	if err == nil || context.Cause(limited) != errNoAnswer || errors.As(err, new(*pgconn.PgError)) {
		return err
	}
	b.suspect()
	return &noAnswerError{after: b.answerTimeout, cause: err}
}

// suspect is called when a connection was found dead: then so are, most likely, the others.
func (b *Backend) suspect() {
	b.pool.Reset()
	b.listeners.Range(func(l, _ any) bool {
		l.(*Listener).check()
		return true
	})
}

// watchAnswers configures the connections of a pool.
func (b *Backend) watchAnswers(p *pgxpool.Config) {
	dialer := &net.Dialer{KeepAliveConfig: keepAlive}
	p.ConnConfig.DialFunc = dialer.DialContext
	p.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &answerWatcher{
			gently: &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: cancelGrace},
			atOnce: &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn()},
		}
	}
	p.BeforeClose = func(c *pgx.Conn) {
		raw := c.PgConn().Conn()
		time.AfterFunc(goodbye, func() { _ = raw.Close() }) // closed already, nearly always
	}
	p.ShouldPing = func(ctx context.Context, idle pgxpool.ShouldPingParams) bool {
		if idle.IdleDuration <= pingAfter {
			return false
		}
		limited, cancel := context.WithTimeout(ctx, min(longestPing, b.answerTimeout))
		defer cancel()
		if idle.Conn.Ping(limited) == nil {
			return false
		}
		if limited.Err() != nil && ctx.Err() == nil {
			b.suspect()
		}
		return true // the pool finds it closed, and takes another one
	}
}

// answerWatcher ends an operation whose context has ended: gently when it waited for
// its answer for too long, at once when its caller gave up.
type answerWatcher struct {
	gently, atOnce, used ctxwatch.Handler
}

// HandleCancel implements ctxwatch.Handler.
func (w *answerWatcher) HandleCancel(ended context.Context) {
	w.used = w.atOnce
	if context.Cause(ended) == errNoAnswer {
		w.used = w.gently
	}
	w.used.HandleCancel(ended)
}

// HandleUnwatchAfterCancel implements ctxwatch.Handler.
func (w *answerWatcher) HandleUnwatchAfterCancel() { w.used.HandleUnwatchAfterCancel() }
