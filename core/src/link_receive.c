/* Records and blocks on their way in. */
#include <inttypes.h>
#include <string.h>

#include "link.h"
#include "weaken.h"

uint32_t protoipc_link_max_receive_bytes(const protoipc_link *link) {
  if (link == NULL || platform_is_forked(link->guard) || !link->attached) return 0;
  return ring_max_body(link->reader.capacity);
}

/* An announcement can only stand behind as many messages as a socket holds, and that is far fewer. */
enum { link_most_messages_before_segment = 4096 };

/* The segment that a record names: it was announced before the record was committed, but may still be in the socket. */
static link_segment *link_await_segment(protoipc_link *link, uint32_t number) {
  for (int i = 0; i < link_most_messages_before_segment; i++) {
    link_segment *segment = link_find_segment(link, number);
    if (segment != NULL || number < link->next_segment) return segment;
    if (link_take_message(link) != 1) break;
  }
  return link_find_segment(link, number);
}

static int link_check_block(protoipc_link *link, const shm_block_name *name, const link_segment *segment) {
  if (name->reserved != 0)
    return link_fail(link, PROTOIPC_EPROTOCOL, "the reserved bytes of a block's name are %" PRIu32 " instead of 0",
                     name->reserved);
  if (segment == NULL && !SHM_WEAKENED(SEGMENT_KNOWN))
    return link_fail(link, PROTOIPC_EPROTOCOL, "a record names a block of segment %" PRIu32 ", which is not announced",
                     name->segment);
  if (SHM_WEAKENED(BLOCK_RANGE)) return 0;
  if (name->bytes > link->options.max_block_bytes)
    return link_fail(link, PROTOIPC_EPROTOCOL,
                     "a block has %" PRIu64 " bytes; max_block_bytes is %" PRIu64, name->bytes,
                     link->options.max_block_bytes);
  if (name->offset > segment->bytes || name->bytes > segment->bytes - name->offset)
    return link_fail(link, PROTOIPC_EPROTOCOL, "a block of %" PRIu64 " bytes at %" PRIu64 " is not in segment %" PRIu32
                     " of %" PRIu64, name->bytes, name->offset, name->segment, segment->bytes);
  return 0;
}

static int link_hold_block(protoipc_link *link, const shm_block_name *name, link_segment *segment) {
  const int result = held_take(&link->held, name->index, name->generation, name->segment);
  switch (result) {
    case 0:
      segment->held++;
      return 0;
    case PROTOIPC_ELIMIT:
      return link_fail(link, PROTOIPC_EPROTOCOL, "the peer sent more blocks than were given back and %u", HELD_MOST);
    case PROTOIPC_EPROTOCOL:
      return link_fail(link, result, "block %" PRIu32 " of generation %" PRIu32
                       ", which we hold, is now said to be in segment %" PRIu32, name->index, name->generation,
                       name->segment);
    default:
      return link_fail(link, result, "there is no memory to note a block that the peer sent");
  }
}

/* The body is our private copy: nothing of it changes any more. Its shape was checked by the ring. */
static int link_take_block(protoipc_link *link, const uint8_t *body, const ring_item *item, protoipc_record *record) {
  shm_block_name name;
  const uint32_t head_bytes = item->bytes - (uint32_t)sizeof name - item->pad;
  for (uint32_t i = 0; i < item->pad; i++)
    if (body[head_bytes + i] != 0)
      return link_fail(link, PROTOIPC_EPROTOCOL, "the bytes between a record's head and its block's name are not zero");
  memcpy(&name, body + item->bytes - sizeof name, sizeof name);
  link_segment *segment = link_await_segment(link, name.segment);
  if (link->error != 0) return link->error;
  int result = link_check_block(link, &name, segment);
  if (SHM_WEAKENED(NAME_TWICE))
    memcpy(&name, link->reader.data + ((link->reader.head - sizeof name) & (link->reader.capacity - 1)), sizeof name);
  if (result == 0) result = link_hold_block(link, &name, segment);
  if (result != 0) return result;
  record->bytes = head_bytes;
  record->has_block = 1;
  record->segment = name.segment;
  record->index = name.index;
  record->generation = name.generation;
  record->block_offset = name.offset;
  record->block_bytes = name.bytes;
  return 0;
}

/* The names stand in private memory or in the ring: each is loaded once. */
static int link_take_give_backs(protoipc_link *link, const uint8_t *body, uint32_t bytes) {
  for (uint32_t at = 0; at < bytes; at += (uint32_t)sizeof(shm_give_back)) {
    shm_give_back name;
    memcpy(&name, body + at, sizeof name);
    if (link->arena == NULL || arena_unhold(link->arena, &link->holds, name.index, name.generation) != 0)
      return link_fail(link, PROTOIPC_EPROTOCOL, "the peer gave back block %" PRIu32 " of generation %" PRIu32
                       ", which it does not hold", name.index, name.generation);
  }
  return 0;
}

/* Takes a record from the ring. 1: it is the user's, 0: it was ours, and done with. Or why the link has ended. */
static int link_take_record(protoipc_link *link, const uint8_t *body, const ring_item *item, protoipc_record *record) {
  int result = 0;
  if (item->kind == SHM_GIVE_BACK) return link_take_give_backs(link, body, item->bytes);
  record->bytes = item->bytes;
  if (item->kind == SHM_FRAME_WITH_BLOCK)
    result = link_take_block(link, body, item, record);
  else if (item->kind != SHM_FRAME)
    result = link_fail(link, PROTOIPC_EPROTOCOL, "a record is of the unknown kind %u", item->kind);
  return result != 0 ? result : 1;
}

/*
 * Tells the peer what was taken. It may wait for the room. It asks for its tail less half of a ring: if that was not
 * there when it was told last, more than half of a ring follows until all is taken. So looking once for each quarter
 * loses no wake-up, and a peer that is answered record by record is looked at by the flush of the answer alone.
 */
static void link_release(protoipc_link *link) {
  ring_release(&link->reader);
  if (link->error == 0 && link->reader.released - link->told_head >= link->reader.capacity / 4) (void)link_ring(link);
}

int protoipc_link_collect(protoipc_link *link) {
  int result = link_check(link);
  if (result != 0 || !link->attached) return result;
  ring_fault fault;
  ring_item item;
  const uint8_t *body;
  /* No longer than the peer holds blocks: what it gives back and does not hold ends the link. */
  while ((result = ring_look(&link->reader, &item, &body, &fault)) == 1 && item.kind == SHM_GIVE_BACK) {
    result = link_take_give_backs(link, body, item.bytes);
    if (result != 0) return result;
    ring_pass(&link->reader, &item);
  }
  if (result < 0) return link_fail(link, result, "%s", fault.text);
  link_release(link);
  return 0;
}

int protoipc_link_receive(protoipc_link *link, void *buffer, uint32_t buffer_bytes, protoipc_record *records,
                          uint32_t max_records) {
  const int checked = link_check(link);
  if (checked != 0) return checked;
  if (!link->attached) return link_is_hung_up(link) ? PROTOIPC_ECLOSED : 0;
  const uint32_t largest = ring_max_body(link->reader.capacity);
  if (buffer == NULL || records == NULL || max_records == 0 || buffer_bytes < largest) return PROTOIPC_EINVAL;
  /* Looked at before the ring: what was committed before the end is in the ring by then. */
  const int was_hung_up = link_is_hung_up(link);
  if (was_hung_up && SHM_WEAKENED(DRAIN)) return PROTOIPC_ECLOSED;
  const uint64_t first = link->reader.head;
  uint32_t count = 0, used = 0;
  uint64_t block_bytes = 0;
  int result = 0;
  /* A peer that is faster than we are does not keep us here: one ring, and that is all. */
  while (count < max_records && buffer_bytes - used >= largest && link->reader.head - first < link->reader.capacity &&
         block_bytes < PROTOIPC_RECEIVED_BLOCK_BYTES) {
    ring_fault fault;
    ring_item item;
    uint8_t *body = (uint8_t *)buffer + used;
    result = ring_take(&link->reader, body, &item, &fault);
    if (result < 0) (void)link_fail(link, result, "%s", fault.text);
    if (result <= 0) break;
    protoipc_record *record = &records[count];
    *record = (protoipc_record){.offset = used};
    result = link_take_record(link, body, &item, record);
    if (result < 0) break;
    if (result == 0) continue;
    count++;
    block_bytes += record->block_bytes;
    const uint64_t next = used + ((uint64_t)record->bytes + 7) / 8 * 8;
    used = next < buffer_bytes ? (uint32_t)next : buffer_bytes;
  }
  link_release(link);
  link->records_received += count;
  if (count != 0) return (int)count;
  if (link->error != 0) return link->error;
  return was_hung_up && result == 0 && !ring_has_record(&link->reader) ? PROTOIPC_ECLOSED : 0;
}

int protoipc_link_block_data(const protoipc_link *link, const protoipc_record *record, const void **data) {
  if (link == NULL || record == NULL || data == NULL) return PROTOIPC_EINVAL;
  if (platform_is_forked(link->guard)) return PROTOIPC_EFORKED;
  const link_segment *segment = link_find_segment(link, record->segment);
  const held_entry *entry = held_find(&link->held, record->index, record->generation);
  if (!record->has_block || segment == NULL) return PROTOIPC_EINVAL;
  if (entry == NULL || entry->segment != record->segment) return PROTOIPC_EINVAL;
  if (!SHM_WEAKENED(BLOCK_RANGE) && !SHM_WEAKENED(NAME_TWICE) &&
      (record->block_offset > segment->bytes || record->block_bytes > segment->bytes - record->block_offset))
    return PROTOIPC_EINVAL;
  *data = segment->data + record->block_offset;
  return 0;
}

int protoipc_link_give_back(protoipc_link *link, uint32_t index, uint32_t generation) {
  uint32_t segment = 0;
  if (link == NULL) return PROTOIPC_EINVAL;
  if (platform_is_forked(link->guard)) return PROTOIPC_EFORKED;
  /* Also where the link has ended: whoever gives back what it holds has done nothing wrong. */
  const int result = held_give_back(&link->held, index, generation, &segment);
  if (result == 0) link_find_segment(link, segment)->held--;
  return result;
}
