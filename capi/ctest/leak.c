/* A program that leaks, on purpose: run.sh checks that the sanitizer sees it. */
#include <stdlib.h>

#include "harness.h"

static void errors_are_not_given_back(void) {
  pgqrs_store store = open_store();
  for (int i = 0; i < 10; i++) {
    pgqrs_completion c = await(store, submit_produce(store, "leak", "not JSON"));
    CHECK(c.kind == PGQRS_RESULT_ERROR);
  }
  close_store(store);
}

int main(void) {
  RUN(errors_are_not_given_back);
  return finish();
}
