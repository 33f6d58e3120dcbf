/* The ring and its descriptor: one wake-up per burst, back-pressure, waits, cancel. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "harness.h"

static bool readable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

/* How often the descriptor was written since the last call: an edge-triggered
 * epoll reports each write. Waits for the first one when asked to. */
static int writes(int epoll, bool wait) {
  struct epoll_event event;
  int count = 0, n;
  while ((n = epoll_wait(epoll, &event, 1, wait && count == 0 ? (int)(PATIENCE_US / 1000) : 0)) != 0) {
    if (n > 0) count++;
    if (n < 0 && errno != EINTR) return -1;
  }
  return count;
}

static void burst_wakes_once(void) {
  enum { BURSTS = 5, EACH = 400 };
  pgqrs_store store = open_shared_store("burst"), other = open_shared_store("burst");
  const char *queue = fresh_queue();
  int64_t worker = register_consumer(other, queue);
  int fd = pgqrs_completion_fd(store);
  CHECK(fd >= 0 && !readable(fd));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event edge = {.events = EPOLLIN | EPOLLET};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &edge) == 0);

  for (int burst = 0; burst < BURSTS; burst++) {
    for (int i = 0; i < EACH; i++) submit_produce(store, queue, "1");
    int stored = 0; /* another store sees when all are done, for this one must not look */
    while (stored < EACH) {
      pgqrs_batch *b = dequeue(other, worker, EACH, 0);
      if (b) stored += (int)(b->delivered = b->count);
      pgqrs_batch_free(b);
    }
    int count = writes(epoll, true);
    CHECK(count == 1, "%d wake-ups", count);
    CHECK(readable(fd));

    pgqrs_completion out[100];
    int drained = 0;
    for (;;) {
      CHECK(pgqrs_wait(store, PATIENCE_US) == 1);
      int32_t n = pgqrs_drain(store, out, 100);
      CHECK(n > 0);
      drained += n;
      if (n <= 0 || drained >= EACH) break;
    }
    CHECK(drained == EACH && !readable(fd) && pgqrs_drain(store, out, 100) == 0);
    writes(epoll, false); /* a last completion may have come between two drains */
  }
  close(epoll);
  close_store(store);
  close_store(other);
}

static void descriptor_stays_readable_while_completions_wait(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  for (int i = 0; i < 3; i++) submit_produce(store, queue, "1");
  int fd = pgqrs_completion_fd(store);
  for (int i = 0; i < 3; i++) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CHECK(poll(&p, 1, (int)(PATIENCE_US / 1000)) == 1);
    pgqrs_completion c;
    CHECK(pgqrs_drain(store, &c, 0) == 0);
    CHECK(pgqrs_drain(store, &c, 1) == 1 && c.status == PGQRS_OK && c.value > 0);
  }
  CHECK(!readable(fd));
  close_store(store);
}

static void full_ring_refuses_until_it_is_drained(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  static pgqrs_completion out[4096];
  for (int i = 0; i < PGQRS_RING_SIZE; i++) {
    uint64_t op = fresh_op();
    int32_t code = pgqrs_produce(store, op, queue, strlen(queue), "1", 1, 0, 0);
    if (code != PGQRS_OK) {
      CHECK(false, "%d after %d: %s", code, i, pgqrs_last_error());
      break;
    }
  }
  CHECK(pgqrs_produce(store, fresh_op(), queue, strlen(queue), "1", 1, 0, 0) == PGQRS_FULL);
  CHECK(strstr(pgqrs_last_error(), "drain") != NULL);
  pgqrs_stream stream;
  CHECK(pgqrs_consume_iter(store, fresh_op(), queue, strlen(queue), NULL, &stream) == PGQRS_FULL);
  CHECK(stream == 0);

  CHECK(pgqrs_wait(store, PATIENCE_US) == 1);
  int32_t first = pgqrs_drain(store, out, 1);
  CHECK(first == 1);
  CHECK(pgqrs_produce(store, fresh_op(), queue, strlen(queue), "1", 1, 0, 0) == PGQRS_OK);
  CHECK(pgqrs_produce(store, fresh_op(), queue, strlen(queue), "1", 1, 0, 0) == PGQRS_FULL);
  uint64_t close = fresh_op();
  CHECK(pgqrs_close(store, close) == PGQRS_OK, "a close needs no free place");
  int left = PGQRS_RING_SIZE + 1;
  bool closed = false;
  while (left > 0 && pgqrs_wait(store, PATIENCE_US) == 1) {
    int32_t n = pgqrs_drain(store, out, 4096);
    for (int32_t i = 0; i < n; i++) {
      CHECK(!closed, "something comes after the close");
      closed = out[i].op == close;
      CHECK(out[i].status == PGQRS_OK || out[i].status == PGQRS_CLOSED, "%d", out[i].status);
      pgqrs_free(out[i].data);
    }
    left -= n;
  }
  CHECK(left == 0 && closed);
  CHECK(pgqrs_store_free(store) == PGQRS_OK);
}

static void wait_ends_by_time_or_by_a_completion(void) {
  pgqrs_store store = open_store();
  CHECK(pgqrs_wait(store, 0) == 0);
  CHECK(pgqrs_wait(store, 1000) == 0);
  uint64_t op = submit_produce(store, fresh_queue(), "1");
  CHECK(pgqrs_wait(store, INT64_MAX) == 1);
  CHECK(pgqrs_wait(store, -1) == 1);
  CHECK(expect(store, op, PGQRS_OK) > 0);
  close_store(store);
}

static void cancelled_operation_completes_once(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  for (int i = 0; i < 200; i++) {
    uint64_t op = submit_produce(store, queue, "1");
    CHECK(pgqrs_cancel(store, op) == PGQRS_OK);
    pgqrs_completion c = await(store, op);
    CHECK(c.status == PGQRS_CANCELLED || (c.status == PGQRS_OK && c.value > 0), "%d", c.status);
    pgqrs_free(c.data);
  }
  CHECK(pgqrs_cancel(store, 12345678) == PGQRS_OK); /* is not in flight */
  close_store(store);
}

static void operation_in_flight_keeps_its_number(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  uint64_t op = fresh_op();
  pgqrs_stream stream;
  CHECK(pgqrs_consume_iter(store, op, queue, strlen(queue), NULL, &stream) == PGQRS_OK);
  CHECK(pgqrs_produce(store, op, queue, strlen(queue), "1", 1, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_stream_close(stream) == PGQRS_OK);
  expect(store, op, PGQRS_OK);
  CHECK(pgqrs_produce(store, op, queue, strlen(queue), "1", 1, 0, 0) == PGQRS_OK);
  expect(store, op, PGQRS_OK);
  close_store(store);
}

int main(void) {
  RUN(burst_wakes_once);
  RUN(descriptor_stays_readable_while_completions_wait);
  RUN(full_ring_refuses_until_it_is_drained);
  RUN(wait_ends_by_time_or_by_a_completion);
  RUN(cancelled_operation_completes_once);
  RUN(operation_in_flight_keeps_its_number);
  return finish();
}
