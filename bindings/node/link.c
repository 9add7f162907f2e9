/* A link's life, and what comes on it. */
#include <stdlib.h>

#include "addon.h"

/* ---- The end ---- */

static void free_if_unused(link_handle *link) {
  if (!link->is_freed || link->polls != 0) return;
  if (link->link != NULL) return;
  free(link);
}

static void on_poll_closed(uv_handle_t *handle) {
  link_handle *const link = handle->data;
  addon *const addon = link->addon;
  link->polls--;
  free_if_unused(link);
  addon_handle_closed(addon);
}

/* Unmaps it all, as soon as nothing of it can be seen any more. */
static void close_core(link_handle *link) {
  if (link->link == NULL || (link->pins != 0 && !link->addon->is_ending)) return;
  protoipc_link_close(link->link);
  link->link = NULL;
  arena_drop(link->arena);
}

void link_free(link_handle *link) {
  addon *const addon = link->addon;
  if (!link->is_freed) {
    link->is_shut = link->is_closed = link->is_freed = true;
    loop_forget(link);
    table_remove(&addon->links, link->id);
    windows_end(&link->borrowed);
    windows_end(&link->windows);
    unpin(addon, &link->control);
    unpin(addon, &link->mirror);
    if (link->polls != 0) uv_close((uv_handle_t *)&link->poll, on_poll_closed);
    if (link->has_death) uv_close((uv_handle_t *)&link->death, on_poll_closed);
  }
  close_core(link);
  free_if_unused(link);
}

static void stop_polls(link_handle *link) {
  uv_poll_stop(&link->poll);
  if (link->has_death) uv_poll_stop(&link->death);
}

void link_shutdown(link_handle *link) {
  if (link->is_shut || link->is_closed) return;
  if (!link->is_ended) (void)link_flush(link);
  link->is_shut = true;
  loop_forget(link);
  stop_polls(link);
  if (!link->is_ended) protoipc_link_shutdown(link->link);
}

static void on_readable(uv_poll_t *poll, int status, int events);

/* The peer may still read what we sent, and use blocks of ours. That is no reason for the process to go on. */
static void linger(link_handle *link) {
  if (link->is_ended || !link->is_attached || protoipc_link_linger(link->link) != PROTOIPC_EAGAIN) {
    link_free(link);
    return;
  }
  uv_unref((uv_handle_t *)&link->poll);
  if (!uv_is_active((uv_handle_t *)&link->poll)) (void)uv_poll_start(&link->poll, UV_READABLE, on_readable);
  if (link->has_death && !uv_is_active((uv_handle_t *)&link->death))
    (void)uv_poll_start(&link->death, UV_READABLE, on_readable);
}

void link_release(link_handle *link) {
  if (link->is_closed) return;
  link_shutdown(link);
  link->is_closed = true;
  windows_end(&link->borrowed);
  linger(link);
}

/* No record can come any more. What is borrowed can be read until JavaScript was told. */
void link_ended(link_handle *link) {
  link->is_ended = true;
  stop_polls(link);
  loop_forget(link);
}

static void end(link_handle *link, int code) {
  if (link->is_ended || link->is_shut) return;
  link_ended(link);
  (void)addon_emit(link->addon, EVENT_ENDED, link->id, (uint32_t)-code);
}

/* ---- What the descriptors tell ---- */

static void service(link_handle *link) {
  addon *const addon = link->addon;
  const uint32_t id = link->id;
  if (link->is_closed) {
    linger(link);
    return;
  }
  const int found = protoipc_link_service(link->link);
  if (found < 0) {
    end(link, found);
    return;
  }
  if (((uint32_t)found & PROTOIPC_HUNG_UP) != 0 && !link->is_hung_up) {
    link->is_hung_up = true;
    stop_polls(link);
  }
  if (((uint32_t)found & PROTOIPC_ATTACHED) != 0) {
    link->is_attached = true;
    (void)addon_emit(addon, EVENT_ATTACHED, id, 0);
    if (table_get(&addon->links, id) != link || link->is_shut) return;
  }
  if (!link->is_started) {
    /* Nobody listens yet: what is in the ring waits, but a link that was never attached has nothing to wait for. */
    if (link->is_hung_up && !link->is_attached) end(link, PROTOIPC_ECLOSED);
    return;
  }
  if (((uint32_t)found & (PROTOIPC_RUNG | PROTOIPC_HUNG_UP)) == 0) return;
  loop_touch(link);
  (void)link_deliver(link);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  link_handle *const link = poll->data;
  addon *const addon = link->addon;
  (void)status;
  (void)events;
  service(link);
  addon_close_scope(addon);
}

static int open_poll(link_handle *link, uv_poll_t *poll, int fd) {
  addon *const addon = link->addon;
  if (uv_poll_init(addon->uv, poll, fd) != 0) return PROTOIPC_ESYSTEM;
  poll->data = link;
  link->polls++;
  addon->handles++;
  return uv_poll_start(poll, UV_READABLE, on_readable) == 0 ? PROTOIPC_OK : PROTOIPC_ESYSTEM;
}

int link_open(addon *addon, protoipc_link *core, arena_handle *arena, uint8_t waiting, uint32_t *id) {
  link_handle *const link = calloc(1, sizeof *link);
  if (link == NULL || !table_add(&addon->links, link, &link->id)) {
    free(link);
    protoipc_link_close(core);
    return PROTOIPC_ENOMEM;
  }
  void *own = NULL;
  link->addon = addon;
  link->link = core;
  link->arena = arena;
  link->waiting = waiting;
  arena_retain(arena);
  protoipc_link_own_segment(core, &own, &link->own_bytes);
  link->own = own;
  int code = open_poll(link, &link->poll, protoipc_link_fd(core));
  const int death_fd = protoipc_link_death_fd(core);
  if (code == PROTOIPC_OK && death_fd >= 0) {
    const uint32_t before = link->polls;
    code = open_poll(link, &link->death, death_fd);
    link->has_death = link->polls > before;
    if (link->has_death) uv_unref((uv_handle_t *)&link->death);
  }
  if (code != PROTOIPC_OK) {
    link_free(link);
    return code;
  }
  *id = link->id;
  return PROTOIPC_OK;
}

/* ---- What comes ---- */

/* Who answers what comes does so at the end of a batch: in small ones, so that the peer has work meanwhile. */
enum { ANSWERED_RECORDS = 16 };

bool link_deliver(link_handle *link) {
  addon *const addon = link->addon;
  const uint32_t id = link->id;
  batch *const batch = &addon->batches[0];
  if (!link->is_started || link->is_ended || link->is_shut) return false;
  const uint32_t most = link->answers ? ANSWERED_RECORDS : BATCH_RECORDS;
  link->answers = false;
  const int count =
      protoipc_link_receive(link->link, batch->bytes.data, (uint32_t)batch->bytes.bytes, batch->records.data, most);
  link->is_touched = true;
  if (count < 0) {
    end(link, count);
    return true;
  }
  if (count > 0) {
    bool threw = addon_emit(addon, EVENT_RECORDS, id, (uint32_t)count);
    while (threw) threw = addon_emit(addon, EVENT_RESUME, id, 0);
    if (table_get(&addon->links, id) != link || link->is_shut) return true;
    if (link->owes_flush) (void)link_flush(link);
  }
  if (!link_take_room(link)) return count > 0;
  (void)addon_emit(addon, EVENT_WRITABLE, id, 0);
  return true;
}

void link_give_back(link_handle *link, const protoipc_block *block) {
  if (link->is_shut || protoipc_link_give_back(link->link, block->index, block->generation) != PROTOIPC_OK) return;
  link->owes_flush = true;
  loop_touch(link);
}

void link_unpinned(link_handle *link, const protoipc_block *block) {
  link_give_back(link, block);
  if (link->is_freed) link_free(link);
}
