#include "harness.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int failed_checks; /* of the running test */
static int tests_passed, tests_failed;

void check(bool ok, const char *file, int line, const char *text, const char *format, ...) {
  if (ok) return;
  failed_checks++;
  fprintf(stderr, "%s:%d: not true: %s", file, line, text);
  if (*format) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, " - ");
    vfprintf(stderr, format, arguments);
    va_end(arguments);
  }
  fprintf(stderr, "\n");
}

void run(const char *name, void (*test)(void)) {
  failed_checks = 0;
  test();
  if (failed_checks == 0) {
    tests_passed++;
  } else {
    tests_failed++;
    fprintf(stderr, "FAILED %s\n", name);
  }
}

int finish(void) {
  printf("%d passed, %d failed\n", tests_passed, tests_failed);
  return tests_failed == 0 && tests_passed > 0 ? 0 : 1;
}

/* A test that cannot go on ends the program. */
static void give_up(const char *what) {
  fprintf(stderr, "giving up: %s: %s\n", what, pgqrs_last_error());
  exit(1);
}

uint64_t fresh_op(void) {
  static atomic_uint_fast64_t last;
  return ++last;
}

const char *fresh_queue(void) {
  static char name[64];
  static int count;
  snprintf(name, sizeof name, "ctest-%ld-%d", (long)getpid(), ++count);
  return name;
}

static pgqrs_store open_on(const char *dsn) {
  char config[2048];
  int n = snprintf(config, sizeof config, "{\"dsn\": \"%s\", \"max_connections\": 4}", dsn);
  pgqrs_store store;
  uint64_t op = fresh_op();
  if (pgqrs_connect(config, (size_t)n, op, &store) != PGQRS_OK) give_up("connect");
  pgqrs_completion c = await(store, op);
  if (c.status != PGQRS_OK) {
    fprintf(stderr, "%s\n", ((pgqrs_error *)c.data)->message);
    give_up("connect");
  }
  return store;
}

pgqrs_store open_store(void) {
  const char *dsn = getenv("PGQRS_TEST_DSN");
  return open_on(dsn && *dsn ? dsn : "memory://");
}

pgqrs_store open_shared_store(const char *name) {
  char memory[128];
  snprintf(memory, sizeof memory, "memory://%s", name);
  const char *dsn = getenv("PGQRS_TEST_DSN");
  return open_on(dsn && *dsn ? dsn : memory);
}

/* Completions that were drained and not awaited yet, of all stores; the tests
 * await in one thread. */
static struct kept {
  pgqrs_store store;
  pgqrs_completion completion;
  struct kept *next;
} *kept;

pgqrs_completion await(pgqrs_store store, uint64_t op) {
  for (;;) {
    for (struct kept **k = &kept; *k; k = &(*k)->next) {
      if ((*k)->store == store && (*k)->completion.op == op) {
        struct kept *found = *k;
        pgqrs_completion c = found->completion;
        *k = found->next;
        free(found);
        return c;
      }
    }
    if (pgqrs_wait(store, PATIENCE_US) != 1) give_up("an operation does not complete");
    pgqrs_completion out[64];
    int32_t n = pgqrs_drain(store, out, 64);
    struct kept **end = &kept;
    while (*end) end = &(*end)->next;
    for (int32_t i = 0; i < n; i++) {
      struct kept *k = malloc(sizeof *k);
      *k = (struct kept){store, out[i], NULL};
      *end = k;
      end = &k->next;
    }
  }
}

static void free_data(const pgqrs_completion *c) {
  if (c->kind == PGQRS_RESULT_BATCH) {
    pgqrs_batch_free(c->data);
  } else {
    pgqrs_free(c->data);
  }
}

int64_t expect(pgqrs_store store, uint64_t op, int32_t status) {
  pgqrs_completion c = await(store, op);
  CHECK(c.status == status, "status %d, not %d: %s", c.status, status,
        c.kind == PGQRS_RESULT_ERROR ? ((pgqrs_error *)c.data)->message : "");
  free_data(&c);
  return c.value;
}

void close_store(pgqrs_store store) {
  uint64_t op = fresh_op();
  CHECK(pgqrs_close(store, op) == PGQRS_OK, "%s", pgqrs_last_error());
  expect(store, op, PGQRS_OK);
  CHECK(pgqrs_wait(store, 0) == 0, "something comes after the close");
  for (struct kept *k = kept; k; k = k->next) {
    CHECK(k->store != store, "operation %llu was not looked for", (unsigned long long)k->completion.op);
  }
  CHECK(pgqrs_store_free(store) == PGQRS_OK);
}

uint64_t submit_produce(pgqrs_store store, const char *queue, const char *payload) {
  uint64_t op = fresh_op();
  int32_t code = pgqrs_produce(store, op, queue, strlen(queue), payload, strlen(payload), 0, 0);
  CHECK(code == PGQRS_OK, "%d: %s", code, pgqrs_last_error());
  return op;
}

int64_t produce(pgqrs_store store, const char *queue, const char *payload) {
  return expect(store, submit_produce(store, queue, payload), PGQRS_OK);
}

int64_t register_consumer(pgqrs_store store, const char *queue) {
  uint64_t op = fresh_op();
  CHECK(pgqrs_register(store, op, PGQRS_CONSUMER, queue, strlen(queue), "host", 4, 8080) == PGQRS_OK);
  pgqrs_completion c = await(store, op);
  CHECK(c.status == PGQRS_OK && c.kind == PGQRS_RESULT_JSON);
  long long worker = 0, queue_id = 0;
  CHECK(sscanf(c.data, "{\"worker_id\":%lld,\"queue_id\":%lld}", &worker, &queue_id) == 2, "%s",
        (char *)c.data);
  CHECK(strlen(c.data) == (size_t)c.value && worker > 0 && queue_id > 0);
  pgqrs_free(c.data);
  return worker;
}

pgqrs_batch *dequeue(pgqrs_store store, int64_t worker, uint32_t limit, int64_t vt_us) {
  uint64_t op = fresh_op();
  CHECK(pgqrs_dequeue(store, op, worker, limit, vt_us) == PGQRS_OK);
  pgqrs_completion c = await(store, op);
  CHECK(c.status == PGQRS_OK && (c.kind == PGQRS_RESULT_BATCH || c.data == NULL));
  return c.data;
}

bool payload_is(const pgqrs_batch *batch, uint64_t i, const char *payload) {
  const pgqrs_message *m = &batch->messages[i];
  return m->payload_offset + m->payload_length <= batch->size &&
         m->payload_length == strlen(payload) &&
         memcmp((const char *)batch + m->payload_offset, payload, m->payload_length) == 0;
}
