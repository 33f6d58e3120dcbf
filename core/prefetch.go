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

// byteBudget bounds a stream by the bytes of the payloads that it has fetched and not
// handed on. How long those of a fetch are is known when it has come: so the size of
// the next one goes by those before it, and the backend is told the bound itself, in
// case that they are longer.
type byteBudget struct {
	most int64   // Config.MaxPrefetchBytes
	mean float64 // bytes of one message; 0: nothing is known
}

// fits says how many messages may be fetched beside what is held, and how many bytes
// they may have. Half of the budget is for one fetch, so that the next may be on its
// way while the reader works on it.
func (b *byteBudget) fits(held int64) (messages int, bytes int64) {
	bytes = max(b.most-held, 0)
	if b.mean == 0 {
		return firstFetch, bytes
	}
	return int(min(float64(min(bytes, b.most/2))/b.mean, MaxBatchSize)), bytes
}

// fetched notes what came. The mean rises at once and falls slowly.
func (b *byteBudget) fetched(messages int, bytes int64) {
	mean := max(float64(bytes)/float64(messages), 1)
	if mean < b.mean {
		mean = b.mean + (mean-b.mean)/4
	}
	b.mean = mean
}
