/* What the C programs of the benchmark share: the clock, the CPU, the samples, and the one line that they print. */
#ifndef PROTOIPC_BENCH_H
#define PROTOIPC_BENCH_H

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* What a program is told: PROGRAM SERVER_CPU CLIENT_CPU WARM_UP_MS MEASURE_MS; a CPU of -1 leaves it to the system. */
struct arguments {
  int server_cpu;
  int client_cpu;
  uint64_t warm_up_ns;
  uint64_t measure_ns;
};

/* Samples in nanoseconds; those beyond the capacity are left out. */
struct samples {
  double *ns;
  size_t count;
  size_t capacity;
};

static inline void stop(const char *what) {
  fprintf(stderr, "Error: %s: %s\n", what, strerror(errno));
  exit(1);
}

static inline struct arguments read_arguments(int count, char **values) {
  if (count != 5) {
    fprintf(stderr, "Error: usage: %s SERVER_CPU CLIENT_CPU WARM_UP_MS MEASURE_MS\n", values[0]);
    exit(2);
  }
  return (struct arguments){
      .server_cpu = atoi(values[1]),
      .client_cpu = atoi(values[2]),
      .warm_up_ns = strtoull(values[3], NULL, 10) * 1000000,
      .measure_ns = strtoull(values[4], NULL, 10) * 1000000,
  };
}

/* Nanoseconds of the machine's monotonic clock, the same in all processes. */
static inline uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Puts the process onto its CPU, and ends it with the one that started it. */
static inline void settle(int cpu) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) stop("cannot ask to end with the parent");
  if (cpu < 0) return;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET((size_t)cpu, &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) stop("cannot pin the process");
}

/* Memory that a child shares. Its pages are touched. */
static inline void *share(size_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) stop("cannot map shared memory");
  return memory;
}

static inline struct samples make_samples(size_t capacity) {
  struct samples made = {.ns = calloc(capacity, sizeof *made.ns), .capacity = capacity};
  if (made.ns == NULL) stop("no memory for samples");
  memset(made.ns, 0, capacity * sizeof *made.ns);
  return made;
}

static inline void add_sample(struct samples *samples, double ns) {
  if (samples->count < samples->capacity) samples->ns[samples->count++] = ns;
}

static inline int compare_samples(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static inline void sort_samples(struct samples *samples) {
  qsort(samples->ns, samples->count, sizeof *samples->ns, compare_samples);
}

/* The smallest of the sorted samples that so many of a thousand do not exceed, in microseconds. */
static inline double percentile_us(const struct samples *sorted, size_t per_mille) {
  if (sorted->count == 0) {
    fprintf(stderr, "Error: nothing was measured\n");
    exit(1);
  }
  size_t rank = (sorted->count * per_mille + 999) / 1000;
  return sorted->ns[rank == 0 ? 0 : rank - 1] / 1000;
}

/* The result: the median of the first, and the 99th and 99.9th percentile of the second. Sorts both. */
static inline void print_result(struct samples *medians, struct samples *tails) {
  sort_samples(medians);
  if (tails != medians) sort_samples(tails);
  printf("{\"value\":%.6f,\"p99\":%.6f,\"p999\":%.6f}\n", percentile_us(medians, 500), percentile_us(tails, 990),
         percentile_us(tails, 999));
}

#endif
