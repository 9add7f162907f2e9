/* Taking links. */
#include <stdlib.h>
#include <string.h>

#include "addon.h"

/* So many in one go: what else is there has its turn, too. */
enum { ACCEPTS_PER_CALL = 16, PATH_ROOM = 256 };

static void on_closed(uv_handle_t *handle) {
  listener_handle *const listener = handle->data;
  addon *const addon = listener->addon;
  free(listener);
  addon_handle_closed(addon);
}

void listener_free(listener_handle *listener) {
  addon *const addon = listener->addon;
  table_remove(&addon->listeners, listener->id);
  uv_close((uv_handle_t *)&listener->poll, on_closed);
  protoipc_listener_close(listener->listener);
  listener->listener = NULL;
  if (listener->arena != NULL) arena_drop(listener->arena);
  listener->arena = NULL;
}

static void accept_some(listener_handle *listener) {
  addon *const addon = listener->addon;
  const uint32_t id = listener->id;
  for (int i = 0; i < ACCEPTS_PER_CALL; i++) {
    protoipc_link *link = NULL;
    uint32_t link_id = 0;
    int code = protoipc_accept(listener->listener, listener->arena->arena, &link);
    if (code == PROTOIPC_OK) code = link_open(addon, link, listener->arena, listener->waiting, &link_id);
    if (code == PROTOIPC_OK) {
      (void)addon_emit(addon, EVENT_ACCEPTED, id, link_id);
      if (table_get(&addon->listeners, id) == NULL) return;
    } else if (code == PROTOIPC_EAGAIN) {
      return;
    } else if (code == PROTOIPC_ENOMEM || code == PROTOIPC_ESYSTEM || code == PROTOIPC_ENOTSUP) {
      /* The connection may still be there, and the descriptor readable for ever. */
      uv_poll_stop(&listener->poll);
      (void)addon_emit(addon, EVENT_FAILED, id, (uint32_t)-code);
      return;
    }
    /* Else one was there and is refused: that is its loss, the next one may be good. */
  }
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  listener_handle *const listener = poll->data;
  addon *const addon = listener->addon;
  (void)status;
  (void)events;
  accept_some(listener);
  addon_close_scope(addon);
}

static int start(listener_handle *listener) { return uv_poll_start(&listener->poll, UV_READABLE, on_readable); }

/* The limits, from argument `i` on: ringBytes, maxBlockBytes. */
static protoipc_options options_of(const call *call, int i) {
  return (protoipc_options){.ring_bytes = call_u32(call, i), .max_block_bytes = (uint64_t)call_number(call, i + 1)};
}

/* listen(path, arenaId, waiting, ringBytes, maxBlockBytes): the id, or an error. */
napi_value js_listen(napi_env env, napi_callback_info info) {
  call call;
  char path[PATH_ROOM];
  if (!call_begin(env, info, 5, &call)) return NULL;
  addon *const addon = call.addon;
  arena_handle *const arena = table_get(&addon->arenas, call_u32(&call, 1));
  if (arena == NULL || !call_text(&call, 0, path, sizeof path)) return result_i32(&call, PROTOIPC_EINVAL);
  listener_handle *const made = calloc(1, sizeof *made);
  if (made == NULL) return result_i32(&call, PROTOIPC_ENOMEM);
  made->addon = addon;
  made->waiting = (uint8_t)call_u32(&call, 2);
  const protoipc_options options = options_of(&call, 3);
  const int code = protoipc_listen(path, &options, &made->listener);
  if (code != PROTOIPC_OK) {
    free(made);
    return result_i32(&call, code);
  }
  if (!table_add(&addon->listeners, made, &made->id) ||
      uv_poll_init(addon->uv, &made->poll, protoipc_listener_fd(made->listener)) != 0) {
    if (made->id != 0) table_remove(&addon->listeners, made->id);
    protoipc_listener_close(made->listener);
    free(made);
    return result_i32(&call, PROTOIPC_ENOMEM);
  }
  addon->handles++;
  made->poll.data = made;
  made->arena = arena;
  arena_retain(arena);
  if (start(made) != 0) {
    listener_free(made);
    return result_i32(&call, PROTOIPC_ESYSTEM);
  }
  return result_i32(&call, (int32_t)made->id);
}

/* listenerResume(id): accepts again after EVENT_FAILED. */
napi_value js_listenerResume(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  listener_handle *const listener = table_get(&call.addon->listeners, call_u32(&call, 0));
  if (listener != NULL) (void)start(listener);
  return NULL;
}

/* listenerClose(id) */
napi_value js_listenerClose(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  listener_handle *const listener = table_get(&call.addon->listeners, call_u32(&call, 0));
  if (listener != NULL) listener_free(listener);
  return NULL;
}

/* dial(path, arenaId, waiting, ringBytes, maxBlockBytes): the id of a link that is not attached yet, or an error. */
napi_value js_dial(napi_env env, napi_callback_info info) {
  call call;
  char path[PATH_ROOM];
  uint32_t id = 0;
  protoipc_link *link = NULL;
  if (!call_begin(env, info, 5, &call)) return NULL;
  arena_handle *const arena = table_get(&call.addon->arenas, call_u32(&call, 1));
  if (arena == NULL || !call_text(&call, 0, path, sizeof path)) return result_i32(&call, PROTOIPC_EINVAL);
  const protoipc_options options = options_of(&call, 3);
  int code = protoipc_dial(path, &options, arena->arena, &link);
  if (code == PROTOIPC_OK) code = link_open(call.addon, link, arena, (uint8_t)call_u32(&call, 2), &id);
  return result_i32(&call, code == PROTOIPC_OK ? (int32_t)id : code);
}
