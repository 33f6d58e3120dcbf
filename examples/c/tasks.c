/*
 * Puts its arguments into a queue and takes out what is ready there.
 *
 *     PGQRS_DSN=postgresql://localhost/mydb ./tasks QUEUE [JSON…]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgqrs.h"

/* Numbers of operations: whatever the program likes. One that submits an operation at
 * a time tells them apart by it only where a stream is open. */
enum { CONNECT = 1, PRODUCE, CONSUME, ARCHIVE, CLOSE };

static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

/* A submit was accepted; else its completion would never come. */
static void accepted(int32_t code) {
  if (code != PGQRS_OK) fail("refused", pgqrs_last_error());
}

/* The next completion. A program with an event loop polls pgqrs_completion_fd instead. */
static pgqrs_completion next(pgqrs_store store) {
  pgqrs_completion c;
  while (pgqrs_drain(store, &c, 1) == 0) pgqrs_wait(store, -1);
  if (c.status != PGQRS_OK) {
    const pgqrs_error *e = c.data;
    fail("failed", e ? e->message : "no memory");
  }
  return c;
}

/* Opens the store that PGQRS_DSN names. A DSN with quotes or backslashes would have to
 * be written as a JSON string. */
static pgqrs_store open_store(void) {
  const char *dsn = getenv("PGQRS_DSN");
  if (!dsn || strpbrk(dsn, "\"\\")) fail("PGQRS_DSN", "is missing, or has a quote in it");
  char config[2048];
  int length = snprintf(config, sizeof config, "{\"dsn\": \"%s\"}", dsn);
  if (length >= (int)sizeof config) fail("PGQRS_DSN", "is too long");
  pgqrs_store store;
  accepted(pgqrs_connect(config, (size_t)length, CONNECT, &store));
  next(store);
  return store;
}

/* Stores one message. */
static void produce(pgqrs_store store, const char *queue, const char *payload) {
  accepted(pgqrs_produce(store, PRODUCE, queue, strlen(queue), payload, strlen(payload), 0, 0));
  printf("stored %" PRId64 "\n", next(store).value);
}

/* Prints and archives the messages of a batch, and gives the batch back. */
static uint64_t handle(pgqrs_store store, pgqrs_batch *batch) {
  uint64_t archived = 0;
  for (uint64_t i = 0; i < batch->count; i++) {
    const pgqrs_message *m = &batch->messages[i];
    batch->delivered = i + 1; /* from here on it is ours; the others stay alive by themselves */
    printf("%" PRId64 ": %.*s\n", m->id, (int)m->payload_length,
           (const char *)batch + m->payload_offset);
    accepted(pgqrs_archive(store, ARCHIVE, batch->queue_id, 0, &batch->lease, &m->id, 1));
    pgqrs_completion c = next(store);
    archived += *(const uint8_t *)c.data; /* 0: the lease was no longer ours */
    pgqrs_free(c.data);
  }
  pgqrs_batch_free(batch);
  return archived;
}

/* Handles all that is ready. A stream gives one batch for each credit, and none that
 * was not asked for: so while a batch is handled no other completion comes between. */
static uint64_t consume(pgqrs_store store, const char *queue) {
  pgqrs_consume_options options = {.batch_size = 10, .until_empty = 1};
  pgqrs_stream stream;
  accepted(pgqrs_consume_iter(store, CONSUME, queue, strlen(queue), &options, &stream));
  uint64_t archived = 0;
  for (;;) {
    accepted(pgqrs_credit(stream));
    pgqrs_completion c = next(store);
    if (!(c.flags & PGQRS_MORE)) break; /* the queue is empty */
    archived += handle(store, c.data);
  }
  accepted(pgqrs_stream_close(stream));
  return archived;
}

int main(int argc, char **argv) {
  if (argc < 2) fail("usage", "tasks QUEUE [JSON...]");
  pgqrs_store store = open_store();
  for (int i = 2; i < argc; i++) produce(store, argv[1], argv[i]);
  printf("%" PRIu64 " archived\n", consume(store, argv[1]));
  accepted(pgqrs_close(store, CLOSE));
  next(store);
  accepted(pgqrs_store_free(store));
  return 0;
}
