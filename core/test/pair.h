/* For tests of rings: two ends of a link, each with its own segment, all in this process. */
#ifndef PROTOIPC_TEST_PAIR_H
#define PROTOIPC_TEST_PAIR_H

#include <sys/mman.h>

#include "../src/ring.h"
#include "test.h"

/* One side. */
typedef struct pair_end {
  shm_segment *own;
  ring_writer writer;
  ring_reader reader;
  uint64_t told_tail, told_head;
  uint32_t rung, sleeps;
} pair_end;

typedef struct pair {
  pair_end a, b;
  uint64_t ring_bytes, segment_bytes;
} pair;

/*
 * A segment that ends where its pages end, with a page behind it that nobody may touch. One mapping for both sides:
 * ThreadSanitizer sees nothing across two.
 */
static inline shm_segment *pair_segment(uint64_t ring_bytes) {
  const uint64_t bytes = SHM_RING_OFFSET + ring_bytes, page = (uint64_t)sysconf(_SC_PAGESIZE);
  const uint64_t whole = (bytes + page - 1) / page * page;
  uint8_t *const pages = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED);
  CHECK(mprotect(pages + whole, page, PROT_NONE) == 0);
  shm_segment *const segment = (shm_segment *)(pages + whole - bytes);
  segment->header = (shm_header){.magic = SHM_MAGIC, .layout_version = SHM_LAYOUT_VERSION, .segment_bytes = bytes,
                                 .ring_offset = SHM_RING_OFFSET, .ring_bytes = ring_bytes};
  return segment;
}

static inline void pair_init_end(pair_end *end, shm_segment *own, shm_segment *peer, uint64_t ring_bytes) {
  *end = (pair_end){.own = own};
  ring_writer_init(&end->writer, own, peer, ring_bytes);
  ring_reader_init(&end->reader, own, peer, ring_bytes);
}

static inline void pair_open(pair *both, uint64_t ring_bytes) {
  shm_segment *const a = pair_segment(ring_bytes), *const b = pair_segment(ring_bytes);
  both->ring_bytes = ring_bytes;
  both->segment_bytes = SHM_RING_OFFSET + ring_bytes;
  pair_init_end(&both->a, a, b, ring_bytes);
  pair_init_end(&both->b, b, a, ring_bytes);
}

static inline void pair_unmap(shm_segment *segment, uint64_t bytes) {
  const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
  CHECK(munmap((uint8_t *)segment + bytes - whole, whole + page) == 0);
}

static inline void pair_close(pair *both) {
  pair_unmap(both->a.own, both->segment_bytes);
  pair_unmap(both->b.own, both->segment_bytes);
}

static inline int pair_must_wake(pair_end *end) {
  return ring_must_wake(&end->writer, &end->reader, &end->told_tail, &end->told_head, &end->rung);
}

static inline int pair_sleep(pair_end *end, int how) {
  return ring_sleep(&end->writer, &end->reader, &end->sleeps, how);
}

/* The body of the record of a number: its length, its kind of content. No two neighbours are alike. */
static inline uint32_t pair_body_bytes(uint64_t number, uint32_t most) {
  test_random random = {number};
  const uint64_t roll = test_next(&random);
  if (roll % 8 == 0) return most - (uint32_t)(roll >> 8) % 9;
  if (roll % 8 == 1) return (uint32_t)(roll >> 8) % 9;
  return (uint32_t)((roll >> 8) % (most / 4));
}

static inline uint8_t pair_byte(uint64_t number, uint32_t i) {
  return (uint8_t)((number * 167 + i * UINT64_C(31) + (number >> 8) + (i >> 8)) | 1); /* never 0, as padding is */
}

static inline void pair_fill(uint8_t *body, uint64_t number, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i++) body[i] = pair_byte(number, i);
}

static inline int pair_is_filled(const uint8_t *body, uint64_t number, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i++)
    if (body[i] != pair_byte(number, i)) return 0;
  return 1;
}

#endif
