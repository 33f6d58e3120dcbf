/* Threads of the program, all at the same time, and a close among them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "harness.h"

enum { THREADS = 4, EACH = 500 };

static pgqrs_store store;
static const char *queue;
static atomic_int accepted, refused;

/* Produces until the store is closed, or EACH messages. */
static void *produce_many(void *argument) {
  char payload[64];
  for (int i = 0; i < EACH; i++) {
    int n = snprintf(payload, sizeof payload, "[%d, %d]", (int)(intptr_t)argument, i);
    int32_t code = pgqrs_produce(store, fresh_op(), queue, strlen(queue), payload, (size_t)n, 0, 0);
    if (code == PGQRS_OK) {
      accepted++;
      continue;
    }
    refused++;
    CHECK(code == PGQRS_BAD_HANDLE && strstr(pgqrs_last_error(), "closed"), "%d %s", code, pgqrs_last_error());
  }
  CHECK(pgqrs_produce(store, 0, NULL, 1, NULL, 0, 0, 0) != PGQRS_OK);
  const char *mine = pgqrs_last_error(); /* of this thread, whatever the others do */
  CHECK(strstr(mine, "queue is NULL") || strstr(mine, "freed") || strstr(mine, "closed"), "%s", mine);
  return NULL;
}

static void start(pthread_t *threads) {
  accepted = refused = 0;
  for (intptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, produce_many, (void *)i);
}

static void messages_of_a_thread_keep_their_order(void) {
  store = open_store();
  queue = fresh_queue();
  pthread_t threads[THREADS];
  start(threads);
  static pgqrs_completion out[256];
  int done = 0;
  while (done < THREADS * EACH && pgqrs_wait(store, PATIENCE_US) == 1) {
    int32_t n = pgqrs_drain(store, out, 256);
    for (int32_t i = 0; i < n; i++) CHECK(out[i].status == PGQRS_OK && out[i].value > 0);
    done += n;
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  CHECK(done == THREADS * EACH && accepted == done && refused == 0);

  int64_t worker = register_consumer(store, queue);
  int next[THREADS] = {0}, seen = 0;
  for (pgqrs_batch *b; (b = dequeue(store, worker, 1000, 0)) != NULL;) {
    for (uint64_t i = 0; i < b->count; i++, seen++) {
      int thread = -1, number = -1;
      char payload[64] = ""; /* the one in the batch does not end with a zero */
      memcpy(payload, (char *)b + b->messages[i].payload_offset, b->messages[i].payload_length);
      sscanf(payload, "[%d, %d]", &thread, &number);
      if (thread < 0 || thread >= THREADS || number != next[thread]++) {
        CHECK(false, "thread %d: message %d is out of order", thread, number);
      }
    }
    b->delivered = b->count;
    pgqrs_batch_free(b);
  }
  CHECK(seen == THREADS * EACH, "%d", seen);
  close_store(store);
}

static void close_with_work_in_flight_completes_all_of_it(void) {
  for (int round = 0; round < 10; round++) {
    store = open_store();
    queue = fresh_queue();
    pgqrs_stream stream;
    uint64_t stream_op = fresh_op();
    CHECK(pgqrs_consume_iter(store, stream_op, queue, strlen(queue), NULL, &stream) == PGQRS_OK);
    for (int i = 0; i < 5; i++) CHECK(pgqrs_credit(stream) == PGQRS_OK);
    pthread_t threads[THREADS];
    start(threads);
    while (accepted < THREADS * EACH * round / 10) sched_yield();
    uint64_t close_op = fresh_op();
    CHECK(pgqrs_close(store, close_op) == PGQRS_OK);
    int produced = 0, streams = 0;
    bool closed = false;
    while (!closed && pgqrs_wait(store, PATIENCE_US) == 1) {
      pgqrs_completion c;
      CHECK(pgqrs_drain(store, &c, 1) == 1);
      if (c.op == close_op) {
        CHECK(c.status == PGQRS_OK, "%d", c.status);
        closed = true;
      } else if (c.op == stream_op) {
        CHECK(c.status == PGQRS_OK, "%d", c.status);
        streams += !(c.flags & PGQRS_MORE);
      } else {
        CHECK(c.status == PGQRS_OK || c.status == PGQRS_CLOSED, "%d", c.status);
        produced++;
      }
      if (c.kind == PGQRS_RESULT_BATCH) {
        pgqrs_batch_free(c.data);
      } else {
        pgqrs_free(c.data);
      }
    }
    CHECK(pgqrs_wait(store, 0) == 0, "something comes after the close");
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    CHECK(closed && streams == 1 && produced == accepted, "%d of %d", produced, (int)accepted);
    CHECK(pgqrs_store_free(store) == PGQRS_OK);
  }
}

static void *wait_for_ever(void *argument) {
  (void)argument;
  CHECK(pgqrs_wait(store, -1) == PGQRS_BAD_HANDLE);
  return NULL;
}

static void free_ends_a_wait(void) {
  store = open_store();
  pthread_t waiter;
  pthread_create(&waiter, NULL, wait_for_ever, NULL);
  CHECK(pgqrs_store_free(store) == PGQRS_OK);
  pthread_join(waiter, NULL);
}

static void free_with_work_in_flight_is_enough(void) {
  for (int round = 0; round < 10; round++) {
    store = open_store();
    queue = fresh_queue();
    for (int i = 0; i < 50; i++) submit_produce(store, queue, "{}");
    pgqrs_stream stream;
    CHECK(pgqrs_consume_iter(store, fresh_op(), queue, strlen(queue), NULL, &stream) == PGQRS_OK);
    CHECK(pgqrs_credit(stream) == PGQRS_OK);
    if (round % 2) CHECK(pgqrs_wait(store, PATIENCE_US) == 1);
    CHECK(pgqrs_store_free(store) == PGQRS_OK);
  }
}

int main(void) {
  RUN(messages_of_a_thread_keep_their_order);
  RUN(close_with_work_in_flight_completes_all_of_it);
  RUN(free_ends_a_wait);
  RUN(free_with_work_in_flight_is_enough);
  return finish();
}
