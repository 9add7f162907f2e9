/* The module, and what one environment has of it. */
#include "addon.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

/* JavaScript threw, or the engine runs none any more. True: it threw, and the process goes on all the same. */
static bool report(addon *addon) {
  bool is_pending = false;
  napi_value error;
  (void)napi_is_exception_pending(addon->env, &is_pending);
  if (is_pending && napi_get_and_clear_last_exception(addon->env, &error) == napi_ok &&
      napi_fatal_exception(addon->env, error) == napi_ok)
    return true;
  addon->is_silent = true;
  return false;
}

/* So many calls share a scope for handles: opening one is dear, and each call leaves a few in it. */
enum { EMITS_PER_SCOPE = 64 };

static bool open_scope(addon *addon) {
  if (addon->scope != NULL) return true;
  if (napi_open_handle_scope(addon->env, &addon->scope) != napi_ok) {
    addon->scope = NULL;
    return false;
  }
  addon->scope_emits = 0;
  if (napi_get_reference_value(addon->env, addon->on_event, &addon->function) == napi_ok) return true;
  addon_close_scope(addon);
  return false;
}

void addon_close_scope(addon *addon) {
  if (addon->scope == NULL) return;
  (void)napi_close_handle_scope(addon->env, addon->scope);
  addon->scope = NULL;
}

bool addon_emit(addon *addon, uint32_t kind, uint32_t id, uint32_t value) {
  bool threw = false;
  if (addon->is_ending || addon->is_silent || !open_scope(addon)) return false;
  uint32_t *const words = addon->words.data;
  words[0] = kind;
  words[1] = id;
  words[2] = value;
  if (napi_make_callback(addon->env, NULL, addon->function, addon->function, 0, NULL, NULL) != napi_ok)
    threw = report(addon);
  if (++addon->scope_emits >= EMITS_PER_SCOPE) addon_close_scope(addon);
  return threw;
}

/* ---- The end of an environment ---- */

static void free_addon(addon *addon) {
  table_free(&addon->links);
  table_free(&addon->listeners);
  table_free(&addon->arenas);
  table_free(&addon->windows);
  const napi_async_cleanup_hook_handle hook = addon->hook;
  free(addon);
  if (hook != NULL) (void)napi_remove_async_cleanup_hook(hook);
}

void addon_handle_closed(addon *addon) {
  if (--addon->handles == 0) free_addon(addon);
}

/* No JavaScript runs any more. Everything goes, and the loop lets go of its handles before it is closed. */
static void end(napi_async_cleanup_hook_handle hook, void *data) {
  addon *const addon = data;
  napi_handle_scope scope;
  (void)hook;
  addon->is_ending = true;
  const bool has_scope = napi_open_handle_scope(addon->env, &scope) == napi_ok;
  for (uint32_t i = 0; i < addon->listeners.room; i++)
    if (addon->listeners.items[i] != NULL) listener_free(addon->listeners.items[i]);
  for (uint32_t i = 0; i < addon->links.room; i++)
    if (addon->links.items[i] != NULL) link_free(addon->links.items[i]);
  for (uint32_t i = 0; i < addon->arenas.room; i++)
    if (addon->arenas.items[i] != NULL) arena_free(addon->arenas.items[i]);
  for (int i = 0; i < BATCHES; i++) {
    unpin(addon, &addon->batches[i].bytes);
    unpin(addon, &addon->batches[i].records);
  }
  unpin(addon, &addon->words);
  unpin(addon, &addon->numbers);
  if (addon->on_event != NULL) (void)napi_delete_reference(addon->env, addon->on_event);
  if (has_scope) (void)napi_close_handle_scope(addon->env, scope);
  loop_close(addon);
}

/* ---- The module ---- */

typedef struct named_function {
  const char *name;
  napi_callback function;
} named_function;

static const named_function functions[] = {
#define NAMED(name) {#name, js_##name},
    FUNCTIONS(NAMED)
#undef NAMED
};

static bool define(napi_env env, napi_value object, const char *name, napi_callback function, void *data) {
  napi_value value;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, function, data, &value) == napi_ok &&
         napi_set_named_property(env, object, name, value) == napi_ok;
}

/* create(words, numbers, onEvent, forbidsExternal): the functions of binding.ts, with state of their own. */
static napi_value create(napi_env env, napi_callback_info info) {
  addon *const made = calloc(1, sizeof *made);
  napi_value result = NULL;
  call call = {.addon = made, .env = env};
  size_t count = 4;
  if (made == NULL) {
    (void)napi_throw_error(env, "ENOMEM", "there is no memory for the addon");
    return NULL;
  }
  made->env = env;
  bool good = napi_get_cb_info(env, info, &count, call.values, NULL, NULL) == napi_ok && count == 4 &&
              napi_get_uv_event_loop(env, &made->uv) == napi_ok && call_pin(&call, 0, &made->words) &&
              call_pin(&call, 1, &made->numbers) && made->words.bytes >= EVENT_WORDS * sizeof(uint32_t) &&
              made->numbers.bytes >= NUMBERS * sizeof(double) &&
              napi_create_reference(env, call.values[2], 1, &made->on_event) == napi_ok;
  made->forbids_external = good && call_bool(&call, 3);
  good = good && napi_create_object(env, &result) == napi_ok;
  for (size_t i = 0; good && i < sizeof functions / sizeof *functions; i++)
    good = define(env, result, functions[i].name, functions[i].function, made);
  if (good) good = napi_add_async_cleanup_hook(env, end, made, &made->hook) == napi_ok;
  if (good) {
    loop_open(made);
    return result;
  }
  unpin(made, &made->words);
  unpin(made, &made->numbers);
  if (made->on_event != NULL) (void)napi_delete_reference(env, made->on_event);
  free(made);
  (void)napi_throw_type_error(env, NULL, "create takes (words, numbers, onEvent, forbidsExternal)");
  return NULL;
}

/* errorText(code) */
static napi_value error_text(napi_env env, napi_callback_info info) {
  call call = {.env = env};
  size_t count = 1;
  int32_t code = 0;
  if (napi_get_cb_info(env, info, &count, call.values, NULL, NULL) != napi_ok) return NULL;
  (void)napi_get_value_int32(env, call.values[0], &code);
  return result_text(&call, protoipc_strerror(code));
}

/* socketPeer(fd): [pid, uid, gid], or undefined where the kernel does not know. */
static napi_value socket_peer(napi_env env, napi_callback_info info) {
  call call = {.env = env};
  size_t count = 1;
  int32_t fd = -1;
  protoipc_peer peer;
  napi_value result = NULL;
  if (napi_get_cb_info(env, info, &count, call.values, NULL, NULL) != napi_ok) return NULL;
  (void)napi_get_value_int32(env, call.values[0], &fd);
  if (protoipc_socket_peer(fd, &peer) != PROTOIPC_OK) return NULL;
  if (napi_create_array_with_length(env, 3, &result) != napi_ok) return NULL;
  (void)napi_set_element(env, result, 0, result_i32(&call, peer.pid));
  (void)napi_set_element(env, result, 1, result_u32(&call, peer.uid));
  (void)napi_set_element(env, result, 2, result_u32(&call, peer.gid));
  return result;
}

/* lock(fd): 0, or the error. */
static napi_value lock(napi_env env, napi_callback_info info) {
  call call = {.env = env};
  size_t count = 1;
  int32_t fd = -1;
  if (napi_get_cb_info(env, info, &count, call.values, NULL, NULL) != napi_ok) return NULL;
  (void)napi_get_value_int32(env, call.values[0], &fd);
  return result_i32(&call, protoipc_lock(fd));
}

/* mkfifo(path): a FIFO for this user alone. 0, or the negative error number of the system. */
static napi_value make_fifo(napi_env env, napi_callback_info info) {
  call call = {.env = env};
  size_t count = 1;
  char path[PATH_MAX];
  if (napi_get_cb_info(env, info, &count, call.values, NULL, NULL) != napi_ok) return NULL;
  if (!call_text(&call, 0, path, sizeof path)) return result_i32(&call, -EINVAL);
  return result_i32(&call, mkfifo(path, S_IRUSR | S_IWUSR) == 0 ? 0 : -errno);
}

NAPI_MODULE_INIT() {
  napi_value version;
  const bool good = napi_create_uint32(env, protoipc_version(), &version) == napi_ok &&
                    napi_set_named_property(env, exports, "version", version) == napi_ok &&
                    define(env, exports, "create", create, NULL) && define(env, exports, "errorText", error_text, NULL) &&
                    define(env, exports, "socketPeer", socket_peer, NULL) && define(env, exports, "lock", lock, NULL) &&
                    define(env, exports, "mkfifo", make_fifo, NULL);
  return good ? exports : NULL;
}
