/*
 * Blocks, and who holds them.
 *
 * Everything that decides stands in private memory. A segment holds payload bytes and nothing else, so that whatever a
 * peer says or does, the worst is that it is told no.
 *
 * A segment is divided into runs of granules, free or in use: runs.h.
 */
#include "arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "platform.h"
#include "runs.h"
#include "weaken.h"

#define ARENA_GRANULE UINT64_C(4096)
#define ARENA_MAX_BLOCK_BYTES (RUNS_MAX_LENGTH * ARENA_GRANULE)
#define ARENA_DEFAULT_MAX_BYTES (UINT64_C(256) << 20)
/* Two 4 MiB messages, or a thousand of 8 KiB; a few milliseconds to allocate. */
#define ARENA_SEGMENT_BYTES (UINT64_C(8) << 20)

typedef struct arena_segment {
  uint8_t *data;
  int fd;
  uint32_t number;
  uint32_t blocks; /* in it that somebody holds */
  arena_runs runs;
} arena_segment;

typedef struct arena_slot {
  arena_segment *segment; /* NULL: nobody holds such a block */
  uint32_t first, length; /* its run */
  uint32_t generation;    /* of the newest block here; 0: there was none */
  uint32_t links;         /* holds of links, in sum */
  uint32_t next_free;     /* where segment is NULL */
  bool is_owned;          /* held by the caller */
} arena_slot;

struct protoipc_arena {
  uint64_t max_bytes;
  uint64_t segment_bytes, block_bytes;
  arena_segment **segments; /* those that are not retired, by number */
  uint32_t segment_count, segment_room;
  uint32_t next_number;
  arena_slot *slots; /* by index */
  uint32_t slot_count, free_slot, blocks;
  bool is_short; /* the last block that was asked for could not be had */
  uint32_t *retired; /* numbers, from the retired_from-th on: the ones before are told to all */
  uint32_t retired_from, retired_count, retired_room;
  arena_holds *links;
  const volatile uint32_t *guard;
};

static bool is_forked(const protoipc_arena *arena) { return platform_is_forked(arena->guard); }

/* Room for one more in an array of `count`, by doubling. NULL: there is no memory, and the array is as it was. */
static void *grown(void *array, uint32_t count, uint32_t *room, size_t each) {
  if (count < *room) return array;
  const uint32_t more = *room == 0 ? 16 : *room * 2;
  void *const moved = more > *room && more <= SIZE_MAX / each ? realloc(array, more * each) : NULL;
  if (moved != NULL) *room = more;
  return moved;
}

/* ---- Segments ---- */

static uint64_t bytes_of(uint32_t granules) { return granules * ARENA_GRANULE; }

/* The segment of a number, by halving; NULL: retired, or never there. */
static arena_segment *find_segment(const protoipc_arena *arena, uint32_t number) {
  uint32_t from = 0, to = arena->segment_count;
  while (from < to) {
    const uint32_t middle = from + (to - from) / 2;
    if (arena->segments[middle]->number == number) return arena->segments[middle];
    if (arena->segments[middle]->number < number) from = middle + 1;
    else to = middle;
  }
  return NULL;
}

/* In a forked child there is no such mapping: the addresses may be something else's by now. */
static void free_segment(const protoipc_arena *arena, arena_segment *segment) {
  if (!is_forked(arena)) platform_unmap(segment->data, bytes_of(segment->runs.granules));
  platform_close(segment->fd);
  free(segment->runs.marks);
  free(segment);
}

/* Drops from the list of retirements what every link was told. */
static void forget_told(protoipc_arena *arena) {
  uint32_t told = arena->retired_count;
  for (const arena_holds *link = arena->links; link != NULL; link = link->next)
    if (link->retired < told) told = link->retired;
  const uint32_t drop = told - arena->retired_from;
  if (drop == 0) return;
  memmove(arena->retired, arena->retired + drop, (arena->retired_count - told) * sizeof *arena->retired);
  arena->retired_from = told;
}

/* Gives up a segment in which nobody holds anything. false: there is no memory to remember it in. */
static bool retire_segment(protoipc_arena *arena, uint32_t position) {
  forget_told(arena);
  const uint32_t waiting = arena->retired_count - arena->retired_from;
  uint32_t *const retired = grown(arena->retired, waiting, &arena->retired_room, sizeof *retired);
  if (retired == NULL) return false;
  arena_segment *const segment = arena->segments[position];
  arena->retired = retired;
  retired[waiting] = segment->number;
  arena->retired_count++;
  arena->segment_bytes -= bytes_of(segment->runs.granules);
  arena->segment_count--;
  memmove(arena->segments + position, arena->segments + position + 1,
          (arena->segment_count - position) * sizeof *arena->segments);
  free_segment(arena, segment);
  return true;
}

/* Retires segments in which nobody holds anything, the oldest first, until `bytes` more may be added. */
static void retire_for(protoipc_arena *arena, uint64_t bytes) {
  uint32_t position = 0;
  while (position < arena->segment_count && arena->max_bytes - arena->segment_bytes < bytes) {
    if (arena->segments[position]->blocks != 0) position++;
    else if (!retire_segment(arena, position)) return;
  }
}

static uint64_t unused_bytes(const protoipc_arena *arena) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < arena->segment_count; i++)
    if (arena->segments[i]->blocks == 0) bytes += bytes_of(arena->segments[i]->runs.granules);
  return bytes;
}

/*
 * How large a new segment for a block of `need` should be: a quarter of what there is, so that the number of segments
 * stays below a peer's limit of 64 whatever the arena grows to, and a multiple of the block, so that its like fit too.
 */
static uint64_t segment_size(const protoipc_arena *arena, uint64_t need) {
  const uint64_t quarter = arena->segment_bytes / 4 / ARENA_GRANULE * ARENA_GRANULE;
  const uint64_t usual = quarter > ARENA_SEGMENT_BYTES ? quarter : ARENA_SEGMENT_BYTES;
  const uint64_t size = (usual + need - 1) / need * need, room = arena->max_bytes - arena->segment_bytes;
  const uint64_t most = room < ARENA_MAX_BLOCK_BYTES ? room / ARENA_GRANULE * ARENA_GRANULE : ARENA_MAX_BLOCK_BYTES;
  return size < most ? size : most;
}

/* Memory from the system: as much as would be good, or else as much as must be, or else instead of what is unused. */
static int create_memory(protoipc_arena *arena, uint64_t *size, uint64_t need, int *fd, void **data) {
  int code = platform_segment_create(*size, fd, data);
  if (code == PROTOIPC_ENOMEM && *size > need) code = platform_segment_create(*size = need, fd, data);
  if ((code != PROTOIPC_ENOMEM && code != PROTOIPC_EDESCRIPTORS) || unused_bytes(arena) == 0) return code;
  retire_for(arena, UINT64_MAX);
  return platform_segment_create(*size = need, fd, data);
}

/* A new segment, all of it one free run, with room for a block of `need`. */
static int add_segment(protoipc_arena *arena, uint64_t need, arena_segment **out) {
  if (arena->max_bytes - arena->segment_bytes + unused_bytes(arena) < need) return PROTOIPC_ELIMIT;
  if (arena->next_number == UINT32_MAX) return PROTOIPC_ELIMIT;
  retire_for(arena, need);
  if (arena->max_bytes - arena->segment_bytes < need) return PROTOIPC_ENOMEM;
  arena_segment **const segments = grown(arena->segments, arena->segment_count, &arena->segment_room, sizeof *segments);
  if (segments == NULL) return PROTOIPC_ENOMEM;
  arena->segments = segments;

  uint64_t size = segment_size(arena, need);
  int fd = -1;
  void *data = NULL;
  const int code = create_memory(arena, &size, need, &fd, &data);
  if (code != PROTOIPC_OK) return code;
  arena_segment *const segment = calloc(1, sizeof *segment);
  if (segment == NULL || !runs_open(&segment->runs, (uint32_t)(size / ARENA_GRANULE))) {
    platform_unmap(data, size);
    platform_close(fd);
    free(segment);
    return PROTOIPC_ENOMEM;
  }
  segment->data = data;
  segment->fd = fd;
  segment->number = arena->next_number++;
  arena->segments[arena->segment_count++] = segment;
  arena->segment_bytes += size;
  *out = segment;
  return PROTOIPC_OK;
}

/* ---- Slots ---- */

/* Makes sure that there is a free slot. */
static bool have_slot(protoipc_arena *arena) {
  if (arena->free_slot != RUNS_NONE) return true;
  uint32_t room = arena->slot_count;
  arena_slot *const slots = grown(arena->slots, arena->slot_count, &room, sizeof *slots);
  if (slots == NULL) return false;
  arena->slots = slots;
  for (uint32_t i = room; i-- > arena->slot_count;) {
    slots[i] = (arena_slot){.next_free = arena->free_slot};
    arena->free_slot = i;
  }
  arena->slot_count = room;
  return true;
}

/* The slot that a caller's block names, if the caller holds it; else NULL. */
static arena_slot *owned_slot(const protoipc_arena *arena, const protoipc_block *block) {
  if (block == NULL || block->index >= arena->slot_count) return NULL;
  arena_slot *const slot = &arena->slots[block->index];
  if (slot->segment == NULL || !slot->is_owned || slot->generation != block->generation) return NULL;
  return slot->segment->number == block->segment && bytes_of(slot->first) == block->offset ? slot : NULL;
}

/* Frees the block where nobody holds it any more. */
static void free_if_unheld(protoipc_arena *arena, uint32_t index) {
  arena_slot *const slot = &arena->slots[index];
  if (slot->is_owned || slot->links != 0) return;
  runs_give(&slot->segment->runs, slot->first, slot->length);
  slot->segment->blocks--;
  arena->blocks--;
  arena->block_bytes -= bytes_of(slot->length);
  slot->segment = NULL;
  slot->next_free = arena->free_slot;
  arena->free_slot = index;
}

/* ---- What the caller holds ---- */

int protoipc_arena_open(uint64_t max_bytes, protoipc_arena **out) {
  if (out == NULL) return PROTOIPC_EINVAL;
  if (max_bytes == 0) max_bytes = ARENA_DEFAULT_MAX_BYTES;
  if (max_bytes < ARENA_GRANULE) return PROTOIPC_EINVAL;
  protoipc_arena *const arena = calloc(1, sizeof *arena);
  if (arena == NULL) return PROTOIPC_ENOMEM;
  arena->max_bytes = max_bytes;
  arena->free_slot = RUNS_NONE;
  const int code = platform_fork_guard(&arena->guard);
  if (code != PROTOIPC_OK) {
    free(arena);
    return code;
  }
  *out = arena;
  return PROTOIPC_OK;
}

void protoipc_arena_close(protoipc_arena *arena) {
  if (arena == NULL) return;
  for (uint32_t i = 0; i < arena->segment_count; i++) free_segment(arena, arena->segments[i]);
  platform_fork_guard_free(arena->guard);
  free(arena->segments);
  free(arena->slots);
  free(arena->retired);
  free(arena);
}

int protoipc_arena_allocate(protoipc_arena *arena, uint64_t bytes, protoipc_block *out) {
  if (arena == NULL || out == NULL || bytes == 0) return PROTOIPC_EINVAL;
  if (is_forked(arena)) return PROTOIPC_EFORKED;
  if (bytes > arena->max_bytes / ARENA_GRANULE * ARENA_GRANULE || bytes > ARENA_MAX_BLOCK_BYTES)
    return PROTOIPC_ETOOLARGE;
  if (!have_slot(arena)) return PROTOIPC_ENOMEM;
  const uint32_t length = (uint32_t)((bytes + ARENA_GRANULE - 1) / ARENA_GRANULE);
  arena_segment *segment = NULL;
  uint32_t first = RUNS_NONE;
  for (uint32_t i = 0; i < arena->segment_count && first == RUNS_NONE; i++) {
    segment = arena->segments[i];
    first = runs_find(&segment->runs, length);
  }
  if (first == RUNS_NONE) {
    const int code = add_segment(arena, bytes_of(length), &segment);
    if (code != PROTOIPC_OK) {
      arena->is_short = true;
      return code;
    }
    first = 0;
  }
  arena->is_short = false;
  runs_take(&segment->runs, first, length);
  segment->blocks++;
  arena->blocks++;
  arena->block_bytes += bytes_of(length);

  const uint32_t index = arena->free_slot;
  arena_slot *const slot = &arena->slots[index];
  const uint32_t generation = slot->generation == UINT32_MAX ? 1 : slot->generation + 1;
  arena->free_slot = slot->next_free;
  *slot =
      (arena_slot){.segment = segment, .first = first, .length = length, .generation = generation, .is_owned = true};
  *out = (protoipc_block){.index = index, .generation = generation, .segment = segment->number,
                          .offset = bytes_of(first), .bytes = bytes_of(length)};
  return PROTOIPC_OK;
}

int protoipc_arena_trim(protoipc_arena *arena, protoipc_block *block, uint64_t bytes) {
  if (arena == NULL) return PROTOIPC_EINVAL;
  if (is_forked(arena)) return PROTOIPC_EFORKED;
  arena_slot *const slot = owned_slot(arena, block);
  if (slot == NULL || slot->links != 0 || bytes == 0 || bytes > bytes_of(slot->length)) return PROTOIPC_EINVAL;
  const uint32_t length = (uint32_t)((bytes + ARENA_GRANULE - 1) / ARENA_GRANULE), rest = slot->length - length;
  block->bytes = bytes_of(length);
  runs_shorten(&slot->segment->runs, slot->first, length);
  slot->length = length;
  arena->block_bytes -= bytes_of(rest);
  return PROTOIPC_OK;
}

int protoipc_arena_release(protoipc_arena *arena, const protoipc_block *block) {
  if (arena == NULL) return PROTOIPC_EINVAL;
  if (is_forked(arena)) return PROTOIPC_EFORKED;
  arena_slot *const slot = owned_slot(arena, block);
  if (slot == NULL) return PROTOIPC_EINVAL;
  slot->is_owned = false;
  free_if_unheld(arena, block->index);
  return PROTOIPC_OK;
}

void *protoipc_arena_data(protoipc_arena *arena, const protoipc_block *block) {
  if (arena == NULL || is_forked(arena)) return NULL;
  const arena_slot *const slot = owned_slot(arena, block);
  return slot == NULL ? NULL : slot->segment->data + bytes_of(slot->first);
}

int protoipc_arena_segment(protoipc_arena *arena, uint32_t segment, void **data, uint64_t *bytes) {
  if (arena == NULL || data == NULL || bytes == NULL) return PROTOIPC_EINVAL;
  if (is_forked(arena)) return PROTOIPC_EFORKED;
  const arena_segment *const found = find_segment(arena, segment);
  if (found == NULL) return PROTOIPC_EINVAL;
  *data = found->data;
  *bytes = bytes_of(found->runs.granules);
  return PROTOIPC_OK;
}

void protoipc_arena_read_stats(const protoipc_arena *arena, protoipc_arena_stats *out) {
  *out = (protoipc_arena_stats){.segments = arena->segment_count, .segment_bytes = arena->segment_bytes,
                                .blocks = arena->blocks, .block_bytes = arena->block_bytes};
}

/* ---- What links hold ---- */

int arena_is_short(const protoipc_arena *arena) { return arena != NULL && arena->is_short; }

void arena_join(protoipc_arena *arena, arena_holds *holds) {
  *holds = (arena_holds){.next = arena->links, .retired = arena->retired_count};
  if (arena->links != NULL) arena->links->previous = holds;
  arena->links = holds;
}

void arena_leave(protoipc_arena *arena, arena_holds *holds) {
  for (uint32_t index = 0; index < holds->length && holds->blocks != 0; index++) {
    const uint32_t count = holds->counts[index];
    if (count == 0) continue;
    holds->blocks -= count;
    arena->slots[index].links -= count;
    free_if_unheld(arena, index);
  }
  if (holds->next != NULL) holds->next->previous = holds->previous;
  if (holds->previous != NULL) holds->previous->next = holds->next;
  else arena->links = holds->next;
  free(holds->counts);
  *holds = (arena_holds){0};
}

/* A count for every index that there is. */
static bool have_count(const protoipc_arena *arena, arena_holds *holds, uint32_t index) {
  if (index < holds->length) return true;
  uint32_t *const counts = realloc(holds->counts, arena->slot_count * sizeof *counts);
  if (counts == NULL) return false;
  memset(counts + holds->length, 0, (arena->slot_count - holds->length) * sizeof *counts);
  holds->counts = counts;
  holds->length = arena->slot_count;
  return true;
}

int arena_hold(protoipc_arena *arena, arena_holds *holds, const protoipc_block *block, uint64_t offset, uint64_t bytes,
               uint32_t max_blocks, uint64_t max_bytes) {
  arena_slot *const slot = owned_slot(arena, block);
  if (slot == NULL) return PROTOIPC_EINVAL;
  const uint64_t whole = bytes_of(slot->length);
  if (bytes == 0 || offset > whole || bytes > whole - offset) return PROTOIPC_EINVAL;
  if (whole > max_bytes) return PROTOIPC_ETOOLARGE;
  if (holds->blocks >= max_blocks || holds->bytes > max_bytes - whole || slot->links == UINT32_MAX)
    if (!SHM_WEAKENED(HOLD_LIMIT)) return PROTOIPC_ELIMIT;
  if (!have_count(arena, holds, block->index)) return PROTOIPC_ENOMEM;
  holds->counts[block->index]++;
  holds->blocks++;
  holds->bytes += whole;
  slot->links++;
  return PROTOIPC_OK;
}

int arena_unhold(protoipc_arena *arena, arena_holds *holds, uint32_t index, uint32_t generation) {
  if (index >= holds->length && !SHM_WEAKENED(GIVE_BACK_INDEX)) return PROTOIPC_EPROTOCOL;
  if (holds->counts[index] == 0 && !SHM_WEAKENED(GIVE_BACK_HELD)) return PROTOIPC_EPROTOCOL;
  arena_slot *const slot = &arena->slots[index];
  if (slot->generation != generation && !SHM_WEAKENED(GIVE_BACK_GENERATION)) return PROTOIPC_EPROTOCOL;
  holds->counts[index]--;
  holds->blocks--;
  holds->bytes -= bytes_of(slot->length);
  slot->links--;
  free_if_unheld(arena, index);
  return PROTOIPC_OK;
}

/* ---- What links are told ---- */

int arena_segment_fd(const protoipc_arena *arena, uint32_t segment, uint64_t *bytes) {
  const arena_segment *const found = find_segment(arena, segment);
  if (found == NULL) return -1;
  *bytes = bytes_of(found->runs.granules);
  return found->fd;
}

uint32_t arena_segments(const protoipc_arena *arena) { return arena->next_number; }

uint32_t arena_retired_count(const protoipc_arena *arena) { return arena->retired_count; }

uint32_t arena_retired(const protoipc_arena *arena, uint32_t i) { return arena->retired[i - arena->retired_from]; }
