/* A peer that breaks rules in its segments: each is met with an error that names what is wrong, and nothing is kept. */
#define _GNU_SOURCE
#include "peers.h"

/* ---- Segments of an arena ---- */

static void announce(const raw_peer *raw, uint32_t segment, uint64_t claimed, uint64_t bytes) {
  int fd;
  void *data;
  const shm_announce message = {.type = SHM_MSG_SEGMENT, .segment = segment, .bytes = claimed};
  CHECK_EQUAL(platform_segment_create(bytes, &fd, &data), 0);
  memset(data, 0x5a, bytes);
  raw_send(raw, &message, sizeof message, fd);
  platform_unmap(data, bytes);
  platform_close(fd);
}

static void test_announcements(void) {
  const protoipc_options options = {.max_segments = 3, .max_mapped_bytes = 65536};
  raw_peer raw = open_raw(&options);
  raw_attach(&raw);
  announce(&raw, 5, 4096, 4096);
  CHECK_EQUAL(protoipc_link_service(raw.victim), 0);
  announce(&raw, 5, 4096, 4096);
  check_fails(&raw, PROTOIPC_EPROTOCOL, "announced segment 5; the next must be 6 or above");
  check_nothing_is_left(&raw);

  raw = open_raw(&options);
  raw_attach(&raw);
  for (uint32_t i = 0; i < 4; i++) announce(&raw, i, 4096, 4096);
  check_fails(&raw, PROTOIPC_EPROTOCOL, "announced segment 3, and has 3; max_segments is 3");
  check_nothing_is_left(&raw);

  raw = open_raw(&options);
  raw_attach(&raw);
  announce(&raw, 0, 61440, 61440);
  announce(&raw, 1, 8192, 8192);
  check_fails(&raw, PROTOIPC_EPROTOCOL, "segment 1 of 8192 bytes, and has 61440; max_mapped_bytes is 65536");
  check_nothing_is_left(&raw);

  raw = open_raw(&options);
  raw_attach(&raw);
  announce(&raw, 0, 4096, 131072); /* what it claims is within the limit, what it sends is not */
  check_fails(&raw, PROTOIPC_EPROTOCOL, "descriptor of the peer's segment 0 is larger than the limit");
  check_nothing_is_left(&raw);

  raw = open_raw(&options);
  raw_attach(&raw);
  announce(&raw, 0, 8192, 4096);
  check_fails(&raw, PROTOIPC_EPROTOCOL, "segment 0 of 8192 bytes; it has 4096");
  check_nothing_is_left(&raw);

  raw = open_raw(&options);
  raw_attach(&raw);
  announce(&raw, 0, UINT64_MAX, 4096);
  check_fails(&raw, PROTOIPC_EPROTOCOL, "max_mapped_bytes is 65536");
  check_nothing_is_left(&raw);
}

/* ---- Records ---- */

static uint8_t buffer[65536];

static int receive(const raw_peer *raw, protoipc_record *record) {
  return protoipc_link_receive(raw->victim, buffer, sizeof buffer, record, 1);
}

static void receive_fails(raw_peer *raw, const char *part) {
  protoipc_record record;
  CHECK_EQUAL(receive(raw, &record), PROTOIPC_EPROTOCOL);
  CHECK_TEXT(protoipc_link_reason(raw->victim), part);
  CHECK_EQUAL(receive(raw, &record), PROTOIPC_EPROTOCOL);
  check_nothing_is_left(raw);
}

static raw_peer open_attached(const protoipc_options *options) {
  raw_peer raw = open_raw(options);
  raw_attach(&raw);
  return raw;
}

static void name_fails(const shm_block_name *name, const char *part) {
  const protoipc_options options = {.max_block_bytes = 50000};
  raw_peer raw = open_attached(&options);
  announce(&raw, 0, 65536, 65536);
  raw_put(&raw, SHM_FRAME_WITH_BLOCK, 0, name, sizeof *name);
  receive_fails(&raw, part);
}

static void test_block_names(void) {
  name_fails(&(shm_block_name){.segment = 1, .bytes = 1}, "block of segment 1, which is not announced");
  name_fails(&(shm_block_name){.segment = UINT32_MAX, .bytes = 1}, "which is not announced");
  name_fails(&(shm_block_name){.bytes = 50001}, "50001 bytes; max_block_bytes is 50000");
  name_fails(&(shm_block_name){.bytes = UINT64_MAX}, "max_block_bytes is 50000");
  name_fails(&(shm_block_name){.offset = 65536, .bytes = 1}, "1 bytes at 65536 is not in segment 0 of 65536");
  name_fails(&(shm_block_name){.offset = 65535, .bytes = 2}, "2 bytes at 65535 is not in segment 0 of 65536");
  name_fails(&(shm_block_name){.offset = UINT64_MAX, .bytes = 2}, "is not in segment 0");
  name_fails(&(shm_block_name){.offset = UINT64_MAX - 7, .bytes = 16}, "is not in segment 0");
  name_fails(&(shm_block_name){.reserved = 1, .bytes = 1}, "reserved bytes of a block's name");

  raw_peer raw = open_attached(NULL);
  const shm_block_name name = {.offset = 65535, .bytes = 1};
  protoipc_record record;
  const void *data;
  announce(&raw, 0, 65536, 65536);
  raw_put(&raw, SHM_FRAME_WITH_BLOCK, 0, &name, sizeof name);
  CHECK_EQUAL(receive(&raw, &record), 1);
  CHECK_EQUAL(protoipc_link_block_data(raw.victim, &record, &data), 0);
  CHECK_EQUAL(*(const uint8_t *)data, 0x5a);
  check_nothing_is_left(&raw);
}

static void test_bytes_before_a_name(void) {
  uint8_t body[40] = {1, 2, 3, 4, 5, 0, 9, 0};
  const shm_block_name name = {.bytes = 1};
  raw_peer raw = open_attached(NULL);
  memcpy(body + 8, &name, sizeof name);
  announce(&raw, 0, 4096, 4096);
  raw_put(&raw, SHM_FRAME_WITH_BLOCK, 3, body, sizeof body);
  receive_fails(&raw, "between a record's head and its block's name are not zero");
}

static void test_retiring_what_is_held(void) {
  raw_peer raw = open_attached(NULL);
  const shm_block_name name = {.index = 4, .generation = 2, .bytes = 100};
  const shm_announce retire = {.type = SHM_MSG_RETIRE};
  protoipc_record record;
  const void *data;
  announce(&raw, 0, 4096, 4096);
  raw_put(&raw, SHM_FRAME_WITH_BLOCK, 0, &name, sizeof name);
  CHECK_EQUAL(receive(&raw, &record), 1);
  raw_send(&raw, &retire, sizeof retire, -1);
  check_fails(&raw, PROTOIPC_EPROTOCOL, "retired segment 0, of which we hold 1 blocks");
  /* What is borrowed stays readable until the link is closed. */
  CHECK_EQUAL(protoipc_link_block_data(raw.victim, &record, &data), 0);
  CHECK_EQUAL(*(const uint8_t *)data, 0x5a);
  CHECK_EQUAL(protoipc_link_give_back(raw.victim, 4, 2), 0);
  check_nothing_is_left(&raw);

  raw = open_attached(NULL);
  announce(&raw, 0, 4096, 4096);
  raw_put(&raw, SHM_FRAME_WITH_BLOCK, 0, &name, sizeof name);
  CHECK_EQUAL(receive(&raw, &record), 1);
  CHECK_EQUAL(protoipc_link_give_back(raw.victim, 4, 2), 0);
  raw_send(&raw, &retire, sizeof retire, -1);
  CHECK_EQUAL(protoipc_link_service(raw.victim), 0);
  protoipc_link_stats stats;
  protoipc_link_read_stats(raw.victim, &stats);
  CHECK_EQUAL(stats.segments_mapped, 0);
  raw_put(&raw, SHM_FRAME_WITH_BLOCK, 0, &name, sizeof name);
  receive_fails(&raw, "which is not announced");
}

static void test_one_block_in_two_segments(void) {
  raw_peer raw = open_attached(NULL);
  shm_block_name name = {.index = 4, .generation = 2, .bytes = 100};
  protoipc_record record;
  announce(&raw, 0, 4096, 4096);
  announce(&raw, 1, 4096, 4096);
  raw_put(&raw, SHM_FRAME_WITH_BLOCK, 0, &name, sizeof name);
  CHECK_EQUAL(receive(&raw, &record), 1);
  name.segment = 1;
  raw_put(&raw, SHM_FRAME_WITH_BLOCK, 0, &name, sizeof name);
  receive_fails(&raw, "now said to be in segment 1");
}

/* Blocks without end: the bound is ours, whatever the peer believes. */
static void test_flood_of_blocks(void) {
  raw_peer raw = open_attached(NULL);
  protoipc_record record;
  announce(&raw, 0, 4096, 4096);
  for (uint32_t i = 0; i < 65536; i++) {
    const shm_block_name name = {.index = i, .generation = 1, .bytes = 1};
    raw_put(&raw, SHM_FRAME_WITH_BLOCK, 0, &name, sizeof name);
    /* 40 bytes do not divide the ring: a record that would wrap is for others to test. */
    if (RAW_RING_BYTES - atomic_load(&raw.own->writer.tail) % RAW_RING_BYTES < 40) {
      const uint32_t rest = RAW_RING_BYTES - (uint32_t)(atomic_load(&raw.own->writer.tail) % RAW_RING_BYTES);
      if (rest != 0) raw_put(&raw, SHM_PAD, 0, buffer, rest - 8);
    }
    CHECK_EQUAL(receive(&raw, &record), 1);
  }
  const shm_block_name name = {.index = 7, .generation = 2, .bytes = 1};
  raw_put(&raw, SHM_FRAME_WITH_BLOCK, 0, &name, sizeof name);
  receive_fails(&raw, "more blocks than were given back and 65536");
}

static void test_give_backs(void) {
  const shm_give_back name = {.index = 3, .generation = 1};
  raw_peer raw = open_attached(NULL);
  raw_put(&raw, SHM_GIVE_BACK, 0, &name, sizeof name);
  receive_fails(&raw, "gave back block 3 of generation 1, which it does not hold"); /* there is not even an arena */

  protoipc_arena *arena;
  protoipc_block block;
  protoipc_window window;
  protoipc_record record;
  protoipc_arena_stats stats;
  CHECK_EQUAL(protoipc_arena_open(0, &arena), 0);
  for (int twice = 0; twice < 2; twice++) {
    descriptors_before = peers_count_descriptors();
    const int maps = peers_count_maps();
    raw = raw_open(NULL, arena);
    raw_attach(&raw);
    CHECK_EQUAL(protoipc_arena_allocate(arena, 100, &block), 0);
    CHECK_EQUAL(protoipc_link_reserve(raw.victim, PROTOIPC_BLOCK_ROOM, &window), 0);
    CHECK_EQUAL(protoipc_link_commit_block(raw.victim, 0, &block, 0, 100), 0);
    CHECK_EQUAL(protoipc_arena_release(arena, &block), 0);
    shm_give_back names[2] = {{block.index, block.generation}, {block.index, block.generation + !twice}};
    raw_put(&raw, SHM_GIVE_BACK, 0, names, sizeof names);
    CHECK_EQUAL(receive(&raw, &record), PROTOIPC_EPROTOCOL);
    CHECK_TEXT(protoipc_link_reason(raw.victim), "which it does not hold");
    protoipc_arena_read_stats(arena, &stats);
    CHECK_EQUAL(stats.blocks, 0);
    raw_close(&raw);
    CHECK(peers_count_maps() <= maps + 1); /* the arena's */
  }
  protoipc_arena_close(arena);
}

/* The records before the fault are the user's. */
static void test_records_before_a_fault(void) {
  raw_peer raw = open_attached(NULL);
  protoipc_record records[4];
  raw_put(&raw, SHM_FRAME, 0, "one", 3);
  raw_put(&raw, SHM_FRAME, 0, "three", 5);
  raw_put(&raw, 9, 0, "x", 1);
  CHECK_EQUAL(protoipc_link_receive(raw.victim, buffer, sizeof buffer, records, 4), 2);
  CHECK_EQUAL(records[1].bytes, 5);
  receive_fails(&raw, "unknown kind 9");
}

/* Cursors that cannot be, as the writer and as the reader see them. */
static void test_cursors(void) {
  raw_peer raw = open_attached(NULL);
  atomic_store(&raw.own->writer.tail, 4104);
  receive_fails(&raw, "has written 4104 bytes");
  raw = open_attached(NULL);
  atomic_store(&raw.own->writer.tail, UINT64_MAX - 7);
  receive_fails(&raw, "has written");
  raw = open_attached(NULL);
  atomic_store(&raw.own->reader.head, 8);
  while (protoipc_link_send(raw.victim, buffer, 32768) == 0) continue;
  CHECK_EQUAL(protoipc_link_send(raw.victim, buffer, 32768), PROTOIPC_EAGAIN); /* it has taken 8 bytes: that can be */
  atomic_store(&raw.own->reader.head, UINT64_C(1) << 40);
  CHECK_EQUAL(protoipc_link_send(raw.victim, buffer, 32768), PROTOIPC_EPROTOCOL);
  CHECK_TEXT(protoipc_link_reason(raw.victim), "has taken 1099511627776 bytes");
  check_nothing_is_left(&raw);
}

/* A sleeper that has read the bell but does not wait yet is woken by its number, and by nothing else. */
static void test_bell_is_counted(void) {
  raw_peer raw = open_attached(NULL);
  shm_attach message;
  int passed, was_cut, too_many;
  const void *data;
  uint64_t bytes;
  const char *why;
  CHECK_EQUAL(platform_receive(raw.fd, &message, sizeof message, &passed, &was_cut, &too_many), sizeof message);
  CHECK_EQUAL(message.type, SHM_MSG_ATTACH);
  CHECK_EQUAL(platform_segment_map(passed, 1 << 30, &data, &bytes, &why), 0);
  platform_close(passed);
  CHECK_EQUAL(message.segment_bytes, bytes);
  const shm_segment *theirs = data;
  CHECK_EQUAL(atomic_load(&theirs->bell.bell), 0);
  for (uint32_t sleep = 1; sleep < 4; sleep++) {
    atomic_store(&raw.own->sleeper.sleep, sleep << 2 | SHM_SLEEPS_ON_FUTEX);
    CHECK_EQUAL(protoipc_link_send(raw.victim, "x", 1), 0);
    CHECK_EQUAL(protoipc_link_flush(raw.victim), 1);
    CHECK_EQUAL(atomic_load(&theirs->bell.bell), sleep);
  }
  platform_unmap(data, bytes);
  check_nothing_is_left(&raw);
}

TEST_MAIN(TEST(test_announcements), TEST(test_block_names), TEST(test_bytes_before_a_name),
          TEST(test_retiring_what_is_held), TEST(test_one_block_in_two_segments), TEST(test_flood_of_blocks),
          TEST(test_give_backs), TEST(test_records_before_a_fault), TEST(test_cursors),
          TEST(test_bell_is_counted))
