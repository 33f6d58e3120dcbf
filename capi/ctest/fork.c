/* A child made by fork is told so by every call; the parent goes on. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/* What the child does; the status with which it exits: 0 when all is as promised. */
static int in_child(pgqrs_store store, pgqrs_stream stream, pgqrs_batch *batch, void *data) {
  pgqrs_completion out;
  pgqrs_store another;
  uint64_t length = 1;
  int64_t one = 1;
  const int32_t codes[] = {
      pgqrs_connect("{}", 2, 1, &another),
      pgqrs_completion_fd(store),
      pgqrs_drain(store, &out, 1),
      pgqrs_wait(store, -1),
      pgqrs_cancel(store, 1),
      pgqrs_close(store, 1),
      pgqrs_store_free(store),
      pgqrs_log(store, 1, PGQRS_LOG_INFO),
      pgqrs_produce(store, 1, "q", 1, "1", 1, 0, 0),
      pgqrs_produce_batch(store, 1, "q", 1, "1", &length, 1, 0, 0),
      pgqrs_produce_array(store, 1, "q", 1, "[1]", 3, 0, 0),
      pgqrs_produce_keyed(store, 1, "q", 1, "1", &length, "k", &length, 1, 0, 0, 0, 0),
      pgqrs_admit(store, 1, "q", 1, "1", &length, 1, 0, 0, 0),
      pgqrs_detach(store, 1, 1, 0, &one, &one, 1),
      pgqrs_register(store, 1, PGQRS_CONSUMER, "q", 1, "h", 1, 1),
      pgqrs_request(store, 1, "queue_count", 11, "", 0),
      pgqrs_dequeue(store, 1, 1, 1, 0),
      pgqrs_consume_iter(store, 1, "q", 1, NULL, &stream),
      pgqrs_credit(stream),
      pgqrs_stream_close(stream),
      pgqrs_archive(store, 1, 1, 0, &one, &one, 1),
      pgqrs_delete(store, 1, 1, 0, &one, &one, 1),
      pgqrs_extend_vt(store, 1, 1, 0, &one, &one, 1, 1),
      pgqrs_release(store, 1, 1, 0, &one, &one, 1, 1),
  };
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    if (codes[i] != PGQRS_FORKED) return (int)i + 1;
  }
  if (!strstr(pgqrs_last_error(), "fork")) return 100;
  if (strcmp(pgqrs_version(), PGQRS_VERSION) != 0) return 101;
  pgqrs_batch_free(batch);
  pgqrs_free(data);
  return 0;
}

static int status_of(pid_t child) {
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void child_is_refused_and_the_parent_goes_on(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  produce(store, queue, "1");
  int64_t worker = register_consumer(store, queue);
  pgqrs_batch *batch = dequeue(store, worker, 1, 0);
  uint64_t op = fresh_op();
  pgqrs_stream stream;
  CHECK(pgqrs_consume_iter(store, op, queue, strlen(queue), NULL, &stream) == PGQRS_OK);
  uint64_t bad_op = submit_produce(store, queue, "x");
  pgqrs_completion bad = await(store, bad_op);
  CHECK(bad.kind == PGQRS_RESULT_ERROR);

  for (int i = 0; i < 20; i++) {
    uint64_t in_flight = submit_produce(store, queue, "1"); /* the runtime is busy while it forks */
    pid_t child = fork();
    if (child == 0) {
      alarm(30); /* a child that hangs is killed, and seen */
      _exit(in_child(store, stream, batch, bad.data));
    }
    int status = status_of(child);
    CHECK(status == 0, "the child ended with %d", status);
    expect(store, in_flight, PGQRS_OK);
  }
  pgqrs_free(bad.data);
  batch->delivered = 1;
  CHECK(pgqrs_stream_close(stream) == PGQRS_OK);
  expect(store, op, PGQRS_OK);
  pgqrs_batch_free(batch);
  close_store(store);
}

static const char *self; /* the path of this program */

static void child_by_exec_connects(void) {
  pid_t child = fork();
  if (child == 0) {
    execl(self, self, "child", (char *)NULL);
    _exit(127);
  }
  int status = status_of(child);
  CHECK(status == 0, "%d", status);
}

/* With an argument this is the child of that test. */
int main(int count, char **arguments) {
  self = arguments[0];
  if (count > 1) {
    pgqrs_store store = open_store();
    produce(store, fresh_queue(), "1");
    close_store(store);
    return 0;
  }
  RUN(child_is_refused_and_the_parent_goes_on);
  RUN(child_by_exec_connects);
  return finish();
}
