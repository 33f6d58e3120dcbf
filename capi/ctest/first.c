/*
 * The first program: connect, produce, consume, archive, close. Without the
 * harness, to be read as an example.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgqrs.h"

/* A program that submits one operation at a time needs no more than this. */
static pgqrs_completion next(pgqrs_store store) {
  pgqrs_completion c;
  while (pgqrs_drain(store, &c, 1) == 0) pgqrs_wait(store, -1);
  if (c.status != PGQRS_OK) {
    const pgqrs_error *e = c.data;
    fprintf(stderr, "failed with %" PRId32 ": %s\n", c.status, e ? e->message : "no memory");
    exit(1);
  }
  return c;
}

static void accepted(int32_t code) {
  if (code == PGQRS_OK) return;
  fprintf(stderr, "refused with %" PRId32 ": %s\n", code, pgqrs_last_error());
  exit(1);
}

int main(void) {
  const char *dsn = getenv("PGQRS_TEST_DSN");
  char config[2048];
  snprintf(config, sizeof config, "{\"dsn\": \"%s\"}", dsn && *dsn ? dsn : "memory://");
  pgqrs_store store;
  accepted(pgqrs_connect(config, strlen(config), 1, &store));
  next(store);

  const char *payload = "{\"to\": \"user@example.com\"}";
  accepted(pgqrs_produce(store, 2, "first", 5, payload, strlen(payload), 0, 0));
  int64_t id = next(store).value;

  /* A stream delivers a batch for each credit. */
  pgqrs_consume_options options = {.batch_size = 10};
  pgqrs_stream stream;
  accepted(pgqrs_consume_iter(store, 3, "first", 5, &options, &stream));
  accepted(pgqrs_credit(stream));
  pgqrs_batch *batch = next(store).data;
  int archived = 0;
  for (uint64_t i = 0; i < batch->count; i++) {
    const pgqrs_message *m = &batch->messages[i];
    batch->delivered = i + 1;
    printf("%" PRId64 ": %.*s\n", m->id, (int)m->payload_length,
           (const char *)batch + m->payload_offset);
    accepted(pgqrs_archive(store, 4, batch->queue_id, 0, &batch->lease, &m->id, 1));
    pgqrs_completion c = next(store);
    archived += m->id == id && *(const uint8_t *)c.data == 1;
    pgqrs_free(c.data);
  }
  pgqrs_batch_free(batch);
  accepted(pgqrs_stream_close(stream));
  next(store);

  accepted(pgqrs_close(store, 5));
  next(store);
  accepted(pgqrs_store_free(store));
  printf("%d passed, %d failed\n", archived == 1, archived != 1);
  return archived == 1 ? 0 : 1;
}
