/* Records and blocks on their way out, and what must be told before they go. */
#include <inttypes.h>
#include <string.h>

#include "link.h"

uint32_t protoipc_link_max_record_bytes(const protoipc_link *link) {
  if (link == NULL || platform_is_forked(link->guard)) return 0;
  return ring_max_body(link->writer.capacity);
}

/* 0, or why nothing can be sent now. */
static int link_check_send(const protoipc_link *link) {
  const int result = link_check(link);
  if (result != 0) return result;
  if (link_is_hung_up(link)) return PROTOIPC_ECLOSED;
  return link->attached ? 0 : PROTOIPC_EAGAIN;
}

/* Room in our ring for one record. What the peer's cursor says must make sense. */
static int link_reserve(protoipc_link *link, uint32_t body_bytes, protoipc_window *out) {
  ring_fault fault;
  const int result = ring_reserve(&link->writer, body_bytes, out, &fault);
  return result == PROTOIPC_EPROTOCOL ? link_fail(link, result, "%s", fault.text) : result;
}

int protoipc_link_reserve(protoipc_link *link, uint32_t body_bytes, protoipc_window *out) {
  if (out == NULL) return PROTOIPC_EINVAL;
  const int result = link_check_send(link);
  if (result == PROTOIPC_EAGAIN) link->room_missed = 1;
  if (result != 0) return result;
  link->room_missed = 0;
  return link_reserve(link, body_bytes, out);
}

int protoipc_link_commit(protoipc_link *link, const uint32_t *lengths, uint32_t count) {
  int result = link_check_send(link);
  if (result != 0) return result;
  if (lengths == NULL) return PROTOIPC_EINVAL;
  result = ring_commit(&link->writer, lengths, count);
  if (result == 0) link->records_sent += count;
  return result;
}

int protoipc_link_send(protoipc_link *link, const void *body, uint32_t bytes) {
  protoipc_window window;
  int result = protoipc_link_reserve(link, bytes, &window);
  if (result != 0) return result;
  if (bytes != 0) memcpy((uint8_t *)link->own + window.offset + PROTOIPC_RECORD_HEADER, body, bytes);
  result = ring_commit(&link->writer, &bytes, 1);
  if (result == 0) link->records_sent++;
  return result;
}

/* ---- Blocks ---- */

/*
 * Tells which announced segments were retired, in order. What the peer never knew is passed over; that is why all is
 * told before anything more is announced.
 */
static int link_tell_retired(protoipc_link *link) {
  const uint32_t count = arena_retired_count(link->arena);
  while (link->holds.retired < count) {
    const uint32_t segment = arena_retired(link->arena, link->holds.retired);
    if (segment < link->holds.announced) {
      const shm_announce message = {.type = SHM_MSG_RETIRE, .segment = segment};
      const int result = platform_send(link->fd, &message, sizeof message, -1);
      if (result != 0) return result;
    }
    link->holds.retired++;
  }
  return 0;
}

/* Announces what is not announced yet, up to and with `segment`. */
static int link_announce(protoipc_link *link, uint32_t segment) {
  if (segment < link->holds.announced) return 0;
  int result = link_tell_retired(link);
  while (result == 0 && link->holds.announced <= segment) {
    uint64_t bytes = 0;
    const int fd = arena_segment_fd(link->arena, link->holds.announced, &bytes);
    if (fd >= 0) { /* else it was retired before this link needed it */
      const shm_announce message = {.type = SHM_MSG_SEGMENT, .segment = link->holds.announced, .bytes = bytes};
      result = platform_send(link->fd, &message, sizeof message, fd);
    }
    if (result == 0) link->holds.announced++;
  }
  return result;
}

/* Behind the head: zero bytes up to a multiple of 8, then the name. Returns the body's bytes. */
static uint32_t link_lay_block(const protoipc_link *link, uint32_t head_bytes, const shm_block_name *name) {
  uint8_t *head = link->writer.data + (link->writer.padded & (link->writer.capacity - 1)) + PROTOIPC_RECORD_HEADER;
  const uint32_t pad = -head_bytes & 7;
  memset(head + head_bytes, 0, pad);
  memcpy(head + head_bytes + pad, name, sizeof *name);
  return head_bytes + pad + (uint32_t)sizeof *name;
}

/* Whether a head and a name fit the window that is out. */
static int link_block_fits(const protoipc_link *link, uint32_t head_bytes) {
  const uint64_t body = ((uint64_t)head_bytes + 7) / 8 * 8 + sizeof(shm_block_name);
  return body <= ring_max_body(link->writer.capacity) && PROTOIPC_RECORD_HEADER + body <= link->writer.window_bytes;
}

int protoipc_link_commit_block(protoipc_link *link, uint32_t head_bytes, const protoipc_block *block, uint64_t offset,
                               uint64_t bytes) {
  int result = link_check_send(link);
  if (result != 0) return result;
  if (block == NULL || link->arena == NULL || !link_block_fits(link, head_bytes)) return PROTOIPC_EINVAL;
  result = arena_hold(link->arena, &link->holds, block, offset, bytes, link->options.max_held_blocks,
                      link->options.max_held_bytes);
  /* Who was asleep may not have seen what was given back meanwhile. */
  if (result == PROTOIPC_ELIMIT && protoipc_link_collect(link) == 0)
    result = arena_hold(link->arena, &link->holds, block, offset, bytes, link->options.max_held_blocks,
                        link->options.max_held_bytes);
  link->block_missed = result == PROTOIPC_ELIMIT;
  if (result != 0) return result;
  result = link_announce(link, block->segment);
  if (result != 0) {
    (void)arena_unhold(link->arena, &link->holds, block->index, block->generation);
    return result;
  }
  const shm_block_name name = {.index = block->index,
                               .generation = block->generation,
                               .segment = block->segment,
                               .offset = block->offset + offset,
                               .bytes = bytes};
  const uint32_t body_bytes = link_lay_block(link, head_bytes, &name);
  result = ring_commit_kind(&link->writer, SHM_FRAME_WITH_BLOCK, (uint8_t)(-head_bytes & 7), body_bytes);
  if (result == 0)
    link->records_sent++;
  else
    (void)arena_unhold(link->arena, &link->holds, block->index, block->generation);
  return result;
}

/* ---- Flushing ---- */

/* Commits what give-backs the ring has room for, many in a record. PROTOIPC_EAGAIN: some wait for room. */
static int link_commit_give_backs(protoipc_link *link) {
  const uint32_t each = (uint32_t)sizeof(shm_give_back);
  while (link->held.pending_count != 0) {
    const uint32_t most = ring_max_body(link->writer.capacity) / each;
    const uint32_t count = link->held.pending_count < most ? link->held.pending_count : most;
    protoipc_window window;
    int result = link_reserve(link, count * each, &window);
    if (result != 0) return result;
    memcpy((uint8_t *)link->own + window.offset + PROTOIPC_RECORD_HEADER, link->held.pending, count * each);
    result = ring_commit_kind(&link->writer, SHM_GIVE_BACK, 0, count * each);
    if (result != 0) return result;
    held_told(&link->held, count);
  }
  return 0;
}

int protoipc_link_flush(protoipc_link *link) {
  int result = link_check_send(link);
  if (result == PROTOIPC_EAGAIN || result == PROTOIPC_ECLOSED) return 0;
  if (result != 0) return result;
  link->writer.window_bytes = 0;
  /* That the socket or the ring is full is no failure here: it is tried again with the next flush. */
  if (link->arena != NULL) (void)link_tell_retired(link);
  (void)link_commit_give_backs(link);
  return link->error != 0 ? link->error : link_ring(link);
}
