/* The segment of a link's side: the header that never changes. What moves in it is the rings' (ring.h). */
#ifndef PROTOIPC_SEGMENT_H
#define PROTOIPC_SEGMENT_H

#include "../include/protoipc.h"
#include "layout.h"

/* Why the peer's segment is refused, for people on this side. */
typedef struct segment_fault {
  char text[192];
} segment_fault;

/* A segment of our own with an empty ring. The descriptor is only needed to send it. */
int segment_create(uint32_t ring_bytes, shm_segment **out, uint64_t *bytes, int *fd);
/* What is told about it with the descriptor. */
shm_attach segment_attach_message(uint64_t bytes);
/*
 * Checks an attach message of the right size and maps the segment that came with it. `ring_bytes` is the checked size of
 * its ring; the header is not to be read again. PROTOIPC_EVERSION, PROTOIPC_EPROTOCOL, PROTOIPC_ENOMEM.
 */
int segment_open(const shm_attach *attach, int fd, uint32_t max_ring_bytes, const shm_segment **out,
                 uint64_t *ring_bytes, segment_fault *fault);

#endif
