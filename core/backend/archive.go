package backend

import "time"

// ArchivedMessage is a message that was archived, or is dead (State), and where it is
// in the order of its archive: the latest first, by ArchivedAt and then by ID.
type ArchivedMessage struct {
	MessageRecord
	// Error is what its last failed attempt said; empty where none failed.
	Error string
}

// ArchivePlace is a place in the order of the archive. The zero value is its beginning.
type ArchivePlace struct {
	ArchivedAt time.Time
	ID         int64
}

// ArchiveFilter says which messages of the archive are meant. The zero value: all.
type ArchiveFilter struct {
	QueueID  int64        // 0: of all queues
	State    MessageState // StateArchived or StateDead; empty: both
	WorkerID int64        // to which they were leased last; 0: any
	// Since and Until bound ArchivedAt: from Since on, before Until; zero: no bound.
	Since, Until time.Time
}

// ArchiveListParams asks for at most Limit messages behind After.
type ArchiveListParams struct {
	ArchiveFilter
	After ArchivePlace
	Limit int
}

// ArchiveCountParams says what to count. It reads the records of what it counts.
type ArchiveCountParams struct{ ArchiveFilter }

// ArchiveReplayParams names messages of one queue that are to be ready again.
type ArchiveReplayParams struct {
	QueueID int64
	IDs     []int64
	At      time.Time
}

// ArchiveDeleteParams names messages of one queue that are to be deleted.
type ArchiveDeleteParams struct {
	QueueID int64
	IDs     []int64
}

// ArchivePurgeParams says what is to be deleted of a queue: what was archived, or became
// dead, at least OlderThan ago.
type ArchivePurgeParams struct {
	QueueID   int64
	OlderThan time.Duration
	At        time.Time
}

// ArchiveExpireParams asks for one piece of what retention is about.
type ArchiveExpireParams struct{ At time.Time }

// AttemptOutcome is how a delivery ended.
type AttemptOutcome string

// The ends of a delivery. What is leased still has none.
const (
	AttemptFailed   AttemptOutcome = "failed"   // its handler failed: Error
	AttemptReleased AttemptOutcome = "released" // its holder gave it back
	AttemptExpired  AttemptOutcome = "expired"  // its lease ran out
	AttemptArchived AttemptOutcome = "archived"
	AttemptLeased   AttemptOutcome = "leased" // not ended yet
)

// Attempt is one delivery in the history of a message.
type Attempt struct {
	Lease     int64
	Number    int32 // the ReadCount of that delivery
	WorkerID  int64 // 0: none
	StartedAt time.Time
	EndedAt   time.Time // zero while it is leased
	Outcome   AttemptOutcome
	Error     string
}

// MessageHistoryParams names a message.
type MessageHistoryParams struct{ ID int64 }

// HistoryMost is how many ended attempts of a message are kept, at least; of those that
// did not end by an archive.
const HistoryMost = 100
