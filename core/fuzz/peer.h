/* A link of the library whose peer is the input: the other end of its socket, and segments that are kept between runs. */
#ifndef PROTOIPC_FUZZ_PEER_H
#define PROTOIPC_FUZZ_PEER_H

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../src/link.h"
#include "../src/segment.h"
#include "fuzz.h"

enum { peer_ring_bytes = 4096, peer_bytes = SHM_RING_OFFSET + peer_ring_bytes, peer_arenas = 2, peer_arena_bytes = 8192 };

/* What lives as long as the process: making a file costs more than a run. */
typedef struct peer_files {
  int segment_fd;
  shm_segment *segment;
  int arena_fds[peer_arenas];
  int unsealed_fd, pipe_fd;
  protoipc_arena *arena; /* the library's side */
} peer_files;

typedef struct peer {
  protoipc_link *link;
  int fd;
  shm_segment *own; /* of peer_bytes, writable */
  int next_fds;     /* as they were before */
  const shm_segment *mapped; /* by the link */
} peer;

/* The sum of the next descriptors that there would be: where one is left open, it is larger than before. */
static inline int peer_next_fds(void) {
  int fds[8], sum = 0;
  for (int i = 0; i < 8; i++) {
    fds[i] = dup(STDERR_FILENO);
    MUST(fds[i] >= 0);
    sum += fds[i];
  }
  for (int i = 0; i < 8; i++) close(fds[i]);
  return sum;
}

static inline const peer_files *peer_have_files(void) {
  static peer_files files;
  void *data = NULL;
  if (files.segment != NULL) return &files;
  MUST(platform_segment_create(peer_bytes, &files.segment_fd, &data) == 0);
  files.segment = data;
  for (int i = 0; i < peer_arenas; i++)
    MUST(platform_segment_create(peer_arena_bytes, &files.arena_fds[i], &data) == 0);
  files.unsealed_fd = memfd_create("unsealed", MFD_CLOEXEC);
  MUST(files.unsealed_fd >= 0 && ftruncate(files.unsealed_fd, peer_bytes) == 0);
  int pair[2];
  MUST(pipe(pair) == 0);
  files.pipe_fd = pair[0];
  MUST(protoipc_arena_open(64 << 10, &files.arena) == 0);
  protoipc_block block; /* so that its segment is there */
  MUST(protoipc_arena_allocate(files.arena, 1, &block) == 0 && protoipc_arena_release(files.arena, &block) == 0);
  return &files;
}

static inline shm_header peer_header(void) {
  return (shm_header){.magic = SHM_MAGIC,
                      .layout_version = SHM_LAYOUT_VERSION,
                      .segment_bytes = peer_bytes,
                      .ring_offset = SHM_RING_OFFSET,
                      .ring_bytes = peer_ring_bytes};
}

/* `how` chooses which of the limits comes first. */
static inline peer peer_open(uint8_t how) {
  const peer_files *files = peer_have_files();
  const protoipc_options asked = {.ring_bytes = peer_ring_bytes,
                                  .max_ring_bytes = 1 << 20,
                                  .max_block_bytes = peer_arena_bytes,
                                  .max_segments = how % 2 == 0 ? 2 : 8,
                                  .max_mapped_bytes = how % 2 == 0 ? 8 * peer_arena_bytes : 2 * peer_arena_bytes,
                                  .max_held_blocks = 4,
                                  .max_held_bytes = 32 << 10};
  protoipc_options options;
  peer self = {.own = files->segment, .next_fds = peer_next_fds()};
  int pair[2];
  memset(self.own, 0, peer_bytes);
  self.own->header = peer_header();
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
  self.fd = pair[1];
  MUST(link_resolve_options(&asked, &options) == 0);
  MUST(link_create(pair[0], &options, files->arena, &self.link) == 0);
  return self;
}

/* Closes all, and sees that nothing is left of the link. */
static inline void peer_close(peer *self) {
  const peer_files *files = peer_have_files();
  protoipc_arena_stats stats;
  protoipc_link_close(self->link);
  close(self->fd);
  MUST(peer_next_fds() == self->next_fds);
  protoipc_arena_read_stats(files->arena, &stats);
  MUST(stats.blocks == 0);
}

/* Sends any message, with any of the descriptors that there are: 0 and 1 are none. */
static inline void peer_send(peer *self, const void *message, size_t bytes, uint8_t which) {
  const peer_files *files = peer_have_files();
  const int fds[] = {-1, -1, files->segment_fd, files->arena_fds[0], files->arena_fds[1], files->unsealed_fd, files->pipe_fd};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(2 * sizeof(int))];
  } control;
  struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = bytes};
  struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};
  const int first = fds[which % 7], count = which >= 0xf0 ? 2 : 1;
  if (first >= 0) {
    memset(&control, 0, sizeof control);
    envelope.msg_control = &control;
    envelope.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(&control.header), &first, sizeof first);
    if (count == 2) memcpy(CMSG_DATA(&control.header) + sizeof first, &first, sizeof first);
  }
  (void)sendmsg(self->fd, &envelope, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static inline void peer_attach(peer *self) {
  const shm_attach message = segment_attach_message(peer_bytes);
  peer_send(self, &message, sizeof message, 2);
  MUST(protoipc_link_service(self->link) == (int)PROTOIPC_ATTACHED);
}

/* What is true of a link that ended, and of one that did not. */
static inline void peer_check(peer *self, int result) {
  const protoipc_link *link = self->link;
  if (link->attached) MUST(link->their_bytes == peer_bytes && (self->mapped == NULL || self->mapped == link->theirs));
  self->mapped = link->theirs;
  MUST(link->mapped_bytes <= link->options.max_mapped_bytes && link->segment_count <= link->options.max_segments);
  if (result >= 0) return;
  MUST(result > -17 && result != PROTOIPC_EINVAL && result != PROTOIPC_EFORKED);
  if (result != PROTOIPC_EAGAIN && result != PROTOIPC_ECLOSED && result != PROTOIPC_ETOOLARGE &&
      result != PROTOIPC_ELIMIT && result != PROTOIPC_ETIMEDOUT)
    MUST(*protoipc_link_reason(self->link) != 0);
}

#endif
