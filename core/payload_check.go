package pgqrs

import (
	"runtime"
	"sync"
)

// Below that many bytes in all, payloads are checked sooner by one goroutine than by
// several, which must wake. A piece is what one of them takes at a time.
const (
	checkTogether = 256 << 10
	checkPiece    = 32 << 10
)

// checkPayloads returns the index of the first payload that cannot be stored, and
// why; many bytes are checked by as many goroutines as there are processors, since
// checking is what they cost most in this process.
func (s *Store) checkPayloads(payloads [][]byte) (int, error) {
	helpers := 0
	if n := bytesOf(payloads); n >= checkTogether {
		helpers = min(runtime.GOMAXPROCS(0), n/checkPiece) - 1
	}
	c := &payloadCheck{store: s, payloads: payloads, bad: len(payloads)}
	var helping sync.WaitGroup
	for range helpers {
		helping.Add(1)
		if !s.tasks.start(func() { defer helping.Done(); c.run() }) {
			helping.Done() // the store has ended; we do it alone
		}
	}
	c.run()
	helping.Wait()
	return c.bad, c.err
}

func bytesOf(payloads [][]byte) (n int) {
	for _, p := range payloads {
		n += len(p)
	}
	return n
}

// payloadCheck is one batch that is being checked. Its pieces are taken in order, so
// that when one finds a bad payload all before it are taken.
type payloadCheck struct {
	store    *Store
	payloads [][]byte

	mu   sync.Mutex
	next int   // the first that nobody has taken
	bad  int   // the first that is known to be bad
	err  error // why
}

// run checks pieces until all are taken, or one before them is bad.
func (c *payloadCheck) run() {
	for begin, end := c.take(); begin < end; begin, end = c.take() {
		for i := begin; i < end; i++ {
			if err := c.store.checkPayload(c.payloads[i]); err != nil {
				c.found(i, err)
				break
			}
		}
	}
}

// take returns the next piece, empty at the end.
func (c *payloadCheck) take() (begin, end int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begin, end = c.next, c.next
	for size := 0; end < c.bad && size < checkPiece; end++ {
		size += len(c.payloads[end])
	}
	c.next = end
	return begin, end
}

// found notes a bad payload.
func (c *payloadCheck) found(i int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i < c.bad {
		c.bad, c.err = i, err
	}
}
