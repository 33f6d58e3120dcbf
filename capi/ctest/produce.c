/* Producing: what goes in comes out, to the byte, in order; errors say what and where. */
#include <stdlib.h>

#include "harness.h"

/* JSON that a parse and a print would change. */
static const char *const exact[] = {
    "1e300",
    "-0.0",
    "{\"b\": 1,  \"a\": 2}",
    "\"\xc3\xbc \\u00fc \xf0\x9f\x90\x98\"",
    "123456789012345678901234567890",
    "[ ]",
    "null",
    " 1 ",
    "\"\"",
};
enum { EXACT = sizeof exact / sizeof *exact };

static void payloads_come_out_to_the_byte_in_order(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  uint64_t ops[EXACT];
  int64_t ids[EXACT];
  for (int i = 0; i < EXACT; i++) ops[i] = submit_produce(store, queue, exact[i]);
  for (int i = 0; i < EXACT; i++) {
    ids[i] = expect(store, ops[i], PGQRS_OK);
    CHECK(i == 0 || ids[i] > ids[i - 1]);
  }
  pgqrs_batch *batch = dequeue(store, register_consumer(store, queue), EXACT, 0);
  CHECK(batch && batch->count == EXACT);
  for (int i = 0; batch && i < EXACT; i++) {
    const pgqrs_message *m = &batch->messages[i];
    CHECK(payload_is(batch, (uint64_t)i, exact[i]), "%.*s, not %s", (int)m->payload_length,
          (char *)batch + m->payload_offset, exact[i]);
    CHECK(m->id == ids[i] && m->read_ct == 1 && m->producer_worker_id == 0);
    CHECK(m->enqueued_at_us > INT64_C(1500000000000000));
  }
  CHECK(batch->lease > 0 && batch->queue_id > 0 && batch->vt_us > batch->dequeued_at_us);
  pgqrs_batch_free(batch);
  close_store(store);
}

static void batch_comes_out_in_order(void) {
  enum { COUNT = 3000 };
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  static char text[COUNT * 8];
  static uint64_t lengths[COUNT];
  char *end = text;
  for (int i = 0; i < COUNT; i++) {
    lengths[i] = (uint64_t)sprintf(end, "%d", i);
    end += lengths[i];
  }
  uint64_t op = fresh_op();
  CHECK(pgqrs_produce_batch(store, op, queue, strlen(queue), text, lengths, COUNT, 0, 0) == PGQRS_OK);
  memset(text, 'x', sizeof text); /* it was copied */
  pgqrs_completion c = await(store, op);
  CHECK(c.kind == PGQRS_RESULT_IDS && c.value == COUNT);
  const int64_t *ids = c.data;
  int64_t worker = register_consumer(store, queue);
  int seen = 0;
  for (pgqrs_batch *batch; (batch = dequeue(store, worker, 1000, 0)) != NULL;) {
    for (uint64_t i = 0; i < batch->count; i++, seen++) {
      char want[8];
      sprintf(want, "%d", seen);
      if (!payload_is(batch, i, want) || batch->messages[i].id != ids[seen]) {
        CHECK(false, "message %d is out of order", seen);
      }
    }
    batch->delivered = batch->count;
    pgqrs_batch_free(batch);
  }
  CHECK(seen == COUNT, "%d", seen);
  pgqrs_free(c.data);

  op = fresh_op();
  CHECK(pgqrs_produce_batch(store, op, queue, strlen(queue), NULL, NULL, 0, 0, 0) == PGQRS_OK);
  CHECK(expect(store, op, PGQRS_OK) == 0);
  close_store(store);
}

static void batch_with_one_bad_payload_stores_nothing_and_names_it(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  uint64_t lengths[] = {1, 1, 8, 1}, op = fresh_op();
  const char *text = "12\"\\u0000\"4";
  CHECK(pgqrs_produce_batch(store, op, queue, strlen(queue), text, lengths, 4, 0, 0) == PGQRS_OK);
  pgqrs_completion c = await(store, op);
  const pgqrs_error *e = c.data;
  CHECK(c.status == PGQRS_SERIALIZATION && c.kind == PGQRS_RESULT_ERROR);
  CHECK(e->status == c.status && e->index == 2 && strlen(e->message) == e->length && e->length > 0);
  pgqrs_free(c.data);
  CHECK(dequeue(store, register_consumer(store, queue), 10, 0) == NULL);
  close_store(store);
}

static void array_comes_out_element_by_element(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  char text[256] = "[";
  for (int i = 0; i < EXACT; i++) strcat(strcat(text, i ? ",\n" : ""), exact[i]);
  strcat(text, "] ");
  uint64_t op = fresh_op();
  CHECK(pgqrs_produce_array(store, op, queue, strlen(queue), text, strlen(text), 0, 0) == PGQRS_OK);
  memset(text, 'x', sizeof text); /* it was copied */
  pgqrs_completion c = await(store, op);
  CHECK(c.kind == PGQRS_RESULT_IDS && c.value == EXACT);
  pgqrs_batch *batch = dequeue(store, register_consumer(store, queue), EXACT, 0);
  CHECK(batch && batch->count == EXACT);
  for (int i = 0; batch && i < EXACT; i++) {
    const char *want = strcmp(exact[i], " 1 ") == 0 ? "1" : exact[i];
    CHECK(payload_is(batch, (uint64_t)i, want), "%s", want);
    CHECK(batch->messages[i].id == ((int64_t *)c.data)[i]);
  }
  pgqrs_batch_free(batch);
  pgqrs_free(c.data);

  op = fresh_op();
  CHECK(pgqrs_produce_array(store, op, queue, strlen(queue), "[ ]", 3, 0, 0) == PGQRS_OK);
  CHECK(expect(store, op, PGQRS_OK) == 0);
  close_store(store);
}

static void bad_array_stores_nothing_and_says_where(void) {
  static const struct {
    const char *text;
    int64_t index;
  } bad[] = {{"", -1},      {"1", -1},      {"{}", -1},    {"[1", -1},         {"[\"]", -1},          {"[1],[2]", -1},
             {"[1,2,]", 2}, {"[1,,2]", 1},  {"[1,{]]", 1}, {"[1,\"\\u0000\"]", 1}, {"[1,[2,NaN]]", 1}};
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    uint64_t op = fresh_op();
    CHECK(pgqrs_produce_array(store, op, queue, strlen(queue), bad[i].text, strlen(bad[i].text), 0, 0) == PGQRS_OK);
    pgqrs_completion c = await(store, op);
    const pgqrs_error *e = c.data;
    CHECK(c.status == PGQRS_SERIALIZATION && e && e->index == bad[i].index, "%s: %d", bad[i].text, c.status);
    pgqrs_free(c.data);
  }
  CHECK(dequeue(store, register_consumer(store, queue), 10, 0) == NULL);
  close_store(store);
}

static void key_is_taken_by_one_message(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  uint64_t lengths[] = {1, 1, 1, 1}, key_lengths[] = {1, 0, 1, 2}, op = fresh_op();
  CHECK(pgqrs_produce_keyed(store, op, queue, strlen(queue), "1234", lengths, "aaab", key_lengths, 4, 1, 0, 0, 0) ==
        PGQRS_OK);
  pgqrs_completion c = await(store, op);
  const int64_t *ids = c.data;
  CHECK(c.kind == PGQRS_RESULT_IDS && c.value == 4);
  CHECK(ids[0] > 0 && ids[1] > ids[0] && ids[2] == -ids[0] && ids[3] > ids[1]);
  int64_t first = ids[0];
  pgqrs_free(c.data);
  op = fresh_op();
  CHECK(pgqrs_produce_keyed(store, op, queue, strlen(queue), "5", lengths, "a", key_lengths, 1, 0, 0, 1000000, 0) ==
        PGQRS_OK);
  c = await(store, op);
  CHECK(c.kind == PGQRS_RESULT_IDS && c.value == 1 && *(int64_t *)c.data == -first);
  pgqrs_free(c.data);
  op = fresh_op();
  key_lengths[0] = 256;
  static char too_long[256];
  memset(too_long, 'x', sizeof too_long);
  CHECK(pgqrs_produce_keyed(store, op, queue, strlen(queue), "6", lengths, too_long, key_lengths, 1, 0, 0, 0, 0) ==
        PGQRS_OK);
  expect(store, op, PGQRS_INVALID);
  close_store(store);
}

static void bad_payload_fails_alone(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  static const char *const bad[] = {"", "x", "{", "\"\\u0000\"", "\"\\ud800\"", "\"\xff\"", "NaN", "1 2"};
  enum { BAD = sizeof bad / sizeof *bad };
  uint64_t good_ops[BAD], bad_ops[BAD];
  for (int i = 0; i < BAD; i++) {
    good_ops[i] = submit_produce(store, queue, "1");
    bad_ops[i] = submit_produce(store, queue, bad[i]);
  }
  for (int i = 0; i < BAD; i++) {
    expect(store, good_ops[i], PGQRS_OK);
    expect(store, bad_ops[i], PGQRS_SERIALIZATION);
  }
  close_store(store);
}

static void bad_queue_names_and_delays_are_invalid(void) {
  pgqrs_store store = open_store();
  uint64_t op = fresh_op();
  CHECK(pgqrs_produce(store, op, NULL, 0, "1", 1, 0, 0) == PGQRS_OK);
  expect(store, op, PGQRS_INVALID);
  op = fresh_op();
  CHECK(pgqrs_produce(store, op, "q", 1, "1", 1, INT64_C(11) * 365 * 86400 * 1000000, 0) == PGQRS_OK);
  expect(store, op, PGQRS_INVALID);
  close_store(store);
}

static void delayed_message_is_not_ready(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  uint64_t op = fresh_op();
  CHECK(pgqrs_produce(store, op, queue, strlen(queue), "1", 1, INT64_C(3600000000), 0) == PGQRS_OK);
  expect(store, op, PGQRS_OK);
  CHECK(dequeue(store, register_consumer(store, queue), 1, 0) == NULL);
  close_store(store);
}

int main(void) {
  RUN(payloads_come_out_to_the_byte_in_order);
  RUN(batch_comes_out_in_order);
  RUN(batch_with_one_bad_payload_stores_nothing_and_names_it);
  RUN(array_comes_out_element_by_element);
  RUN(bad_array_stores_nothing_and_says_where);
  RUN(key_is_taken_by_one_message);
  RUN(bad_payload_fails_alone);
  RUN(bad_queue_names_and_delays_are_invalid);
  RUN(delayed_message_is_not_ready);
  return finish();
}
