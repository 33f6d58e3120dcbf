/*
 * A library that panics on command (built with the tag pgqrs_panic, on the queue
 * "pgqrs:panic"): its store ends with PGQRS_INTERNAL, later submits are refused,
 * and this process lives. One panic poisons the process, so each test is a child
 * of its own, started by exec.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define PANIC "pgqrs:panic"

/* A store with a stream and a batch, to see what becomes of them. */
static pgqrs_store store, bystander;
static pgqrs_stream stream;
static pgqrs_batch *batch;
static uint64_t stream_op;

static void start(void) {
  store = open_store();
  bystander = open_store();
  const char *queue = fresh_queue();
  produce(store, queue, "1");
  produce(store, queue, "2");
  batch = dequeue(store, register_consumer(store, queue), 1, 0);
  CHECK(batch && batch->count == 1);
  stream_op = fresh_op();
  queue = fresh_queue();
  CHECK(pgqrs_consume_iter(store, stream_op, queue, strlen(queue), NULL, &stream) == PGQRS_OK);
  CHECK(pgqrs_credit(stream) == PGQRS_OK);
}

/* What holds after any panic. */
static void after(void) {
  expect(store, stream_op, PGQRS_INTERNAL);
  pgqrs_store another;
  CHECK(pgqrs_connect("{\"dsn\":\"memory://\"}", 19, fresh_op(), &another) == PGQRS_POISONED);
  CHECK(pgqrs_produce(store, fresh_op(), "q", 1, "1", 1, 0, 0) == PGQRS_POISONED);
  CHECK(pgqrs_produce(bystander, fresh_op(), "q", 1, "1", 1, 0, 0) == PGQRS_POISONED);
  CHECK(pgqrs_close(bystander, fresh_op()) == PGQRS_POISONED);
  CHECK(pgqrs_cancel(store, stream_op) == PGQRS_POISONED);
  CHECK(pgqrs_credit(stream) == PGQRS_POISONED);
  CHECK(strstr(pgqrs_last_error(), "on command") && strstr(pgqrs_last_error(), "restart"), "%s", pgqrs_last_error());
  CHECK(pgqrs_stream_close(stream) == PGQRS_OK);
  pgqrs_completion c;
  CHECK(pgqrs_wait(store, 0) == 0 && pgqrs_drain(store, &c, 1) == 0);
  pgqrs_batch_free(batch);
  CHECK(pgqrs_store_free(store) == PGQRS_OK);
  CHECK(pgqrs_store_free(bystander) == PGQRS_OK);
}

static void panic_in_a_goroutine_ends_the_store(void) {
  start();
  uint64_t op = fresh_op();
  CHECK(pgqrs_register(store, op, PGQRS_PRODUCER, PANIC, strlen(PANIC), NULL, 0, 0) == PGQRS_OK);
  pgqrs_completion c = await(store, op);
  CHECK(c.status == PGQRS_INTERNAL && strstr(((pgqrs_error *)c.data)->message, "on command"));
  pgqrs_free(c.data);
  after();
}

static void panic_in_a_batch_refuses_the_submit(void) {
  start();
  uint64_t length = 1;
  CHECK(pgqrs_produce_batch(store, fresh_op(), PANIC, strlen(PANIC), "1", &length, 1, 0, 0) == PGQRS_POISONED);
  after();
}

static void panic_in_a_stream_ends_the_store(void) {
  start();
  uint64_t op = fresh_op();
  pgqrs_stream panicking;
  CHECK(pgqrs_consume_iter(store, op, PANIC, strlen(PANIC), NULL, &panicking) == PGQRS_OK);
  expect(store, op, PGQRS_INTERNAL);
  CHECK(pgqrs_stream_close(panicking) == PGQRS_OK);
  after();
}

static void panic_in_the_thread_of_the_program_refuses_the_submit(void) {
  start();
  CHECK(pgqrs_produce(store, fresh_op(), PANIC, strlen(PANIC), "1", 1, 0, 0) == PGQRS_POISONED);
  after();
}

static const struct {
  const char *name;
  void (*test)(void);
} tests[] = {
    {"goroutine", panic_in_a_goroutine_ends_the_store},
    {"batch", panic_in_a_batch_refuses_the_submit},
    {"stream", panic_in_a_stream_ends_the_store},
    {"thread", panic_in_the_thread_of_the_program_refuses_the_submit},
};
enum { TESTS = sizeof tests / sizeof *tests };

static const char *self;
static int current;

static void child_lives_through_its_panic(void) {
  pid_t child = fork();
  if (child == 0) {
    execl(self, self, tests[current].name, (char *)NULL);
    _exit(127);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(status == 0, "%s: status %d", tests[current].name, status);
}

int main(int count, char **arguments) {
  self = arguments[0];
  for (current = 0; current < TESTS; current++) {
    if (count == 1) {
      RUN(child_lives_through_its_panic);
    } else if (strcmp(arguments[1], tests[current].name) == 0) {
      run(tests[current].name, tests[current].test);
      return finish();
    }
  }
  return finish();
}
