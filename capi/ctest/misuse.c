/* What a program does wrong is an error code with a sentence, not a crash. */
#include <stdlib.h>

#include "harness.h"

/* Every call that takes a store, with this one; `want` from each. */
static void every_call(pgqrs_store store, int32_t want) {
  pgqrs_completion out;
  pgqrs_stream stream;
  uint64_t length = 1;
  int64_t one = 1;
  CHECK(pgqrs_completion_fd(store) == want);
  CHECK(pgqrs_drain(store, &out, 1) == want);
  CHECK(pgqrs_wait(store, 0) == want);
  CHECK(pgqrs_cancel(store, 1) == want);
  CHECK(pgqrs_close(store, 1) == want);
  CHECK(pgqrs_produce(store, 1, "q", 1, "1", 1, 0, 0) == want);
  CHECK(pgqrs_produce_batch(store, 1, "q", 1, "1", &length, 1, 0, 0) == want);
  CHECK(pgqrs_produce_array(store, 1, "q", 1, "[1]", 3, 0, 0) == want);
  CHECK(pgqrs_produce_keyed(store, 1, "q", 1, "1", &length, "k", &length, 1, 0, 0, 0, 0) == want);
  CHECK(pgqrs_admit(store, 1, "q", 1, "1", &length, 1, 0, 0, 0) == want);
  CHECK(pgqrs_detach(store, 1, 1, 0, &one, &one, 1) == want);
  CHECK(pgqrs_register(store, 1, PGQRS_CONSUMER, "q", 1, "h", 1, 1) == want);
  CHECK(pgqrs_request(store, 1, "queue_count", 11, "", 0) == want);
  CHECK(pgqrs_dequeue(store, 1, 1, 1, 0) == want);
  CHECK(pgqrs_consume_iter(store, 1, "q", 1, NULL, &stream) == want);
  CHECK(pgqrs_archive(store, 1, 1, 0, &one, &one, 1) == want);
  CHECK(pgqrs_delete(store, 1, 1, 0, &one, &one, 1) == want);
  CHECK(pgqrs_extend_vt(store, 1, 1, 0, &one, &one, 1, 1) == want);
  CHECK(pgqrs_release(store, 1, 1, 0, &one, &one, 1, 1) == want);
  CHECK(pgqrs_store_free(store) == want);
  CHECK(*pgqrs_last_error() != 0);
}

static void handles_that_are_none_are_refused(void) {
  pgqrs_store store = open_store();
  pgqrs_stream stream;
  uint64_t op = fresh_op();
  CHECK(pgqrs_consume_iter(store, op, "misuse", 6, NULL, &stream) == PGQRS_OK);
  every_call(0, PGQRS_BAD_HANDLE);
  every_call(UINT64_MAX, PGQRS_BAD_HANDLE);
  every_call((uint64_t)(uintptr_t)&store, PGQRS_BAD_HANDLE);
  every_call(UINT64_C(0xc000000000), PGQRS_BAD_HANDLE); /* where Go's heap begins */
  every_call(stream, PGQRS_BAD_HANDLE);
  every_call(store + (UINT64_C(1) << 48), PGQRS_BAD_HANDLE); /* another serial */
  every_call(store & ((UINT64_C(1) << 48) - 1), PGQRS_BAD_HANDLE);
  CHECK(pgqrs_credit(store) == PGQRS_BAD_HANDLE);
  CHECK(pgqrs_stream_close(store) == PGQRS_BAD_HANDLE);
  CHECK(pgqrs_credit(0) == PGQRS_BAD_HANDLE);
  srand(1);
  for (int i = 0; i < 20000; i++) {
    uint64_t made_up = (uint64_t)rand() << 34 ^ (uint64_t)rand() << 17 ^ (uint64_t)rand();
    if (i % 2) made_up = UINT64_C(0xc000000000) + made_up % (64 << 20);
    if (pgqrs_cancel(made_up, 1) != PGQRS_BAD_HANDLE || pgqrs_credit(made_up) != PGQRS_BAD_HANDLE) {
      CHECK(false, "%llx is a handle", (unsigned long long)made_up);
    }
    if (i % 16 == 0) pgqrs_batch_free((pgqrs_batch *)(uintptr_t)made_up); /* ignored */
  }
  CHECK(pgqrs_stream_close(stream) == PGQRS_OK);
  expect(store, op, PGQRS_OK);
  close_store(store);
}

static void freed_handles_are_refused_though_addresses_return(void) {
  enum { ROUNDS = 200 };
  pgqrs_store freed[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    CHECK(pgqrs_connect("{\"dsn\":\"memory://\"}", 19, fresh_op(), &freed[i]) == PGQRS_OK);
    CHECK(pgqrs_store_free(freed[i]) == PGQRS_OK);
    CHECK(pgqrs_store_free(freed[i]) == PGQRS_BAD_HANDLE);
  }
  pgqrs_store store = open_store();
  for (int i = 0; i < ROUNDS; i++) every_call(freed[i], PGQRS_BAD_HANDLE);
  close_store(store);
  every_call(store, PGQRS_BAD_HANDLE);
}

static void null_pointers_and_lengths_are_refused(void) {
  pgqrs_store store = open_store(), none = 1;
  pgqrs_stream stream = 1;
  pgqrs_completion out;
  uint64_t lengths[2] = {1, 1};
  int64_t one = 1;
  const uint64_t many = PGQRS_MAX_COUNT + UINT64_C(1);
  CHECK(pgqrs_connect("{}", 2, 1, NULL) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_connect(NULL, 2, 1, &none) == PGQRS_BAD_ARGUMENT && none == 0);
  CHECK(pgqrs_connect("{}", SIZE_MAX, 1, &none) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_drain(store, NULL, 1) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_drain(store, &out, -1) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_drain(store, NULL, 0) == 0);
  CHECK(pgqrs_produce(store, 1, NULL, 1, "1", 1, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce(store, 1, "q", SIZE_MAX, "1", 1, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce(store, 1, "q", 1, NULL, 1, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce(store, 1, "q", 1, "1", PGQRS_MAX_PAYLOAD + UINT64_C(1), 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce(store, 1, "q", 1, "1", 1, -1, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce(store, 1, "q", 1, "1", 1, INT64_MAX, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce_batch(store, 1, "q", 1, "1", NULL, 1, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce_batch(store, 1, "q", 1, NULL, lengths, 2, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce_batch(store, 1, "q", 1, "1", lengths, many, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce_array(store, 1, "q", 1, NULL, 2, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce_array(store, 1, "q", 1, "[]", SIZE_MAX, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce_array(store, 1, "q", 1, "[]", 2, -1, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce_keyed(store, 1, "q", 1, "11", lengths, NULL, lengths, 2, 1, 0, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce_keyed(store, 1, "q", 1, "11", lengths, "kk", NULL, 2, 1, 0, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce_keyed(store, 1, "q", 1, "11", lengths, "kk", lengths, 2, 2, 0, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_produce_keyed(store, 1, "q", 1, "11", lengths, "kk", lengths, 2, 1, 0, -1, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_admit(store, 1, "q", 1, "1", NULL, 1, 1, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_admit(store, 1, "q", 1, "11", lengths, 2, 2, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_admit(store, 1, "q", 1, "11", lengths, 2, 1, -1, 0) == PGQRS_BAD_ARGUMENT);
  lengths[1] = UINT64_MAX;
  CHECK(pgqrs_produce_batch(store, 1, "q", 1, "1", lengths, 2, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(strstr(pgqrs_last_error(), "lengths[1]") != NULL, "%s", pgqrs_last_error());
  uint64_t fine[2] = {1, 1};
  CHECK(pgqrs_produce_keyed(store, 1, "q", 1, "11", fine, "kk", lengths, 2, 1, 0, 0, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(strstr(pgqrs_last_error(), "key_lengths[1]") != NULL, "%s", pgqrs_last_error());
  CHECK(pgqrs_register(store, 1, 3, "q", 1, "h", 1, 1) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_register(store, 1, 1, "q", 1, NULL, 1, 1) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_dequeue(store, 1, 1, 1, -1) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_dequeue(store, 1, 1, UINT32_MAX, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_consume_iter(store, 1, "q", 1, NULL, NULL) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_consume_iter(store, 1, NULL, 1, NULL, &stream) == PGQRS_BAD_ARGUMENT && stream == 0);
  pgqrs_consume_options odd = {.until_empty = 2};
  CHECK(pgqrs_consume_iter(store, 1, "q", 1, &odd, &stream) == PGQRS_BAD_ARGUMENT);
  odd = (pgqrs_consume_options){.reserved = 1};
  CHECK(pgqrs_consume_iter(store, 1, "q", 1, &odd, &stream) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_archive(store, 1, 1, 0, &one, NULL, 1) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_archive(store, 1, 1, 0, &one, &one, UINT64_MAX) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_extend_vt(store, 1, 1, 0, &one, &one, 1, -1) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_release(store, 1, 1, 0, &one, &one, 1, -2) == PGQRS_BAD_ARGUMENT);
  int64_t zero = 0;
  CHECK(pgqrs_delete(store, 1, 1, 0, &zero, &one, 1) == PGQRS_BAD_ARGUMENT);
  pgqrs_free(NULL);
  pgqrs_batch_free(NULL);
  close_store(store); /* checks that nothing completed */
}

static void store_closes_twice_and_takes_nothing_more(void) {
  pgqrs_store store = open_store();
  uint64_t first = fresh_op(), second = fresh_op(), third = fresh_op();
  CHECK(pgqrs_close(store, first) == PGQRS_OK);
  CHECK(pgqrs_close(store, second) == PGQRS_OK);
  CHECK(pgqrs_produce(store, fresh_op(), "q", 1, "1", 1, 0, 0) == PGQRS_BAD_HANDLE);
  expect(store, first, PGQRS_OK);
  expect(store, second, PGQRS_OK);
  CHECK(pgqrs_close(store, third) == PGQRS_OK);
  expect(store, third, PGQRS_OK);
  CHECK(pgqrs_cancel(store, first) == PGQRS_OK);
  CHECK(pgqrs_store_free(store) == PGQRS_OK);
}

static void connect_that_fails_says_why_and_holds_no_password(void) {
  static const struct {
    const char *config;
    int32_t status;
  } cases[] = {
      {"", PGQRS_CONFIG},
      {"{", PGQRS_CONFIG},
      {"{}", PGQRS_CONFIG},
      {"{\"dsn\": \"memory://\", \"no_such_option\": 1}", PGQRS_CONFIG},
      {"{\"dsn\": \"memory://\", \"max_connections\": 0}", PGQRS_CONFIG},
      {"{\"dsn\": \"postgresql://u:hunter2@127.0.0.1:1/db\","
       " \"connection_timeout_seconds\": 30}", PGQRS_CONNECTION},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    pgqrs_store store;
    uint64_t op = fresh_op();
    CHECK(pgqrs_connect(cases[i].config, strlen(cases[i].config), op, &store) == PGQRS_OK);
    pgqrs_completion c = await(store, op);
    const pgqrs_error *e = c.data;
    CHECK(c.status == cases[i].status && e && e->length > 0, "%s: %d %s", cases[i].config, c.status,
          e ? e->message : "");
    CHECK(e && !strstr(e->message, "hunter2"));
    pgqrs_free(c.data);
    CHECK(pgqrs_produce(store, fresh_op(), "q", 1, "1", 1, 0, 0) == PGQRS_BAD_HANDLE);
    if (i % 2) {
      CHECK(pgqrs_store_free(store) == PGQRS_OK);
    } else {
      close_store(store);
    }
  }
}

static void version_is_that_of_the_header(void) {
  CHECK(strcmp(pgqrs_version(), PGQRS_VERSION) == 0);
  CHECK(pgqrs_abi_version() == PGQRS_ABI_VERSION);
}

static void last_error_is_empty_before_the_first(void) { CHECK(*pgqrs_last_error() == 0); }

int main(void) {
  RUN(last_error_is_empty_before_the_first);
  RUN(handles_that_are_none_are_refused);
  RUN(freed_handles_are_refused_though_addresses_return);
  RUN(null_pointers_and_lengths_are_refused);
  RUN(store_closes_twice_and_takes_nothing_more);
  RUN(connect_that_fails_says_why_and_holds_no_password);
  RUN(version_is_that_of_the_header);
  return finish();
}
