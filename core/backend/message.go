package backend

import "time"

// Delivery names one delivery of one message: the lease that a dequeue drew,
// and the message's id. It is the fence of every settling operation: once the
// message was leased again, or given back, the old delivery settles nothing.
// Leases are positive and never used twice.
type Delivery struct {
	Lease int64
	ID    int64
}

// Message is one delivered message. Payload is the JSON text that was produced,
// to the byte; it belongs to the receiver. Worker ids are 0 where there is none.
type Message struct {
	ID               int64
	QueueID          int64
	Lease            int64
	Payload          []byte
	EnqueuedAt       time.Time
	VT               time.Time
	DequeuedAt       time.Time
	ReadCount        int32
	ProducerWorkerID int64
	ConsumerWorkerID int64
}

// MessageProduceParams describes messages that share one fate: all become
// ready Delay after now.
type MessageProduceParams struct {
	QueueID  int64
	Payloads [][]byte
	Delay    time.Duration
	WorkerID int64 // 0: none
	At       time.Time
}

// MessageDequeueParams asks for up to Limit messages, leased for VT; where that is
// 0, for the queue's own DefaultVT, and where it has none, for DefaultVT. What was
// leased MaxReadCount times before becomes dead (0: never); the queue's own
// MaxReadCount comes before it. MaxBytes bounds what the answer holds in memory: at
// least one message is in it, however long that is.
type MessageDequeueParams struct {
	QueueID      int64
	WorkerID     int64 // 0: none
	Limit        int
	MaxBytes     int64 // of all payloads together; 0: as many as there are
	VT           time.Duration
	DefaultVT    time.Duration
	MaxReadCount int
	At           time.Time
}

// MessageDequeueResult is what a dequeue leased, in delivery order. All its
// messages have the same Lease, VT and DequeuedAt.
type MessageDequeueResult struct {
	Messages []Message
	// Excess is what was leased with them and is not in the answer, because MaxBytes
	// were full: the caller gives it back, undelivered.
	Excess []Delivery
	// Dead counts the messages that moved to the dead letters on the way.
	Dead int
	// NextDue is how long after now the earliest message of the queue becomes
	// ready; meaningful when Messages is empty and HasNext is true. It may be 0
	// when what is ready stayed locked by others: try again soon.
	NextDue time.Duration
	HasNext bool
}

// Outcome is the answer for one delivery of a settling operation.
type Outcome int8

const (
	// NotHeld: the delivery's lease does not hold the message any more.
	NotHeld Outcome = iota
	// Settled: done by this call.
	Settled
	// SettledBefore: only with Again; this very delivery was settled like this
	// by an earlier call. Of a delete: the message is gone, by this delivery or, once
	// its lease has ended, by another.
	SettledBefore
)

// MessageArchiveParams names deliveries to archive. Again says that an earlier
// call with these deliveries may have been carried out though its answer was
// lost: then the backend looks up what the first try did; so in the other operations
// that end a delivery. NoWait, here and in the other settling operations: deliveries that an open transaction is settling
// (MessageArchiveTx) are not waited for, but NotHeld.
type MessageArchiveParams struct {
	QueueID    int64
	Deliveries []Delivery
	Again      bool
	NoWait     bool
	At         time.Time
}

// MessageDeleteParams names deliveries to delete.
type MessageDeleteParams struct {
	QueueID    int64
	Deliveries []Delivery
	Again      bool
	NoWait     bool
	At         time.Time
}

// MessageReleaseParams names deliveries to give back. With Undelivered the
// messages never reached the application: read_ct goes back by one, Delay is
// ignored, and they keep their place in the queue. Otherwise read_ct stays and
// they are ready Delay after now.
type MessageReleaseParams struct {
	QueueID     int64
	Deliveries  []Delivery
	Undelivered bool
	Delay       time.Duration
	Again       bool // not of what was not delivered, which leaves no trace
	NoWait      bool
	At          time.Time
}

// Failure is one delivery that failed. Error is what went wrong: text without NUL. The
// message comes again after Delay; where that is DelayByPolicy, by the retry policy of
// the call or, without one, of the queue; and where there is none, after VT.
type Failure struct {
	Delivery
	Error string
	Delay time.Duration
	VT    time.Duration
}

// DelayByPolicy as the delay of a failure: that of the retry policy.
const DelayByPolicy time.Duration = -1

// MessageFailParams names deliveries that failed. What was delivered MaxReadCount times
// becomes dead (0: never); the queue's own MaxReadCount comes before it. A Retry with a
// Kind comes before the queue's own.
type MessageFailParams struct {
	QueueID      int64
	Failures     []Failure
	MaxReadCount int
	Retry        RetryPolicy
	Again        bool
	NoWait       bool
	At           time.Time
}

// MessageFailResult is the answer of MessageFail: one Outcome per failure, in order, and
// how many of the messages are dead now.
type MessageFailResult struct {
	Outcomes []Outcome
	Dead     int
}

// ExtendMode says from where an extension counts.
type ExtendMode int8

const (
	// ExtendGrow: vt becomes greatest(vt, now) + By. What users call.
	ExtendGrow ExtendMode = iota
	// ExtendKeep: vt becomes greatest(vt, now + By). What the lease keeper calls.
	ExtendKeep
)

// MessageExtendParams names deliveries whose lease should last longer.
type MessageExtendParams struct {
	QueueID    int64
	Deliveries []Delivery
	By         time.Duration
	Mode       ExtendMode
	NoWait     bool
	At         time.Time
}

// Extension is the answer for one delivery of MessageExtend; VT is the new end
// of the lease, zero when not Held.
type Extension struct {
	Held bool
	VT   time.Time
}

// MessageGetParams names a message by id.
type MessageGetParams struct{ ID int64 }

// MessageState is where a message is in its life.
type MessageState string

// The states of a message. Ready, delayed and leased are told apart by vt and
// by the lease.
const (
	StateReady    MessageState = "ready"
	StateDelayed  MessageState = "delayed"
	StateLeased   MessageState = "leased"
	StateArchived MessageState = "archived"
	StateDead     MessageState = "dead"
)

// MessageRecord is a message as the views show it, live or done.
type MessageRecord struct {
	Message
	State      MessageState
	ArchivedAt time.Time // zero while it lives
}

// MessageListParams names a page: at most Limit live messages of a queue, with ids
// above After, in one state or, where it is empty, in any.
type MessageListParams struct {
	QueueID int64
	State   MessageState
	After   int64
	Limit   int
	At      time.Time
}

// MessageSeizeParams names a live message that the caller need not hold. It is deleted, or
// else made ready now, but where it is leased: that only with FromHolder, whose delivery
// settles nothing afterwards.
type MessageSeizeParams struct {
	ID         int64
	Delete     bool
	FromHolder bool
	At         time.Time
}

// MessageSeizeResult is the message as it was found, and whether it was settled. It was
// not where it is leased, without FromHolder, or not alive. What is ready stays as it is
// when it is to be made ready, and that is Done.
type MessageSeizeResult struct {
	QueueID int64
	State   MessageState
	Done    bool
}

// MessageCountParams names the queue to count.
type MessageCountParams struct {
	QueueID int64
	At      time.Time
}

// MessageCounts counts the messages of one queue.
type MessageCounts struct {
	Ready, Delayed, Leased, Archived, Dead int64
}
