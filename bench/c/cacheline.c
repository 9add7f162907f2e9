/*
 * The floor of a record's round trip: two processes hand 64 bytes to each other, each in the one cache line that the
 * other watches. Every byte is written and read by both.
 */
#define _GNU_SOURCE
#include "round-trips.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define STOP UINT64_MAX
#define WORDS 7

/* One line: the number of the record, stored last, and its payload. Apart from the next, which processors fetch too. */
struct line {
  _Alignas(128) _Atomic uint64_t number;
  uint64_t words[WORDS];
};

static inline void put(struct line *line, uint64_t number) {
  for (uint64_t i = 0; i < WORDS; i++) line->words[i] = number + i;
  atomic_store_explicit(&line->number, number, memory_order_release);
}

/* Spins until the line holds the record, reads it, and checks it. Returns false when it is to stop. */
static inline int take(struct line *line, uint64_t number) {
  uint64_t seen;
  while ((seen = atomic_load_explicit(&line->number, memory_order_acquire)) != number) {
    if (seen == STOP) return 0;
    relax();
  }
  uint64_t wrong = 0;
  for (uint64_t i = 0; i < WORDS; i++) wrong |= line->words[i] ^ (number + i);
  if (wrong != 0) {
    fprintf(stderr, "Error: record %llu arrived changed\n", (unsigned long long)number);
    exit(1);
  }
  return 1;
}

static void serve(struct line *requests, struct line *replies) {
  for (uint64_t number = 1; take(requests, number); number++) put(replies, number);
}

static inline void trip(void *state, uint32_t number) {
  struct line *lines = state;
  put(&lines[0], number);
  take(&lines[1], number);
}

int main(int count, char **values) {
  struct arguments told = read_arguments(count, values);
  struct line *lines = share(2 * sizeof *lines);
  pid_t server = fork();
  if (server < 0) stop("cannot fork");
  if (server == 0) {
    settle(told.server_cpu);
    serve(&lines[0], &lines[1]);
    return 0;
  }
  settle(told.client_cpu);
  time_round_trips(told, trip, lines);
  atomic_store(&lines[0].number, STOP);
  waitpid(server, NULL, 0);
  return 0;
}
