package pgqrs

import "sync"

// peers is what the stores of this process that reach the same queues share: the
// ledger of what they hold, and the hub that wakes their streams.
type peers struct {
	ledger *ledger
	hub    *hub
	stores int
}

// allPeers finds them by Backend.Identity; an entry lives as long as a store of it.
var allPeers struct {
	mu sync.Mutex
	by map[string]*peers
}

func joinPeers(identity string) *peers {
	allPeers.mu.Lock()
	defer allPeers.mu.Unlock()
	p := allPeers.by[identity]
	if p == nil {
		p = &peers{ledger: newLedger(), hub: newHub()}
		if allPeers.by == nil {
			allPeers.by = make(map[string]*peers)
		}
		allPeers.by[identity] = p
	}
	p.stores++
	return p
}

func leavePeers(identity string) {
	allPeers.mu.Lock()
	defer allPeers.mu.Unlock()
	p := allPeers.by[identity]
	if p.stores--; p.stores == 0 {
		delete(allPeers.by, identity)
	}
}
