#include "segment.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "platform.h"
#include "weaken.h"

int segment_create(uint32_t ring_bytes, shm_segment **out, uint64_t *out_bytes, int *fd) {
  const uint64_t bytes = (uint64_t)SHM_RING_OFFSET + ring_bytes;
  void *data = NULL;
  const int result = platform_segment_create(bytes, fd, &data);
  if (result != 0) return result;
  /* The memory is fresh, and so zero: cursors, sleep and all that is reserved. */
  shm_segment *own = data;
  own->header.magic = SHM_MAGIC;
  own->header.layout_version = SHM_LAYOUT_VERSION;
  own->header.segment_bytes = bytes;
  own->header.ring_offset = SHM_RING_OFFSET;
  own->header.ring_bytes = ring_bytes;
  *out = own;
  *out_bytes = bytes;
  return 0;
}

shm_attach segment_attach_message(uint64_t bytes) {
  return (shm_attach){
      .type = SHM_MSG_ATTACH, .layout_version = SHM_LAYOUT_VERSION, .magic = SHM_MAGIC, .segment_bytes = bytes};
}

__attribute__((format(printf, 3, 4))) static int segment_fail(segment_fault *fault, int code, const char *format, ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(fault->text, sizeof fault->text, format, values);
  va_end(values);
  return code;
}

static int segment_is_zero(const void *memory, size_t bytes) {
  const uint8_t *at = memory;
  uint8_t all = 0;
  for (size_t i = 0; i < bytes; i++) all |= at[i];
  return all == 0;
}

/* What message and header both say. */
static int segment_check_version(const char *where, uint64_t magic, uint32_t version, uint32_t features,
                                 segment_fault *fault) {
  if (magic != SHM_MAGIC)
    return segment_fail(fault, PROTOIPC_EPROTOCOL,
                        "%s begins with the magic number %016" PRIx64 " instead of %016" PRIx64,
                        where, magic, SHM_MAGIC);
  if (version != SHM_LAYOUT_VERSION)
    return segment_fail(fault, PROTOIPC_EVERSION, "%s is of layout version %" PRIu32 "; we speak version %u", where,
                        version, SHM_LAYOUT_VERSION);
  if (features != 0)
    return segment_fail(fault, PROTOIPC_EVERSION, "%s asks for the features %#" PRIx32 "; layout version %u has none",
                        where, features, SHM_LAYOUT_VERSION);
  return 0;
}

static int segment_check_attach(const shm_attach *attach, segment_fault *fault) {
  const int result =
      segment_check_version("the attach message", attach->magic, attach->layout_version, attach->features, fault);
  if (result != 0) return result;
  if (!segment_is_zero(attach->reserved0, sizeof attach->reserved0) || attach->reserved1 != 0 ||
      !segment_is_zero(attach->reserved, sizeof attach->reserved))
    return segment_fail(fault, PROTOIPC_EPROTOCOL, "the attach message's reserved bytes are not all zero");
  return 0;
}

/* The peer can write to its header while we check it: every word is loaded once, and only the copy is looked at. */
static shm_header segment_load_header(const shm_segment *segment) {
  typedef uint64_t word __attribute__((may_alias));
  const volatile word *shared = (const volatile word *)(const void *)&segment->header;
  uint64_t copy[sizeof(shm_header) / sizeof(uint64_t)];
  shm_header header;
  for (size_t i = 0; i < sizeof copy / sizeof copy[0]; i++) copy[i] = shared[i];
  memcpy(&header, copy, sizeof header);
  return header;
}

static int segment_check_header(const shm_header *header, uint64_t bytes, uint32_t max_ring_bytes,
                                segment_fault *fault) {
  const int result =
      segment_check_version("the peer's segment", header->magic, header->layout_version, header->features, fault);
  if (result != 0) return result;
  if (!segment_is_zero(header->reserved, sizeof header->reserved))
    return segment_fail(fault, PROTOIPC_EPROTOCOL,
                        "the reserved bytes of the header of the peer's segment are not all zero");
  if (header->segment_bytes != bytes)
    return segment_fail(fault, PROTOIPC_EPROTOCOL,
                        "the header of the peer's segment says %" PRIu64 " bytes; it has %" PRIu64,
                        header->segment_bytes, bytes);
  if (header->ring_offset != SHM_RING_OFFSET)
    return segment_fail(fault, PROTOIPC_EPROTOCOL, "the peer's ring begins at %" PRIu64 " instead of %u",
                        header->ring_offset, SHM_RING_OFFSET);
  if (header->ring_bytes < SHM_MIN_RING_BYTES || header->ring_bytes > max_ring_bytes)
    return segment_fail(fault, PROTOIPC_EPROTOCOL,
                        "the peer's ring has %" PRIu64 " bytes; %u to %" PRIu32 " are accepted",
                        header->ring_bytes, SHM_MIN_RING_BYTES, max_ring_bytes);
  if ((header->ring_bytes & (header->ring_bytes - 1)) != 0)
    return segment_fail(fault, PROTOIPC_EPROTOCOL, "the peer's ring has %" PRIu64 " bytes, which is no power of two",
                        header->ring_bytes);
  if (header->ring_offset + header->ring_bytes != bytes && !SHM_WEAKENED(RING_SIZE))
    return segment_fail(fault, PROTOIPC_EPROTOCOL,
                        "the peer's ring of %" PRIu64 " bytes at %" PRIu64 " is not its segment of %" PRIu64,
                        header->ring_bytes, header->ring_offset, bytes);
  return 0;
}

int segment_open(const shm_attach *attach, int fd, uint32_t max_ring_bytes, const shm_segment **out,
                 uint64_t *ring_bytes, segment_fault *fault) {
  const void *data = NULL;
  uint64_t bytes = 0;
  const char *why = NULL;
  int result = segment_check_attach(attach, fault);
  if (result != 0) return result;
  result = platform_segment_map(fd, (uint64_t)SHM_RING_OFFSET + max_ring_bytes, &data, &bytes, &why);
  if (result != 0) return segment_fail(fault, result, "the descriptor of the peer's segment %s", why);
  shm_header header;
  if (bytes != attach->segment_bytes)
    result = segment_fail(fault, PROTOIPC_EPROTOCOL,
                          "the attach message says %" PRIu64 " bytes; the segment has %" PRIu64,
                          attach->segment_bytes, bytes);
  else if (bytes < (uint64_t)SHM_RING_OFFSET + SHM_MIN_RING_BYTES)
    result = segment_fail(fault, PROTOIPC_EPROTOCOL, "the peer's segment has %" PRIu64 " bytes; it needs at least %u",
                          bytes, SHM_RING_OFFSET + SHM_MIN_RING_BYTES);
  if (result == 0) {
    header = segment_load_header(data);
    result = segment_check_header(&header, bytes, max_ring_bytes, fault);
  }
  if (result != 0) {
    platform_unmap(data, bytes);
    return result;
  }
  *out = data;
  if (SHM_WEAKENED(ATTACH_TWICE)) header = segment_load_header(data);
  *ring_bytes = header.ring_bytes;
  return 0;
}
