/*
 * pgqrs.h - the C interface of pgqrs, a job queue on PostgreSQL.
 *
 * This file is the specification. The library is compiled against it, so that
 * the C compiler refuses a drift.
 *
 * 1. Submit and completion
 *
 * Every operation is int32_t pgqrs_VERB(handle, op, ...). It copies its input,
 * starts, and returns at once: PGQRS_OK (accepted) or a negative error code
 * (refused, nothing was done, and no completion will come). `op` is a number of
 * the caller's choice that comes back in the completion; the library attaches
 * no meaning to it, but pgqrs_cancel finds operations by it, so two that are in
 * flight on one store must not share a number: the second is PGQRS_BAD_ARGUMENT.
 *
 * Every accepted operation completes exactly once - success, error, cancel,
 * close and panic included - but for pgqrs_consume_iter, pgqrs_credit and pgqrs_log,
 * whose rules stand with them. Results come through a ring, one per store:
 *
 *   - pgqrs_completion_fd gives a file descriptor that becomes readable when
 *     completions wait (an eventfd on Linux, a pipe elsewhere, none on Windows).
 *     Poll it; do not read it. It is written once per burst, not once per completion.
 *   - pgqrs_drain takes completions, many at a time, and makes the descriptor
 *     unreadable when it has taken the last one. While any is left the
 *     descriptor stays readable, so a loop may take a few at each turn.
 *   - pgqrs_wait blocks until completions wait, for programs without a loop.
 *
 * A submit reserves its place in the ring, and pgqrs_drain frees it. When
 * PGQRS_RING_SIZE places are taken the next submit is refused with PGQRS_FULL:
 * drain, then try again. So is a produce while max_pending_bytes of messages wait to be
 * stored; how long a binding lets its callers wait for room (produce_timeout_seconds)
 * is its own matter. A completion is never dropped. The first pgqrs_close of
 * a store needs no free place.
 *
 * 2. Memory
 *
 * What the caller passes is copied before the call returns. What comes back in
 * pgqrs_completion.data belongs to the caller, who gives it back with
 * pgqrs_free - or with pgqrs_batch_free where kind is PGQRS_RESULT_BATCH - in any
 * thread, and if need be after the store was freed. A pointer may be NULL where
 * its length or count is 0.
 * Strings have lengths and need no terminating zero; strings that come back
 * have one all the same, but for the payloads in a batch. Text is UTF-8. Payloads
 * are JSON text.
 *
 * 3. Handles
 *
 * Stores and streams are numbers. 0 is never a handle. A handle that was freed,
 * is of another kind, or never was one is PGQRS_BAD_HANDLE, not a crash. A store's
 * handle is freed by pgqrs_store_free, a stream's by pgqrs_stream_close or with
 * its store.
 *
 * 4. Threads, processes, panics
 *
 * Any thread may call any function, at the same time; one thread at a time may
 * drain a given store. Completions of different operations come in any order;
 * messages that one thread submits to one queue are stored in that order.
 * The library's runtime starts when the library is loaded, and does not survive a
 * fork: in a child made by fork afterwards the calls that return a code return
 * PGQRS_FORKED, and nothing is freed (exec in the child is fine). A program that
 * forks workers loads the library in each worker, with dlopen. There is no
 * unloading: dlclose does nothing.
 *
 * A panic inside the library completes what its store has in flight with
 * PGQRS_INTERNAL, and makes later submits on any store, pgqrs_cancel,
 * pgqrs_credit and pgqrs_close included, return PGQRS_POISONED; the process lives.
 * Draining, pgqrs_stream_close, pgqrs_store_free and giving back memory go on.
 *
 * Durations are microseconds (_us). Moments are microseconds since 1970 UTC,
 * but for deliver_by_ns, which is CLOCK_MONOTONIC in nanoseconds.
 */
#ifndef PGQRS_H
#define PGQRS_H

#include <stddef.h>
#include <stdint.h>

/* The version of the library that this header came with. */
#define PGQRS_VERSION "0.6.0"

#ifdef __cplusplus
extern "C" {
#endif

/* <cdef> : bindings may parse what stands between this mark and its end */

/* The version of this interface. It changes when a program that was compiled
 * against an older header would break. */
#define PGQRS_ABI_VERSION 1

/* How many operations may be in flight on one store. */
#define PGQRS_RING_SIZE 65536

/* What a call takes at most; more is PGQRS_BAD_ARGUMENT. Bytes of one payload
 * (PostgreSQL has no larger values), and elements of an array. */
#define PGQRS_MAX_PAYLOAD 1073741824
#define PGQRS_MAX_COUNT 16777216

typedef uint64_t pgqrs_store;
typedef uint64_t pgqrs_stream;

/* Status codes: 0, or negative. Submits return 0 or the second group;
 * completions carry 0, PGQRS_NO_MEMORY or the third. */
#define PGQRS_OK 0
/* refused at submit */
#define PGQRS_FULL (-1)           /* the ring is full, or max_pending_bytes: drain, then submit again */
#define PGQRS_BAD_HANDLE (-2)     /* no such store or stream, not connected yet, or closed */
#define PGQRS_BAD_ARGUMENT (-3)   /* a null pointer, a length or a number out of range */
#define PGQRS_FORKED (-4)         /* the library was loaded before a fork, this is the child */
#define PGQRS_POISONED (-5)       /* a panic happened in the library: restart the process */
#define PGQRS_NO_MEMORY (-6)      /* no memory, or no descriptor; in completions too */
/* in completions */
#define PGQRS_CANCELLED (-20)     /* pgqrs_cancel came first */
#define PGQRS_CLOSED (-21)        /* the store was closed */
#define PGQRS_CONNECTION (-22)
#define PGQRS_CONFIG (-23)
#define PGQRS_INVALID (-24)       /* validation: a value is out of range */
#define PGQRS_SERIALIZATION (-25) /* a payload cannot be stored exactly as JSON */
#define PGQRS_QUEUE_NOT_FOUND (-26)
#define PGQRS_QUEUE_EXISTS (-27)
#define PGQRS_MESSAGE_NOT_FOUND (-28)
#define PGQRS_WORKER_NOT_FOUND (-29)
#define PGQRS_RATE_LIMITED (-30)
#define PGQRS_STATE_TRANSITION (-31)
#define PGQRS_TIMEOUT (-32)
#define PGQRS_INTERNAL (-33)

/* What pgqrs_completion.data points to. */
#define PGQRS_RESULT_NONE 0   /* no data: the status says it all */
#define PGQRS_RESULT_ERROR 1  /* pgqrs_error; status is not 0. (An error for which there was no
                               * memory is PGQRS_RESULT_NONE.) */
#define PGQRS_RESULT_VALUE 2  /* no data; value holds the answer */
#define PGQRS_RESULT_IDS 3    /* value numbers of int64_t, message ids in order */
#define PGQRS_RESULT_ANSWERS 4 /* value bytes, one per delivery: 1 done, 0 not held */
#define PGQRS_RESULT_MOMENTS 5 /* value numbers of int64_t: the new vt, 0 not held */
#define PGQRS_RESULT_BATCH 6  /* pgqrs_batch; value is its count */
#define PGQRS_RESULT_JSON 7   /* value bytes of JSON text */

/* pgqrs_completion.flags */
#define PGQRS_MORE 1u /* the stream goes on: other completions with this op follow */

typedef struct pgqrs_completion {
  uint64_t op;    /* as submitted */
  int32_t status; /* PGQRS_OK or an error code */
  uint16_t kind;  /* PGQRS_RESULT_... */
  uint16_t flags; /* PGQRS_MORE */
  int64_t value;
  void *data; /* NULL, or memory that now belongs to the caller */
} pgqrs_completion;

/* pgqrs_error.flags */
#define PGQRS_ERROR_RETRYABLE 1u       /* doing it again may succeed and does no harm */
#define PGQRS_ERROR_MAYBE_COMMITTED 2u /* the answer was lost; it may have been done */

typedef struct pgqrs_error {
  int32_t status;
  uint32_t flags;
  int64_t index;          /* of the bad element of a batch; -1: none */
  int64_t retry_after_us; /* PGQRS_RATE_LIMITED: when it may be asked again; else 0 */
  char sqlstate[8];       /* five characters and zeros; empty where there is none */
  uint64_t length;        /* of message */
  char message[];         /* UTF-8, one or more sentences, ends with a zero */
} pgqrs_error;

/* One delivered message, inside a batch. */
typedef struct pgqrs_message {
  int64_t id;
  int64_t enqueued_at_us;
  int64_t producer_worker_id; /* 0: none */
  int64_t read_ct;
  uint64_t payload_offset; /* from the start of the pgqrs_batch */
  uint64_t payload_length;
} pgqrs_message;

/*
 * Delivered messages: this header, `count` pgqrs_message, then the payloads, in
 * one piece of memory, in delivery order. All have one lease.
 *
 * The first three fields are shared with the library while the batch lives:
 *   - delivered: the program writes here how many messages of this batch, from
 *     the first, it has handed to the application. The library keeps the leases
 *     of the others alive, and gives them back when the batch is freed or its
 *     stream is closed. Written by one thread, no lock needed.
 *   - vt_us: when the lease of the undelivered ends; moves as the library
 *     extends it.
 *   - deliver_by_ns: after this moment of CLOCK_MONOTONIC do not hand out any
 *     more of this batch: too little of the lease is left, or it was lost. Free
 *     the batch instead; its messages come again.
 */
typedef struct pgqrs_batch {
  volatile uint64_t delivered;
  volatile int64_t vt_us;
  volatile int64_t deliver_by_ns;
  uint64_t size; /* of the whole piece, in bytes */
  int64_t queue_id;
  int64_t lease;
  int64_t dequeued_at_us;
  int64_t consumer_worker_id; /* 0: none */
  uint64_t count;
  pgqrs_message messages[];
} pgqrs_batch;

/* ---- the library ---- */

/* "0.6.0"; static. */
const char *pgqrs_version(void);

/* PGQRS_ABI_VERSION of the library. */
int32_t pgqrs_abi_version(void);

/* What was wrong with the calling thread's last call that returned an error code,
 * a sentence; valid until that thread's next such call. Empty when there was none,
 * never NULL. */
const char *pgqrs_last_error(void);

/* Gives back memory from pgqrs_completion.data, except batches. NULL is fine. */
void pgqrs_free(void *data);

/* Gives back a batch; its undelivered messages become ready again, in their old
 * place, with read_ct as before. NULL is fine, and what is not a batch, or was
 * given back already, is ignored. */
void pgqrs_batch_free(pgqrs_batch *batch);

/* ---- stores ---- */

/*
 * Opens a store. `config` is a JSON object:
 *   {"dsn": "postgresql://…" or "memory://name", "schema": "public",
 *    "max_connections": 16, "auto_install": true, "auto_create_queues": true,
 *    "connection_timeout_seconds": 30, "answer_timeout_seconds": 60, "default_lock_time_seconds": 5,
 *    "default_max_batch_size": 100, "max_read_ct": 5, "max_lease_seconds": 3600,
 *    "max_payload_size_bytes": 0, "max_pending_bytes": 268435456,
 *    "produce_timeout_seconds": 0, "max_prefetch_bytes": 67108864}
 * Only dsn is required; an unknown key is PGQRS_CONFIG. *store is set at once, to
 * 0 when the call is refused; the completion (PGQRS_RESULT_NONE) says when it is
 * connected. Until then submits are PGQRS_BAD_HANDLE, but for pgqrs_cancel and
 * pgqrs_close. When it fails, the only thing left to do with *store is
 * pgqrs_store_free, after pgqrs_close or without.
 */
int32_t pgqrs_connect(const char *config, size_t config_length, uint64_t op, pgqrs_store *store);

/* The descriptor to poll, 0 or more, owned by the store until pgqrs_store_free; or
 * a negative code: on Windows always, and there a thread calls pgqrs_wait. */
int32_t pgqrs_completion_fd(pgqrs_store store);

/* Takes up to `max` completions; returns how many, or a negative code. */
int32_t pgqrs_drain(pgqrs_store store, pgqrs_completion *out, int32_t max);

/* Waits until pgqrs_drain would return one or more: 1; 0 when timeout_us passed
 * first (negative: no limit); or a negative code. */
int32_t pgqrs_wait(pgqrs_store store, int64_t timeout_us);

/* Asks the operation `target` to end early. The operation still completes, with
 * PGQRS_CANCELLED or, where it was done already, with its result; a dequeue that was
 * cancelled gives back what it leased. A produce that is cancelled is stored whole or
 * not at all. A stream that is cancelled ends. No completion of its own; when
 * `target` is not in flight, nothing happens. */
int32_t pgqrs_cancel(pgqrs_store store, uint64_t target);

/*
 * Closes: streams end normally (status PGQRS_OK, without PGQRS_MORE), other
 * operations in flight with PGQRS_CLOSED, or with their result where they were
 * done already; what was not delivered is given back. The completion of the close
 * is the last one of the store. A second close completes with the first, or at once
 * when that has completed. Other submits from now on are PGQRS_BAD_HANDLE.
 */
int32_t pgqrs_close(pgqrs_store store, uint64_t op);

/* Frees the handle, those of its streams, the ring and the descriptor; stop polling
 * first. A thread in pgqrs_wait comes back with PGQRS_BAD_HANDLE. Completions that
 * nobody drained are freed, their messages given back. A store that was not closed
 * closes in the background; this call never waits. */
int32_t pgqrs_store_free(pgqrs_store store);

/* Levels of pgqrs_log. */
#define PGQRS_LOG_DEBUG 0
#define PGQRS_LOG_INFO 1
#define PGQRS_LOG_WARNING 2
#define PGQRS_LOG_ERROR 3

/* Asks for what the store has to say of its work in the background (a server that
 * is away, leases that lapsed, dead letters), from that level on. Completions with
 * this op and PGQRS_MORE are records (PGQRS_RESULT_JSON): an object with "time",
 * "level" ("DEBUG", "INFO", "WARN", "ERROR"), "msg" and what the record is about.
 * The last one has no PGQRS_MORE: PGQRS_CANCELLED after pgqrs_cancel, else PGQRS_OK
 * just before that of the close. One such operation per store; without it nothing is
 * logged anywhere. A record that finds the ring full is dropped. */
int32_t pgqrs_log(pgqrs_store store, uint64_t op, int32_t level);

/* ---- producing ---- */

/* Stores one message. The queue is made when it is missing (auto_create_queues).
 * delay_us: ready that long after now. worker: from pgqrs_register, or 0.
 * PGQRS_RESULT_VALUE: the id. Many in flight at once are stored together. */
int32_t pgqrs_produce(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                      const char *payload, size_t payload_length, int64_t delay_us, int64_t worker);

/* Stores `count` messages in one transaction, all or none. The payloads stand one
 * behind the other in `payloads`, nothing between them; lengths[i] is the length of
 * the i-th. Together they have at most 16 GiB.
 * PGQRS_RESULT_IDS: in the order of the payloads. An error names the index. */
int32_t pgqrs_produce_batch(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                            const char *payloads, const uint64_t *lengths, uint64_t count,
                            int64_t delay_us, int64_t worker);

/* As pgqrs_produce_batch, but `payloads` is the text of one JSON array: each of its
 * elements is a payload, and keeps its text to the byte, without the white space around
 * it. An empty array stores nothing. For programs whose JSON writer is quicker with one
 * array than with its elements. A text that is no array is PGQRS_SERIALIZATION, with an
 * index where that is the fault of one element. It has at most 16 GiB. */
int32_t pgqrs_produce_array(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                            const char *payloads, size_t payloads_length, int64_t delay_us,
                            int64_t worker);

/* pgqrs_produce_batch for messages that have dedup keys. keys and key_lengths are like
 * payloads and lengths; a length of 0: no key; at most 255 characters. A message whose
 * key is taken in that queue is not stored. A key is taken as long as its message lives
 * (until it is archived, deleted or dead), or, where dedup_us is not 0, for that time
 * from now, whatever becomes of it. batch is 1, or 0 for errors without an index.
 * PGQRS_RESULT_IDS: in the order of the payloads, an id where the message was stored;
 * else it is negative: minus the id of the message that has the key. PGQRS_TIMEOUT:
 * another transaction that has taken a key stays open. Calls with keys are carried out
 * in the order of submission, but for those that wait for such a transaction; a call
 * without keys may overtake them. */
int32_t pgqrs_produce_keyed(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                            const char *payloads, const uint64_t *lengths, const char *keys,
                            const uint64_t *key_lengths, uint64_t count, int32_t batch,
                            int64_t delay_us, int64_t dedup_us, int64_t worker);

/* ---- in a transaction of the program's own ---- */

/*
 * A program that has a transaction on the store's database, through whatever client,
 * can store messages and settle deliveries inside it: they count when it commits.
 * The statements are the program's to run (functions of the store's schema, with
 * pgqrs_..._tx in their names); what must be done by the library before that is
 * done by the two operations of this section, in transactions of its own, so that
 * nobody waits for the program's commit. docs/abi.md tells the whole.
 */

/* Checks what pgqrs_produce_batch checks, with the same errors (batch 1), or what
 * pgqrs_produce checks (batch 0), the state of the worker included, and makes the
 * queue when it is missing; stores nothing. PGQRS_RESULT_JSON: {"schema": "public",
 * "identity": "…", "make_queue": true}: where pgqrs_produce_tx and
 * pgqrs_produce_keyed_tx are, in SQL, and their first and their last argument. */
int32_t pgqrs_admit(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                    const char *payloads, const uint64_t *lengths, uint64_t count, int32_t batch,
                    int64_t delay_us, int64_t worker);

/* Gives deliveries, which are named as for pgqrs_archive, a lease that they share
 * with no others, so that settling them in a transaction that stays open keeps
 * nobody waiting. From then on the library keeps them alive no more, and they belong
 * to the transaction; should that roll back, they may be settled by their old names
 * until their vt has passed. PGQRS_RESULT_JSON: {"schema": "public", "identity": "…",
 * "queue_id": 1, "leases": [...]}, one for each, 0 where it is not held; these and the ids are the
 * arguments of pgqrs_archive_tx and pgqrs_delete_tx in SQL. */
int32_t pgqrs_detach(pgqrs_store store, uint64_t op, int64_t queue_id, int64_t worker,
                     const int64_t *leases, const int64_t *ids, uint64_t count);

/* ---- workers and queues ---- */

#define PGQRS_PRODUCER 1
#define PGQRS_CONSUMER 2

/* Makes the row of one Producer or Consumer object on a queue, which is made when
 * it is missing. PGQRS_RESULT_JSON: {"worker_id": 7, "queue_id": 1}. hostname may
 * be empty: that of this machine. */
int32_t pgqrs_register(pgqrs_store store, uint64_t op, int32_t role, const char *queue,
                       size_t queue_length, const char *hostname, size_t hostname_length,
                       int32_t port);

/* ---- requests ---- */

/* Carries out what is on no hot path: administration, and questions about queues,
 * workers and messages. `name` is that of the request, noun_verb ("queue_create");
 * `arguments` is a JSON object, or of length 0, which is {}; at most 16 MiB.
 * PGQRS_RESULT_JSON: the answer, whose type goes with the request.
 * PGQRS_INVALID: there is no such request; or an argument is unknown, missing or of
 * another type, and the message names it. docs/abi.md lists the requests with their
 * arguments and answers. Keys that end in _us are microseconds, as everywhere here.
 * An answer may get more keys in a later version, and a request more arguments that
 * may be left out. */
int32_t pgqrs_request(pgqrs_store store, uint64_t op, const char *name, size_t name_length,
                      const char *arguments, size_t arguments_length);

/* ---- consuming ---- */

/* Leases up to `limit` ready messages (0: the store's default) for vt_us (0: the
 * queue's own, or the store's default) to `worker`, a registered consumer, and does not wait for any.
 * PGQRS_RESULT_BATCH, or PGQRS_RESULT_NONE when none was ready. The leases are not kept
 * alive once delivered. */
int32_t pgqrs_dequeue(pgqrs_store store, uint64_t op, int64_t worker, uint32_t limit,
                      int64_t vt_us);

typedef struct pgqrs_consume_options {
  uint32_t batch_size;     /* leased and undelivered at most; 0: adapts, up to 1000 */
  uint32_t keep_delivered; /* 1: what is delivered stays alive until it is settled */
  int64_t vt_us;           /* 0: the queue's own, or the store's default */
  int64_t max_lease_us;    /* keep_delivered ends that long after delivery; 0: default */
  uint32_t until_empty;    /* 1: the stream ends when the queue is empty */
  uint32_t reserved;       /* 0 */
  int64_t worker;          /* a registered consumer of that queue; 0: one of the store's own */
} pgqrs_consume_options;

/*
 * Opens a stream of deliveries from a queue, which is made when it is missing.
 * *stream is set at once, to 0 when the call is refused. options NULL is as all
 * zero. Nothing is fetched before the first pgqrs_credit.
 *
 * Completions with this op and PGQRS_MORE are batches (PGQRS_RESULT_BATCH), one for each
 * credit. The last one has no PGQRS_MORE: PGQRS_OK when the stream was closed, the store
 * was closed or the queue is empty (until_empty); else the error that ended it. A lost
 * connection does not end a stream: it goes on when the server is back. The
 * stream holds one place in the ring for its end and one for each open credit.
 */
int32_t pgqrs_consume_iter(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                           const pgqrs_consume_options *options, pgqrs_stream *stream);

/* Asks for one more batch. Credits that are open add up; each is answered by one
 * batch as soon as messages are ready, or by the end of the stream. After the end it
 * is PGQRS_BAD_HANDLE. */
int32_t pgqrs_credit(pgqrs_stream stream);

/* Ends a stream. What was not delivered is given back, in batches that the program
 * holds too, so it must not hand out any more of them (it frees them as always); then
 * the stream's last completion comes. The handle is free after this call. A stream
 * that ended by itself is closed too, to free its handle; nothing more comes then. */
int32_t pgqrs_stream_close(pgqrs_stream stream);

/* ---- settling ----
 *
 * Each names `count` deliveries: leases[i], not 0, and ids[i]. With leases NULL they are
 * named by id alone: then `worker`, a registered consumer, must not be 0, and the
 * newest delivery of that id to this worker counts - or else to a stream of this
 * process on the same queue. Answers come in order, one per delivery. `queue_id` is
 * that of the batch (ignored when leases is NULL). Many in flight at once are
 * carried out together.
 */

/* Moves messages to the archive. PGQRS_RESULT_ANSWERS. */
int32_t pgqrs_archive(pgqrs_store store, uint64_t op, int64_t queue_id, int64_t worker,
                      const int64_t *leases, const int64_t *ids, uint64_t count);

/* Removes messages without a trace. PGQRS_RESULT_ANSWERS. */
int32_t pgqrs_delete(pgqrs_store store, uint64_t op, int64_t queue_id, int64_t worker,
                     const int64_t *leases, const int64_t *ids, uint64_t count);

/* Makes the leases end by_us later: vt = greatest(vt, now) + by_us.
 * PGQRS_RESULT_MOMENTS. */
int32_t pgqrs_extend_vt(pgqrs_store store, uint64_t op, int64_t queue_id, int64_t worker,
                        const int64_t *leases, const int64_t *ids, uint64_t count, int64_t by_us);

/* As delay_us of pgqrs_release: as long after now as the lease was drawn for. */
#define PGQRS_DELAY_VT (-1)

/* Gives messages back, ready delay_us after now. PGQRS_RESULT_ANSWERS. */
int32_t pgqrs_release(pgqrs_store store, uint64_t op, int64_t queue_id, int64_t worker,
                      const int64_t *leases, const int64_t *ids, uint64_t count, int64_t delay_us);

/* </cdef> */

#ifdef __cplusplus
}
#endif

#endif
