/*
 * What a ring costs at least: as cacheline.c, but a record of 64 bytes stands behind a header in a ring, and a cursor in a
 * line of its own says what is written. So three lines move instead of one. No checks, no sleeping, and room is always
 * there, as one record is on its way.
 */
#define _GNU_SOURCE
#include "round-trips.h"

#include <stdatomic.h>
#include <sys/wait.h>

/* As large as a ring of protoipc. */
#define CAPACITY (256u << 10)
#define HEADER sizeof(uint64_t)
#define RECORD (HEADER + RECORD_BYTES)
#define STOP UINT64_MAX

struct ring {
  _Alignas(128) _Atomic uint64_t tail; /* written so far, in bytes */
  _Alignas(128) _Atomic uint64_t head; /* taken so far */
  _Alignas(128) uint8_t data[CAPACITY];
};

/* One side: the ring that it writes, the one that it reads, and where it is in them. */
struct side {
  struct ring *out, *in;
  uint64_t written, taken;
};

/* A record does not wrap around the end. */
static inline uint64_t place_of(uint64_t cursor) {
  uint64_t left = CAPACITY - cursor % CAPACITY;
  return left < RECORD ? cursor + left : cursor;
}

static inline void put(struct side *side, uint32_t number) {
  uint64_t at = place_of(side->written);
  uint8_t *record = side->out->data + at % CAPACITY;
  write_record((uint32_t *)(record + HEADER), number);
  *(uint64_t *)record = RECORD_BYTES;
  side->written = at + RECORD;
  atomic_store_explicit(&side->out->tail, side->written, memory_order_release);
}

/* Returns false when it is to stop. */
static inline int take(struct side *side, uint32_t number) {
  uint64_t seen;
  while ((seen = atomic_load_explicit(&side->in->tail, memory_order_acquire)) == side->taken) relax();
  if (seen == STOP) return 0;
  uint64_t at = place_of(side->taken);
  const uint8_t *record = side->in->data + at % CAPACITY;
  if (*(const uint64_t *)record != RECORD_BYTES) stop("a header arrived changed");
  check_record((const uint32_t *)(record + HEADER), number);
  side->taken = at + RECORD;
  atomic_store_explicit(&side->out->head, side->taken, memory_order_release);
  return 1;
}

static inline void trip(void *state, uint32_t number) {
  put(state, number);
  take(state, number);
}

int main(int count, char **values) {
  struct arguments told = read_arguments(count, values);
  struct ring *rings = share(2 * sizeof *rings);
  pid_t server = fork();
  if (server < 0) stop("cannot fork");
  if (server == 0) {
    settle(told.server_cpu);
    struct side side = {.out = &rings[1], .in = &rings[0]};
    for (uint32_t number = 1; take(&side, number); number++) put(&side, number);
    return 0;
  }
  settle(told.client_cpu);
  struct side side = {.out = &rings[0], .in = &rings[1]};
  time_round_trips(told, trip, &side);
  atomic_store(&rings[0].tail, STOP);
  waitpid(server, NULL, 0);
  return 0;
}
