/*
 * Both ends of a ring over a peer's segment that is anything: its cursors, its sleep words and its records are the
 * input's to set between any two operations. No byte outside of the segments is touched, no window is larger than the
 * room that there is, and every fault has a text.
 */
#include "../src/ring.h"
#include "fuzz.h"

enum { ring_bytes = 4096, segment_bytes = SHM_RING_OFFSET + ring_bytes, most_operations = 4096 };

typedef struct ends {
  shm_segment *own, *peer;
  ring_writer writer;
  ring_reader reader;
  uint64_t told_tail, told_head;
  uint32_t rung, sleeps;
  uint8_t *buffer; /* of exactly what a record may have */
  int is_writer_lost, is_reader_lost;
  protoipc_window window;
} ends;

static shm_segment *new_segment(void) {
  shm_segment *segment = aligned_alloc(SHM_LINE, segment_bytes);
  MUST(segment != NULL);
  memset(segment, 0, segment_bytes);
  return segment;
}

static void check_fault(ring_fault *fault) {
  MUST(memchr(fault->text, 0, sizeof fault->text) != NULL);
  MUST(fault->text[0] != 0);
}

static void take(ends *both) {
  ring_fault fault = {""};
  ring_item item;
  const uint64_t before = both->reader.head;
  const int result = ring_take(&both->reader, both->buffer, &item, &fault);
  MUST(both->reader.head - before <= ring_bytes && both->reader.tail - both->reader.head <= ring_bytes);
  if (result == 0) return;
  if (result < 0) {
    MUST(result == PROTOIPC_EPROTOCOL);
    check_fault(&fault);
    both->is_reader_lost = 1;
    return;
  }
  MUST(item.bytes <= ring_max_body(ring_bytes) && item.kind != SHM_PAD);
  if (item.kind == SHM_FRAME_WITH_BLOCK) MUST(item.bytes >= sizeof(shm_block_name) + item.pad && item.pad < 8);
}

static void reserve(ends *both, uint32_t body_bytes) {
  ring_fault fault = {""};
  const int result = ring_reserve(&both->writer, body_bytes, &both->window, &fault);
  if (result == PROTOIPC_EPROTOCOL) {
    check_fault(&fault);
    both->is_writer_lost = 1;
  }
  if (result != 0) {
    both->window.bytes = 0;
    return;
  }
  MUST(both->window.offset >= SHM_RING_OFFSET && both->window.offset % 8 == 0);
  MUST(both->window.bytes <= segment_bytes - both->window.offset);
  MUST(both->window.bytes >= PROTOIPC_RECORD_HEADER + body_bytes);
  memset((uint8_t *)both->own + both->window.offset, 0xbd, both->window.bytes);
}

static void commit(ends *both, fuzz_input *input) {
  uint32_t lengths[16];
  const uint32_t count = fuzz_take8(input) % 17;
  const uint64_t before = both->writer.tail;
  for (uint32_t i = 0; i < count; i++) lengths[i] = (uint32_t)fuzz_take_near(input, 8);
  const int result = ring_commit(&both->writer, lengths, count);
  MUST(result == 0 || result == PROTOIPC_EINVAL);
  MUST(both->writer.tail - both->writer.head <= ring_bytes);
  if (result != 0) MUST(both->writer.tail == before);
}

static void operate(ends *both, fuzz_input *input) {
  uint8_t *ring = (uint8_t *)both->peer + SHM_RING_OFFSET;
  uint64_t word;
  switch (fuzz_take8(input) % 12) {
    case 0:
      atomic_store(&both->peer->writer.tail, fuzz_take_near(input, both->reader.head));
      break;
    case 1:
      atomic_store(&both->peer->reader.head, fuzz_take_near(input, both->writer.tail));
      break;
    case 2: /* the header that comes next */
      word = fuzz_take16(input) | (uint64_t)(fuzz_take8(input) % 6) << 32 | (uint64_t)(fuzz_take8(input) % 10) << 40;
      memcpy(ring + both->reader.head % ring_bytes, &word, sizeof word);
      break;
    case 3:
      word = fuzz_take64(input);
      memcpy(ring + fuzz_take16(input) % (ring_bytes / 8) * 8, &word, sizeof word);
      break;
    case 4:
      if (!both->is_reader_lost) take(both);
      break;
    case 5:
      ring_release(&both->reader);
      break;
    case 6:
      if (!both->is_writer_lost) reserve(both, (uint32_t)fuzz_take_near(input, ring_bytes / 8));
      break;
    case 7:
      commit(both, input);
      break;
    case 8:
      (void)ring_commit_kind(&both->writer, fuzz_take8(input), fuzz_take8(input), fuzz_take16(input));
      break;
    case 9:
      atomic_store(&both->peer->sleeper.sleep, fuzz_take32(input));
      atomic_store(&both->peer->sleeper.space_wanted, fuzz_take_near(input, both->reader.head));
      (void)ring_must_wake(&both->writer, &both->reader, &both->told_tail, &both->told_head, &both->rung);
      break;
    case 10:
      if (ring_sleep(&both->writer, &both->reader, &both->sleeps, 1 + fuzz_take8(input) % 2))
        MUST(atomic_load(&both->own->sleeper.sleep) == SHM_AWAKE);
      ring_wake(both->own);
      break;
    default:
      (void)ring_has_record(&both->reader);
      (void)ring_has_room(&both->writer);
      break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  fuzz_input input = {data, bytes};
  ends both = {.own = new_segment(), .peer = new_segment(), .buffer = malloc(ring_max_body(ring_bytes))};
  ring_writer_init(&both.writer, both.own, both.peer, ring_bytes);
  ring_reader_init(&both.reader, both.own, both.peer, ring_bytes);
  for (int i = 0; i < most_operations && input.left > 0; i++) operate(&both, &input);
  free(both.own);
  free(both.peer);
  free(both.buffer);
  return 0;
}
