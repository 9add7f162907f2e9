/* The arena against a model that knows everything: who holds what, what overlaps, what a peer was told. */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "../src/arena.h"
#include "test.h"

#define MIB (UINT64_C(1) << 20)
enum { LINKS = 3, BLOCKS = 192, SEGMENTS = 4096, GRANULE = 4096 };

typedef struct model_block {
  protoipc_block block;
  uint64_t stamp;
  bool is_owned;
  uint32_t held[LINKS];
} model_block;

/* What a link has told its peer. */
typedef struct model_peer {
  arena_holds holds;
  bool knows[SEGMENTS];
  uint64_t sizes[SEGMENTS], mapped;
  uint64_t blocks, bytes;
} model_peer;

typedef struct model {
  protoipc_arena *arena;
  uint64_t max_bytes;
  uint32_t count;
  model_block live[BLOCKS];
  model_peer peers[LINKS];
  uint32_t generations[BLOCKS * 4];
  test_random random;
  uint64_t refused, retired;
} model;

static uint8_t *memory_of(const model *m, const protoipc_block *block) {
  void *data;
  uint64_t bytes;
  CHECK_EQUAL(protoipc_arena_segment(m->arena, block->segment, &data, &bytes), PROTOIPC_OK);
  CHECK(block->offset % 64 == 0 && block->offset + block->bytes <= bytes);
  return (uint8_t *)data + block->offset;
}

/* Marks both ends of each page of a block; whoever else uses one of them is found out. */
static void stamp(const model *m, const model_block *b) {
  uint8_t *const bytes = memory_of(m, &b->block);
  for (uint64_t at = 0; at < b->block.bytes; at += GRANULE) {
    memcpy(bytes + at, &b->stamp, 8);
    memcpy(bytes + at + GRANULE - 8, &b->stamp, 8);
  }
}

static void check_stamp(const model *m, const model_block *b) {
  const uint8_t *const bytes = memory_of(m, &b->block);
  for (uint64_t at = 0; at < b->block.bytes; at += GRANULE) {
    CHECK(memcmp(bytes + at, &b->stamp, 8) == 0);
    CHECK(memcmp(bytes + at + GRANULE - 8, &b->stamp, 8) == 0);
  }
}

/* The largest gap in any segment, and the memory of segments in which nothing is held. */
static void survey(const model *m, uint64_t *gap, uint64_t *unused) {
  *gap = *unused = 0;
  for (uint32_t number = 0; number < arena_segments(m->arena); number++) {
    uint64_t bytes, at = 0, blocks = 0;
    if (arena_segment_fd(m->arena, number, &bytes) < 0) continue;
    while (at < bytes) {
      const model_block *next = NULL;
      for (uint32_t i = 0; i < m->count; i++) {
        const model_block *const b = &m->live[i];
        if (b->block.segment != number || b->block.offset < at) continue;
        if (next == NULL || b->block.offset < next->block.offset) next = b;
      }
      const uint64_t to = next == NULL ? bytes : next->block.offset;
      if (to - at > *gap) *gap = to - at;
      at = next == NULL ? bytes : to + next->block.bytes;
      blocks += next != NULL;
    }
    if (blocks == 0) *unused += bytes;
  }
}

static void check_stats(const model *m) {
  protoipc_arena_stats stats;
  uint64_t segments = 0, segment_bytes = 0, bytes = 0;
  for (uint32_t number = 0; number < arena_segments(m->arena); number++) {
    uint64_t size;
    if (arena_segment_fd(m->arena, number, &size) < 0) continue;
    segments++;
    segment_bytes += size;
  }
  for (uint32_t i = 0; i < m->count; i++) bytes += m->live[i].block.bytes;
  protoipc_arena_read_stats(m->arena, &stats);
  CHECK(stats.blocks == m->count && stats.block_bytes == bytes);
  CHECK(stats.segments == segments && stats.segment_bytes == segment_bytes && segment_bytes <= m->max_bytes);
  for (int p = 0; p < LINKS; p++)
    CHECK(m->peers[p].holds.blocks == m->peers[p].blocks && m->peers[p].holds.bytes == m->peers[p].bytes);
}

/* Tells a peer what arena.h says that it is told. Returns false where the "socket" was full on the way. */
static bool tell(model *m, model_peer *peer, bool may_be_full) {
  arena_holds *const holds = &peer->holds;
  uint64_t bytes;
  for (; holds->retired < arena_retired_count(m->arena); holds->retired++) {
    const uint32_t number = arena_retired(m->arena, holds->retired);
    CHECK(number < SEGMENTS && arena_segment_fd(m->arena, number, &bytes) == -1);
    if (number >= holds->announced) continue;
    if (may_be_full && test_below(&m->random, 4) == 0) return false;
    CHECK(peer->knows[number]);
    peer->knows[number] = false;
    peer->mapped -= peer->sizes[number];
  }
  for (; holds->announced < arena_segments(m->arena); holds->announced++) {
    const uint32_t number = holds->announced;
    CHECK(number < SEGMENTS);
    const int fd = arena_segment_fd(m->arena, number, &bytes);
    if (fd == -1) continue;
    if (may_be_full && test_below(&m->random, 4) == 0) return false;
    CHECK(!peer->knows[number] && fcntl(fd, F_GETFD) != -1);
    peer->knows[number] = true;
    peer->sizes[number] = bytes;
    peer->mapped += bytes;
    CHECK(peer->mapped <= m->max_bytes);
  }
  return true;
}

static void drop_if_unheld(model *m, uint32_t i) {
  model_block *const b = &m->live[i];
  for (int p = 0; p < LINKS; p++)
    if (b->held[p] != 0) return;
  if (!b->is_owned) *b = m->live[--m->count];
}

static uint64_t random_size(model *m) {
  const uint64_t limits[] = {GRANULE, 64 << 10, 64 << 10, MIB, 2 * MIB, 9 * MIB, m->max_bytes};
  return 1 + test_below(&m->random, limits[test_below(&m->random, 7)]);
}

static void allocate(model *m) {
  if (m->count == BLOCKS) return;
  const uint64_t bytes = random_size(m), need = (bytes + GRANULE - 1) / GRANULE * GRANULE;
  const uint32_t segments = arena_segments(m->arena), retired = arena_retired_count(m->arena);
  uint64_t gap, unused;
  protoipc_arena_stats stats;
  protoipc_arena_read_stats(m->arena, &stats);
  survey(m, &gap, &unused);
  model_block b = {.is_owned = true, .stamp = test_next(&m->random)};
  const int code = protoipc_arena_allocate(m->arena, bytes, &b.block);
  m->retired += arena_retired_count(m->arena) - retired;
  if (code == PROTOIPC_ELIMIT) {
    m->refused++;
    CHECK(gap < need && m->max_bytes - stats.segment_bytes + unused < need);
    CHECK(arena_segments(m->arena) == segments && arena_retired_count(m->arena) == retired);
    return;
  }
  CHECK_EQUAL(code, PROTOIPC_OK);
  CHECK(b.block.bytes == need && b.block.reserved == 0);
  CHECK((arena_segments(m->arena) != segments) == (gap < need)); /* a segment is added when it must be */
  CHECK(b.block.index < BLOCKS * 4 && b.block.generation == ++m->generations[b.block.index]);
  for (uint32_t i = 0; i < m->count; i++) {
    const protoipc_block *const other = &m->live[i].block;
    CHECK(other->index != b.block.index);
    CHECK(other->segment != b.block.segment || other->offset >= b.block.offset + b.block.bytes ||
          b.block.offset >= other->offset + other->bytes);
  }
  CHECK(protoipc_arena_data(m->arena, &b.block) == memory_of(m, &b.block));
  stamp(m, &b);
  m->live[m->count++] = b;
}

static void trim(model *m, uint32_t i) {
  model_block *const b = &m->live[i];
  protoipc_block block = b->block;
  const uint64_t bytes = 1 + test_below(&m->random, b->block.bytes);
  const bool is_alone = b->is_owned && b->held[0] + b->held[1] + b->held[2] == 0;
  CHECK_EQUAL(protoipc_arena_trim(m->arena, &block, bytes), is_alone ? PROTOIPC_OK : PROTOIPC_EINVAL);
  if (is_alone) {
    CHECK(block.bytes == (bytes + GRANULE - 1) / GRANULE * GRANULE && block.offset == b->block.offset);
    b->block = block;
    check_stamp(m, b);
  }
}

static void release(model *m, uint32_t i) {
  model_block *const b = &m->live[i];
  check_stamp(m, b);
  CHECK_EQUAL(protoipc_arena_release(m->arena, &b->block), b->is_owned ? PROTOIPC_OK : PROTOIPC_EINVAL);
  b->is_owned = false;
  drop_if_unheld(m, i);
}

static void hold(model *m, uint32_t i, int p) {
  model_block *const b = &m->live[i];
  model_peer *const peer = &m->peers[p];
  const uint64_t offset = test_below(&m->random, b->block.bytes), bytes = 1 + test_below(&m->random, b->block.bytes);
  const uint32_t max_blocks = 40;
  const uint64_t max_bytes = 16 * MIB;
  int expected = PROTOIPC_OK;
  if (!b->is_owned || offset + bytes > b->block.bytes) expected = PROTOIPC_EINVAL;
  else if (b->block.bytes > max_bytes) expected = PROTOIPC_ETOOLARGE;
  else if (peer->blocks == max_blocks || peer->bytes + b->block.bytes > max_bytes) expected = PROTOIPC_ELIMIT;
  if (!tell(m, peer, true)) return;
  CHECK_EQUAL(arena_hold(m->arena, &peer->holds, &b->block, offset, bytes, max_blocks, max_bytes), expected);
  if (expected != PROTOIPC_OK) return;
  CHECK(peer->knows[b->block.segment]);
  b->held[p]++;
  peer->blocks++;
  peer->bytes += b->block.bytes;
}

static void unhold(model *m, uint32_t i, int p) {
  model_block *const b = &m->live[i];
  model_peer *const peer = &m->peers[p];
  const uint32_t wrong = b->block.generation + 1;
  check_stamp(m, b);
  CHECK_EQUAL(arena_unhold(m->arena, &peer->holds, b->block.index, wrong), PROTOIPC_EPROTOCOL);
  const int code = arena_unhold(m->arena, &peer->holds, b->block.index, b->block.generation);
  CHECK_EQUAL(code, b->held[p] != 0 ? PROTOIPC_OK : PROTOIPC_EPROTOCOL);
  if (code != PROTOIPC_OK) return;
  b->held[p]--;
  peer->blocks--;
  peer->bytes -= b->block.bytes;
  drop_if_unheld(m, i);
}

static void leave(model *m, int p) {
  arena_leave(m->arena, &m->peers[p].holds);
  for (uint32_t i = m->count; i-- > 0;) {
    m->live[i].held[p] = 0;
    drop_if_unheld(m, i);
  }
  m->peers[p] = (model_peer){0};
}

/* It fills and it empties, in turn. */
static void step(model *m, bool empties) {
  const uint64_t roll = empties ? 290 + test_below(&m->random, 710) : test_below(&m->random, 1000);
  const int p = (int)test_below(&m->random, LINKS);
  if (roll < 300) allocate(m);
  else if (roll < 303) {
    leave(m, p);
    arena_join(m->arena, &m->peers[p].holds);
  } else if (roll < 320) tell(m, &m->peers[p], true);
  else if (m->count > 0) {
    const uint32_t i = (uint32_t)test_below(&m->random, m->count);
    if (roll < 380) trim(m, i);
    else if (roll < 630) release(m, i);
    else if (roll < 800) hold(m, i, p);
    else unhold(m, i, p);
  }
}

static void run_model(uint64_t max_bytes, int steps, uint64_t seed, uint64_t *refused, uint64_t *retired) {
  model *const m = calloc(1, sizeof *m);
  CHECK(m != NULL);
  m->random.state = seed;
  m->max_bytes = max_bytes;
  CHECK_EQUAL(protoipc_arena_open(max_bytes, &m->arena), PROTOIPC_OK);
  for (int p = 0; p < LINKS; p++) arena_join(m->arena, &m->peers[p].holds);
  for (int i = 0; i < steps; i++) {
    step(m, i / 100 % 2 == 1);
    check_stats(m);
  }
  *refused += m->refused;
  *retired += m->retired;
  for (int p = 0; p < LINKS; p++) leave(m, p);
  while (m->count > 0) release(m, m->count - 1);
  check_stats(m);
  /* Nothing is held: all of it can be had in one piece. */
  protoipc_block all;
  CHECK_EQUAL(protoipc_arena_allocate(m->arena, max_bytes, &all), PROTOIPC_OK);
  CHECK(all.bytes == max_bytes);
  protoipc_arena_close(m->arena);
  free(m);
}

static void against_a_model(void) {
  uint64_t refused = 0, retired = 0;
  run_model(64 * MIB, 10000, 1, &refused, &retired);
  run_model(10 * MIB, 10000, 2, &refused, &retired);
  /* An arena ends as one large segment in time: many are begun. */
  for (uint64_t seed = 3; seed < 60; seed++) run_model(24 * MIB, 500, seed, &refused, &retired);
  CHECK(refused > 500 && retired > 50);
}

static void arguments(void) {
  protoipc_arena *arena = NULL;
  protoipc_block block, other;
  arena_holds holds;
  CHECK_EQUAL(protoipc_arena_open(4095, &arena), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_arena_open(0, NULL), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_arena_open(3 * MIB + 5000, &arena), PROTOIPC_OK);
  protoipc_arena_close(NULL);
  CHECK_EQUAL(protoipc_arena_allocate(arena, 0, &block), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_arena_allocate(arena, 1, NULL), PROTOIPC_EINVAL);
  const uint64_t sizes[] = {3 * MIB + 4097, UINT64_MAX, UINT64_MAX - 4095, UINT64_C(1) << 43};
  for (int i = 0; i < 4; i++) CHECK_EQUAL(protoipc_arena_allocate(arena, sizes[i], &block), PROTOIPC_ETOOLARGE);
  CHECK_EQUAL(protoipc_arena_allocate(arena, 8000, &block), PROTOIPC_OK);
  CHECK_EQUAL(block.bytes, 8192);
  CHECK_EQUAL(protoipc_arena_trim(arena, &block, 0), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_arena_trim(arena, &block, 8193), PROTOIPC_EINVAL);

  /* Names that are not exactly of the block. */
  other = block, other.generation++;
  CHECK(protoipc_arena_data(arena, &other) == NULL && protoipc_arena_release(arena, &other) == PROTOIPC_EINVAL);
  other = block, other.index = 7000;
  CHECK(protoipc_arena_data(arena, &other) == NULL && protoipc_arena_release(arena, &other) == PROTOIPC_EINVAL);
  other = block, other.segment = 1;
  CHECK(protoipc_arena_data(arena, &other) == NULL && protoipc_arena_release(arena, &other) == PROTOIPC_EINVAL);
  other = block, other.offset += 4096;
  CHECK(protoipc_arena_data(arena, &other) == NULL && protoipc_arena_release(arena, &other) == PROTOIPC_EINVAL);
  CHECK(protoipc_arena_data(arena, NULL) == NULL && protoipc_arena_release(arena, NULL) == PROTOIPC_EINVAL);

  arena_join(arena, &holds);
  const uint64_t wrong[][2] = {{0, 0}, {0, 8193}, {8192, 1}, {1, 8192}, {UINT64_MAX, 1}, {1, UINT64_MAX}, {8191, 2}};
  for (int i = 0; i < 7; i++)
    CHECK_EQUAL(arena_hold(arena, &holds, &block, wrong[i][0], wrong[i][1], 9, MIB), PROTOIPC_EINVAL);
  CHECK_EQUAL(arena_hold(arena, &holds, &block, 0, 1, 9, 8191), PROTOIPC_ETOOLARGE);
  CHECK_EQUAL(arena_hold(arena, &holds, &block, 0, 1, 0, 8192), PROTOIPC_ELIMIT);
  CHECK_EQUAL(arena_hold(arena, &holds, &block, 0, 8192, 9, 16384), PROTOIPC_OK);
  CHECK_EQUAL(arena_hold(arena, &holds, &block, 8191, 1, 9, 16384), PROTOIPC_OK);
  CHECK_EQUAL(arena_hold(arena, &holds, &block, 0, 1, 9, 16384), PROTOIPC_ELIMIT);
  CHECK_EQUAL(arena_hold(arena, &holds, &block, 0, 1, 2, UINT64_MAX), PROTOIPC_ELIMIT);
  CHECK_EQUAL(protoipc_arena_release(arena, &block), PROTOIPC_OK);
  CHECK_EQUAL(protoipc_arena_release(arena, &block), PROTOIPC_EINVAL);
  CHECK(protoipc_arena_data(arena, &block) == NULL);
  CHECK_EQUAL(arena_unhold(arena, &holds, block.index, block.generation), PROTOIPC_OK);
  CHECK_EQUAL(arena_unhold(arena, &holds, block.index, block.generation), PROTOIPC_OK);
  CHECK_EQUAL(arena_unhold(arena, &holds, block.index, block.generation), PROTOIPC_EPROTOCOL);
  CHECK_EQUAL(arena_unhold(arena, &holds, UINT32_MAX, 1), PROTOIPC_EPROTOCOL);
  protoipc_arena_stats stats;
  protoipc_arena_read_stats(arena, &stats);
  CHECK(stats.blocks == 0 && stats.block_bytes == 0 && stats.segments == 1);
  arena_leave(arena, &holds);
  protoipc_arena_close(arena);
}

/* The one gap that fits stands behind many that nearly do. */
static void near_misses(void) {
  enum { GAPS = 40, NEAR = 33 * GRANULE, FIT = 39 * GRANULE };
  protoipc_arena *arena;
  protoipc_block fit, gaps[GAPS], walls[GAPS + 1], again;
  CHECK_EQUAL(protoipc_arena_open(FIT + GAPS * NEAR + (GAPS + 1) * GRANULE, &arena), PROTOIPC_OK);
  CHECK_EQUAL(protoipc_arena_allocate(arena, FIT, &fit), PROTOIPC_OK);
  for (int i = 0; i <= GAPS; i++) {
    CHECK_EQUAL(protoipc_arena_allocate(arena, GRANULE, &walls[i]), PROTOIPC_OK);
    if (i < GAPS) CHECK_EQUAL(protoipc_arena_allocate(arena, NEAR, &gaps[i]), PROTOIPC_OK);
  }
  CHECK_EQUAL(protoipc_arena_release(arena, &fit), PROTOIPC_OK);
  for (int i = 0; i < GAPS; i++) CHECK_EQUAL(protoipc_arena_release(arena, &gaps[i]), PROTOIPC_OK);
  CHECK_EQUAL(protoipc_arena_allocate(arena, FIT, &again), PROTOIPC_OK);
  CHECK_EQUAL(again.offset, fit.offset);
  CHECK_EQUAL(protoipc_arena_allocate(arena, FIT, &again), PROTOIPC_ELIMIT);
  protoipc_arena_close(arena);
}

/* Frames of a camera, a little above what the first segment is made for: many, in few segments, with little waste. */
static void large_blocks(void) {
  protoipc_arena *arena;
  protoipc_block blocks[31];
  protoipc_arena_stats stats;
  CHECK_EQUAL(protoipc_arena_open(256 * MIB, &arena), PROTOIPC_OK);
  for (int i = 0; i < 31; i++) CHECK_EQUAL(protoipc_arena_allocate(arena, 8 * MIB + 100, &blocks[i]), PROTOIPC_OK);
  protoipc_arena_read_stats(arena, &stats);
  CHECK(stats.segments <= 16);
  CHECK_EQUAL(stats.segment_bytes - stats.segment_bytes % (8 * MIB + 4096), 31 * (8 * MIB + 4096));
  /* Again and again, without another segment. */
  for (int i = 0; i < 1000; i++) {
    protoipc_block *const block = &blocks[i % 31];
    CHECK_EQUAL(protoipc_arena_release(arena, block), PROTOIPC_OK);
    CHECK_EQUAL(protoipc_arena_allocate(arena, 8 * MIB + 100, block), PROTOIPC_OK);
  }
  CHECK_EQUAL(arena_segments(arena), stats.segments);
  CHECK_EQUAL(protoipc_arena_allocate(arena, 8 * MIB + 100, &blocks[0]), PROTOIPC_ELIMIT);
  protoipc_arena_close(arena);
}

static int count_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) != -1;
  return count;
}

static int count_maps(void) {
  FILE *const maps = fopen("/proc/self/maps", "re");
  char line[4096];
  int count = 0;
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) count += strstr(line, "memfd:") != NULL;
  CHECK(maps != NULL && fclose(maps) == 0);
  return count;
}

/* Segments that nobody needs make room for others; their memory and descriptors go at once. */
static void retiring(void) {
  protoipc_arena *arena;
  protoipc_block block, kept;
  arena_holds holds, late;
  const int descriptors = count_descriptors(), maps = count_maps();
  CHECK_EQUAL(protoipc_arena_open(16 * MIB, &arena), PROTOIPC_OK);
  arena_join(arena, &holds);
  CHECK_EQUAL(protoipc_arena_allocate(arena, 4096, &kept), PROTOIPC_OK);
  for (int i = 0; i < 100; i++) { /* 5 and 8 MiB do not go into one segment of what is left */
    CHECK_EQUAL(protoipc_arena_allocate(arena, (i % 2 == 0 ? 8 : 5) * MIB, &block), PROTOIPC_OK);
    CHECK_EQUAL(protoipc_arena_release(arena, &block), PROTOIPC_OK);
  }
  CHECK_EQUAL(arena_retired_count(arena), 0); /* 5 MiB fit beside what is kept */
  CHECK_EQUAL(count_maps(), maps + 2);
  CHECK_EQUAL(protoipc_arena_release(arena, &kept), PROTOIPC_OK);
  CHECK_EQUAL(protoipc_arena_allocate(arena, 12 * MIB, &block), PROTOIPC_OK);
  CHECK_EQUAL(arena_retired_count(arena), 2);
  CHECK(arena_retired(arena, 0) == 0 && arena_retired(arena, 1) == 1);
  CHECK_EQUAL(count_maps(), maps + 1);
  CHECK_EQUAL(count_descriptors(), descriptors + 1);
  void *data;
  uint64_t bytes;
  CHECK_EQUAL(protoipc_arena_segment(arena, 0, &data, &bytes), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_arena_segment(arena, 2, &data, &bytes), PROTOIPC_OK);
  CHECK(data == protoipc_arena_data(arena, &block) && bytes >= 12 * MIB);
  arena_join(arena, &late); /* knows nothing, and is told nothing of what was */
  CHECK_EQUAL(late.retired, 2);
  /* Each a little larger than the one before, which is given up for it. One link is told at once, one lags behind. */
  for (uint32_t i = 0; i < 40; i++) {
    CHECK_EQUAL(protoipc_arena_release(arena, &block), PROTOIPC_OK);
    CHECK_EQUAL(protoipc_arena_allocate(arena, 12 * MIB + (i + 1) * 65536, &block), PROTOIPC_OK);
    CHECK_EQUAL(arena_retired_count(arena), i + 3);
    holds.retired = i + 3;
    if (i % 8 == 7) late.retired = i;
    for (uint32_t j = late.retired; j < i + 3; j++) CHECK_EQUAL(arena_retired(arena, j), j);
  }
  arena_leave(arena, &late);
  arena_leave(arena, &holds);
  protoipc_arena_close(arena);
  CHECK_EQUAL(count_maps(), maps);
  CHECK_EQUAL(count_descriptors(), descriptors);
}

/* What the system refuses. */
static void shortage(void) {
  protoipc_arena *arena;
  protoipc_block block, large;
  struct rlimit files, sizes;
  CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0 && getrlimit(RLIMIT_FSIZE, &sizes) == 0);
  CHECK_EQUAL(protoipc_arena_open(0, &arena), PROTOIPC_OK);
  CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 3, .rlim_max = files.rlim_max}) == 0);
  CHECK_EQUAL(protoipc_arena_allocate(arena, 1, &block), PROTOIPC_EDESCRIPTORS);
  CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);

  /* Less than a segment is to be had: as much as is needed is taken. */
  CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = MIB, .rlim_max = sizes.rlim_max}) == 0);
  CHECK_EQUAL(protoipc_arena_allocate(arena, MIB + 1, &large), PROTOIPC_ENOMEM);
  CHECK_EQUAL(protoipc_arena_allocate(arena, 5000, &block), PROTOIPC_OK);
  protoipc_arena_stats stats;
  protoipc_arena_read_stats(arena, &stats);
  CHECK(stats.segments == 1 && stats.segment_bytes == 8192);
  CHECK(setrlimit(RLIMIT_FSIZE, &sizes) == 0);

  /* The last descriptor is a segment's in which nothing is held. */
  CHECK_EQUAL(protoipc_arena_release(arena, &block), PROTOIPC_OK);
  int fd, last = -1;
  CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 32, .rlim_max = files.rlim_max}) == 0);
  while ((fd = dup(1)) != -1) last = fd;
  CHECK(last != -1);
  CHECK_EQUAL(protoipc_arena_allocate(arena, MIB, &large), PROTOIPC_OK);
  CHECK_EQUAL(arena_retired_count(arena), 1);
  CHECK_EQUAL(protoipc_arena_allocate(arena, 200 * MIB, &block), PROTOIPC_EDESCRIPTORS);
  CHECK(protoipc_arena_data(arena, &large) != NULL);
  CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
  protoipc_arena_close(arena);
}

static void forked(void) {
  protoipc_arena *arena;
  protoipc_block block, other;
  void *data;
  uint64_t bytes;
  CHECK_EQUAL(protoipc_arena_open(0, &arena), PROTOIPC_OK);
  CHECK_EQUAL(protoipc_arena_allocate(arena, 100, &block), PROTOIPC_OK);
  const pid_t child = fork();
  CHECK(child != -1);
  if (child == 0) {
    CHECK_EQUAL(protoipc_arena_allocate(arena, 100, &other), PROTOIPC_EFORKED);
    CHECK_EQUAL(protoipc_arena_trim(arena, &block, 100), PROTOIPC_EFORKED);
    CHECK_EQUAL(protoipc_arena_release(arena, &block), PROTOIPC_EFORKED);
    CHECK_EQUAL(protoipc_arena_segment(arena, 0, &data, &bytes), PROTOIPC_EFORKED);
    CHECK(protoipc_arena_data(arena, &block) == NULL);
    protoipc_arena_close(arena);
    exit(0);
  }
  CHECK_EQUAL(test_wait(child), 0);
  memset(protoipc_arena_data(arena, &block), 1, 100);
  CHECK_EQUAL(protoipc_arena_release(arena, &block), PROTOIPC_OK);
  protoipc_arena_close(arena);
}

TEST_MAIN(TEST(against_a_model), TEST(arguments), TEST(near_misses), TEST(large_blocks), TEST(retiring),
          TEST(shortage), TEST(forked))
