/* Array buffers over memory of ours or of a peer, and their ends. */
#include <stdlib.h>

#include "addon.h"

/*
 * The engine has let go of the memory. Called on JavaScript's thread, some time after the buffer was detached; and at
 * the end of an environment at any time, or never.
 */
static void finalize(napi_env env, void *data, void *hint) {
  window *const window = hint;
  (void)env;
  (void)data;
  window->is_finalized = true;
  if (!window->is_ended) return;
  if (window->is_moved) {
    --*window->pins;
    if (window->arena != NULL) {
      (void)protoipc_arena_release(window->arena->arena, &window->block);
      arena_drop(window->arena);
    }
    if (window->link != NULL) link_unpinned(window->link, &window->block);
  }
  free(window);
}

window *window_open(addon *addon, void *data, size_t bytes, window **list, uint32_t *pins, napi_value *out) {
  if (addon->forbids_external) return NULL;
  window *const made = calloc(1, sizeof *made);
  if (made == NULL) return NULL;
  made->addon = addon;
  made->list = list;
  made->pins = pins;
  const napi_status status = napi_create_external_arraybuffer(addon->env, data, bytes, finalize, made, out);
  if (status == napi_no_external_buffers_allowed) addon->forbids_external = true;
  if (status != napi_ok) {
    free(made);
    return NULL;
  }
  if (napi_create_reference(addon->env, *out, 1, &made->buffer) != napi_ok) {
    (void)napi_detach_arraybuffer(addon->env, *out);
    made->is_ended = true; /* freed when the engine lets go */
    return NULL;
  }
  made->next = *list;
  if (*list != NULL) (*list)->previous = made;
  *list = made;
  return made;
}

bool window_end(window *window) {
  addon *const addon = window->addon;
  napi_handle_scope scope;
  bool was_detached = false;
  if (window->next != NULL) window->next->previous = window->previous;
  if (window->previous != NULL) window->previous->next = window->next;
  else *window->list = window->next;
  if (window->id != 0) table_remove(&addon->windows, window->id);
  if (napi_open_handle_scope(addon->env, &scope) == napi_ok) {
    napi_value buffer = NULL;
    if (napi_get_reference_value(addon->env, window->buffer, &buffer) == napi_ok && buffer != NULL) {
      (void)napi_is_detached_arraybuffer(addon->env, buffer, &was_detached);
      if (!was_detached) (void)napi_detach_arraybuffer(addon->env, buffer);
    }
    (void)napi_close_handle_scope(addon->env, scope);
  }
  (void)napi_delete_reference(addon->env, window->buffer);
  const bool is_moved = was_detached && !window->is_finalized && !addon->is_ending;
  window->is_ended = true;
  window->is_moved = is_moved;
  if (is_moved) {
    ++*window->pins;
    if (window->arena != NULL) arena_retain(window->arena);
  } else if (window->is_finalized) {
    free(window);
  }
  return is_moved;
}

void windows_end(window **list) {
  while (*list != NULL) (void)window_end(*list);
}

/* windowEnd(id): 1 where the memory was moved elsewhere and is still in use there, else 0. */
napi_value js_windowEnd(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  window *const window = table_get(&call.addon->windows, call_u32(&call, 0));
  if (window == NULL) return result_i32(&call, 0);
  link_handle *const link = window->link;
  const protoipc_block block = window->block;
  const bool is_moved = window_end(window);
  if (link != NULL && !is_moved) link_give_back(link, &block);
  return result_i32(&call, is_moved ? 1 : 0);
}
