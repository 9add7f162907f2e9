/* What JavaScript names by a number: the place in the lower bits, above it how often the place was given. */
#include <stdlib.h>
#include <string.h>

#include "addon.h"

enum { PLACE_BITS = 20, COUNT_BITS = 10, MOST_PLACES = 1 << PLACE_BITS };

static uint32_t place_of(uint32_t id) { return id & (MOST_PLACES - 1); }

static bool grow(table *table) {
  if (table->room == MOST_PLACES) return false;
  const uint32_t room = table->room == 0 ? 16 : table->room * 2;
  void **const items = realloc(table->items, room * sizeof *items);
  if (items == NULL) return false;
  table->items = items;
  uint32_t *const ids = realloc(table->ids, room * sizeof *ids);
  if (ids == NULL) return false;
  table->ids = ids;
  uint32_t *const places = realloc(table->free_places, room * sizeof *places);
  if (places == NULL) return false;
  table->free_places = places;
  for (uint32_t place = room; place-- > table->room;) {
    items[place] = NULL;
    ids[place] = place | 1u << PLACE_BITS;
    places[table->free_count++] = place;
  }
  table->room = room;
  return true;
}

bool table_add(table *table, void *item, uint32_t *id) {
  if (table->free_count == 0 && !grow(table)) return false;
  const uint32_t place = table->free_places[--table->free_count];
  table->items[place] = item;
  *id = table->ids[place];
  return true;
}

void *table_get(const table *table, uint32_t id) {
  const uint32_t place = place_of(id);
  return place < table->room && table->ids[place] == id ? table->items[place] : NULL;
}

void table_remove(table *table, uint32_t id) {
  if (table_get(table, id) == NULL) return;
  const uint32_t place = place_of(id), count = (id >> PLACE_BITS) + 1;
  table->items[place] = NULL;
  table->ids[place] = place | (count >> COUNT_BITS != 0 ? 1u : count) << PLACE_BITS;
  table->free_places[table->free_count++] = place;
}

void table_free(table *table) {
  free(table->items);
  free(table->ids);
  free(table->free_places);
  memset(table, 0, sizeof *table);
}
