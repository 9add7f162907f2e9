#include "link.h"
#include "weaken.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int link_fail(protoipc_link *link, int code, const char *format, ...) {
  if (link->error != 0) return link->error;
  va_list values;
  va_start(values, format);
  vsnprintf(link->reason, sizeof link->reason, format, values);
  va_end(values);
  link->error = code;
  platform_shutdown(link->fd);
  return code;
}

int link_check(const protoipc_link *link) {
  if (link == NULL) return PROTOIPC_EINVAL;
  if (platform_is_forked(link->guard)) return PROTOIPC_EFORKED;
  return link->error;
}

int link_is_hung_up(const protoipc_link *link) { return link->ended || link->dead; }

void link_look_at_process(protoipc_link *link) {
  link->unchecked = 0;
  if (!link->dead && !SHM_WEAKENED(PIDFD) && platform_is_readable(link->death_fd)) link->dead = 1;
}

static int link_is_ours(const protoipc_link *link) { return link != NULL && !platform_is_forked(link->guard); }

int protoipc_link_fd(const protoipc_link *link) {
  if (link == NULL) return PROTOIPC_EINVAL;
  return platform_is_forked(link->guard) ? PROTOIPC_EFORKED : link->fd;
}

int protoipc_link_death_fd(const protoipc_link *link) { return link_is_ours(link) ? link->death_fd : -1; }

void protoipc_link_peer(const protoipc_link *link, protoipc_peer *out) {
  if (link_is_ours(link) && out != NULL) *out = link->peer;
}

const char *protoipc_link_reason(const protoipc_link *link) {
  if (link == NULL) return "";
  return platform_is_forked(link->guard) ? protoipc_strerror(PROTOIPC_EFORKED) : link->reason;
}

void protoipc_link_own_segment(const protoipc_link *link, void **data, uint64_t *bytes) {
  const int ours = link_is_ours(link);
  *data = ours ? link->own : NULL;
  *bytes = ours ? link->own_bytes : 0;
}

void protoipc_link_read_stats(const protoipc_link *link, protoipc_link_stats *out) {
  if (!link_is_ours(link)) return;
  *out = (protoipc_link_stats){
      .records_sent = link->records_sent,
      .records_received = link->records_received,
      .doorbells_sent = link->doorbells_sent,
      .doorbells_received = link->doorbells_received,
      .blocks_held_by_peer = link->holds.blocks,
      .bytes_held_by_peer = link->holds.bytes,
      .blocks_held_by_us = link->held.holds,
      .segments_mapped = link->segment_count,
  };
}

void protoipc_link_shutdown(protoipc_link *link) {
  if (!link_is_ours(link)) return;
  if (link->error == 0) (void)protoipc_link_flush(link);
  platform_shutdown(link->fd);
  link_ring_bell(link); /* after it: whoever wakes has to find the end */
}

enum { link_linger_messages = 256 };

int protoipc_link_linger(protoipc_link *link) {
  if (link == NULL) return PROTOIPC_EINVAL;
  if (platform_is_forked(link->guard)) return PROTOIPC_EFORKED;
  /* What the peer still says means nothing any more; but unread, its descriptors would stay on their way for ever. */
  for (int i = 0; i < link_linger_messages && !link->ended; i++) {
    uint8_t message[8];
    int passed, was_cut, too_many;
    const int bytes = platform_receive(link->fd, message, sizeof message, &passed, &was_cut, &too_many);
    platform_close(passed);
    if (bytes == PROTOIPC_EAGAIN) break;
    if (bytes < 0 && bytes != PROTOIPC_EDESCRIPTORS) link->ended = 1;
  }
  link_look_at_process(link);
  return link_is_hung_up(link) ? 0 : PROTOIPC_EAGAIN;
}

void protoipc_link_close(protoipc_link *link) {
  if (link == NULL) return;
  const int forked = platform_is_forked(link->guard);
  if (link->arena != NULL && !SHM_WEAKENED(DEAD_HOLDS)) arena_leave(link->arena, &link->holds);
  if (forked) {
    /* The connection is the parent's; the maps are not here, and something else may stand in their place. */
    platform_close(link->fd);
  } else {
    platform_hang_up(link->fd);
    link_ring_bell(link);
    link_unmap_segments(link);
    platform_unmap(link->theirs, link->their_bytes);
    platform_unmap(link->own, link->own_bytes);
  }
  platform_close(link->death_fd);
  platform_fork_guard_free(link->guard);
  held_free(&link->held);
  free(link->segments);
  free(link);
}
