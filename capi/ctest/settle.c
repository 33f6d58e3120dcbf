/* Settling: an answer per delivery, of this very lease. */
#include <stdlib.h>
#include <time.h>

#include "harness.h"

static pgqrs_store store;
static const char *queue;
static int64_t worker;

static void start(int messages) {
  store = open_store();
  queue = fresh_queue();
  worker = register_consumer(store, queue);
  for (int i = 0; i < messages; i++) produce(store, queue, "1");
}

/* Waits for answers and compares them; frees them. */
static void answers(uint64_t op, const char *want) {
  pgqrs_completion c = await(store, op);
  CHECK(c.status == PGQRS_OK && c.kind == PGQRS_RESULT_ANSWERS && c.value == (int64_t)strlen(want));
  for (int64_t i = 0; i < c.value; i++) {
    CHECK(((uint8_t *)c.data)[i] == want[i] - '0', "answer %lld", (long long)i);
  }
  pgqrs_free(c.data);
}

static void archive_delete_and_release_answer_for_each_delivery(void) {
  start(6);
  pgqrs_batch *b = dequeue(store, worker, 6, 0);
  CHECK(b->count == 6);
  b->delivered = 6;
  int64_t leases[4], ids[4];
  for (int i = 0; i < 4; i++) leases[i] = b->lease;
  ids[0] = b->messages[0].id, ids[1] = b->messages[1].id;
  ids[2] = b->messages[1].id, ids[3] = b->messages[5].id + 1000000;
  uint64_t op = fresh_op();
  CHECK(pgqrs_archive(store, op, b->queue_id, 0, leases, ids, 4) == PGQRS_OK);
  memset(ids, 0, sizeof ids); /* it was copied */
  answers(op, "1110");        /* named twice: the same answer twice */
  op = fresh_op();
  CHECK(pgqrs_archive(store, op, b->queue_id, 0, leases, &b->messages[0].id, 1) == PGQRS_OK);
  answers(op, "0");

  op = fresh_op();
  CHECK(pgqrs_delete(store, op, b->queue_id, 0, leases, &b->messages[2].id, 1) == PGQRS_OK);
  answers(op, "1");
  op = fresh_op();
  CHECK(pgqrs_release(store, op, b->queue_id, 0, leases, &b->messages[3].id, 1, 0) == PGQRS_OK);
  answers(op, "1");
  op = fresh_op();
  CHECK(pgqrs_delete(store, op, b->queue_id, 0, leases, &b->messages[3].id, 1) == PGQRS_OK);
  answers(op, "0"); /* not ours any more */

  pgqrs_batch *again = dequeue(store, worker, 6, 0);
  CHECK(again && again->count == 1 && again->messages[0].id == b->messages[3].id);
  CHECK(again && again->messages[0].read_ct == 2 && again->lease > b->lease);
  pgqrs_batch_free(again);
  pgqrs_batch_free(b);
  op = fresh_op();
  CHECK(pgqrs_archive(store, op, 1, 0, NULL, NULL, 0) == PGQRS_OK);
  answers(op, "");
  close_store(store);
}

/* Waits for JSON, which must begin like that and hold that; frees it. On memory://
 * there are no transactions: then PGQRS_INVALID. */
static void json(uint64_t op, const char *begin, const char *within) {
  pgqrs_completion c = await(store, op);
  if (!getenv("PGQRS_TEST_DSN") || !*getenv("PGQRS_TEST_DSN")) {
    CHECK(c.status == PGQRS_INVALID);
  } else {
    CHECK(c.status == PGQRS_OK && c.kind == PGQRS_RESULT_JSON);
    CHECK(strncmp(c.data, begin, strlen(begin)) == 0 && strstr(c.data, within), "%s", (char *)c.data);
  }
  pgqrs_free(c.data);
}

static void what_a_transaction_needs_is_said_and_done_beforehand(void) {
  start(2);
  const uint64_t lengths[2] = {1, 8};
  uint64_t op = fresh_op();
  CHECK(pgqrs_admit(store, op, queue, strlen(queue), "1\"\\u00fc\"", lengths, 2, 1, 0, 0) == PGQRS_OK);
  json(op, "{\"identity\":\"", ",\"make_queue\":true}");
  pgqrs_batch *b = dequeue(store, worker, 2, 0);
  b->delivered = 2;
  int64_t leases[2] = {b->lease, b->lease + 1}, ids[2] = {b->messages[0].id, b->messages[1].id};
  op = fresh_op();
  CHECK(pgqrs_detach(store, op, b->queue_id, 0, leases, ids, 2) == PGQRS_OK);
  json(op, "{\"identity\":\"", ",0]}"); /* the second is of another lease */
  op = fresh_op();
  CHECK(pgqrs_archive(store, op, b->queue_id, 0, leases, ids, 1) == PGQRS_OK);
  answers(op, "1"); /* no transaction has it */
  pgqrs_batch_free(b);
  close_store(store);
}

static void id_alone_names_the_newest_delivery_to_its_worker(void) {
  start(2);
  int64_t other = register_consumer(store, queue);
  pgqrs_batch *b = dequeue(store, worker, 2, 0);
  b->delivered = 2;
  int64_t ids[2] = {b->messages[0].id, b->messages[1].id};
  uint64_t op = fresh_op();
  CHECK(pgqrs_archive(store, op, 0, other, NULL, ids, 2) == PGQRS_OK);
  answers(op, "00");
  op = fresh_op();
  CHECK(pgqrs_archive(store, op, 0, worker, NULL, ids, 2) == PGQRS_OK);
  answers(op, "11");
  CHECK(pgqrs_archive(store, op, 0, 0, NULL, ids, 2) == PGQRS_BAD_ARGUMENT);
  pgqrs_batch_free(b);
  close_store(store);
}

static void extend_answers_the_new_end_of_each_lease(void) {
  start(2);
  pgqrs_batch *b = dequeue(store, worker, 2, INT64_C(10000000));
  b->delivered = 2;
  int64_t vt = b->vt_us;
  int64_t leases[2] = {b->lease, b->lease + 1}, ids[2] = {b->messages[0].id, b->messages[1].id};
  uint64_t op = fresh_op();
  CHECK(pgqrs_extend_vt(store, op, b->queue_id, 0, leases, ids, 2, INT64_C(60000000)) == PGQRS_OK);
  pgqrs_completion c = await(store, op);
  CHECK(c.status == PGQRS_OK && c.kind == PGQRS_RESULT_MOMENTS && c.value == 2);
  const int64_t *moments = c.data;
  CHECK(moments[0] == vt + INT64_C(60000000), "%lld", (long long)(moments[0] - vt));
  CHECK(moments[1] == 0);
  pgqrs_free(c.data);
  pgqrs_batch_free(b);
  close_store(store);
}

static void freed_batch_gives_back_what_was_not_delivered(void) {
  start(5);
  pgqrs_batch *b = dequeue(store, worker, 5, INT64_C(3600000000));
  CHECK(b->count == 5);
  int64_t third = b->messages[2].id;
  b->delivered = 2;
  pgqrs_batch_free(b);
  pgqrs_batch *again = NULL; /* they come back in the background, long before their vt */
  for (time_t end = time(NULL) + 30; !again && time(NULL) < end;) again = dequeue(store, worker, 5, 0);
  CHECK(again != NULL, "nothing came back");
  if (again) {
    CHECK(again->count == 3 && again->messages[0].id == third && again->messages[0].read_ct == 1,
          "%llu messages, the first %lld, not %lld, read_ct %lld", (unsigned long long)again->count,
          (long long)again->messages[0].id, (long long)third, (long long)again->messages[0].read_ct);
  }
  pgqrs_batch_free(again);
  pgqrs_batch_free(again); /* ignored */
  pgqrs_batch_free(NULL);
  close_store(store);
}

int main(void) {
  RUN(archive_delete_and_release_answer_for_each_delivery);
  RUN(what_a_transaction_needs_is_said_and_done_beforehand);
  RUN(id_alone_names_the_newest_delivery_to_its_worker);
  RUN(extend_answers_the_new_end_of_each_lease);
  RUN(freed_batch_gives_back_what_was_not_delivered);
  return finish();
}
