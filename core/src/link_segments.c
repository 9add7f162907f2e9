/* The segments of the peer's arena, as it announces and retires them. */
#include <inttypes.h>
#include <string.h>

#include "link.h"
#include "weaken.h"

link_segment *link_find_segment(const protoipc_link *link, uint32_t number) {
  uint32_t low = 0, high = link->segment_count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (link->segments[middle].number < number)
      low = middle + 1;
    else
      high = middle;
  }
  return low < link->segment_count && link->segments[low].number == number ? &link->segments[low] : NULL;
}

/* What is told stays within the limits, before anything is mapped. */
static int link_check_announcement(protoipc_link *link, const shm_announce *message) {
  if ((message->segment < link->next_segment || message->segment == UINT32_MAX) && !SHM_WEAKENED(SEGMENT_ORDER))
    return link_fail(link, PROTOIPC_EPROTOCOL, "the peer announced segment %" PRIu32 "; the next must be %" PRIu32
                     " or above", message->segment, link->next_segment);
  if (link->segment_count >= link->options.max_segments && !SHM_WEAKENED(SEGMENT_LIMIT))
    return link_fail(link, PROTOIPC_EPROTOCOL, "the peer announced segment %" PRIu32 ", and has %" PRIu32
                     "; max_segments is %" PRIu32, message->segment, link->segment_count, link->options.max_segments);
  if (message->bytes > link->options.max_mapped_bytes - link->mapped_bytes && !SHM_WEAKENED(MAPPED_LIMIT))
    return link_fail(link, PROTOIPC_EPROTOCOL, "the peer announced segment %" PRIu32 " of %" PRIu64 " bytes, and has %"
                     PRIu64 "; max_mapped_bytes is %" PRIu64, message->segment, message->bytes, link->mapped_bytes,
                     link->options.max_mapped_bytes);
  return 0;
}

int link_announced(protoipc_link *link, const shm_announce *message, int passed) {
  const void *data = NULL;
  const char *why = NULL;
  uint64_t bytes = 0;
  int result = link_check_announcement(link, message);
  if (result != 0) return result;
  const uint64_t room = SHM_WEAKENED(MAPPED_LIMIT) ? UINT64_MAX : link->options.max_mapped_bytes - link->mapped_bytes;
  result = platform_segment_map(passed, room, &data, &bytes, &why);
  if (result != 0)
    return link_fail(link, result, "the descriptor of the peer's segment %" PRIu32 " %s", message->segment, why);
  if (bytes != message->bytes) {
    platform_unmap(data, bytes);
    return link_fail(link, PROTOIPC_EPROTOCOL,
                     "the peer announced segment %" PRIu32 " of %" PRIu64 " bytes; it has %" PRIu64,
                     message->segment, message->bytes, bytes);
  }
  link->segments[link->segment_count++] = (link_segment){.number = message->segment, .data = data, .bytes = bytes};
  link->next_segment = message->segment + 1;
  link->mapped_bytes += bytes;
  return 0;
}

int link_retired(protoipc_link *link, const shm_announce *message) {
  link_segment *segment = link_find_segment(link, message->segment);
  if (message->bytes != 0)
    return link_fail(link, PROTOIPC_EPROTOCOL,
                     "the retirement of segment %" PRIu32 " says %" PRIu64 " bytes instead of 0",
                     message->segment, message->bytes);
  if (segment == NULL)
    return link_fail(link, PROTOIPC_EPROTOCOL, "the peer retired segment %" PRIu32 ", which it has not announced",
                     message->segment);
  if (segment->held != 0 && !SHM_WEAKENED(RETIRE_HELD))
    return link_fail(link, PROTOIPC_EPROTOCOL,
                     "the peer retired segment %" PRIu32 ", of which we hold %" PRIu32 " blocks",
                     message->segment, segment->held);
  platform_unmap(segment->data, segment->bytes);
  link->mapped_bytes -= segment->bytes;
  link->segment_count--;
  memmove(segment, segment + 1, (size_t)(link->segments + link->segment_count - segment) * sizeof *segment);
  return 0;
}

void link_unmap_segments(protoipc_link *link) {
  for (uint32_t i = 0; i < link->segment_count; i++) platform_unmap(link->segments[i].data, link->segments[i].bytes);
  link->segment_count = 0;
}
