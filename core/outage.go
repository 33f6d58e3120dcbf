package pgqrs

import (
	"log/slog"
	"sync"
	"time"
)

// outage tells of a server that is away, once and not at every try: all that a store
// does in the background meets the same one. It says when it begins, says so again now
// and then while it lasts, and says when it is over.
type outage struct {
	log *slog.Logger

	mu     sync.Mutex
	since  time.Time // zero: the server answers, as far as we know
	told   time.Time // of which a line was logged last
	silent int       // failures since then
}

// outageQuiet is how long at least lies between two warnings, also where the server
// comes and goes.
const outageQuiet = 10 * time.Second

// failed notes that something in the background had no answer; what says what that was.
func (o *outage) failed(what string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.since.IsZero() {
		o.since = now
	}
	if now.Sub(o.told) < outageQuiet {
		o.silent++
		o.log.Debug("the server does not answer", "doing", what, "error", err)
		return
	}
	o.log.Warn("the server does not answer; trying again until it does", "doing", what,
		"for", now.Sub(o.since).Round(time.Millisecond), "failures_not_logged", o.silent, "error", err)
	o.told, o.silent = now, 0
}

// worked notes that something in the background had an answer.
func (o *outage) worked() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return
	}
	o.log.Info("the server answers again", "after", time.Since(o.since).Round(time.Millisecond))
	o.since = time.Time{}
}
