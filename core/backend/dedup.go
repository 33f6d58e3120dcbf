package backend

import (
	"context"
	"time"
)

// DedupBackend stores messages with keys. A key is taken by the message that was
// stored with it: as long as that lives, or for a given time. While it is taken,
// nothing else is stored under it in that queue. What a transaction that is still open
// has done to a message or a key does not count yet; but who produces with a key that
// such a transaction has taken waits for its end.
type DedupBackend interface {
	// MessageProduceKeyed is MessageProduce for payloads of which some have a key: one
	// answer for each, in order. New ids ascend. A payload whose key stands earlier in
	// the same call is answered with the id of that one. ErrTimeout that is
	// SafeToRetry, and nothing is stored, where a transaction that has taken one of the
	// keys does not end within Patience.
	MessageProduceKeyed(ctx context.Context, p *MessageProduceKeyedParams) ([]Produced, error)
	// MessageProduceKeyedTx is the same in the caller's transaction, which must be READ
	// COMMITTED. It waits for others as long as the caller's settings say.
	MessageProduceKeyedTx(ctx context.Context, tx Tx, p *MessageProduceKeyedTxParams) ([]Produced, error)
	// DedupSweep does a piece of the upkeep that deletes keys which are of no use any
	// more. Nobody notices, and nothing waits for it.
	DedupSweep(ctx context.Context, p *DedupSweepParams) (*DedupSweepResult, error)
}

// Produced is the answer for one payload that was stored with a key, or was not
// stored because its key is taken: then ID is that of the message that has the key.
type Produced struct {
	ID           int64
	Deduplicated bool
}

// MessageProduceKeyedParams describes messages that share one fate, and their keys:
// one for each payload, empty where it has none. The keys are taken for DedupFor from
// now; 0: as long as their messages live. Patience bounds how long another's
// transaction is waited for.
type MessageProduceKeyedParams struct {
	MessageProduceParams
	Keys     []string
	DedupFor time.Duration
	Patience time.Duration
}

// MessageProduceKeyedTxParams is MessageProduceTxParams with keys.
type MessageProduceKeyedTxParams struct {
	MessageProduceTxParams
	Keys     []string
	DedupFor time.Duration
}

// DedupPlace is where a sweep goes on; zero: at the beginning.
type DedupPlace struct {
	QueueID int64
	Key     string
}

// DedupSweepParams asks for a piece of a sweep, from a place on.
type DedupSweepParams struct {
	After DedupPlace
	At    time.Time
}

// DedupSweepResult says how many keys a sweep has seen, and how many of them it has
// deleted. More: there are others, behind After.
type DedupSweepResult struct {
	Seen, Swept int
	More        bool
	After       DedupPlace
}
