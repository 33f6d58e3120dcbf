/*
 * harness.h - what the C test programs share: counting, and a store as a program
 * without an event loop uses it. It knows the library by pgqrs.h alone.
 *
 * The store is on memory://, or on PGQRS_TEST_DSN where that is set.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pgqrs.h"

/* How long a test waits for what must come. */
#define PATIENCE_US (60 * INT64_C(1000000))

/* Counts one check; a false one prints where, and the rest, as printf does. */
#define CHECK(condition, ...) check((condition), __FILE__, __LINE__, #condition, "" __VA_ARGS__)

/* Runs a test function and prints its name when it fails. */
#define RUN(test) run(#test, test)

void check(bool ok, const char *file, int line, const char *text, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void run(const char *name, void (*test)(void));

/* Prints "N passed, N failed" of the tests, and returns the exit status. */
int finish(void);

/* A connected store, private to the test where it is on memory://. */
pgqrs_store open_store(void);

/* The same, on the database that all stores of this process with that name share. */
pgqrs_store open_shared_store(const char *name);

/* Closes and frees a store; checks that nothing comes after its close. */
void close_store(pgqrs_store store);

/* A queue name that no other test uses. Valid until the next call. */
const char *fresh_queue(void);

/* A number for an operation; each is used once. */
uint64_t fresh_op(void);

/* Waits for a completion of that operation; others of the store are kept for
 * their own call. Its data is the caller's. */
pgqrs_completion await(pgqrs_store store, uint64_t op);

/* The same, and checks its status and frees its data; returns its value. */
int64_t expect(pgqrs_store store, uint64_t op, int32_t status);

/* Submits one produce; its operation. */
uint64_t submit_produce(pgqrs_store store, const char *queue, const char *payload);

/* Produces and waits; the id. */
int64_t produce(pgqrs_store store, const char *queue, const char *payload);

/* Registers a consumer; its worker id. */
int64_t register_consumer(pgqrs_store store, const char *queue);

/* Dequeues up to limit messages for vt_us (0: the default); NULL: none was ready. */
pgqrs_batch *dequeue(pgqrs_store store, int64_t worker, uint32_t limit, int64_t vt_us);

/* Whether the i-th message of a batch has this payload. */
bool payload_is(const pgqrs_batch *batch, uint64_t i, const char *payload);

#endif
