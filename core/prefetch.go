package pgqrs

import "time"

// adaptiveSize is how much a stream fetches at once when nobody said: it doubles
// while the reader comes back for more at once, and halves when it takes long.
type adaptiveSize struct {
	size int
	full bool
	at   time.Time
}

const (
	firstFetch   = 32
	smallFetch   = 8
	largestFetch = 1000
	comesQuickly = 200 * time.Millisecond
	comesSlowly  = time.Second
)

// next returns the size of the next fetch.
func (a *adaptiveSize) next() int {
	switch since := time.Since(a.at); {
	case a.size == 0:
		a.size = firstFetch
	case a.full && since < comesQuickly:
		a.size = min(2*a.size, largestFetch)
	case since > comesSlowly && a.full:
		a.size = max(a.size/2, smallFetch)
	}
	a.full = false
	return a.size
}

// fetched notes a fetch and whether it brought all that was asked for.
func (a *adaptiveSize) fetched(full bool) { a.full, a.at = full, time.Now() }
