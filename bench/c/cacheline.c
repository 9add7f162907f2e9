/*
 * The floor of a record's round trip: two processes hand 64 bytes to each other, each in the one cache line that the
 * other watches. Every byte is written and read by both.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <stdatomic.h>
#include <sys/wait.h>

/* Round trips that are timed together, and then one by one. As in round-trips.ts. */
#define GROUP 32
#define MAX_SAMPLES 4194304u
#define STOP UINT64_MAX
#define WORDS 7

/* One line: the number of the record, stored last, and its payload. Apart from the next, which processors fetch too. */
struct line {
  _Alignas(128) _Atomic uint64_t number;
  uint64_t words[WORDS];
};

/* Loads less often: without it the line moves more slowly. */
static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

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

static void call(struct line *requests, struct line *replies, struct arguments told) {
  struct samples groups = make_samples(MAX_SAMPLES / GROUP), singles = make_samples(MAX_SAMPLES);
  uint64_t number = 0;
  uint64_t measure_from = now_ns() + told.warm_up_ns;
  uint64_t until = measure_from + told.measure_ns;
  for (uint64_t before = now_ns(); before < until;) {
    int counts = before >= measure_from;
    for (int i = 0; i < GROUP; i++) {
      put(requests, ++number);
      take(replies, number);
    }
    uint64_t after = now_ns();
    if (counts) add_sample(&groups, (double)(after - before) / GROUP);
    before = after;
    for (int i = 0; i < GROUP; i++) {
      put(requests, ++number);
      take(replies, number);
      after = now_ns();
      if (counts) add_sample(&singles, (double)(after - before));
      before = after;
    }
  }
  atomic_store(&requests->number, STOP);
  print_result(&groups, &singles);
}

int main(int count, char **values) {
  struct arguments told = read_arguments(count, values);
  struct line *lines = share(2 * sizeof *lines);
  pid_t server = fork();
  if (server < 0) fail("cannot fork");
  if (server == 0) {
    settle(told.server_cpu);
    serve(&lines[0], &lines[1]);
    return 0;
  }
  settle(told.client_cpu);
  call(&lines[0], &lines[1], told);
  waitpid(server, NULL, 0);
  return 0;
}
