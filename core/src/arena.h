/* The blocks that we send. Who holds what is known here alone, in private memory; nobody writes the segments but us. */
#ifndef PROTOIPC_ARENA_H
#define PROTOIPC_ARENA_H

#include "../include/protoipc.h"

/* What one link's peer holds. Lives in the link; the arena fills it. */
typedef struct arena_holds {
  uint32_t *counts;     /* by block index: how often the peer holds it */
  uint32_t length;      /* of counts; grows on demand */
  uint64_t blocks;      /* sum of counts */
  uint64_t bytes;       /* of the payload's blocks, each hold counted */
  struct arena_holds *previous, *next; /* all of an arena, for retiring segments */
  uint32_t announced;   /* segments below this are announced to the peer, or were retired before they could be */
  uint32_t retired;     /* retirements below this in the arena's list are told, or need not be */
} arena_holds;

/* Whether the last allocation failed for want of memory: then blocks that are given back are waited for. */
int arena_is_short(const protoipc_arena *arena);

void arena_join(protoipc_arena *arena, arena_holds *holds);
/* Ends every hold that is left, and forgets the link. */
void arena_leave(protoipc_arena *arena, arena_holds *holds);
/*
 * The peer is about to hold the block, which the caller holds; the payload is `bytes` (at least 1) from `offset`. What
 * counts against the limits is the whole block. PROTOIPC_EINVAL: no such block or part of it; PROTOIPC_ETOOLARGE:
 * larger than max_bytes; PROTOIPC_ELIMIT, PROTOIPC_ENOMEM.
 */
int arena_hold(protoipc_arena *arena, arena_holds *holds, const protoipc_block *block, uint64_t offset, uint64_t bytes,
               uint32_t max_blocks, uint64_t max_bytes);
/* Undoes an arena_hold that was not sent, and is how a give-back ends one. PROTOIPC_EPROTOCOL: the peer holds no such. */
int arena_unhold(protoipc_arena *arena, arena_holds *holds, uint32_t index, uint32_t generation);

/*
 * What a link tells its peer, in this order:
 * 1. every retirement from holds->retired on, counting that up: SHM_MSG_RETIRE where the segment is below
 *    holds->announced, and nothing where it is not, for then the peer never knew it;
 * 2. only then segments from holds->announced on, counting that up: SHM_MSG_SEGMENT, and nothing where the descriptor
 *    is -1, for then it was retired before.
 * Where 1 stops because the socket is full, 2 does not begin. So the peer never maps more than the arena has, and is
 * never told of the end of what it did not know.
 */
/* The descriptor of a segment, to be sent; -1 where it is retired. How many segments there ever were. */
int arena_segment_fd(const protoipc_arena *arena, uint32_t segment, uint64_t *bytes);
uint32_t arena_segments(const protoipc_arena *arena);
/*
 * The segments that were retired, in the order of retiring: the i-th, for i from a joined link's holds->retired up to
 * arena_retired_count. (What all links were told is forgotten.)
 */
uint32_t arena_retired_count(const protoipc_arena *arena);
uint32_t arena_retired(const protoipc_arena *arena, uint32_t i);

#endif
