/*
 * face.c - the functions of pgqrs.h, each in front of the Go function that does
 * its work (export_*.go).
 *
 * They are written in C for two reasons. The compiler checks them against
 * pgqrs.h, the specification, and the calls into Go against what cgo exports:
 * the pragmas below make every difference between the two an error. And a child
 * made by fork must not enter Go at all: of the threads of the Go runtime it has
 * none, and a lock that one of them held stays locked. Here it is turned away
 * before it does.
 */
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <pthread.h>
#endif

#include "_cgo_export.h"
#include "face.h"

#pragma GCC diagnostic error "-Wconversion"
#pragma GCC diagnostic error "-Wsign-conversion"
#pragma GCC diagnostic error "-Wincompatible-pointer-types"
#pragma GCC diagnostic error "-Wpointer-sign"
#pragma GCC diagnostic error "-Wint-conversion"
#ifndef __clang__
#pragma GCC diagnostic error "-Wdiscarded-qualifiers"
#endif

/* ---- the last error of a thread ---- */

/* Long enough for any sentence of ours; a longer one (the trace of a panic) is
 * cut between characters. Go's use of thread-local storage makes all of ours
 * static, and of that a library which is opened by dlopen gets little: glibc keeps
 * 512 bytes for all such libraries together. */
static _Thread_local char last_error[384];

void face_set_last_error(const char *text, size_t length) {
  if (length >= sizeof last_error) {
    length = sizeof last_error - 1;
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) length--;
  }
  memcpy(last_error, text, length);
  last_error[length] = 0;
}

const char *pgqrs_last_error(void) { return last_error; }

/* ---- fork ---- */

static volatile int32_t forked;

#ifndef _WIN32
static void note_fork(void) { forked = 1; }

/* The Go runtime starts when the library is loaded, so from then on no child made
 * by fork can use it, whether a store was connected or not. */
__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(NULL, NULL, note_fork);
}
#endif

static int32_t refuse_in_child(void) {
  static const char why[] =
      "this process was forked from one that had loaded pgqrs: load and connect in the child, "
      "after fork, or start the child by exec";
  face_set_last_error(why, sizeof why - 1);
  return PGQRS_FORKED;
}

/* ---- memory ---- */

void *face_allocate(size_t size) { return malloc(size); }
void face_free(void *data) { free(data); }

void pgqrs_free(void *data) { free(data); }

void pgqrs_batch_free(pgqrs_batch *batch) {
  if (!forked && batch) goBatchFree((uintptr_t)batch);
}

/* ---- the library ---- */

const char *pgqrs_version(void) { return PGQRS_VERSION; }
int32_t pgqrs_abi_version(void) { return PGQRS_ABI_VERSION; }

/* ---- stores ---- */

int32_t pgqrs_connect(const char *config, size_t config_length, uint64_t op, pgqrs_store *store) {
  if (forked) return refuse_in_child();
  return goConnect(config, config_length, op, store);
}

int32_t pgqrs_completion_fd(pgqrs_store store) {
  if (forked) return refuse_in_child();
  return goCompletionFD(store);
}

int32_t pgqrs_drain(pgqrs_store store, pgqrs_completion *out, int32_t max) {
  if (forked) return refuse_in_child();
  return goDrain(store, out, max);
}

int32_t pgqrs_wait(pgqrs_store store, int64_t timeout_us) {
  if (forked) return refuse_in_child();
  return goWait(store, timeout_us);
}

int32_t pgqrs_cancel(pgqrs_store store, uint64_t target) {
  if (forked) return refuse_in_child();
  return goCancel(store, target);
}

int32_t pgqrs_close(pgqrs_store store, uint64_t op) {
  if (forked) return refuse_in_child();
  return goClose(store, op);
}

int32_t pgqrs_store_free(pgqrs_store store) {
  if (forked) return refuse_in_child();
  return goStoreFree(store);
}

int32_t pgqrs_log(pgqrs_store store, uint64_t op, int32_t level) {
  if (forked) return refuse_in_child();
  return goLog(store, op, level);
}

/* ---- producing ---- */

int32_t pgqrs_produce(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                      const char *payload, size_t payload_length, int64_t delay_us,
                      int64_t worker) {
  if (forked) return refuse_in_child();
  return goProduce(store, op, queue, queue_length, payload, payload_length, delay_us, worker);
}

int32_t pgqrs_produce_batch(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                            const char *payloads, const uint64_t *lengths, uint64_t count,
                            int64_t delay_us, int64_t worker) {
  if (forked) return refuse_in_child();
  return goProduceBatch(store, op, queue, queue_length, payloads, lengths, count, delay_us, worker);
}

int32_t pgqrs_produce_array(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                            const char *payloads, size_t payloads_length, int64_t delay_us,
                            int64_t worker) {
  if (forked) return refuse_in_child();
  return goProduceArray(store, op, queue, queue_length, payloads, payloads_length, delay_us,
                        worker);
}

int32_t pgqrs_produce_keyed(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                            const char *payloads, const uint64_t *lengths, const char *keys,
                            const uint64_t *key_lengths, uint64_t count, int32_t batch,
                            int64_t delay_us, int64_t dedup_us, int64_t worker) {
  if (forked) return refuse_in_child();
  return goProduceKeyed(store, op, queue, queue_length, payloads, lengths, keys, key_lengths,
                        count, batch, delay_us, dedup_us, worker);
}

/* ---- in a transaction of the program's own ---- */

int32_t pgqrs_admit(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                    const char *payloads, const uint64_t *lengths, uint64_t count, int32_t batch,
                    int64_t delay_us, int64_t worker) {
  if (forked) return refuse_in_child();
  return goAdmit(store, op, queue, queue_length, payloads, lengths, count, batch, delay_us, worker);
}

int32_t pgqrs_detach(pgqrs_store store, uint64_t op, int64_t queue_id, int64_t worker,
                     const int64_t *leases, const int64_t *ids, uint64_t count) {
  if (forked) return refuse_in_child();
  return goDetach(store, op, queue_id, worker, leases, ids, count);
}

/* ---- workers ---- */

int32_t pgqrs_register(pgqrs_store store, uint64_t op, int32_t role, const char *queue,
                       size_t queue_length, const char *hostname, size_t hostname_length,
                       int32_t port) {
  if (forked) return refuse_in_child();
  return goRegister(store, op, role, queue, queue_length, hostname, hostname_length, port);
}

/* ---- requests ---- */

int32_t pgqrs_request(pgqrs_store store, uint64_t op, const char *name, size_t name_length,
                      const char *arguments, size_t arguments_length) {
  if (forked) return refuse_in_child();
  return goRequest(store, op, name, name_length, arguments, arguments_length);
}

/* ---- consuming ---- */

int32_t pgqrs_dequeue(pgqrs_store store, uint64_t op, int64_t worker, uint32_t limit,
                      int64_t vt_us) {
  if (forked) return refuse_in_child();
  return goDequeue(store, op, worker, limit, vt_us);
}

int32_t pgqrs_consume_iter(pgqrs_store store, uint64_t op, const char *queue, size_t queue_length,
                           const pgqrs_consume_options *options, pgqrs_stream *stream) {
  if (forked) return refuse_in_child();
  return goConsumeIter(store, op, queue, queue_length, options, stream);
}

int32_t pgqrs_credit(pgqrs_stream stream) {
  if (forked) return refuse_in_child();
  return goCredit(stream);
}

int32_t pgqrs_stream_close(pgqrs_stream stream) {
  if (forked) return refuse_in_child();
  return goStreamClose(stream);
}

/* ---- settling ---- */

int32_t pgqrs_archive(pgqrs_store store, uint64_t op, int64_t queue_id, int64_t worker,
                      const int64_t *leases, const int64_t *ids, uint64_t count) {
  if (forked) return refuse_in_child();
  return goArchive(store, op, queue_id, worker, leases, ids, count);
}

int32_t pgqrs_delete(pgqrs_store store, uint64_t op, int64_t queue_id, int64_t worker,
                     const int64_t *leases, const int64_t *ids, uint64_t count) {
  if (forked) return refuse_in_child();
  return goDelete(store, op, queue_id, worker, leases, ids, count);
}

int32_t pgqrs_extend_vt(pgqrs_store store, uint64_t op, int64_t queue_id, int64_t worker,
                        const int64_t *leases, const int64_t *ids, uint64_t count, int64_t by_us) {
  if (forked) return refuse_in_child();
  return goExtendVT(store, op, queue_id, worker, leases, ids, count, by_us);
}

int32_t pgqrs_release(pgqrs_store store, uint64_t op, int64_t queue_id, int64_t worker,
                      const int64_t *leases, const int64_t *ids, uint64_t count, int64_t delay_us) {
  if (forked) return refuse_in_child();
  return goRelease(store, op, queue_id, worker, leases, ids, count, delay_us);
}
