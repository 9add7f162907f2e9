/* Times round trips as ../measure-records.ts does: in turn 32 together, for the median, and 32 single ones, for the tail. */
#ifndef PROTOIPC_BENCH_ROUND_TRIPS_H
#define PROTOIPC_BENCH_ROUND_TRIPS_H

#include "bench.h"

#define GROUP 32
#define MAX_SAMPLES 4194304u

/* Loads less often: without it the line moves more slowly. */
static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* `trip` sends record `number`, and returns when it has come back. Prints the result. */
__attribute__((always_inline)) static inline void time_round_trips(struct arguments told,
                                                                   void (*trip)(void *state, uint32_t number),
                                                                   void *state) {
  struct samples groups = make_samples(MAX_SAMPLES / GROUP), singles = make_samples(MAX_SAMPLES);
  uint32_t number = 0;
  uint64_t measure_from = now_ns() + told.warm_up_ns;
  uint64_t until = measure_from + told.measure_ns;
  for (uint64_t before = now_ns(); before < until;) {
    int counts = before >= measure_from;
    for (int i = 0; i < GROUP; i++) trip(state, ++number);
    uint64_t after = now_ns();
    if (counts) add_sample(&groups, (double)(after - before) / GROUP);
    before = after;
    for (int i = 0; i < GROUP; i++) {
      trip(state, ++number);
      after = now_ns();
      if (counts) add_sample(&singles, (double)(after - before));
      before = after;
    }
  }
  print_result(&groups, &singles);
}

/* The 64 bytes of a record: words made of its number. */
#define RECORD_WORDS 16
#define RECORD_BYTES (RECORD_WORDS * sizeof(uint32_t))

static inline void write_record(uint32_t *words, uint32_t number) {
  for (uint32_t i = 0; i < RECORD_WORDS; i++) words[i] = number + i;
}

static inline void check_record(const uint32_t *words, uint32_t number) {
  uint32_t wrong = 0;
  for (uint32_t i = 0; i < RECORD_WORDS; i++) wrong |= words[i] ^ (number + i);
  if (wrong == 0) return;
  fprintf(stderr, "Error: record %u arrived changed\n", number);
  exit(1);
}

#endif
