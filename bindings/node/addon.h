/*
 * The Node-API addon: what JavaScript calls is declared, with types and docstrings, in binding.ts; here is what the C
 * files share. One `addon` per call of `create`, all of it on one thread, its event loop's.
 *
 * JavaScript runs in two ways only: it called us, or addon_emit called it from a callback of the event loop. What may
 * happen meanwhile: anything that binding.ts offers. So whoever calls addon_emit looks again at all that it knew.
 */
#ifndef PROTOIPC_ADDON_H
#define PROTOIPC_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "../../core/include/protoipc.h"

/* ---- Numbers that binding.ts has too ---- */

/* What addon_emit tells: event[0]; event[1] is the link's or listener's id. */
enum {
  EVENT_RECORDS = 1,  /* event[2]: how many, in batch 0 */
  EVENT_RESUME = 2,   /* the receiver threw: the rest of the records of batch 0 */
  EVENT_ATTACHED = 3, /* the link can be used */
  EVENT_ACCEPTED = 4, /* event[2]: the id of a link that is not attached yet */
  EVENT_ENDED = 5,    /* event[2]: the error, as a number from 1 */
  EVENT_WRITABLE = 6, /* reserve was refused and may be asked again */
  EVENT_FAILED = 7,   /* a listener cannot accept for now: event[2] is the error; it has stopped */
  EVENT_WORDS = 4
};

/* The Float64Array for results that have several parts. */
enum { NUMBERS = 8 };

/*
 * The words of a link that both sides write, while the other one waits: where in our segment the next record's header
 * goes, where the room for records ends, how many records JavaScript has laid there since, and how long each body is.
 */
enum { CONTROL_NEXT = 0, CONTROL_END = 1, CONTROL_COUNT = 2, CONTROL_LENGTHS = 3, CONTROL_WORDS = 128 };

enum { WAITING_ADAPTIVE = 0, WAITING_EVENT = 1, WAITING_SPIN = 2 };

/* Deliveries nest where a receiver waits for another record: a batch for each depth. */
enum { BATCHES = 8, BATCH_RECORDS = 256, RECORD_WORDS = sizeof(protoipc_record) / 4 };

/* ---- Tables: what JavaScript names by a number ---- */

/* An id is a place and a count, so that one that is over names nothing. Above 0, and a small integer in JavaScript. */
typedef struct table {
  void **items;
  uint32_t *ids; /* of the item, or the next one of a free place */
  uint32_t *free_places;
  uint32_t room, free_count;
} table;

bool table_add(table *table, void *item, uint32_t *id);
void *table_get(const table *table, uint32_t id);
void table_remove(table *table, uint32_t id);
void table_free(table *table);

/* ---- What there is ---- */

typedef struct addon addon;
typedef struct link_handle link_handle;

/* Memory of ours that JavaScript writes into. */
typedef struct pinned {
  napi_ref reference;
  void *data;
  size_t bytes;
} pinned;

typedef struct batch {
  pinned bytes;   /* a Uint8Array */
  pinned records; /* a Uint32Array of BATCH_RECORDS * RECORD_WORDS */
} batch;

/*
 * An array buffer over memory that is not JavaScript's. It is detached when its time is over. JavaScript can have moved
 * the memory to another buffer before that (ArrayBuffer.prototype.transfer): then the memory stays until the engine
 * has no use for it any more, and what it belongs to lives so long.
 */
typedef struct window {
  addon *addon;
  uint32_t id; /* where JavaScript ends it; else 0 */
  napi_ref buffer;
  struct window *previous, *next; /* of the owner's list, until it has ended */
  struct window **list;
  uint32_t *pins;       /* of the owner: windows whose memory was moved and is still in use */
  link_handle *link;    /* of a received block that is borrowed: whose, and which */
  struct arena_handle *arena; /* of a block that is lent: whose, and which */
  protoipc_block block;
  bool is_ended;     /* detached */
  bool is_moved;     /* at its end it was elsewhere: the owner waits until the engine lets go */
  bool is_finalized; /* the engine has let go */
} window;

/* An arena, for as long as a link, a block or JavaScript needs it. */
typedef struct arena_handle {
  addon *addon;
  protoipc_arena *arena;
  uint32_t id, users, pins;
  bool is_closed;    /* JavaScript needs it no more */
  window **segments; /* by segment; NULL: not shown, or retired */
  uint32_t segment_room;
  window *windows, *lent; /* lists: over segments; over blocks that are lent */
} arena_handle;

typedef struct listener_handle {
  addon *addon;
  protoipc_listener *listener;
  arena_handle *arena; /* of its links */
  uv_poll_t poll;
  uint32_t id;
  uint8_t waiting;
} listener_handle;

struct link_handle {
  addon *addon;
  protoipc_link *link;
  arena_handle *arena;
  uint32_t id;
  uint8_t waiting;
  bool is_attached;
  bool is_started; /* JavaScript wants records */
  bool is_hung_up; /* the descriptors have nothing more to say, and are not polled */
  bool is_ended;   /* EVENT_ENDED was told */
  bool is_shut;    /* JavaScript sends and receives no more */
  bool is_closed;  /* JavaScript needs it no more */
  bool is_freed;   /* its handles are being closed */
  bool is_active;  /* in the loop's list of links that are looked at */
  bool is_asleep;  /* the peer has to ring */
  bool is_touched; /* used since the loop looked at the clock */
  bool wants_room; /* for wanted_bytes; the ring had none */
  bool is_refused; /* JavaScript was told that there is none, and not yet that there is */
  bool tells_room; /* it is to be told now */
  bool owes_flush; /* blocks were given back */
  bool answers;    /* something was sent since the last batch */
  uint32_t wanted_bytes;
  uint64_t used_ns; /* when a record came or went last, by the loop's looks at the clock */
  link_handle *previous_active, *next_active;

  uv_poll_t poll, death;
  uint32_t polls; /* that are not closed yet */
  bool has_death;

  pinned control; /* a Uint32Array of CONTROL_WORDS */
  pinned mirror;  /* where external memory is forbidden: a Uint8Array, which our segment becomes at each commit */
  uint8_t *own;
  uint64_t own_bytes;
  uint32_t laid_from; /* where in our segment the first record goes that JavaScript lays */
  window *segment;    /* over our own segment */
  window *windows, *borrowed; /* lists: of the one above; of received blocks */
  uint32_t pins;
};

struct addon {
  napi_env env;
  uv_loop_t *uv;
  napi_async_cleanup_hook_handle hook;
  bool is_ending; /* the environment is being torn down */
  bool is_silent; /* the engine runs no JavaScript any more */
  bool forbids_external;

  uv_prepare_t prepare;
  uv_check_t check;
  uv_idle_t idle;
  bool is_watching, is_idle;
  uint32_t handles;          /* of libuv, that are not closed yet */
  link_handle *active;       /* looked at in each turn */
  link_handle *next_to_look; /* kept right when the list changes meanwhile */
  uint32_t fruitless;        /* spins since the last record */
  uint32_t spins_earned;     /* up to MOST_SPINS_EARNED */

  napi_ref on_event;
  napi_handle_scope scope; /* open while a callback of the event loop runs that has called JavaScript; else NULL */
  napi_value function;     /* on_event in it */
  uint32_t scope_emits;
  pinned words;   /* a Uint32Array of EVENT_WORDS: what an event is about */
  pinned numbers; /* a Float64Array of NUMBERS: results that have several parts */
  batch batches[BATCHES];
  table links, listeners, arenas, windows;
};

/* ---- addon.c ---- */

/* Calls JavaScript from the event loop, and runs what it left for later. True where it threw, and may be called again. */
bool addon_emit(addon *addon, uint32_t kind, uint32_t id, uint32_t value);
/* Every callback of the event loop that may have called addon_emit ends with this. */
void addon_close_scope(addon *addon);
/* A handle of libuv is closed; the last one ends the teardown. */
void addon_handle_closed(addon *addon);

/* ---- values.c: arguments and results ---- */

enum { MOST_ARGUMENTS = 10 };
typedef struct call {
  addon *addon;
  napi_env env;
  napi_value values[MOST_ARGUMENTS];
} call;
/* The first `count` arguments of a call. False where the environment is being torn down. */
bool call_begin(napi_env env, napi_callback_info info, size_t count, call *out);
uint32_t call_u32(const call *call, int i);
double call_number(const call *call, int i);
bool call_bool(const call *call, int i);
/* A text of 1 to room - 2 bytes without a zero. */
bool call_text(const call *call, int i, char *text, size_t room);
/* A typed array's memory; false where there is none. */
bool call_bytes(const call *call, int i, void **data, size_t *bytes);
/* Keeps a typed array's memory, in place of what was kept. */
bool call_pin(const call *call, int i, pinned *out);
void unpin(addon *addon, pinned *pinned);
napi_value result_i32(const call *call, int32_t value);
napi_value result_u32(const call *call, uint32_t value);
napi_value result_text(const call *call, const char *text);

/* ---- loop.c ---- */

void loop_open(addon *addon);
void loop_close(addon *addon);
/* The link was used: it is looked at from now on, and awake. */
void loop_touch(link_handle *link);
void loop_forget(link_handle *link);

/* ---- link.c ---- */

/* Takes `link`, also where it fails. */
int link_open(addon *addon, protoipc_link *link, arena_handle *arena, uint8_t waiting, uint32_t *id);
/* Takes what has come and tells JavaScript; true where there was anything. */
bool link_deliver(link_handle *link);
/* Commits what JavaScript has laid, rings, and looks for room anew. */
int link_flush(link_handle *link);
int link_commit_laid(link_handle *link);
/* Whether JavaScript, which was refused room, is to be told that there is some; says so once. */
bool link_take_room(link_handle *link);
/* No record can come any more. */
void link_ended(link_handle *link);
/* Sends what is laid, and tells the peer that this is the end. */
void link_shutdown(link_handle *link);
/* JavaScript needs it no more: what it sent can be read as long as the peer lives, then it is freed. */
void link_release(link_handle *link);
/* Frees it, whatever the peer does. */
void link_free(link_handle *link);
/* The block leaves with the next flush, which the loop does. */
void link_give_back(link_handle *link, const protoipc_block *block);
/* A window over a received block was moved, and the engine has let go of it. */
void link_unpinned(link_handle *link, const protoipc_block *block);

/* ---- listener.c ---- */

void listener_free(listener_handle *listener);

/* ---- windows.c ---- */

/* NULL where the engine forbids such memory, or has none; addon->forbids_external says which. */
window *window_open(addon *addon, void *data, size_t bytes, window **list, uint32_t *pins, napi_value *out);
/* Detaches it. True where its memory was moved: then it must not be used anew until the engine lets go. */
bool window_end(window *window);
void windows_end(window **list);

/* ---- arenas.c ---- */

void arena_retain(arena_handle *arena);
void arena_drop(arena_handle *arena);
void arena_free(arena_handle *arena);

/* ---- What JavaScript can call ---- */

#define FUNCTIONS(X)                                                                                              \
  X(setBatch) X(arenaOpen) X(arenaClose) X(arenaAllocate) X(arenaTrim) X(arenaRelease) X(arenaFill)               \
  X(arenaSegment) X(arenaLend) X(listen) X(listenerResume) X(listenerClose) X(dial) X(linkFacts) X(linkReason)    \
  X(linkSetUp) X(linkStart) X(reserve) X(flush) X(send) X(commitBlock) X(receive) X(copyBlock) X(borrow)          \
  X(giveBack) X(windowEnd) X(linkShutdown) X(linkClose) X(linkStats) X(counts)
#define DECLARE(name) napi_value js_##name(napi_env env, napi_callback_info info);
FUNCTIONS(DECLARE)
#undef DECLARE

#endif
