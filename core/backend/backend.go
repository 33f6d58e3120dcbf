// Package backend is the vocabulary of pgqrs and the contract of its storage.
//
// A Store (package pgqrs, in core/) is what a user connects; a Backend is where
// that store keeps queues, messages and workers. The package holds the records
// that cross the contract, the sentinel errors that callers question with
// errors.Is, and the interface itself. It imports the standard library only;
// core and every backend import it, and it imports neither.
//
// Policy (coalescing, prefetch, lease keeping, retry, waiting) is not here and
// not in any backend: it lives once, in core.
package backend

import "context"

// Backend stores queues. All methods may be called by many goroutines at once;
// all return promptly once ctx has ended. A method that changes something has
// committed it when it returns nil (MessageDequeue may lose a lease in a crash
// of the server, which means redelivery).
//
// Methods are named noun first, verb last, with one Params struct each. Every
// Params has At: the moment that the operation takes as now. Zero, the normal
// case, is the clock of the backend; the clock of tests arrives there.
//
// Every backend passes the conformance suite in backendtest.
type Backend interface {
	// Capabilities says what this backend cannot do, so that the conformance
	// suite and core never ask for a backend's name.
	Capabilities() Capabilities

	// Identity is the same string for two backends that reach the same queues
	// (the same schema of the same database), in this process or another.
	Identity() string

	// Close gives back connections and goroutines. Operations in flight end
	// with an error. A second call does nothing.
	Close() error

	SchemaBackend
	QueueBackend
	MetricsBackend
	WorkerBackend
	MessageBackend
	ArchiveBackend
	DedupBackend
	TransactionBackend
	ListenerBackend
}

// SchemaBackend is about what the queues are kept in. A backend that keeps them in
// nothing has nothing to do.
type SchemaBackend interface {
	// SchemaInstall makes what is missing; again, it does nothing.
	SchemaInstall(ctx context.Context, p *SchemaInstallParams) error
	// SchemaVerify says what is missing or different, one sentence each.
	SchemaVerify(ctx context.Context, p *SchemaVerifyParams) ([]string, error)
	// SchemaUninstall removes all that SchemaInstall made, messages included, and
	// nothing else. Afterwards this Backend is of no use.
	SchemaUninstall(ctx context.Context, p *SchemaUninstallParams) error
}

// QueueBackend keeps the queues by name.
type QueueBackend interface {
	// QueueCreate makes a queue; ErrQueueExists when the name is taken.
	QueueCreate(ctx context.Context, p *QueueCreateParams) (*Queue, error)
	// QueueEnsure returns the queue of that name and makes it when missing.
	// Any number of callers may do so at once.
	QueueEnsure(ctx context.Context, p *QueueEnsureParams) (*Queue, error)
	// QueueGet returns the queue of that name, or ErrQueueNotFound.
	QueueGet(ctx context.Context, p *QueueGetParams) (*Queue, error)
	// QueueList returns a page of the queues, ordered by name (by its bytes).
	QueueList(ctx context.Context, p *QueueListParams) ([]Queue, error)
	// QueueCount says how many queues there are.
	QueueCount(ctx context.Context, p *QueueCountParams) (int64, error)
	// QueueUpdate changes settings of a queue; QueuePause makes it give no messages
	// until QueueResume. All return the queue as it is then, or ErrQueueNotFound; a
	// second pause keeps the moment of the first.
	QueueUpdate(ctx context.Context, p *QueueUpdateParams) (*Queue, error)
	QueuePause(ctx context.Context, p *QueuePauseParams) (*Queue, error)
	QueueResume(ctx context.Context, p *QueueResumeParams) (*Queue, error)
	// QueueDelete deletes a queue with its messages, archived and dead ones
	// included, and its workers. ErrQueueNotFound when there is none of that name;
	// ErrQueueNotEmpty when it has messages and Force is false. A message that is
	// produced meanwhile is deleted too, or MessageProduce returns ErrQueueNotFound.
	QueueDelete(ctx context.Context, p *QueueDeleteParams) error
	// QueuePurge deletes every message of the queue that is not archived or
	// dead, leased ones included, and returns how many there were.
	QueuePurge(ctx context.Context, p *QueuePurgeParams) (int64, error)
	// QueueMerge keeps together what was produced singly and waits, where that saves
	// space; a bounded amount at a time. Nobody notices: neither the messages nor
	// their order change, and nothing waits for it.
	QueueMerge(ctx context.Context, p *QueueMergeParams) (*QueueMergeResult, error)
}

// MetricsBackend counts, without reading messages. All goes by the backend's clock.
type MetricsBackend interface {
	// MetricsGet measures the queue of that name; ErrQueueNotFound.
	MetricsGet(ctx context.Context, p *MetricsGetParams) (*QueueMetrics, error)
	// MetricsList measures a page of the queues, ordered as by QueueList.
	MetricsList(ctx context.Context, p *MetricsListParams) ([]QueueMetrics, error)
	// MetricsSystem measures all queues together.
	MetricsSystem(ctx context.Context, p *MetricsSystemParams) (*SystemStats, error)
	// MetricsFold does a piece of the upkeep that keeps the counters cheap to read, and
	// says how much; 0: there is none to do. They are exact without it.
	MetricsFold(ctx context.Context, p *MetricsFoldParams) (int, error)
}

// WorkerBackend keeps one row per Producer and Consumer object.
type WorkerBackend interface {
	// WorkerRegister makes a row.
	WorkerRegister(ctx context.Context, p *WorkerRegisterParams) (*Worker, error)
	// WorkerMove changes the state of those workers that are in one of the states
	// From, and returns them as they are then. Into stopped a worker goes once:
	// ShutdownAt says when. What it has leased stays leased until its vt.
	WorkerMove(ctx context.Context, p *WorkerMoveParams) ([]Worker, error)
	// WorkerBeat notes that workers are alive, and returns those that there are, as
	// they are then: those that have stopped too, whose rows stay as they were.
	WorkerBeat(ctx context.Context, p *WorkerBeatParams) ([]Worker, error)
	// WorkerGet returns one worker, or ErrWorkerNotFound.
	WorkerGet(ctx context.Context, p *WorkerGetParams) (*Worker, error)
	// WorkerList returns a page of workers, the newest first.
	WorkerList(ctx context.Context, p *WorkerListParams) ([]Worker, error)
	// WorkerHealth counts workers by their state.
	WorkerHealth(ctx context.Context, p *WorkerHealthParams) ([]WorkerHealth, error)
	// WorkerPurge deletes rows that are of no use any more, and returns how many.
	// Messages go on naming the workers that they were produced or leased by.
	WorkerPurge(ctx context.Context, p *WorkerPurgeParams) (int64, error)
	// WorkerLeases counts what workers hold, those that hold anything, ordered by worker
	// and queue. It reads the rows of what is leased and no messages.
	WorkerLeases(ctx context.Context, p *WorkerLeasesParams) ([]WorkerLeases, error)
	// WorkerHeld lists deliveries that are not settled, their vt passed or not,
	// ordered by lease and id.
	WorkerHeld(ctx context.Context, p *WorkerHeldParams) ([]Delivery, error)
}

// MessageBackend is the life of a message: produce, dequeue, settle.
type MessageBackend interface {
	// MessageProduce stores all payloads or none, in one transaction, and
	// returns their ids, ascending, in the order of the payloads. The payloads
	// have been checked by core. ErrQueueNotFound when the queue is gone.
	MessageProduce(ctx context.Context, p *MessageProduceParams) ([]int64, error)

	// MessageDequeue leases up to Limit ready messages in delivery order
	// (vt, then id). It does not wait for messages to become ready. An empty
	// answer means that none was ready, not that others were being leased just
	// then, or that the queue is paused: then HasNext is false. ErrQueueNotFound when
	// the queue is gone. What was leased MaxReadCount times before moves to the dead
	// letters instead. A result may hold fewer messages than Limit although more are
	// ready (suspects of a crash come back in small pieces, alone).
	MessageDequeue(ctx context.Context, p *MessageDequeueParams) (*MessageDequeueResult, error)

	// MessageArchive moves deliveries to the archive; MessageDelete removes
	// them without a trace; MessageRelease makes them ready again. One Outcome
	// per delivery, in order; a delivery named twice gets the same answer twice.
	MessageArchive(ctx context.Context, p *MessageArchiveParams) ([]Outcome, error)
	MessageDelete(ctx context.Context, p *MessageDeleteParams) ([]Outcome, error)
	MessageRelease(ctx context.Context, p *MessageReleaseParams) ([]Outcome, error)
	// MessageExtend lengthens leases, and never shortens one. One Extension per
	// delivery, in order.
	MessageExtend(ctx context.Context, p *MessageExtendParams) ([]Extension, error)

	// MessageFail ends deliveries as failed. Each message is ready again after its delay,
	// or dead at once where this was the last delivery that it may have.
	MessageFail(ctx context.Context, p *MessageFailParams) (*MessageFailResult, error)

	// MessageSeize deletes or releases one live message by its id, whoever holds it. Of it
	// and a dequeue one comes first, and the other finds what that left.
	// ErrMessageNotFound when there is none of that id.
	MessageSeize(ctx context.Context, p *MessageSeizeParams) (*MessageSeizeResult, error)

	// MessageGet reads one live, archived or dead message by id, by an index.
	// ErrMessageNotFound when there is none.
	MessageGet(ctx context.Context, p *MessageGetParams) (*MessageRecord, error)
	// MessageList returns a page of the live messages of a queue, ordered by id. A page
	// may be shorter than was asked for where payloads are large; it is empty only where
	// no message follows.
	MessageList(ctx context.Context, p *MessageListParams) ([]MessageRecord, error)
	// MessageCount counts the messages of a queue by what becomes of them.
	MessageCount(ctx context.Context, p *MessageCountParams) (*MessageCounts, error)
	// MessageHistory lists the deliveries of a message, the first one first; of those
	// that ended without an archive the newest HistoryMost. It is kept as long as the
	// message is. ErrMessageNotFound.
	MessageHistory(ctx context.Context, p *MessageHistoryParams) ([]Attempt, error)
}

// ArchiveBackend is about messages that are done: archived or dead.
type ArchiveBackend interface {
	// ArchiveList returns a page, the latest first.
	ArchiveList(ctx context.Context, p *ArchiveListParams) ([]ArchivedMessage, error)
	// ArchiveCount counts messages.
	ArchiveCount(ctx context.Context, p *ArchiveCountParams) (int64, error)
	// ArchiveReplay makes messages ready again, with their ids and with a ReadCount of 0,
	// and returns the ids of those that were done. Their history stays.
	ArchiveReplay(ctx context.Context, p *ArchiveReplayParams) ([]int64, error)
	// ArchiveDelete deletes messages that are done, and returns how many there were.
	ArchiveDelete(ctx context.Context, p *ArchiveDeleteParams) (int64, error)
	// ArchivePurge deletes what was done with so long ago, and returns how many messages
	// that were.
	ArchivePurge(ctx context.Context, p *ArchivePurgeParams) (int64, error)
	// ArchiveExpire deletes a piece of what queues have kept for as long as their
	// Retention says, and says how many messages that were; 0: there are none, or
	// somebody else is at it.
	ArchiveExpire(ctx context.Context, p *ArchiveExpireParams) (int64, error)
}

// ListenerBackend is how a sleeping consumer hears of a new message.
//
// No wake-up is lost if the consumer calls Listener.Sleep, then dequeues once
// more, and only then waits; and the producer calls QueueNotify after the
// commit of what it produced.
type ListenerBackend interface {
	// ListenerOpen starts to listen. It returns only a listener that works: its
	// own test notification has arrived. ErrListenUnavailable when notifications
	// do not come through (a pooler in transaction mode): poll instead.
	ListenerOpen(ctx context.Context) (Listener, error)
	// QueueNotify wakes the listeners that sleep on these queues, in every
	// process. It sends nothing when none sleeps.
	QueueNotify(ctx context.Context, p *QueueNotifyParams) error
}

// Listener is one subscription to wake-ups. One goroutine calls Wait; any may
// call the others.
type Listener interface {
	// Sleep commits that this listener sleeps on these queues, for at most
	// SleepTTL; call it again to go on sleeping.
	Sleep(ctx context.Context, queueIDs []int64) error
	// Wait blocks until a notification arrives and returns the queue it is for.
	// An error other than ctx's own means that the listener is lost: Close it,
	// and open a new one.
	Wait(ctx context.Context) (queueID int64, err error)
	// Close ends the subscription. A second call does nothing.
	Close() error
}
