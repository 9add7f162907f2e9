/*
 * One direction of a link.
 *
 * A cursor counts bytes from the beginning of the link and never goes back: position = cursor mod capacity. The tail
 * says what is committed, the head what is taken, so tail - head bytes are in the ring. Differences are taken modulo
 * 2^64, which makes one comparison say that a value of the peer lies between two of ours.
 *
 * Macros for tests, which must then fail; nothing else defines them:
 *   PLANT_EARLY_COMMIT    the tail is stored when room is reserved, before the body and the header are written
 *   PLANT_RELAXED_COMMIT  the tail is stored without release
 *   PLANT_LOST_WAKE       the sleeper looks before it declares its sleep, and not after
 */
#include "ring.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "weaken.h"

/* A cursor or a header that a lock guards is useless: the lock would be private, and the peer's map is read-only. */
static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2, "32 and 64 bits are loaded and stored at once");

/* What stands in a ring is bytes to the compiler, whatever type it was written as. */
typedef uint64_t ring_word __attribute__((may_alias));

static void store_word(uint8_t *at, uint64_t word) { __atomic_store_n((ring_word *)at, word, __ATOMIC_RELAXED); }
static uint64_t load_word(const uint8_t *at) { return __atomic_load_n((const ring_word *)at, __ATOMIC_RELAXED); }

/* gcc warns that its ThreadSanitizer does not model fences. It executes them, and no payload depends on them alone. */
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif
static void full_fence(void) { atomic_thread_fence(memory_order_seq_cst); }

__attribute__((format(printf, 2, 3))) static int fail(ring_fault *fault, const char *format, ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(fault->text, sizeof fault->text, format, values);
  va_end(values);
  return PROTOIPC_EPROTOCOL;
}

/* With its header and the zero bytes behind it. */
static uint64_t record_bytes(uint64_t body_bytes) { return PROTOIPC_RECORD_HEADER + ((body_bytes + 7) & ~UINT64_C(7)); }

uint32_t ring_max_body(uint64_t capacity) { return (uint32_t)(capacity / 8); }

/* ---- The writer ---- */

void ring_writer_init(ring_writer *writer, shm_segment *own, const shm_segment *peer, uint64_t ring_bytes) {
  *writer = (ring_writer){.own = own, .peer = peer, .data = (uint8_t *)own + SHM_RING_OFFSET, .capacity = ring_bytes};
}

static uint8_t *writer_at(const ring_writer *writer, uint64_t cursor) {
  return writer->data + (cursor & (writer->capacity - 1));
}

static uint64_t free_bytes(const ring_writer *writer) { return writer->capacity - (writer->tail - writer->head); }

/* Acquire: what the peer has read, it has read before we write over it. */
static int look_at_head(ring_writer *writer, ring_fault *fault) {
  const uint64_t head = atomic_load_explicit(&writer->peer->reader.head, memory_order_acquire);
  if (head - writer->head > writer->tail - writer->head && !SHM_WEAKENED(HEAD_RANGE))
    return fail(fault, "the peer says that it has taken %" PRIu64 " bytes, after %" PRIu64 "; we have written %" PRIu64,
                head, writer->head, writer->tail);
  if (head % 8 != 0)
    return fail(fault, "the peer says that it has taken %" PRIu64 " bytes, which is no multiple of 8", head);
  writer->head = head;
  return PROTOIPC_OK;
}

static void ask_for_room(ring_writer *writer, uint64_t wanted) {
  writer->wanted = wanted;
  atomic_store_explicit(&writer->own->sleeper.space_wanted, wanted, memory_order_relaxed);
}

int ring_reserve(ring_writer *writer, uint32_t body_bytes, protoipc_window *out, ring_fault *fault) {
  writer->window_bytes = 0;
  if (body_bytes > ring_max_body(writer->capacity)) return PROTOIPC_ETOOLARGE;
  const uint64_t record = record_bytes(body_bytes);
  const uint64_t to_end = writer->capacity - (writer->tail & (writer->capacity - 1));
  const uint64_t padding = record > to_end ? to_end : 0;
  const uint64_t half = writer->capacity / 2;
  /* The padding is shorter than the record, and both together than half of the ring. */
  const uint64_t need = padding + record;

  /* While half of the ring is known to be free, the peer keeps its cache line. */
  if (free_bytes(writer) < half && look_at_head(writer, fault) != PROTOIPC_OK) return PROTOIPC_EPROTOCOL;
  if (free_bytes(writer) < need && !SHM_WEAKENED(FREE_SPACE)) {
    ask_for_room(writer, writer->tail - half);
    full_fence(); /* see ring_sleep */
    if (look_at_head(writer, fault) != PROTOIPC_OK) return PROTOIPC_EPROTOCOL;
    if (free_bytes(writer) < need) return PROTOIPC_EAGAIN;
  }
  if (writer->wanted != 0) ask_for_room(writer, 0);

  const uint64_t free_there = free_bytes(writer) - padding;
  const uint64_t contiguous = padding == 0 && free_there > to_end ? to_end : free_there;
  writer->padded = writer->tail + padding;
  writer->window_bytes = (uint32_t)contiguous;
  out->offset = (uint32_t)(writer_at(writer, writer->padded) - (uint8_t *)writer->own);
  out->bytes = writer->window_bytes;
#ifdef PLANT_EARLY_COMMIT
  atomic_store_explicit(&writer->own->writer.tail, writer->padded + record, memory_order_release);
#endif
  return PROTOIPC_OK;
}

static void put_header(uint8_t *at, uint8_t kind, uint8_t pad, uint32_t body_bytes) {
  store_word(at, (uint64_t)body_bytes | (uint64_t)kind << 32 | (uint64_t)pad << 40);
}

/* The header, and zero bytes behind the body: what stood there before is nobody's business. */
static void put_record(uint8_t *at, uint8_t kind, uint8_t pad, uint32_t body_bytes) {
  uint8_t *const end = at + record_bytes(body_bytes);
  for (uint8_t *byte = at + PROTOIPC_RECORD_HEADER + body_bytes; byte < end; byte++) *byte = 0;
  put_header(at, kind, pad, body_bytes);
}

/* One store makes the padding and all records of the window visible, or none. */
static void publish(ring_writer *writer, uint8_t kind, uint64_t bytes) {
  if (writer->padded != writer->tail)
    put_header(writer_at(writer, writer->tail), SHM_PAD, 0,
               (uint32_t)(writer->padded - writer->tail - PROTOIPC_RECORD_HEADER));
  writer->tail = writer->padded + bytes;
  if (kind != SHM_GIVE_BACK) writer->frames = writer->tail;
  writer->window_bytes = 0;
#ifdef PLANT_RELAXED_COMMIT
  atomic_store_explicit(&writer->own->writer.tail, writer->tail, memory_order_relaxed);
#else
  atomic_store_explicit(&writer->own->writer.tail, writer->tail, memory_order_release);
#endif
}

/* Whether a record fits what is left of the window. */
static bool has_place(const ring_writer *writer, uint64_t used, uint32_t body_bytes) {
  return body_bytes <= ring_max_body(writer->capacity) && record_bytes(body_bytes) <= writer->window_bytes - used;
}

int ring_commit(ring_writer *writer, const uint32_t *lengths, uint32_t count) {
  uint8_t *const window = writer_at(writer, writer->padded);
  uint64_t used = 0;
  if (count == 0) return PROTOIPC_EINVAL;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t bytes = lengths[i];
    if (!has_place(writer, used, bytes)) return PROTOIPC_EINVAL;
    put_record(window + used, SHM_FRAME, 0, bytes);
    used += record_bytes(bytes);
  }
  publish(writer, SHM_FRAME, used);
  return PROTOIPC_OK;
}

int ring_commit_kind(ring_writer *writer, uint8_t kind, uint8_t pad, uint32_t body_bytes) {
  if (!has_place(writer, 0, body_bytes)) return PROTOIPC_EINVAL;
  put_record(writer_at(writer, writer->padded), kind, pad, body_bytes);
  publish(writer, kind, record_bytes(body_bytes));
  return PROTOIPC_OK;
}

/* ---- The reader ---- */

void ring_reader_init(ring_reader *reader, shm_segment *own, const shm_segment *peer, uint64_t ring_bytes) {
  const uint8_t *const data = (const uint8_t *)peer + SHM_RING_OFFSET;
  *reader = (ring_reader){.own = own, .peer = peer, .data = data, .capacity = ring_bytes};
}

/* Acquire: the records below the tail are whole. */
static int look_at_tail(ring_reader *reader, ring_fault *fault) {
  const uint64_t tail = atomic_load_explicit(&reader->peer->writer.tail, memory_order_acquire);
  if (tail - reader->head > reader->capacity && !SHM_WEAKENED(TAIL_RANGE))
    return fail(fault, "the peer says that it has written %" PRIu64 " bytes to its ring of %" PRIu64 "; %" PRIu64
                " were taken", tail, reader->capacity, reader->head);
  if (tail % 8 != 0)
    return fail(fault, "the peer says that it has written %" PRIu64 " bytes, which is no multiple of 8", tail);
  reader->tail = tail;
  return PROTOIPC_OK;
}

/* What a body of a kind can be, beyond what holds for all. `rest` is what stands behind the header in the ring. */
static int check_kind(const ring_item *item, uint64_t rest, ring_fault *fault) {
  if (item->kind != SHM_FRAME_WITH_BLOCK && item->pad != 0)
    return fail(fault, "a record of kind %u says %u in its pad, and has no block", item->kind, item->pad);
  switch (item->kind) {
    case SHM_FRAME:
      return PROTOIPC_OK;
    case SHM_PAD:
      if (item->bytes == rest || SHM_WEAKENED(PAD_LENGTH)) return PROTOIPC_OK;
      return fail(fault, "the ring's padding has %" PRIu32 " bytes; up to its end there are %" PRIu64, item->bytes,
                  rest);
    case SHM_FRAME_WITH_BLOCK:
      if (item->pad < 8 && item->bytes % 8 == 0 && item->bytes >= sizeof(shm_block_name) + item->pad)
        return PROTOIPC_OK;
      if (SHM_WEAKENED(BLOCK_SHAPE)) return PROTOIPC_OK;
      return fail(fault, "a record with a block has %" PRIu32 " bytes and %u of padding: not a name of 32 bytes at a "
                  "multiple of 8", item->bytes, item->pad);
    case SHM_GIVE_BACK:
      if (item->bytes != 0 && item->bytes % sizeof(shm_give_back) == 0) return PROTOIPC_OK;
      return fail(fault, "a record that gives blocks back has %" PRIu32 " bytes: not names of 8 bytes", item->bytes);
    default:
      return fail(fault, "a record is of the unknown kind %u", item->kind);
  }
}

/* The header at the head, loaded once; there are records up to the tail. */
static int look_at_record(const ring_reader *reader, ring_item *item, ring_fault *fault) {
  const uint64_t position = reader->head & (reader->capacity - 1);
  const uint64_t word = load_word(reader->data + position);
  const uint64_t to_end = reader->capacity - position, to_tail = reader->tail - reader->head;
  *item = (ring_item){.bytes = (uint32_t)word, .kind = (uint8_t)(word >> 32), .pad = (uint8_t)(word >> 40)};
  if (word >> 48 != 0)
    return fail(fault, "a record's reserved bytes are %" PRIu64 " and not 0", word >> 48);
  if (item->bytes > ring_max_body(reader->capacity) && !SHM_WEAKENED(RECORD_LIMIT))
    return fail(fault, "a record has %" PRIu32 " bytes; at most %" PRIu32 " go into a ring of %" PRIu64, item->bytes,
                ring_max_body(reader->capacity), reader->capacity);
  const uint64_t bytes = record_bytes(item->bytes);
  if ((bytes > to_end || bytes > to_tail) && !SHM_WEAKENED(RECORD_FITS))
    return fail(fault, "a record takes %" PRIu64 " bytes; up to the ring's end there are %" PRIu64 ", and %" PRIu64
                " are committed", bytes, to_end, to_tail);
  return check_kind(item, to_end - PROTOIPC_RECORD_HEADER, fault);
}

int ring_look(ring_reader *reader, ring_item *item, const uint8_t **body, ring_fault *fault) {
  /* Padding ends at position 0, where it would be longer than a record may be: the loop runs twice at most. */
  for (;;) {
    if (reader->head == reader->tail) {
      if (look_at_tail(reader, fault) != PROTOIPC_OK) return PROTOIPC_EPROTOCOL;
      if (reader->head == reader->tail) return 0;
    }
    if (look_at_record(reader, item, fault) != PROTOIPC_OK) return PROTOIPC_EPROTOCOL;
    if (item->kind != SHM_PAD) break;
    ring_pass(reader, item);
  }
  *body = reader->data + (reader->head & (reader->capacity - 1)) + PROTOIPC_RECORD_HEADER;
  return 1;
}

void ring_pass(ring_reader *reader, const ring_item *item) { reader->head += record_bytes(item->bytes); }

int ring_take(ring_reader *reader, void *buffer, ring_item *item, ring_fault *fault) {
  const uint8_t *body;
  const int result = ring_look(reader, item, &body, fault);
  if (result != 1) return result;
  if (SHM_WEAKENED(HEADER_TWICE)) item->bytes = (uint32_t)load_word(body - PROTOIPC_RECORD_HEADER);
  memcpy(buffer, body, item->bytes);
  ring_pass(reader, item);
  return 1;
}

/* Release: what we have read, we have read before the peer writes over it. */
void ring_release(ring_reader *reader) {
  if (reader->released == reader->head) return;
  reader->released = reader->head;
  atomic_store_explicit(&reader->own->reader.head, reader->head, memory_order_release);
}

/* ---- Sleeping and waking ---- */

/* Brings the two cache lines of a small record, which come from another processor, while the caller is on its way to it. */
static void fetch_record(const ring_reader *reader) {
  const uint64_t mask = reader->capacity - 1;
  __builtin_prefetch(reader->data + (reader->head & mask));
  __builtin_prefetch(reader->data + ((reader->head + SHM_LINE / 2) & mask));
}

int ring_has_record(const ring_reader *reader) {
  if (reader->head != reader->tail) return 1;
  if (atomic_load_explicit(&reader->peer->writer.tail, memory_order_relaxed) == reader->head) return 0;
  fetch_record(reader);
  return 1;
}

int ring_has_room(const ring_writer *writer) {
  if (writer->wanted == 0) return 0;
  return atomic_load_explicit(&writer->peer->reader.head, memory_order_relaxed) >= writer->wanted;
}

/*
 * Why no wake-up is lost. There are two pairs, each of the same form: one side declares (D), fences, and looks at a
 * cursor (C); the other moves the cursor, fences, and looks at the declaration. Fences that are sequentially consistent
 * have one order. If the declarer's comes first, the mover sees the declaration, and acts on it; if the mover's comes
 * first, the declarer sees the cursor where the mover put it, and does not sleep. Both may happen: that costs one
 * needless doorbell.
 *
 *   declares            looks at                     moves                  looks at
 *   sleep               peer's tail, peer's head     its tail or its head   sleep, and for room space_wanted
 *   space_wanted        peer's head                  its head               (only after it saw the sleep)
 *
 * The second pair is there so that ring_reserve tells the truth. A sleep for room rests on the first alone:
 * space_wanted is stored before the sleep is declared, so who sees the sleep after its fence sees space_wanted too; and
 * who fenced before the declaration is seen by ring_has_room after it.
 *
 * A mover looks only when a cursor has moved since it looked last (told_tail, told_head): a cursor that stood still was
 * there to be seen by a sleep declared since. What counts is what the peer can see of our head, `released`, not what
 * was taken: else the release would come after the look. It rings once for each sleep: whoever was rung will look at
 * everything before it declares the next. A sleep for records is not disturbed by room: space_wanted is 0, or above our
 * head. A sleep for frames is not disturbed by give-backs, until they fill a quarter of the ring: else they would fill
 * all of it, and the frame that finds no room could not be rung for. They were told all the same, so a frame behind them moves the
 * tail once more, and any other sleep that is declared since sees them when it looks.
 *
 * The number of a sleep has 30 bits. Should the peer sleep exactly 2^30 times between a ring and the next move of ours,
 * that one sleep is taken for the old one. Every look that finds another word forgets the old one, so nothing but that
 * exact number can do it, and a sleep that is bounded in time, as futex sleeps are, survives it.
 */
/* Whether the peer has left so much in the ring that a frame might find no room. What it says is not checked. */
static bool is_filling(const ring_writer *writer) {
  const uint64_t head = atomic_load_explicit(&writer->peer->reader.head, memory_order_relaxed);
  return writer->tail - head >= writer->capacity / 4;
}

int ring_must_wake(const ring_writer *writer, const ring_reader *reader, uint64_t *told_tail, uint64_t *told_head,
                   uint32_t *rung) {
  const bool wrote = writer->tail != *told_tail, took = reader->released != *told_head;
  /* The frame that was committed last ends behind what was told. */
  const bool wrote_frames = writer->frames - *told_tail - 1 < writer->tail - *told_tail;
  if (!wrote && !took) return SHM_AWAKE;
  *told_tail = writer->tail;
  *told_head = reader->released;
  full_fence();
  const shm_sleep_line *const sleeper = &reader->peer->sleeper;
  const uint32_t sleep = atomic_load_explicit(&sleeper->sleep, memory_order_relaxed);
  if (sleep == *rung) return SHM_AWAKE; /* rung already, or awake as it was */
  *rung = SHM_AWAKE;
  const uint32_t how = sleep & SHM_SLEEP_HOW;
  if (how == SHM_AWAKE) return SHM_AWAKE;
  if (how == SHM_SLEEPS_FOR_FRAMES ? !wrote_frames && !(wrote && is_filling(writer)) : !wrote) {
    const uint64_t wanted = atomic_load_explicit(&sleeper->space_wanted, memory_order_relaxed);
    if (wanted == 0 || reader->released < wanted) return SHM_AWAKE;
  }
  *rung = sleep;
  return (int)how;
}

int ring_sleep(const ring_writer *writer, const ring_reader *reader, uint32_t *sleeps, int how) {
  *sleeps += 1;
  const uint32_t sleep = *sleeps << 2 | (uint32_t)how;
#ifdef PLANT_LOST_WAKE
  if (ring_has_record(reader) || ring_has_room(writer)) return 1;
  atomic_store_explicit(&reader->own->sleeper.sleep, sleep, memory_order_relaxed);
  return 0;
#endif
  atomic_store_explicit(&reader->own->sleeper.sleep, sleep, memory_order_relaxed);
  full_fence();
  if (!ring_has_record(reader) && !ring_has_room(writer)) return 0;
  ring_wake(reader->own);
  return 1;
}

void ring_wake(shm_segment *own) { atomic_store_explicit(&own->sleeper.sleep, SHM_AWAKE, memory_order_relaxed); }
