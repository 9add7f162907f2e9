/* What step.c, which kills, and step_target.c, which is killed, have in common. */
#ifndef PROTOIPC_TEST_STEP_H
#define PROTOIPC_TEST_STEP_H

#include "../src/arena.h"
#include "pair.h"

enum { STEP_RING_BYTES = 4096, STEP_BLOCKS = 2, STEP_HEAD_BYTES = 21, STEP_PAYLOAD_BYTES = 64 };

/* What stands in the ring of the target, or in the survivor's. */
typedef struct step_record {
  uint8_t kind;
  uint64_t number; /* of its content, for a frame; of its block, with the content of the head, for one with a block */
} step_record;

typedef struct step_world {
  pair both; /* a: the target, b: the survivor */
  /* Of the side that sends blocks. */
  protoipc_arena *arena;
  arena_holds holds;
  protoipc_block blocks[STEP_BLOCKS];
  /* In memory of both. */
  struct step_notes {
    int segment_fd; /* of the target's arena */
    protoipc_block block;
  } *notes;
} step_world;

typedef struct step_operation {
  const char *name;
  /* In the survivor, before there is a target: plays both sides up to where the operation begins. */
  void (*prepare)(step_world *world);
  /* In the target, before it can be killed. */
  void (*enter)(step_world *world);
  /* In the target, which can be killed at any instruction. */
  void (*operate)(step_world *world);
  /* Which records are in the target's ring before, and which the operation adds by one store of its tail. */
  uint32_t before, added;
  step_record records[6];
  /* In the survivor, after the target is dead and the records are checked. Returns NULL, or what is wrong. */
  const char *(*check)(step_world *world, int is_complete);
} step_operation;

extern const step_operation step_operations[];
extern const uint32_t step_operation_count;

/* The length of a frame's body, by its number. */
static inline uint32_t step_bytes(uint64_t number) { return (uint32_t)(number * 37 % 90); }

/* Before anything else. */
void step_fill_bodies(void);

#endif
