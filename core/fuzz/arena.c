/*
 * An arena whose user and whose peers do anything in any order: allocate, trim, release, hold, give back what they hold
 * and what they do not, come and go. No two live blocks overlap, and nothing lives longer than its holds.
 */
#include "../src/arena.h"
#include "../src/platform.h"
#include "fuzz.h"

enum { most_blocks = 24, links = 2, most_operations = 256 };

typedef struct tracked {
  protoipc_block block;
  int is_owned;
  uint32_t holds[links];
} tracked;

typedef struct model {
  protoipc_arena *arena;
  arena_holds holds[links];
  uint32_t told[links]; /* segments announced to the link */
  tracked blocks[most_blocks];
  uint32_t count;
} model;

static int is_live(const tracked *one) { return one->is_owned || one->holds[0] != 0 || one->holds[1] != 0; }

static void forget_dead(model *self) {
  for (uint32_t i = 0; i < self->count;)
    if (is_live(&self->blocks[i])) i++;
    else self->blocks[i] = self->blocks[--self->count];
}

static void check(model *self) {
  protoipc_arena_stats stats;
  protoipc_arena_read_stats(self->arena, &stats);
  forget_dead(self);
  MUST(stats.blocks == self->count);
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < self->count; i++) {
    const protoipc_block *one = &self->blocks[i].block;
    void *data = NULL;
    uint64_t segment_bytes = 0;
    MUST(protoipc_arena_segment(self->arena, one->segment, &data, &segment_bytes) == 0);
    MUST(one->offset <= segment_bytes && one->bytes <= segment_bytes - one->offset);
    bytes += one->bytes;
    for (uint32_t j = 0; j < i; j++) {
      const protoipc_block *other = &self->blocks[j].block;
      MUST(one->segment != other->segment || one->offset + one->bytes <= other->offset ||
           other->offset + other->bytes <= one->offset);
      MUST(one->index != other->index);
    }
  }
  MUST(stats.block_bytes == bytes);
}

static void allocate(model *self, fuzz_input *input) {
  protoipc_block block;
  const uint64_t bytes = fuzz_take_near(input, 40000);
  if (self->count == most_blocks) return;
  const int result = protoipc_arena_allocate(self->arena, bytes, &block);
  MUST(result == 0 || result == PROTOIPC_ELIMIT || result == PROTOIPC_ETOOLARGE || (result == PROTOIPC_EINVAL && bytes == 0));
  if (result != 0) return;
  MUST(block.bytes >= bytes && block.generation != 0);
  memset(protoipc_arena_data(self->arena, &block), 0xbd, block.bytes);
  self->blocks[self->count++] = (tracked){.block = block, .is_owned = 1};
}

static void trim(model *self, tracked *one, uint64_t bytes) {
  const int may = one->is_owned && one->holds[0] + one->holds[1] == 0 && bytes >= 1 && bytes <= one->block.bytes;
  const int result = protoipc_arena_trim(self->arena, &one->block, bytes);
  MUST(result == (may ? 0 : PROTOIPC_EINVAL));
}

static void hold(model *self, tracked *one, uint32_t link, fuzz_input *input) {
  const uint64_t offset = fuzz_take_near(input, 0), bytes = fuzz_take_near(input, one->block.bytes);
  const int result = arena_hold(self->arena, &self->holds[link], &one->block, offset, bytes, 5, 64 << 10);
  if (result != 0) return;
  MUST(one->is_owned && offset <= one->block.bytes && bytes >= 1 && bytes <= one->block.bytes - offset);
  one->holds[link]++;
  MUST(self->holds[link].blocks <= 5 && self->holds[link].bytes <= 64 << 10);
}

static void unhold(model *self, uint32_t link, uint32_t index, uint32_t generation) {
  tracked *found = NULL;
  for (uint32_t i = 0; i < self->count; i++)
    if (self->blocks[i].block.index == index && self->blocks[i].block.generation == generation && self->blocks[i].holds[link] != 0)
      found = &self->blocks[i];
  const int result = arena_unhold(self->arena, &self->holds[link], index, generation);
  MUST(result == (found != NULL ? 0 : PROTOIPC_EPROTOCOL));
  if (found != NULL) found->holds[link]--;
}

static void leave(model *self, uint32_t link) {
  arena_leave(self->arena, &self->holds[link]);
  for (uint32_t i = 0; i < self->count; i++) self->blocks[i].holds[link] = 0;
}

/* Tells a link what arena.h says that it is told, in its order. */
static void tell(model *self, uint32_t link) {
  arena_holds *holds = &self->holds[link];
  while (holds->retired < arena_retired_count(self->arena)) {
    MUST(arena_retired(self->arena, holds->retired) < arena_segments(self->arena));
    holds->retired++;
  }
  while (holds->announced < arena_segments(self->arena)) {
    uint64_t bytes = 0;
    if (arena_segment_fd(self->arena, holds->announced, &bytes) >= 0) MUST(bytes != 0 && bytes % 4096 == 0);
    holds->announced++;
  }
}

static void operate(model *self, fuzz_input *input) {
  const uint8_t operation = fuzz_take8(input), which = fuzz_take8(input);
  const uint32_t link = which / 128;
  tracked *one = self->count == 0 ? NULL : &self->blocks[which % 128 % self->count];
  switch (operation % 9) {
    case 0:
    case 1:
      allocate(self, input);
      break;
    case 2:
      if (one != NULL) trim(self, one, fuzz_take_near(input, one->block.bytes));
      break;
    case 3:
      if (one == NULL) break;
      MUST(protoipc_arena_release(self->arena, &one->block) == (one->is_owned ? 0 : PROTOIPC_EINVAL));
      one->is_owned = 0;
      break;
    case 4:
      if (one != NULL) hold(self, one, link, input);
      break;
    case 5:
      if (one != NULL) unhold(self, link, one->block.index, one->block.generation);
      break;
    case 6:
      unhold(self, link, (uint32_t)fuzz_take_near(input, which % 8), (uint32_t)fuzz_take_near(input, 1));
      break;
    case 7:
      tell(self, link);
      break;
    default:
      leave(self, link);
      arena_join(self->arena, &self->holds[link]);
      break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  fuzz_input input = {data, bytes};
  model self = {.count = 0};
  const uint64_t most = 4096 + (uint64_t)fuzz_take8(&input) * 1500;
  MUST(protoipc_arena_open(most, &self.arena) == 0);
  for (uint32_t i = 0; i < links; i++) arena_join(self.arena, &self.holds[i]);
  for (int i = 0; i < most_operations && input.left > 0; i++) {
    operate(&self, &input);
    check(&self);
  }
  for (uint32_t i = 0; i < links; i++) leave(&self, i);
  check(&self);
  for (uint32_t i = 0; i < self.count; i++) MUST(protoipc_arena_release(self.arena, &self.blocks[i].block) == 0);
  self.count = 0;
  check(&self);
  protoipc_arena_close(self.arena);
  return 0;
}
