/* Blocks that we send. */
#include <stdlib.h>
#include <string.h>

#include "addon.h"

void arena_retain(arena_handle *arena) { arena->users++; }

/* JavaScript, each link and each window that was moved is a user. */
void arena_drop(arena_handle *arena) {
  if (--arena->users == 0) arena_free(arena);
}

void arena_free(arena_handle *arena) {
  windows_end(&arena->lent);
  windows_end(&arena->windows);
  protoipc_arena_close(arena->arena);
  table_remove(&arena->addon->arenas, arena->id);
  free(arena->segments);
  free(arena);
}

/* arenaOpen(maxBytes): the id, or an error. */
napi_value js_arenaOpen(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  arena_handle *const made = calloc(1, sizeof *made);
  if (made == NULL) return result_i32(&call, PROTOIPC_ENOMEM);
  made->addon = call.addon;
  made->users = 1;
  int code = protoipc_arena_open((uint64_t)call_number(&call, 0), &made->arena);
  if (code == PROTOIPC_OK && !table_add(&call.addon->arenas, made, &made->id)) {
    protoipc_arena_close(made->arena);
    code = PROTOIPC_ENOMEM;
  }
  if (code == PROTOIPC_OK) return result_i32(&call, (int32_t)made->id);
  free(made);
  return result_i32(&call, code);
}

/* arenaClose(id): links that use it keep it until they are freed. */
napi_value js_arenaClose(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  arena_handle *const arena = table_get(&call.addon->arenas, call_u32(&call, 0));
  if (arena == NULL || arena->is_closed) return NULL;
  arena->is_closed = true;
  windows_end(&arena->lent);
  windows_end(&arena->windows);
  for (uint32_t i = 0; i < arena->segment_room; i++) arena->segments[i] = NULL;
  arena_drop(arena);
  return NULL;
}

/* A segment goes only while one is added, or should be: what JavaScript sees of it is detached before it runs again. */
static void end_retired(arena_handle *arena) {
  for (uint32_t i = 0; i < arena->segment_room; i++) {
    void *data;
    uint64_t bytes;
    if (arena->segments[i] == NULL || protoipc_arena_segment(arena->arena, i, &data, &bytes) == PROTOIPC_OK) continue;
    (void)window_end(arena->segments[i]);
    arena->segments[i] = NULL;
  }
}

/* The block that five numbers name, from argument `i` on: index, generation, segment, offset, bytes. */
static protoipc_block block_of(const call *call, int i) {
  return (protoipc_block){.index = call_u32(call, i),
                          .generation = call_u32(call, i + 1),
                          .segment = call_u32(call, i + 2),
                          .offset = (uint64_t)call_number(call, i + 3),
                          .bytes = (uint64_t)call_number(call, i + 4)};
}

/*
 * Before the arena grows: what peers have given back stands in rings that nobody may have looked at for long, because it
 * is no reason to wake us.
 */
static void collect(const arena_handle *arena) {
  const table *const links = &arena->addon->links;
  for (uint32_t i = 0; i < links->room; i++) {
    link_handle *const link = links->items[i];
    if (link == NULL || link->arena != arena || link->is_shut || link->is_ended) continue;
    /* The loop tells of its end. */
    if (protoipc_link_collect(link->link) < 0) loop_touch(link);
  }
}

static bool has_memory(const arena_handle *arena, uint64_t bytes) {
  protoipc_arena_stats stats;
  protoipc_arena_read_stats(arena->arena, &stats);
  return stats.segment_bytes - stats.block_bytes >= bytes;
}

/* arenaAllocate(id, bytes): 0, and the block in the numbers; or an error. */
napi_value js_arenaAllocate(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 2, &call)) return NULL;
  arena_handle *const arena = table_get(&call.addon->arenas, call_u32(&call, 0));
  if (arena == NULL) return result_i32(&call, PROTOIPC_EINVAL);
  protoipc_block block;
  const uint64_t bytes = (uint64_t)call_number(&call, 1);
  if (!has_memory(arena, bytes)) collect(arena);
  int code = protoipc_arena_allocate(arena->arena, bytes, &block);
  /* There may be enough, in pieces: what is given back may join them. */
  if (code == PROTOIPC_ELIMIT || code == PROTOIPC_ENOMEM) {
    collect(arena);
    code = protoipc_arena_allocate(arena->arena, bytes, &block);
  }
  if (code != PROTOIPC_OK || block.segment >= arena->segment_room || arena->segments[block.segment] == NULL)
    end_retired(arena);
  if (code != PROTOIPC_OK) return result_i32(&call, code);
  double *const numbers = call.addon->numbers.data;
  numbers[0] = block.index;
  numbers[1] = block.generation;
  numbers[2] = block.segment;
  numbers[3] = (double)block.offset;
  numbers[4] = (double)block.bytes;
  return result_i32(&call, PROTOIPC_OK);
}

/* arenaTrim(id, index, generation, segment, offset, bytes, usedBytes) */
napi_value js_arenaTrim(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 7, &call)) return NULL;
  arena_handle *const arena = table_get(&call.addon->arenas, call_u32(&call, 0));
  if (arena == NULL) return result_i32(&call, PROTOIPC_EINVAL);
  protoipc_block block = block_of(&call, 1);
  return result_i32(&call, protoipc_arena_trim(arena->arena, &block, (uint64_t)call_number(&call, 6)));
}

/* arenaRelease(id, index, generation, segment, offset, bytes) */
napi_value js_arenaRelease(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 6, &call)) return NULL;
  arena_handle *const arena = table_get(&call.addon->arenas, call_u32(&call, 0));
  if (arena == NULL) return result_i32(&call, PROTOIPC_EINVAL);
  const protoipc_block block = block_of(&call, 1);
  return result_i32(&call, protoipc_arena_release(arena->arena, &block));
}

/* arenaFill(id, index, generation, segment, offset, bytes, from): copies `from` to the block's beginning. */
napi_value js_arenaFill(napi_env env, napi_callback_info info) {
  call call;
  void *from = NULL;
  size_t bytes = 0;
  if (!call_begin(env, info, 7, &call)) return NULL;
  arena_handle *const arena = table_get(&call.addon->arenas, call_u32(&call, 0));
  if (arena == NULL || !call_bytes(&call, 6, &from, &bytes)) return result_i32(&call, PROTOIPC_EINVAL);
  const protoipc_block block = block_of(&call, 1);
  void *const data = protoipc_arena_data(arena->arena, &block);
  if (data == NULL || bytes > block.bytes) return result_i32(&call, PROTOIPC_EINVAL);
  memcpy(data, from, bytes);
  return result_i32(&call, PROTOIPC_OK);
}

/* arenaSegment(id, segment): an array buffer over it; undefined where there is none, or external memory is forbidden. */
napi_value js_arenaSegment(napi_env env, napi_callback_info info) {
  call call;
  void *data;
  uint64_t bytes;
  napi_value buffer = NULL;
  if (!call_begin(env, info, 2, &call)) return NULL;
  arena_handle *const arena = table_get(&call.addon->arenas, call_u32(&call, 0));
  const uint32_t segment = call_u32(&call, 1);
  if (arena == NULL || arena->is_closed || protoipc_arena_segment(arena->arena, segment, &data, &bytes) != PROTOIPC_OK)
    return NULL;
  if (segment >= arena->segment_room) {
    const uint32_t room = (segment + 1) * 2;
    window **const segments = realloc(arena->segments, room * sizeof *segments);
    if (segments == NULL) return NULL;
    memset(segments + arena->segment_room, 0, (room - arena->segment_room) * sizeof *segments);
    arena->segments = segments;
    arena->segment_room = room;
  }
  if (arena->segments[segment] != NULL) return NULL;
  arena->segments[segment] = window_open(call.addon, data, (size_t)bytes, &arena->windows, &arena->pins, &buffer);
  return arena->segments[segment] == NULL ? NULL : buffer;
}

/* arenaLend(id, index, generation, segment, offset, bytes): an array buffer over the block, its id in the numbers. */
napi_value js_arenaLend(napi_env env, napi_callback_info info) {
  call call;
  napi_value buffer = NULL;
  if (!call_begin(env, info, 6, &call)) return NULL;
  arena_handle *const arena = table_get(&call.addon->arenas, call_u32(&call, 0));
  if (arena == NULL || arena->is_closed) return NULL;
  const protoipc_block block = block_of(&call, 1);
  void *const data = protoipc_arena_data(arena->arena, &block);
  if (data == NULL) return NULL;
  window *const window = window_open(call.addon, data, (size_t)block.bytes, &arena->lent, &arena->pins, &buffer);
  if (window == NULL) return NULL;
  window->arena = arena;
  window->block = block;
  if (!table_add(&call.addon->windows, window, &window->id)) {
    (void)window_end(window);
    return NULL;
  }
  ((double *)call.addon->numbers.data)[0] = window->id;
  return buffer;
}
