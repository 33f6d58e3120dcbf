package backend

// Capabilities declares what a backend can do. The conformance suite skips by
// capability, never by a backend's name.
type Capabilities struct {
	// Durable: what returned nil survives the end of the process.
	Durable bool
	// Shared: other processes reach the same queues.
	Shared bool
	// Transactions: works inside a transaction of the caller (TransactionBackend).
	Transactions bool
}
