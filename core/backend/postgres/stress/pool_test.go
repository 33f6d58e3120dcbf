package stress

import (
	"math/rand/v2"
	"sync"

	"github.com/pgqrs/pgqrs/core/backend"
)

// token is a delivery, of which nobody knows whether it is held still.
type token struct{ queue, lease, id int64 }

func deliveriesOf(tokens []token) []backend.Delivery {
	all := make([]backend.Delivery, len(tokens))
	for i, t := range tokens {
		all[i] = backend.Delivery{Lease: t.lease, ID: t.id}
	}
	return all
}

// pool has the deliveries of all workers, so that they settle each other's. It
// has at most poolSize, the newest.
type pool struct {
	mu     sync.Mutex
	tokens []token
}

const poolSize = 4000

func (p *pool) put(tokens []token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens = append(p.tokens, tokens...)
	if n := len(p.tokens) - poolSize; n > 0 {
		p.tokens = append(p.tokens[:0], p.tokens[n:]...)
	}
}

func (p *pool) drop(tokens []token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gone := make(map[token]bool, len(tokens))
	for _, t := range tokens {
		gone[t] = true
	}
	kept := p.tokens[:0]
	for _, t := range p.tokens {
		if !gone[t] {
			kept = append(kept, t)
		}
	}
	p.tokens = kept
}

// pick returns deliveries of one queue, no two the same: some that follow each
// other, mostly new ones, or any.
func (p *pool) pick(r *rand.Rand) []token {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.tokens)
	if n == 0 {
		return nil
	}
	first := r.IntN(n)
	if r.IntN(3) > 0 {
		first = max(0, n-1-r.IntN(300))
	}
	anywhere := r.IntN(4) == 0
	var picked []token
	seen := make(map[token]bool)
	for k := range oneOf(r, 1, 1, 2, 10, 10, 100) {
		t := p.tokens[(first+k)%n]
		if anywhere {
			t = p.tokens[r.IntN(n)]
		}
		if t.queue == p.tokens[first].queue && !seen[t] {
			seen[t] = true
			picked = append(picked, t)
		}
	}
	return picked
}
