/* The ring: many laps against a model, a full ring, every lie that a peer can tell with a cursor or a header. */
#define _GNU_SOURCE 1
#include "pair.h"

static test_random seed = {1};

/* Lays as many records into one window as `wish` says and there is room for; returns how many. */
static uint32_t lay_records(pair_end *end, uint64_t number, uint32_t wish, uint32_t most, ring_fault *fault) {
  uint32_t lengths[32];
  protoipc_window window;
  uint32_t count = 0, used = 0;
  const int code = ring_reserve(&end->writer, pair_body_bytes(number, most), &window, fault);
  if (code == PROTOIPC_EAGAIN) return 0;
  CHECK(code == PROTOIPC_OK);
  CHECK(window.offset % 8 == 0 && window.offset >= SHM_RING_OFFSET);
  CHECK(window.offset + window.bytes <= SHM_RING_OFFSET + end->writer.capacity);
  while (count < wish && count < 32) {
    const uint32_t bytes = pair_body_bytes(number + count, most), whole = PROTOIPC_RECORD_HEADER + (bytes + 7) / 8 * 8;
    if (whole > window.bytes - used) break;
    pair_fill((uint8_t *)end->own + window.offset + used + PROTOIPC_RECORD_HEADER, number + count, bytes);
    lengths[count++] = bytes;
    used += whole;
  }
  CHECK(count > 0); /* the window has room for what was asked */
  CHECK(ring_commit(&end->writer, lengths, count) == PROTOIPC_OK);
  return count;
}

/* Random sends and receives; what comes out is what went in, in order, whole. */
static void run_laps(uint64_t ring_bytes, uint64_t records) {
  pair both;
  ring_fault fault;
  pair_open(&both, ring_bytes);
  const uint32_t most = ring_max_body(ring_bytes);
  uint8_t *const body = malloc(most);
  CHECK(body != NULL);
  uint64_t sent = 0, taken = 0, full = 0;
  while (taken < records) {
    if (sent < records && test_below(&seed, 2) == 0) {
      uint64_t wish = 1 + test_below(&seed, 32);
      if (wish > records - sent) wish = records - sent;
      const uint32_t laid = lay_records(&both.a, sent, (uint32_t)wish, most, &fault);
      sent += laid;
      if (laid == 0) {
        full++;
        /* It is full indeed, and says from where on it will not be. */
        CHECK(both.a.writer.tail - both.b.reader.released > ring_bytes / 2);
        CHECK(atomic_load(&both.a.own->sleeper.space_wanted) == both.a.writer.tail - ring_bytes / 2);
        CHECK(!ring_has_room(&both.a.writer));
      } else {
        CHECK(atomic_load(&both.a.own->sleeper.space_wanted) == 0);
      }
    } else {
      for (uint64_t n = test_below(&seed, 24); n > 0; n--) {
        ring_item item;
        CHECK(ring_has_record(&both.b.reader) == (taken < sent));
        const int code = ring_take(&both.b.reader, body, &item, &fault);
        CHECK(code == (taken < sent ? 1 : 0));
        if (code == 0) break;
        CHECK(item.kind == SHM_FRAME && item.pad == 0 && item.bytes == pair_body_bytes(taken, most));
        CHECK(pair_is_filled(body, taken, item.bytes));
        taken++;
      }
      if (test_below(&seed, 4) != 0) ring_release(&both.b.reader);
      CHECK(atomic_load(&both.b.own->reader.head) == both.b.reader.released);
      if (both.a.writer.wanted != 0)
        CHECK(ring_has_room(&both.a.writer) == (both.b.reader.released >= both.a.writer.wanted));
    }
  }
  CHECK(full > 0);
  CHECK(both.a.writer.tail > 20 * ring_bytes);
  free(body);
  pair_close(&both);
}

static void laps(void) {
  run_laps(4096, 40000);
  run_laps(8192, 40000);
  run_laps(65536, 40000);
}

/* Sends records that end at the ring's end, and takes them: moves both cursors to where a test wants to begin. */
static void move_to(pair *both, uint64_t cursor) {
  ring_fault fault;
  ring_item item;
  uint8_t body[1 << 16];
  while (both->a.writer.tail < cursor) {
    const uint64_t to_end = both->ring_bytes - both->a.writer.tail % both->ring_bytes;
    const uint64_t to_cursor = cursor - both->a.writer.tail, left = to_end < to_cursor ? to_end : to_cursor;
    const uint32_t most = ring_max_body(both->ring_bytes), bytes = left - 8 < most ? (uint32_t)left - 8 : most;
    protoipc_window window;
    CHECK(ring_reserve(&both->a.writer, bytes, &window, &fault) == PROTOIPC_OK);
    memset((uint8_t *)both->a.own + window.offset + 8, 0xee, bytes);
    CHECK(ring_commit(&both->a.writer, &bytes, 1) == PROTOIPC_OK);
    CHECK(ring_take(&both->b.reader, body, &item, &fault) == 1);
    ring_release(&both->b.reader);
  }
  CHECK(both->a.writer.tail == cursor);
}

static void windows(void) {
  pair both;
  ring_fault fault;
  ring_item item;
  uint8_t body[512];
  protoipc_window window, again;
  pair_open(&both, 4096);
  CHECK(ring_max_body(4096) == 512 && ring_max_body(SHM_DEFAULT_RING_BYTES) == 32768);
  CHECK(ring_reserve(&both.a.writer, 513, &window, &fault) == PROTOIPC_ETOOLARGE);
  CHECK(ring_commit(&both.a.writer, (uint32_t[]){0}, 1) == PROTOIPC_EINVAL); /* there is no window */

  /* A window that was not committed is not seen, and is given out again. */
  CHECK(ring_reserve(&both.a.writer, 512, &window, &fault) == PROTOIPC_OK);
  CHECK(window.offset == SHM_RING_OFFSET && window.bytes == 4096);
  memset((uint8_t *)both.a.own + window.offset, 0x55, 600);
  CHECK(ring_take(&both.b.reader, body, &item, &fault) == 0);
  CHECK(ring_reserve(&both.a.writer, 1, &again, &fault) == PROTOIPC_OK);
  CHECK(again.offset == window.offset && again.bytes == window.bytes);

  /* What does not fit is not committed, and the window stays. */
  CHECK(ring_commit(&both.a.writer, NULL, 0) == PROTOIPC_EINVAL);
  CHECK(ring_commit(&both.a.writer, (uint32_t[]){513}, 1) == PROTOIPC_EINVAL);
  CHECK(ring_commit(&both.a.writer, (uint32_t[]){UINT32_MAX}, 1) == PROTOIPC_EINVAL);
  uint32_t many[512];
  for (uint32_t i = 0; i < 512; i++) many[i] = 0;
  many[511] = 1;
  CHECK(ring_commit(&both.a.writer, many, 512) == PROTOIPC_EINVAL);
  CHECK(ring_take(&both.b.reader, body, &item, &fault) == 0);
  many[511] = 0;
  CHECK(ring_commit(&both.a.writer, many, 512) == PROTOIPC_OK); /* the whole ring, in records of nothing */
  CHECK(ring_commit(&both.a.writer, many, 1) == PROTOIPC_EINVAL);
  CHECK(ring_reserve(&both.a.writer, 0, &window, &fault) == PROTOIPC_EAGAIN);
  for (int i = 0; i < 512; i++) CHECK(ring_take(&both.b.reader, body, &item, &fault) == 1 && item.bytes == 0);
  CHECK(ring_take(&both.b.reader, body, &item, &fault) == 0);
  ring_release(&both.b.reader);
  CHECK(ring_has_room(&both.a.writer));
  CHECK(ring_reserve(&both.a.writer, 0, &window, &fault) == PROTOIPC_OK);
  CHECK(!ring_has_room(&both.a.writer));
  pair_close(&both);
}

/* Every distance to the ring's end, every size of record: padding is there when it must be, and never otherwise. */
static void padding(void) {
  for (uint64_t rest = 8; rest <= 528; rest += 8) {
    for (uint32_t bytes = 0; bytes <= 512; bytes += bytes < 24 ? 1 : 61) {
      pair both;
      ring_fault fault;
      ring_item item;
      uint8_t body[512];
      protoipc_window window;
      pair_open(&both, 4096);
      move_to(&both, 4096 - rest);
      memset((uint8_t *)both.a.own + SHM_RING_OFFSET, 0xee, 4096);
      const uint32_t whole = 8 + (bytes + 7) / 8 * 8;
      CHECK(ring_reserve(&both.a.writer, bytes, &window, &fault) == PROTOIPC_OK);
      const int is_padded = whole > rest;
      CHECK(window.offset == (is_padded ? SHM_RING_OFFSET : SHM_RING_OFFSET + 4096 - rest));
      /* The writer may know of no more than half of the ring that it is free. */
      CHECK(is_padded ? window.bytes >= 2048 - rest && window.bytes <= 4096 - rest : window.bytes == rest);
      pair_fill((uint8_t *)both.a.own + window.offset + 8, bytes, bytes);
      CHECK(ring_commit(&both.a.writer, &bytes, 1) == PROTOIPC_OK);
      CHECK(both.a.writer.tail == 4096 - rest + (is_padded ? rest : 0) + whole);
      for (uint32_t i = 8 + bytes; i < whole; i++) CHECK(((uint8_t *)both.a.own)[window.offset + i] == 0);
      if (is_padded) {
        shm_record_header header;
        memcpy(&header, (uint8_t *)both.a.own + SHM_RING_OFFSET + 4096 - rest, 8);
        CHECK(header.kind == SHM_PAD && header.bytes == rest - 8 && header.pad == 0 && header.reserved == 0);
      }
      CHECK(ring_take(&both.b.reader, body, &item, &fault) == 1);
      CHECK(item.bytes == bytes && pair_is_filled(body, bytes, bytes));
      CHECK(ring_take(&both.b.reader, body, &item, &fault) == 0);
      pair_close(&both);
    }
  }
}

static void lying_writer_cursor(void) {
  pair both;
  ring_fault fault = {{0}};
  ring_item item;
  uint8_t body[512];
  pair_open(&both, 4096);
  move_to(&both, 8192 + 64);
  const uint64_t head = both.b.reader.head;
  const uint64_t lies[] = {head - 8, head + 4096 + 8, head + 4, head + 1, 0,
                           UINT64_C(1) << 63, UINT64_MAX - 7, UINT64_MAX, head + (UINT64_C(1) << 32)};
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    atomic_store(&both.a.own->writer.tail, lies[i]);
    fault.text[0] = 0;
    CHECK(ring_take(&both.b.reader, body, &item, &fault) == PROTOIPC_EPROTOCOL);
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)lies[i]);
    CHECK(strstr(fault.text, number) != NULL);
    CHECK(both.b.reader.head == head && both.b.reader.tail == head);
  }
  pair_close(&both);
}

static void lying_reader_cursor(void) {
  pair both;
  ring_fault fault = {{0}};
  protoipc_window window;
  pair_open(&both, 4096);
  move_to(&both, 4096);
  /* More than half is in use, so that the writer looks. */
  for (int i = 0; i < 5; i++) {
    CHECK(ring_reserve(&both.a.writer, 512, &window, &fault) == PROTOIPC_OK);
    CHECK(ring_commit(&both.a.writer, (uint32_t[]){512}, 1) == PROTOIPC_OK);
  }
  const uint64_t tail = both.a.writer.tail;
  const uint64_t lies[] = {tail + 8, 4096 - 8, 4100, 0, tail - 4096 - 8, UINT64_MAX, UINT64_C(1) << 63};
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    atomic_store(&both.b.own->reader.head, lies[i]);
    fault.text[0] = 0;
    CHECK(ring_reserve(&both.a.writer, 8, &window, &fault) == PROTOIPC_EPROTOCOL);
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)lies[i]);
    CHECK(strstr(fault.text, number) != NULL);
    CHECK(both.a.writer.head == 4096 && both.a.writer.tail == tail);
    CHECK(ring_commit(&both.a.writer, (uint32_t[]){8}, 1) == PROTOIPC_EINVAL);
  }
  atomic_store(&both.b.own->reader.head, tail);
  CHECK(ring_reserve(&both.a.writer, 8, &window, &fault) == PROTOIPC_OK);
  pair_close(&both);
}

/* What a header must be, said once more and differently: docs/spec/shm-v1.md, section 6. */
static int is_lawful(uint64_t word, uint64_t ring, uint64_t position, uint64_t committed) {
  const uint64_t bytes = word & UINT32_MAX, kind = word >> 32 & 255, pad = word >> 40 & 255, reserved = word >> 48;
  const uint64_t whole = 8 + (bytes % 8 == 0 ? bytes : bytes + 8 - bytes % 8);
  if (reserved != 0 || bytes * 8 > ring || position + whole > ring || whole > committed) return 0;
  if (kind == 1) return pad == 0 && position + whole == ring && bytes % 8 == 0;
  if (kind == 2) return pad == 0;
  if (kind == 3) return pad <= 7 && bytes % 8 == 0 && bytes >= 32 + pad;
  if (kind == 4) return pad == 0 && bytes > 0 && bytes % 8 == 0;
  return 0;
}

static uint64_t lawful_found;

static void try_header(pair *both, uint64_t word, uint64_t position, uint64_t committed) {
  ring_fault fault = {{0}};
  ring_item item;
  uint8_t *const body = malloc(512); /* of the exact size, for AddressSanitizer */
  CHECK(body != NULL);
  ring_reader reader = both->b.reader;
  reader.head = reader.tail = reader.released = 8192 + position;
  atomic_store(&both->a.own->writer.tail, 8192 + position + committed);
  memset((uint8_t *)both->a.own + SHM_RING_OFFSET, 0, 4096); /* behind padding there is a header of kind 0 */
  memcpy((uint8_t *)both->a.own + SHM_RING_OFFSET + position, &word, 8);
  const int code = ring_take(&reader, body, &item, &fault);
  const int is_pad = (word >> 32 & 255) == SHM_PAD;
  const uint64_t whole = 8 + ((word & UINT32_MAX) + 7) / 8 * 8;
  if (!is_lawful(word, 4096, position, committed)) {
    CHECK(code == PROTOIPC_EPROTOCOL && fault.text[0] != 0 && reader.head == 8192 + position);
  } else if (is_pad) {
    lawful_found++;
    CHECK(code == (committed > whole ? PROTOIPC_EPROTOCOL : 0));
    CHECK(reader.head == 8192 + 4096);
  } else {
    lawful_found++;
    CHECK(code == 1 && fault.text[0] == 0);
    CHECK(item.bytes == (uint32_t)word && item.kind == (word >> 32 & 255) && item.pad == (word >> 40 & 255));
    CHECK(reader.head == 8192 + position + whole);
  }
  free(body);
}

static void lying_headers(void) {
  static const uint32_t sizes[] = {0, 1, 7, 8, 9, 24, 31, 32, 33, 39, 40, 47, 48, 64,
                                   500, 504, 505, 511, 512, 513, 520, 4080, 4088, 4096,
                                   0x7fffffff, 0x80000000, 0xfffffff7, 0xfffffff8, 0xffffffff};
  static const uint64_t positions[] = {0, 8, 2048, 4096 - 528, 4096 - 520, 4096 - 48, 4096 - 16, 4096 - 8};
  static const uint64_t lengths[] = {8, 16, 40, 48, 512, 520, 528, 4096};
  pair both;
  pair_open(&both, 4096);
  for (size_t p = 0; p < sizeof positions / sizeof *positions; p++)
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
      for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint64_t kind = 0; kind < 8; kind++)
          for (uint64_t pad = 0; pad < 10; pad += pad == 1 ? 6 : 1)
            for (uint64_t reserved = 0; reserved < 2; reserved++)
              try_header(&both, sizes[s] | kind << 32 | pad << 40 | reserved << 63, positions[p], lengths[l]);
  for (uint64_t kind = 0; kind < 256; kind++) try_header(&both, 64 | kind << 32, 0, 72);
  for (int i = 0; i < 200000; i++) {
    uint64_t word = test_next(&seed);
    if (i % 4 != 0) { /* near to what is lawful */
      const uint64_t kind = 1 + test_below(&seed, 5), pad = i % 3 == 0 ? test_below(&seed, 9) : 0;
      word = (test_below(&seed, 600) & (i % 2 == 0 ? ~UINT64_C(7) : UINT64_MAX)) | kind << 32 | pad << 40;
    }
    try_header(&both, word, test_below(&seed, 512) * 8, 8 + test_below(&seed, 512) * 8);
  }
  CHECK(lawful_found > 20000);
  pair_close(&both);
}

/* A ring, and cursors, of nothing but noise: it faults or delivers, and never works for ever. */
static void noise(void) {
  pair both;
  ring_fault fault;
  ring_item item;
  pair_open(&both, 4096);
  for (int round = 0; round < 20000; round++) {
    uint8_t *const ring = (uint8_t *)both.a.own + SHM_RING_OFFSET;
    for (int i = 0; i < 4096; i += 8) {
      const uint64_t word = test_next(&seed) & (i % 16 == 0 ? UINT64_C(0x000003ff0000007f) : UINT64_MAX);
      memcpy(ring + i, &word, 8);
    }
    ring_reader reader = both.b.reader;
    atomic_store(&both.a.own->writer.tail, test_below(&seed, 514) * 8);
    uint8_t *const body = malloc(512);
    CHECK(body != NULL);
    int taken = 0;
    while (ring_take(&reader, body, &item, &fault) == 1) CHECK(++taken <= 512);
    free(body);
  }
  pair_close(&both);
}

static void send_one(pair_end *end, uint32_t bytes) {
  protoipc_window window;
  ring_fault fault;
  CHECK(ring_reserve(&end->writer, bytes, &window, &fault) == PROTOIPC_OK);
  CHECK(ring_commit(&end->writer, &bytes, 1) == PROTOIPC_OK);
}

static void take_one(pair_end *end) {
  uint8_t body[512];
  ring_item item;
  ring_fault fault;
  CHECK(ring_take(&end->reader, body, &item, &fault) == 1);
}

static void give_one_back(pair_end *end) {
  const shm_give_back name = {.index = 1, .generation = 1};
  protoipc_window window;
  ring_fault fault;
  CHECK(ring_reserve(&end->writer, sizeof name, &window, &fault) == PROTOIPC_OK);
  memcpy((uint8_t *)end->own + window.offset + PROTOIPC_RECORD_HEADER, &name, sizeof name);
  CHECK(ring_commit_kind(&end->writer, SHM_GIVE_BACK, 0, sizeof name) == PROTOIPC_OK);
}

static void waking(void) {
  pair both;
  ring_fault fault;
  protoipc_window window;
  pair_open(&both, 4096);
  CHECK(pair_must_wake(&both.a) == SHM_AWAKE);

  /* For a record: once for each sleep, in the way that it says. */
  CHECK(pair_sleep(&both.b, SHM_SLEEPS_ON_SOCKET) == 0);
  CHECK(pair_must_wake(&both.a) == SHM_AWAKE); /* nothing moved */
  send_one(&both.a, 8);
  CHECK(pair_must_wake(&both.a) == SHM_SLEEPS_ON_SOCKET);
  CHECK(pair_must_wake(&both.a) == SHM_AWAKE);
  send_one(&both.a, 8);
  CHECK(pair_must_wake(&both.a) == SHM_AWAKE); /* rung for this sleep */
  ring_wake(both.b.own);
  CHECK(pair_sleep(&both.b, SHM_SLEEPS_ON_FUTEX) == 1); /* there is news */
  CHECK(atomic_load(&both.b.own->sleeper.sleep) == SHM_AWAKE);
  take_one(&both.b);
  take_one(&both.b);
  CHECK(pair_sleep(&both.b, SHM_SLEEPS_ON_FUTEX) == 0);
  send_one(&both.a, 8);
  CHECK(pair_must_wake(&both.a) == SHM_SLEEPS_ON_FUTEX);
  ring_wake(both.b.own);
  take_one(&both.b);
  ring_release(&both.b.reader);

  /* A sleeper for frames: not for give-backs, but for a frame before or behind them; others for any record. */
  CHECK(pair_must_wake(&both.b) == SHM_AWAKE);
  CHECK(pair_sleep(&both.b, SHM_SLEEPS_FOR_FRAMES) == 0);
  give_one_back(&both.a);
  CHECK(pair_must_wake(&both.a) == SHM_AWAKE);
  give_one_back(&both.a);
  CHECK(pair_must_wake(&both.a) == SHM_AWAKE);
  send_one(&both.a, 8);
  give_one_back(&both.a);
  CHECK(pair_must_wake(&both.a) == SHM_SLEEPS_FOR_FRAMES);
  ring_wake(both.b.own);
  for (int i = 0; i < 4; i++) take_one(&both.b);
  CHECK(pair_sleep(&both.b, SHM_SLEEPS_FOR_FRAMES) == 0);
  give_one_back(&both.a);
  CHECK(pair_must_wake(&both.a) == SHM_AWAKE);
  CHECK(pair_sleep(&both.b, SHM_SLEEPS_ON_SOCKET) == 1); /* what was not rung for is there to be seen */
  take_one(&both.b);
  CHECK(pair_sleep(&both.b, SHM_SLEEPS_ON_SOCKET) == 0);
  give_one_back(&both.a);
  CHECK(pair_must_wake(&both.a) == SHM_SLEEPS_ON_SOCKET);
  ring_wake(both.b.own);
  take_one(&both.b);
  ring_release(&both.b.reader);

  /* But before they fill the ring: a frame behind them has to find room. */
  CHECK(pair_sleep(&both.b, SHM_SLEEPS_FOR_FRAMES) == 0);
  int quiet = 0;
  for (; quiet < 1000; quiet++) {
    give_one_back(&both.a);
    if (pair_must_wake(&both.a) != SHM_AWAKE) break;
  }
  CHECK(quiet == 4096 / 4 / 16 - 1);
  ring_wake(both.b.own);
  for (; quiet >= 0; quiet--) take_one(&both.b);
  ring_release(&both.b.reader);

  /* A cursor that moved while the peer was awake does not ring for a sleep after it. */
  send_one(&both.a, 8);
  CHECK(pair_must_wake(&both.a) == SHM_AWAKE);
  take_one(&both.b);
  CHECK(pair_sleep(&both.b, SHM_SLEEPS_ON_SOCKET) == 0);
  CHECK(pair_must_wake(&both.a) == SHM_AWAKE);
  ring_wake(both.b.own);

  /* For room: not before the half that was asked for, and by what is released and not by what is taken. */
  while (ring_reserve(&both.a.writer, 512, &window, &fault) == PROTOIPC_OK)
    CHECK(ring_commit(&both.a.writer, (uint32_t[]){512}, 1) == PROTOIPC_OK);
  pair_must_wake(&both.b);
  CHECK(pair_sleep(&both.a, SHM_SLEEPS_ON_SOCKET) == 0);
  take_one(&both.b);
  ring_release(&both.b.reader);
  CHECK(pair_must_wake(&both.b) == SHM_AWAKE);
  CHECK(!ring_has_room(&both.a.writer));
  while (both.b.reader.head < both.a.writer.wanted) take_one(&both.b);
  CHECK(pair_must_wake(&both.b) == SHM_AWAKE);
  send_one(&both.b, 8);
  CHECK(pair_must_wake(&both.b) == SHM_SLEEPS_ON_SOCKET); /* for the record: what is taken is not released yet */
  ring_wake(both.a.own);
  take_one(&both.a);
  CHECK(!ring_has_room(&both.a.writer));
  CHECK(pair_sleep(&both.a, SHM_SLEEPS_ON_SOCKET) == 0);
  ring_release(&both.b.reader);
  CHECK(pair_must_wake(&both.b) == SHM_SLEEPS_ON_SOCKET);
  CHECK(ring_has_room(&both.a.writer));
  CHECK(pair_sleep(&both.a, SHM_SLEEPS_ON_SOCKET) == 1);
  CHECK(ring_reserve(&both.a.writer, 512, &window, &fault) == PROTOIPC_OK);

  /* A sleeper for records is not rung for room that it did not ask for. */
  while (ring_has_record(&both.b.reader)) take_one(&both.b);
  CHECK(pair_sleep(&both.a, SHM_SLEEPS_ON_SOCKET) == 0);
  ring_release(&both.b.reader);
  CHECK(pair_must_wake(&both.b) == SHM_AWAKE);

  /* Awake is awake, whatever number it has; a word that changes all the time costs a ring each. */
  const uint32_t words[] = {0, 1 << 2, UINT32_MAX << 2, 1 << 2 | 1, 2 << 2 | 2, 3 << 2 | 3, UINT32_MAX};
  const int expected[] = {0, 0, 0, 1, 2, 3, 3};
  for (int i = 0; i < 7; i++) {
    atomic_store(&both.a.own->sleeper.sleep, words[i]);
    send_one(&both.b, 8);
    CHECK(pair_must_wake(&both.b) == expected[i]);
  }
  pair_close(&both);
}

/* What stands in the ring, to the byte. */
static void bytes_in_the_ring(void) {
  static const uint8_t records[] = {
      0x03, 0, 0, 0, 0x02, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0, 0,       /* a frame of 3 bytes */
      0x00, 0, 0, 0, 0x02, 0, 0, 0,                                     /* a frame of none */
      0x28, 0, 0, 0, 0x03, 0x03, 0, 0, 'h', 'e', 'a', 'd', '!', 0, 0, 0, /* with a block; 3 of padding */
      0x02, 0, 0, 0, 0x01, 0, 0, 0, 0x00, 0, 0, 0, 0x00, 0, 0, 0,
      0x00, 0x10, 0, 0, 0, 0, 0, 0, 0xa0, 0x86, 0x01, 0, 0, 0, 0, 0,
      0x10, 0, 0, 0, 0x04, 0, 0, 0, 0x07, 0, 0, 0, 0x01, 0, 0, 0, /* gives two blocks back */
      0x02, 0, 0, 0, 0x05, 0, 0, 0};
  pair both;
  ring_fault fault;
  protoipc_window window;
  pair_open(&both, 4096);
  memset((uint8_t *)both.a.own + SHM_RING_OFFSET, 0xee, 4096);
  uint8_t *const ring = (uint8_t *)both.a.own + SHM_RING_OFFSET;
  CHECK(ring_reserve(&both.a.writer, 3, &window, &fault) == PROTOIPC_OK);
  memcpy(ring + 8, "abc", 3);
  CHECK(ring_commit(&both.a.writer, (uint32_t[]){3, 0}, 2) == PROTOIPC_OK);
  CHECK(ring_reserve(&both.a.writer, 40, &window, &fault) == PROTOIPC_OK);
  const shm_block_name name = {.index = 2, .generation = 1, .segment = 0, .offset = 4096, .bytes = 100000};
  memcpy(ring + 32, "head!\0\0\0", 8);
  memcpy(ring + 40, &name, 32);
  CHECK(ring_commit_kind(&both.a.writer, SHM_FRAME_WITH_BLOCK, 3, 40) == PROTOIPC_OK);
  const shm_give_back back[] = {{7, 1}, {2, 5}};
  CHECK(ring_reserve(&both.a.writer, 16, &window, &fault) == PROTOIPC_OK);
  memcpy(ring + 80, back, 16);
  CHECK(ring_commit_kind(&both.a.writer, SHM_GIVE_BACK, 0, 16) == PROTOIPC_OK);
  CHECK(memcmp(ring, records, sizeof records) == 0);
  CHECK(atomic_load(&both.a.own->writer.tail) == sizeof records && sizeof records == 96);
  CHECK(memcmp(both.a.own, "\nIPCSHM1\1\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x10\0\0\0\0\0\0", 40) == 0);
  pair_close(&both);
}

TEST_MAIN(TEST(laps), TEST(windows), TEST(padding), TEST(lying_writer_cursor), TEST(lying_reader_cursor),
          TEST(lying_headers), TEST(noise), TEST(waking), TEST(bytes_in_the_ring))
