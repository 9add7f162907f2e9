/* Which blocks of the peer's arena we hold, and which give-backs it was not told of yet. Private memory. */
#ifndef PROTOIPC_HELD_H
#define PROTOIPC_HELD_H

#include "../include/protoipc.h"
#include "layout.h"

/* Holds and give-backs not told yet, together. A peer that believes that we have more is no peer of ours. */
#define HELD_MOST 65536u

typedef struct held_entry {
  uint32_t index;
  uint32_t generation;
  uint32_t segment;
  uint32_t count; /* 0: the entry is free */
} held_entry;

typedef struct held_table {
  held_entry *entries;     /* open addressing, linear probing */
  uint32_t capacity;       /* 0 or a power of two */
  uint32_t used;           /* entries that are not free */
  uint32_t holds;          /* sum of their counts */
  uint64_t seed;           /* so that a peer cannot choose names that all meet in one place */
  shm_give_back *pending;  /* room for as many as there are holds, so that giving back never fails */
  uint32_t pending_count;
  uint32_t pending_room;
} held_table;

void held_init(held_table *table, uint64_t seed);
void held_free(held_table *table);
/* One hold more. PROTOIPC_ELIMIT: HELD_MOST; PROTOIPC_EPROTOCOL: held in another segment; PROTOIPC_ENOMEM. */
int held_take(held_table *table, uint32_t index, uint32_t generation, uint32_t segment);
/* The block's entry, or NULL. Valid until the table changes. */
const held_entry *held_find(const held_table *table, uint32_t index, uint32_t generation);
/* Ends one hold and notes the give-back. PROTOIPC_EINVAL: not held. `segment` is the block's. */
int held_give_back(held_table *table, uint32_t index, uint32_t generation, uint32_t *segment);
/* The first `count` give-backs were told. */
void held_told(held_table *table, uint32_t count);

#endif
