/* Requests: one function for what is on no hot path; JSON in, JSON out. */
#include "harness.h"

/* Asks, and checks that the answer, or the error's message, contains `want`. */
static void ask(pgqrs_store store, const char *name, const char *arguments, int32_t status,
                const char *want) {
  uint64_t op = fresh_op();
  CHECK(pgqrs_request(store, op, name, strlen(name), arguments, strlen(arguments)) == PGQRS_OK);
  pgqrs_completion c = await(store, op);
  CHECK(c.status == status, "%s %s: %d", name, arguments, c.status);
  CHECK(c.kind == (status == PGQRS_OK ? PGQRS_RESULT_JSON : PGQRS_RESULT_ERROR));
  const char *text = status == PGQRS_OK ? c.data : ((pgqrs_error *)c.data)->message;
  CHECK(status != PGQRS_OK || (size_t)c.value == strlen(text));
  CHECK(strstr(text, want) != NULL, "%s %s: %s has no %s", name, arguments, text, want);
  pgqrs_free(c.data);
}

static void queues_are_made_found_and_listed(void) {
  pgqrs_store store = open_store();
  const char *queue = fresh_queue();
  char arguments[128], record[128];
  snprintf(arguments, sizeof arguments, "{\"name\": \"%s\"}", queue);
  snprintf(record, sizeof record, "\"queue_name\":\"%s\",\"created_at_us\":", queue);
  ask(store, "queue_create", arguments, PGQRS_OK, record);
  ask(store, "queue_get", arguments, PGQRS_OK, record);
  ask(store, "queue_list", "", PGQRS_OK, record);
  ask(store, "queue_create", arguments, PGQRS_QUEUE_EXISTS, queue);
  ask(store, "queue_get", "{\"name\": \"nobody made this\"}", PGQRS_QUEUE_NOT_FOUND, "nobody");
  close_store(store);
}

static void what_is_wrong_is_named(void) {
  pgqrs_store store = open_store();
  ask(store, "queue_frobnicate", "{}", PGQRS_INVALID, "queue_frobnicate");
  ask(store, "queue_create", "{}", PGQRS_INVALID, "name");
  ask(store, "queue_create", "{\"name\": 1}", PGQRS_INVALID, "a string");
  ask(store, "queue_create", "{\"name\": \"q\", \"colour\": 1}", PGQRS_INVALID, "colour");
  ask(store, "queue_create", "not JSON", PGQRS_INVALID, "JSON object");
  CHECK(pgqrs_request(store, 1, NULL, 1, NULL, 0) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_request(store, 1, "queue_count", 11, NULL, 1) == PGQRS_BAD_ARGUMENT);
  CHECK(pgqrs_request(store, 1, "queue_count", 11, "", (16 << 20) + 1) == PGQRS_BAD_ARGUMENT);
  close_store(store);
}

int main(void) {
  RUN(queues_are_made_found_and_listed);
  RUN(what_is_wrong_is_named);
  return finish();
}
