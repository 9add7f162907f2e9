/*
 * How a segment is divided into runs of granules, free or in use. Included by arena.c alone.
 *
 * The first and the last granule of a run say how long it is, so that neighbours are joined at once; free runs are in
 * lists by size. To find, to take, to give: a handful of steps, and no system call.
 */
#ifndef PROTOIPC_RUNS_H
#define PROTOIPC_RUNS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* A run's length and this flag share 32 bits. */
#define RUNS_FREE (UINT32_C(1) << 31)
#define RUNS_MAX_LENGTH (RUNS_FREE - 1)
#define RUNS_NONE UINT32_MAX
/* Lengths up to 32 granules have a list each, beyond that four for each doubling: 32 + 26 * 4 lists. */
enum { RUNS_LISTS = 192, RUNS_EXACT_LISTS = 32, RUNS_NEAR_STEPS = 16 };

typedef struct runs_mark {
  uint32_t length;         /* with RUNS_FREE: at the first and the last granule of a run */
  uint32_t previous, next; /* of a free run: its neighbours in its list, RUNS_NONE at the ends; at the first granule */
} runs_mark;

typedef struct arena_runs {
  runs_mark *marks; /* by granule */
  uint32_t granules;
  uint64_t filled[RUNS_LISTS / 64]; /* a bit for each list that is not empty */
  uint32_t lists[RUNS_LISTS];       /* the first run, where the bit is set */
} arena_runs;

static uint32_t runs_list_of(uint32_t length) {
  if (length <= RUNS_EXACT_LISTS) return length - 1;
  const uint32_t doubling = 31 - (uint32_t)__builtin_clz(length);
  return RUNS_EXACT_LISTS + (doubling - 5) * 4 + (length >> (doubling - 2) & 3);
}

static uint32_t runs_length(const arena_runs *runs, uint32_t first) { return runs->marks[first].length & ~RUNS_FREE; }

/* The first run of a list, RUNS_NONE where it is empty. */
static uint32_t runs_first_of(const arena_runs *runs, uint32_t list) {
  return runs->filled[list / 64] >> list % 64 & 1 ? runs->lists[list] : RUNS_NONE;
}

static void runs_mark_both(arena_runs *runs, uint32_t first, uint32_t length, uint32_t flag) {
  runs->marks[first].length = runs->marks[first + length - 1].length = length | flag;
}

/* Puts a run, which is free from now on, at the beginning of its list. */
static void runs_enlist(arena_runs *runs, uint32_t first, uint32_t length) {
  const uint32_t list = runs_list_of(length), next = runs_first_of(runs, list);
  runs_mark_both(runs, first, length, RUNS_FREE);
  runs->marks[first].previous = RUNS_NONE;
  runs->marks[first].next = next;
  if (next != RUNS_NONE) runs->marks[next].previous = first;
  runs->lists[list] = first;
  runs->filled[list / 64] |= UINT64_C(1) << list % 64;
}

/* Takes a free run out of its list; returns its length. */
static uint32_t runs_unlist(arena_runs *runs, uint32_t first) {
  const runs_mark mark = runs->marks[first];
  const uint32_t length = mark.length & ~RUNS_FREE, list = runs_list_of(length);
  if (mark.next != RUNS_NONE) runs->marks[mark.next].previous = mark.previous;
  if (mark.previous != RUNS_NONE) runs->marks[mark.previous].next = mark.next;
  else if (mark.next != RUNS_NONE) runs->lists[list] = mark.next;
  else runs->filled[list / 64] &= ~(UINT64_C(1) << list % 64);
  return length;
}

/* The first run of the first list from `list` on that is not empty; RUNS_NONE: there is none. */
static uint32_t runs_first_from(const arena_runs *runs, uint32_t list) {
  for (uint32_t word = list / 64; word < RUNS_LISTS / 64; word++) {
    const uint64_t above = word == list / 64 ? UINT64_MAX << list % 64 : UINT64_MAX;
    const uint64_t filled = runs->filled[word] & above;
    if (filled != 0) return runs->lists[word * 64 + (uint32_t)__builtin_ctzll(filled)];
  }
  return RUNS_NONE;
}

/* All granules free, as one run. false: there is no memory. */
static bool runs_open(arena_runs *runs, uint32_t granules) {
  *runs = (arena_runs){.granules = granules, .marks = calloc(granules, sizeof *runs->marks)};
  if (runs->marks == NULL) return false;
  runs_enlist(runs, 0, granules);
  return true;
}

/* A free run of at least `length`, RUNS_NONE: there is none. A near fit is looked for in a few steps, then any. */
static uint32_t runs_find(const arena_runs *runs, uint32_t length) {
  const uint32_t list = runs_list_of(length);
  uint32_t near = runs_first_of(runs, list);
  for (int steps = 0; near != RUNS_NONE && steps < RUNS_NEAR_STEPS; steps++) {
    if (runs_length(runs, near) >= length) return near;
    near = runs->marks[near].next;
  }
  const uint32_t larger = runs_first_from(runs, list + 1);
  if (larger != RUNS_NONE) return larger;
  while (near != RUNS_NONE && runs_length(runs, near) < length) near = runs->marks[near].next;
  return near;
}

/* Takes `length` from the beginning of a free run; the rest stays free. */
static void runs_take(arena_runs *runs, uint32_t first, uint32_t length) {
  const uint32_t there = runs_unlist(runs, first);
  runs_mark_both(runs, first, length, 0);
  if (there > length) runs_enlist(runs, first + length, there - length);
}

/* Makes granules that are in use free, and joins them with what is free beside them. */
static void runs_give(arena_runs *runs, uint32_t first, uint32_t length) {
  const uint32_t behind = first + length;
  if (behind < runs->granules && runs->marks[behind].length & RUNS_FREE) length += runs_unlist(runs, behind);
  if (first > 0 && runs->marks[first - 1].length & RUNS_FREE) {
    first -= runs_length(runs, first - 1);
    length += runs_unlist(runs, first);
  }
  runs_enlist(runs, first, length);
}

/* Gives the end of a run that is in use back, so that `length` of it stays. */
static void runs_shorten(arena_runs *runs, uint32_t first, uint32_t length) {
  const uint32_t rest = runs_length(runs, first) - length;
  if (rest == 0) return;
  runs_mark_both(runs, first, length, 0);
  runs_give(runs, first + length, rest);
}

#endif
