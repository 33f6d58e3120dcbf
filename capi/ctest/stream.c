/* Streams: a batch per credit, an end, and nothing lost between. */
#include "harness.h"

static pgqrs_stream open_stream_of(pgqrs_store store, uint64_t op, const char *queue, uint32_t batch_size,
                                   uint32_t until_empty, int64_t worker) {
  pgqrs_consume_options options = {.batch_size = batch_size, .until_empty = until_empty, .worker = worker};
  pgqrs_stream stream = 0;
  int32_t code = pgqrs_consume_iter(store, op, queue, strlen(queue), &options, &stream);
  CHECK(code == PGQRS_OK && stream != 0, "%s", pgqrs_last_error());
  return stream;
}

static pgqrs_stream open_stream(pgqrs_store store, uint64_t op, const char *queue, uint32_t batch_size,
                                uint32_t until_empty) {
  return open_stream_of(store, op, queue, batch_size, until_empty, 0);
}

static void stream_delivers_all_messages_once_and_ends_when_empty(void) {
  enum { COUNT = 500 };
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  uint64_t ops[COUNT];
  for (int i = 0; i < COUNT; i++) ops[i] = submit_produce(store, queue, "{\"n\": 1}");
  for (int i = 0; i < COUNT; i++) expect(store, ops[i], PGQRS_OK);

  uint64_t op = fresh_op();
  pgqrs_stream stream = open_stream(store, op, queue, 50, 1);
  CHECK(pgqrs_credit(stream) == PGQRS_OK && pgqrs_credit(stream) == PGQRS_OK);
  uint64_t seen = 0;
  int64_t last = 0;
  for (;;) {
    pgqrs_completion c = await(store, op);
    if (!(c.flags & PGQRS_MORE)) {
      CHECK(c.status == PGQRS_OK && c.kind == PGQRS_RESULT_NONE);
      break;
    }
    pgqrs_batch *b = c.data;
    CHECK(c.status == PGQRS_OK && c.kind == PGQRS_RESULT_BATCH && c.value == (int64_t)b->count);
    CHECK(b->count > 0 && b->count <= 50);
    for (uint64_t i = 0; i < b->count; i++) {
      CHECK(b->messages[i].id > last);
      last = b->messages[i].id;
    }
    seen += b->count;
    b->delivered = b->count;
    CHECK(b->vt_us > b->dequeued_at_us && b->deliver_by_ns > 0);
    pgqrs_batch_free(b);
    CHECK(pgqrs_credit(stream) == PGQRS_OK);
  }
  CHECK(seen == COUNT, "%llu", (unsigned long long)seen);
  CHECK(pgqrs_credit(stream) == PGQRS_BAD_HANDLE); /* it has ended */
  CHECK(pgqrs_stream_close(stream) == PGQRS_OK);
  CHECK(pgqrs_stream_close(stream) == PGQRS_BAD_HANDLE);
  close_store(store);
}

static void sleeping_stream_hears_of_a_new_message(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  uint64_t op = fresh_op();
  pgqrs_stream stream = open_stream(store, op, queue, 0, 0);
  CHECK(pgqrs_credit(stream) == PGQRS_OK);
  CHECK(pgqrs_wait(store, 50000) == 0); /* there is nothing */
  produce(store, queue, "\"news\"");
  pgqrs_completion c = await(store, op);
  CHECK(c.kind == PGQRS_RESULT_BATCH && payload_is(c.data, 0, "\"news\""));
  pgqrs_batch_free(c.data);
  CHECK(pgqrs_stream_close(stream) == PGQRS_OK);
  c = await(store, op);
  CHECK(c.status == PGQRS_OK && c.flags == 0);
  close_store(store);
}

static void stream_leases_to_the_worker_that_it_is_given(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  produce(store, queue, "1");
  int64_t worker = register_consumer(store, queue);
  uint64_t op = fresh_op();
  pgqrs_stream stream = open_stream_of(store, op, queue, 0, 0, worker);
  CHECK(pgqrs_credit(stream) == PGQRS_OK);
  pgqrs_completion c = await(store, op);
  CHECK(c.kind == PGQRS_RESULT_BATCH && ((pgqrs_batch *)c.data)->consumer_worker_id == worker);
  pgqrs_batch_free(c.data);
  CHECK(pgqrs_stream_close(stream) == PGQRS_OK);
  c = await(store, op);
  CHECK(c.status == PGQRS_OK && c.flags == 0);
  op = fresh_op();
  stream = open_stream_of(store, op, queue, 0, 0, worker + 1000);
  expect(store, op, PGQRS_WORKER_NOT_FOUND);
  CHECK(pgqrs_stream_close(stream) == PGQRS_OK);
  close_store(store);
}

static void closed_stream_gives_back_what_was_not_delivered(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  for (int i = 0; i < 10; i++) produce(store, queue, "1");
  uint64_t op = fresh_op();
  pgqrs_stream stream = open_stream(store, op, queue, 10, 0);
  CHECK(pgqrs_credit(stream) == PGQRS_OK);
  pgqrs_completion c = await(store, op);
  pgqrs_batch *b = c.data;
  CHECK(b->count == 10);
  int64_t fourth = b->messages[3].id;
  b->delivered = 3;
  CHECK(pgqrs_stream_close(stream) == PGQRS_OK);
  c = await(store, op);
  CHECK(c.status == PGQRS_OK && c.flags == 0);

  int64_t worker = register_consumer(store, queue);
  pgqrs_batch *back = dequeue(store, worker, 10, 0);
  CHECK(back && back->count == 7 && back->messages[0].id == fourth && back->messages[0].read_ct == 1,
        "%lld messages", back ? (long long)back->count : 0LL);
  pgqrs_batch_free(back);
  pgqrs_batch_free(b); /* held all the while */
  close_store(store);
}

static void stream_ends_with_its_store_or_by_cancel(void) {
  pgqrs_store store = open_store();
  uint64_t idle = fresh_op(), busy = fresh_op(), cancelled = fresh_op(), close = fresh_op();
  pgqrs_stream a = open_stream(store, idle, fresh_queue(), 0, 0);
  pgqrs_stream b = open_stream(store, busy, fresh_queue(), 0, 0);
  pgqrs_stream c = open_stream(store, cancelled, fresh_queue(), 0, 0);
  CHECK(pgqrs_credit(b) == PGQRS_OK && pgqrs_credit(c) == PGQRS_OK);
  CHECK(pgqrs_cancel(store, cancelled) == PGQRS_OK);
  expect(store, cancelled, PGQRS_CANCELLED);
  CHECK(pgqrs_close(store, close) == PGQRS_OK);
  expect(store, close, PGQRS_OK);
  expect(store, idle, PGQRS_OK);
  expect(store, busy, PGQRS_OK);
  CHECK(pgqrs_stream_close(a) == PGQRS_OK);
  CHECK(pgqrs_store_free(store) == PGQRS_OK);
  CHECK(pgqrs_stream_close(b) == PGQRS_BAD_HANDLE); /* freed with its store */
  CHECK(pgqrs_credit(c) == PGQRS_BAD_HANDLE);
}

int main(void) {
  RUN(stream_delivers_all_messages_once_and_ends_when_empty);
  RUN(sleeping_stream_hears_of_a_new_message);
  RUN(stream_leases_to_the_worker_that_it_is_given);
  RUN(closed_stream_gives_back_what_was_not_delivered);
  RUN(stream_ends_with_its_store_or_by_cancel);
  return finish();
}
