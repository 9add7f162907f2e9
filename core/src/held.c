#include "held.h"

#include <stdlib.h>
#include <string.h>

#include "weaken.h"

void held_init(held_table *table, uint64_t seed) { *table = (held_table){.seed = seed}; }

void held_free(held_table *table) {
  free(table->entries);
  free(table->pending);
  *table = (held_table){.seed = table->seed};
}

/* The finishing steps of SplitMix64: every bit of the name and of the seed moves every bit of the place. */
static uint32_t held_home(const held_table *table, uint32_t index, uint32_t generation) {
  uint64_t name = ((uint64_t)generation << 32 | index) + table->seed;
  name = (name ^ name >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  name = (name ^ name >> 27) * UINT64_C(0x94d049bb133111eb);
  return (uint32_t)(name ^ name >> 31) & (table->capacity - 1);
}

/* Where the name stands, or the free place where it belongs. At least a quarter of the places is free. */
static held_entry *held_place(const held_table *table, uint32_t index, uint32_t generation) {
  uint32_t at = held_home(table, index, generation);
  for (;;) {
    held_entry *entry = &table->entries[at];
    if (entry->count == 0 || (entry->index == index && entry->generation == generation)) return entry;
    at = (at + 1) & (table->capacity - 1);
  }
}

static int held_grow(held_table *table) {
  held_table larger = *table;
  larger.capacity = table->capacity == 0 ? 16 : table->capacity * 2;
  larger.entries = calloc(larger.capacity, sizeof *larger.entries);
  if (larger.entries == NULL) return PROTOIPC_ENOMEM;
  for (uint32_t i = 0; i < table->capacity; i++) {
    const held_entry *entry = &table->entries[i];
    if (entry->count != 0) *held_place(&larger, entry->index, entry->generation) = *entry;
  }
  free(table->entries);
  *table = larger;
  return 0;
}

static int held_make_room(held_table *table) {
  if (table->used >= table->capacity / 4 * 3) {
    const int result = held_grow(table);
    if (result != 0) return result;
  }
  if (table->holds + table->pending_count < table->pending_room) return 0;
  const uint32_t room = table->pending_room == 0 ? 16 : table->pending_room * 2;
  shm_give_back *pending = realloc(table->pending, room * sizeof *pending);
  if (pending == NULL) return PROTOIPC_ENOMEM;
  table->pending = pending;
  table->pending_room = room;
  return 0;
}

int held_take(held_table *table, uint32_t index, uint32_t generation, uint32_t segment) {
  if (table->holds + table->pending_count >= HELD_MOST && !SHM_WEAKENED(HELD_MOST)) return PROTOIPC_ELIMIT;
  const int result = held_make_room(table);
  if (result != 0) return result;
  held_entry *entry = held_place(table, index, generation);
  if (entry->count == 0) {
    *entry = (held_entry){.index = index, .generation = generation, .segment = segment};
    table->used++;
  } else if (entry->segment != segment && !SHM_WEAKENED(HELD_SEGMENT)) {
    return PROTOIPC_EPROTOCOL;
  }
  entry->count++;
  table->holds++;
  return 0;
}

const held_entry *held_find(const held_table *table, uint32_t index, uint32_t generation) {
  if (table->capacity == 0) return NULL;
  const held_entry *entry = held_place(table, index, generation);
  return entry->count == 0 ? NULL : entry;
}

/* Frees an entry and closes the gap: whatever behind it would no longer be found moves up. */
static void held_remove(held_table *table, held_entry *entry) {
  const uint32_t mask = table->capacity - 1;
  uint32_t gap = (uint32_t)(entry - table->entries);
  for (uint32_t at = (gap + 1) & mask; table->entries[at].count != 0; at = (at + 1) & mask) {
    const held_entry *next = &table->entries[at];
    const uint32_t home = held_home(table, next->index, next->generation);
    if (((at - home) & mask) < ((at - gap) & mask)) continue; /* its home lies behind the gap */
    table->entries[gap] = *next;
    gap = at;
  }
  memset(&table->entries[gap], 0, sizeof table->entries[gap]);
  table->used--;
}

int held_give_back(held_table *table, uint32_t index, uint32_t generation, uint32_t *segment) {
  if (table->capacity == 0) return PROTOIPC_EINVAL;
  held_entry *entry = held_place(table, index, generation);
  if (entry->count == 0) return PROTOIPC_EINVAL;
  *segment = entry->segment;
  table->pending[table->pending_count++] = (shm_give_back){.index = index, .generation = generation};
  table->holds--;
  if (--entry->count == 0) held_remove(table, entry);
  return 0;
}

void held_told(held_table *table, uint32_t count) {
  table->pending_count -= count;
  memmove(table->pending, table->pending + count, table->pending_count * sizeof *table->pending);
}
