/* How a link begins: options, the peer's user, the exchange of segments. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "segment.h"
#include "weaken.h"

enum {
  link_default_max_block_bytes = 4 << 20,
  link_default_max_segments = 64,
  link_default_max_mapped_bytes = 256 << 20,
  link_default_max_held_blocks = 1024,
  link_default_max_held_bytes = 128 << 20,
  link_most_segments = 65536
};

static void link_default32(uint32_t *field, uint32_t value) {
  if (*field == 0) *field = value;
}

static void link_default64(uint64_t *field, uint64_t value) {
  if (*field == 0) *field = value;
}

int link_resolve_options(const protoipc_options *options, protoipc_options *out) {
  protoipc_options all;
  memset(&all, 0, sizeof all);
  if (options != NULL) all = *options;
  for (size_t i = 0; i < sizeof all.reserved / sizeof all.reserved[0]; i++)
    if (all.reserved[i] != 0) return PROTOIPC_EINVAL;
  link_default32(&all.ring_bytes, SHM_DEFAULT_RING_BYTES);
  link_default32(&all.max_ring_bytes, SHM_MAX_RING_BYTES);
  link_default64(&all.max_block_bytes, link_default_max_block_bytes);
  link_default32(&all.max_segments, link_default_max_segments);
  link_default64(&all.max_mapped_bytes, link_default_max_mapped_bytes);
  link_default32(&all.max_held_blocks, link_default_max_held_blocks);
  link_default64(&all.max_held_bytes, link_default_max_held_bytes);
  if (all.ring_bytes < SHM_MIN_RING_BYTES || all.ring_bytes > SHM_MAX_RING_BYTES) return PROTOIPC_EINVAL;
  if ((all.ring_bytes & (all.ring_bytes - 1)) != 0) return PROTOIPC_EINVAL;
  if (all.max_ring_bytes < SHM_MIN_RING_BYTES || all.max_ring_bytes > SHM_MAX_RING_BYTES) return PROTOIPC_EINVAL;
  if (all.max_segments > link_most_segments || all.max_held_blocks > HELD_MOST) return PROTOIPC_EINVAL;
  *out = all;
  return 0;
}

void link_send_reject(int fd, uint32_t why) {
  const shm_reject message = {.type = SHM_MSG_REJECT,
                              .why = why,
                              .min_layout_version = SHM_LAYOUT_VERSION,
                              .max_layout_version = SHM_LAYOUT_VERSION};
  (void)platform_send(fd, &message, sizeof message, -1); /* should it not go, the socket's end tells enough */
}

/* Everything that needs no peer. What was made is in the link, whatever the result. */
static int link_allocate(protoipc_link *link, int *segment_fd) {
  int result = platform_fork_guard(&link->guard);
  if (result != 0) return result;
  link->segments = calloc(link->options.max_segments, sizeof *link->segments);
  if (link->segments == NULL) return PROTOIPC_ENOMEM;
  /* The time and where our memory stands: nothing that a peer could know to the bit. */
  held_init(&link->held, platform_now_ns() * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)(uintptr_t)link);
  result = segment_create(link->options.ring_bytes, &link->own, &link->own_bytes, segment_fd);
  if (result == 0) ring_writer_init(&link->writer, link->own, NULL, link->options.ring_bytes);
  return result;
}

static uint32_t link_reject_of(int result) {
  if (result == PROTOIPC_EDENIED) return SHM_REJECT_DENIED;
  return SHM_REJECT_BUSY;
}

static int link_introduce(protoipc_link *link, int segment_fd) {
  const shm_attach message = segment_attach_message(link->own_bytes);
  const int result = platform_send(link->fd, &message, sizeof message, segment_fd);
  /* A peer that refused us at once has closed already, but its reason is still to be read. */
  return result == PROTOIPC_ECLOSED ? 0 : result;
}

static int link_meet(protoipc_link *link) {
  int result = platform_socket_peer(link->fd, &link->peer);
  if (result != 0) return result;
  if (!link->options.any_uid && link->peer.uid != platform_effective_uid() && !SHM_WEAKENED(PEER_USER))
    return PROTOIPC_EDENIED;
  result = platform_peer_pidfd(link->fd, &link->peer, &link->death_fd);
  if (result != PROTOIPC_ECLOSED) return result;
  link->dead = 1;
  return 0;
}

int link_create(int fd, const protoipc_options *options, protoipc_arena *arena, protoipc_link **out) {
  protoipc_link *link = calloc(1, sizeof *link);
  int segment_fd = -1;
  int result = link == NULL ? PROTOIPC_ENOMEM : 0;
  if (link == NULL) {
    link_send_reject(fd, SHM_REJECT_BUSY);
    platform_hang_up(fd);
    return result;
  }
  link->options = *options;
  link->fd = fd;
  link->death_fd = -1;
  result = link_meet(link);
  if (result == 0) result = link_allocate(link, &segment_fd);
  if (result == 0) result = link_introduce(link, segment_fd);
  platform_close(segment_fd);
  if (result != 0) {
    link_send_reject(fd, link_reject_of(result));
    if (link->guard != NULL)
      protoipc_link_close(link);
    else {
      platform_hang_up(fd);
      platform_close(link->death_fd);
      free(link);
    }
    return result;
  }
  if (arena != NULL) {
    link->arena = arena;
    arena_join(arena, &link->holds);
  }
  *out = link;
  return 0;
}

int protoipc_dial(const char *path, const protoipc_options *options, protoipc_arena *arena, protoipc_link **out) {
  protoipc_options all;
  int fd = -1;
  if (path == NULL || out == NULL) return PROTOIPC_EINVAL;
  int result = link_resolve_options(options, &all);
  if (result == 0) result = platform_connect(path, &fd);
  return result != 0 ? result : link_create(fd, &all, arena, out);
}

static uint32_t link_reject_of_attach(int result) {
  if (result == PROTOIPC_EVERSION) return SHM_REJECT_VERSION;
  return result == PROTOIPC_EPROTOCOL ? SHM_REJECT_SEGMENT : SHM_REJECT_BUSY;
}

int link_attach(protoipc_link *link, const shm_attach *attach, int passed) {
  segment_fault fault;
  uint64_t ring_bytes = 0;
  const int result = segment_open(attach, passed, link->options.max_ring_bytes, &link->theirs, &ring_bytes, &fault);
  if (result != 0) {
    link_send_reject(link->fd, link_reject_of_attach(result));
    return link_fail(link, result, "%s", fault.text);
  }
  link->their_bytes = SHM_RING_OFFSET + ring_bytes;
  ring_writer_init(&link->writer, link->own, link->theirs, link->options.ring_bytes);
  ring_reader_init(&link->reader, link->own, link->theirs, ring_bytes);
  link->attached = 1;
  link->found |= PROTOIPC_ATTACHED;
  return 0;
}
