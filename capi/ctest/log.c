/* The log: what the store says of its work in the background. */
#include "harness.h"

/* Opens a store on which a message is dead after one delivery, and connects it. */
static pgqrs_store open_impatient_store(void) {
  static const char config[] = "{\"dsn\": \"memory://\", \"max_read_ct\": 1}";
  uint64_t op = fresh_op();
  pgqrs_store store = 0;
  CHECK(pgqrs_connect(config, sizeof config - 1, op, &store) == PGQRS_OK);
  expect(store, op, PGQRS_OK);
  return store;
}

static void log_tells_of_dead_letters_and_ends_with_the_store(void) {
  pgqrs_store store = open_impatient_store();
  uint64_t log = fresh_op();
  CHECK(pgqrs_log(store, log, PGQRS_LOG_WARNING) == PGQRS_OK, "%s", pgqrs_last_error());
  CHECK(pgqrs_log(store, fresh_op(), PGQRS_LOG_WARNING) == PGQRS_BAD_ARGUMENT); /* one at a time */

  const char *queue = fresh_queue();
  produce(store, queue, "1");
  int64_t worker = register_consumer(store, queue);
  pgqrs_batch *b = dequeue(store, worker, 1, 0);
  CHECK(b && b->count == 1);
  b->delivered = 1;
  uint64_t release = fresh_op();
  CHECK(pgqrs_release(store, release, b->queue_id, worker, &b->lease, &b->messages[0].id, 1, 0) == PGQRS_OK);
  expect(store, release, PGQRS_OK);
  pgqrs_batch_free(b);
  CHECK(dequeue(store, worker, 1, 0) == NULL); /* it is dead now */

  pgqrs_completion c = await(store, log);
  CHECK(c.status == PGQRS_OK && c.kind == PGQRS_RESULT_JSON && c.flags == PGQRS_MORE);
  CHECK(c.data && c.value == (int64_t)strlen(c.data) && strstr(c.data, "dead letters"), "%s", (char *)c.data);
  pgqrs_free(c.data);

  uint64_t close = fresh_op();
  CHECK(pgqrs_close(store, close) == PGQRS_OK);
  c = await(store, log);
  CHECK(c.status == PGQRS_OK && c.kind == PGQRS_RESULT_NONE && c.flags == 0);
  expect(store, close, PGQRS_OK);
  CHECK(pgqrs_store_free(store) == PGQRS_OK);
}

static void log_of_a_wrong_level_is_refused(void) {
  pgqrs_store store = open_store();
  CHECK(pgqrs_log(store, fresh_op(), -1) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_log(store, fresh_op(), 4) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_log(store ^ 1, fresh_op(), PGQRS_LOG_INFO) == PGQRS_BAD_HANDLE);
  uint64_t log = fresh_op();
  CHECK(pgqrs_log(store, log, PGQRS_LOG_INFO) == PGQRS_OK);
  CHECK(pgqrs_cancel(store, log) == PGQRS_OK);
  expect(store, log, PGQRS_CANCELLED);
  close_store(store);
}

int main(void) {
  RUN(log_tells_of_dead_letters_and_ends_with_the_store);
  RUN(log_of_a_wrong_level_is_refused);
  return finish();
}
