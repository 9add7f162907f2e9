/* Blocks, and the segments that they stand in, between two ends in one process. */
#define _GNU_SOURCE
#include "peers.h"

static const protoipc_options small_rings = {.ring_bytes = 4096};

static void test_blocks_of_every_kind(void) {
  const protoipc_options options = {.max_block_bytes = 32 << 20};
  peers both = peers_open(&options, &options);
  uint8_t *buffer = malloc(65536);
  test_random random = {11};
  protoipc_link_stats stats;
  for (uint32_t round = 0; round < 300; round++) {
    const uint64_t bytes = round % 50 == 0 ? 9 << 20 : 1 + test_below(&random, round % 10 == 0 ? 3 << 20 : 20000);
    const uint32_t head_bytes = (uint32_t)test_below(&random, 40);
    protoipc_block block = new_block(both.arena, bytes, round);
    const uint64_t offset = test_below(&random, bytes);
    const void *data = NULL;
    CHECK_EQUAL(send_block(both.dialled, head_bytes, &block, offset, bytes - offset), 0);
    CHECK_EQUAL(protoipc_arena_release(both.arena, &block), 0); /* the peer's hold keeps it */
    protoipc_record record = receive_one(both.accepted, buffer, 65536);
    CHECK_EQUAL(record.bytes, head_bytes);
    check_filled(buffer + record.offset, head_bytes, head_bytes);
    CHECK_EQUAL(record.has_block, 1);
    CHECK_EQUAL(record.index, block.index);
    CHECK_EQUAL(record.generation, block.generation);
    CHECK_EQUAL(record.block_bytes, bytes - offset);
    CHECK_EQUAL(protoipc_link_block_data(both.accepted, &record, &data), 0);
    uint8_t *whole = malloc(bytes);
    fill(whole, bytes, round);
    CHECK(memcmp(data, whole + offset, bytes - offset) == 0);
    free(whole);
    protoipc_link_read_stats(both.accepted, &stats);
    CHECK_EQUAL(stats.blocks_held_by_us, 1);
    CHECK_EQUAL(protoipc_link_give_back(both.accepted, record.index, record.generation), 0);
    CHECK_EQUAL(protoipc_link_give_back(both.accepted, record.index, record.generation), PROTOIPC_EINVAL);
    CHECK_EQUAL(protoipc_link_block_data(both.accepted, &record, &data), PROTOIPC_EINVAL);
    protoipc_link_read_stats(both.dialled, &stats);
    CHECK_EQUAL(stats.blocks_held_by_peer, 1); /* it was not told yet */
    CHECK(protoipc_link_flush(both.accepted) >= 0);
    CHECK_EQUAL(protoipc_link_receive(both.dialled, buffer, 65536, &record, 1), 0);
    protoipc_link_read_stats(both.dialled, &stats);
    CHECK_EQUAL(stats.blocks_held_by_peer, 0);
    CHECK_EQUAL(stats.bytes_held_by_peer, 0);
  }
  protoipc_arena_stats arena;
  protoipc_arena_read_stats(both.arena, &arena);
  CHECK_EQUAL(arena.blocks, 0);
  free(buffer);
  peers_close(&both);
}

/* The data of a record that names what we do not hold, or more than there is. */
static void test_block_data_is_checked(void) {
  peers both = peers_open(NULL, NULL);
  uint8_t buffer[65536];
  const void *data;
  protoipc_block block = new_block(both.arena, 5000, 1);
  CHECK_EQUAL(send_block(both.dialled, 0, &block, 0, 5000), 0);
  const protoipc_record record = receive_one(both.accepted, buffer, sizeof buffer);
  protoipc_record other = record;
  CHECK_EQUAL(protoipc_link_block_data(both.accepted, &other, &data), 0);
  other.block_offset = UINT64_MAX;
  CHECK_EQUAL(protoipc_link_block_data(both.accepted, &other, &data), PROTOIPC_EINVAL);
  other = record;
  other.block_bytes = UINT64_MAX - 10;
  CHECK_EQUAL(protoipc_link_block_data(both.accepted, &other, &data), PROTOIPC_EINVAL);
  other = record;
  other.segment++;
  CHECK_EQUAL(protoipc_link_block_data(both.accepted, &other, &data), PROTOIPC_EINVAL);
  other = record;
  other.generation++;
  CHECK_EQUAL(protoipc_link_block_data(both.accepted, &other, &data), PROTOIPC_EINVAL);
  other = record;
  other.has_block = 0;
  CHECK_EQUAL(protoipc_link_block_data(both.accepted, &other, &data), PROTOIPC_EINVAL);
  peers_close(&both);
}

static void test_limits_of_holds(void) {
  const protoipc_options options = {.max_held_blocks = 3, .max_held_bytes = 5 * 4096};
  peers both = peers_open(&options, NULL);
  uint8_t buffer[65536];
  protoipc_record record, records[8];
  protoipc_block one = new_block(both.arena, 4096, 1), two = new_block(both.arena, 8192, 2);
  CHECK_EQUAL(send_block(both.dialled, 8, &one, 0, 4096), 0);
  CHECK_EQUAL(send_block(both.dialled, 8, &two, 0, 8192), 0);
  CHECK_EQUAL(send_block(both.dialled, 8, &two, 8000, 192), 0);
  CHECK_EQUAL(send_block(both.dialled, 8, &one, 0, 10), PROTOIPC_ELIMIT); /* blocks, and bytes too */
  CHECK_EQUAL(protoipc_link_receive(both.accepted, buffer, sizeof buffer, records, 8), 3);
  CHECK_EQUAL(protoipc_link_give_back(both.accepted, one.index, one.generation), 0);
  CHECK(protoipc_link_flush(both.accepted) >= 0);
  CHECK_EQUAL(protoipc_link_receive(both.dialled, buffer, sizeof buffer, &record, 1), 0);
  CHECK_EQUAL(send_block(both.dialled, 8, &two, 0, 1), PROTOIPC_ELIMIT); /* bytes: the whole block counts */
  /* The window stays: what did not go as a block goes as a record. */
  const uint32_t length = 8;
  CHECK_EQUAL(protoipc_link_commit(both.dialled, &length, 1), 0);
  CHECK_EQUAL(receive_one(both.accepted, buffer, sizeof buffer).bytes, 8);
  CHECK_EQUAL(send_block(both.dialled, 8, &one, 0, 1), 0);
  record = receive_one(both.accepted, buffer, sizeof buffer);
  CHECK_EQUAL(record.index, one.index);
  /* Twice held is twice given back. */
  CHECK_EQUAL(protoipc_link_give_back(both.accepted, two.index, two.generation), 0);
  CHECK_EQUAL(protoipc_link_give_back(both.accepted, two.index, two.generation), 0);
  CHECK_EQUAL(protoipc_link_give_back(both.accepted, two.index, two.generation), PROTOIPC_EINVAL);
  peers_close(&both);
}

static void test_wrong_blocks(void) {
  peers both = peers_open(NULL, NULL);
  protoipc_block block = new_block(both.arena, 5000, 1), other = block;
  CHECK_EQUAL(send_block(both.dialled, 8, &block, 0, block.bytes + 1), PROTOIPC_EINVAL);
  CHECK_EQUAL(send_block(both.dialled, 8, &block, UINT64_MAX, 2), PROTOIPC_EINVAL);
  CHECK_EQUAL(send_block(both.dialled, 8, NULL, 0, 2), PROTOIPC_EINVAL);
  other.segment = UINT32_MAX;
  CHECK_EQUAL(send_block(both.dialled, 8, &other, 0, 2), PROTOIPC_EINVAL);
  CHECK_EQUAL(send_block(both.accepted, 8, &block, 0, 2), PROTOIPC_EINVAL); /* that side has no arena */
  CHECK_EQUAL(protoipc_link_commit_block(both.dialled, 8, &block, 0, 2), 0); /* the window is still there */
  CHECK_EQUAL(protoipc_link_commit_block(both.dialled, 8, &block, 0, 2), PROTOIPC_EINVAL);
  protoipc_window window;
  CHECK_EQUAL(protoipc_link_reserve(both.dialled, 100, &window), 0);
  CHECK_EQUAL(protoipc_link_commit_block(both.dialled, UINT32_MAX, &block, 0, 2), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_arena_release(both.arena, &block), 0);
  CHECK_EQUAL(send_block(both.dialled, 8, &block, 0, 2), PROTOIPC_EINVAL);
  peers_close(&both);
}

/* A segment is announced before its first block, goes when nobody holds anything in it, and its number stays away. */
static void test_announcements_and_retirements(void) {
  const protoipc_options options = {.max_block_bytes = 64 << 20, .max_mapped_bytes = 40 << 20};
  peers both = {.listener = peers_listen(&options)};
  uint8_t buffer[65536];
  protoipc_link_stats stats;
  protoipc_record record;
  const void *data;
  CHECK_EQUAL(protoipc_arena_open(40 << 20, &both.arena), 0);
  CHECK_EQUAL(protoipc_dial(peers_path, &options, both.arena, &both.dialled), 0);
  CHECK_EQUAL(protoipc_accept(both.listener, NULL, &both.accepted), 0);
  peers_attach(both.dialled);
  peers_attach(both.accepted);
  const int maps = peers_count_maps();
  uint32_t last = 0;
  /* Each does not fit beside the one before: the receiver's limit holds only if it is told of the end in time. */
  for (uint32_t round = 0; round < 12; round++) {
    const uint64_t bytes = (uint64_t)(21 + round % 12) << 20;
    protoipc_block block;
    CHECK_EQUAL(protoipc_arena_allocate(both.arena, bytes, &block), 0);
    CHECK(round == 0 || block.segment > last);
    last = block.segment;
    memset(protoipc_arena_data(both.arena, &block), (int)round, 100);
    CHECK_EQUAL(send_block(both.dialled, 0, &block, 0, bytes), 0);
    CHECK_EQUAL(protoipc_arena_release(both.arena, &block), 0);
    record = receive_one(both.accepted, buffer, sizeof buffer); /* takes the announcement from the socket itself */
    CHECK_EQUAL(protoipc_link_block_data(both.accepted, &record, &data), 0);
    CHECK_EQUAL(*(const uint8_t *)data, round);
    protoipc_link_read_stats(both.accepted, &stats);
    CHECK_EQUAL(stats.segments_mapped, 1);
    CHECK_EQUAL(peers_count_maps(), maps + 2);
    CHECK_EQUAL(protoipc_link_give_back(both.accepted, record.index, record.generation), 0);
    CHECK(protoipc_link_flush(both.accepted) >= 0);
    CHECK_EQUAL(protoipc_link_receive(both.dialled, buffer, sizeof buffer, &record, 1), 0);
  }
  /* A link that comes later is told of what is there, and nothing of what was. */
  protoipc_link *late_dialled, *late_accepted;
  protoipc_block block;
  CHECK_EQUAL(protoipc_dial(peers_path, &options, both.arena, &late_dialled), 0);
  CHECK_EQUAL(protoipc_accept(both.listener, NULL, &late_accepted), 0);
  peers_attach(late_dialled);
  peers_attach(late_accepted);
  CHECK_EQUAL(protoipc_arena_allocate(both.arena, 1000, &block), 0);
  CHECK_EQUAL(send_block(late_dialled, 3, &block, 0, 1000), 0);
  record = receive_one(late_accepted, buffer, sizeof buffer);
  CHECK_EQUAL(protoipc_link_block_data(late_accepted, &record, &data), 0);
  protoipc_link_read_stats(late_accepted, &stats);
  CHECK_EQUAL(stats.segments_mapped, 1);
  protoipc_link_close(late_dialled);
  protoipc_link_close(late_accepted);
  peers_close(&both);
}

/* A link that needs nothing new is told all the same, with its next flush. */
static void test_retirements_are_told_by_a_flush(void) {
  peers both = {.listener = peers_listen(NULL)};
  protoipc_link *other, *other_end;
  uint8_t buffer[65536];
  protoipc_link_stats stats;
  protoipc_block block;
  CHECK_EQUAL(protoipc_arena_open(16 << 20, &both.arena), 0);
  CHECK_EQUAL(protoipc_dial(peers_path, NULL, both.arena, &both.dialled), 0);
  CHECK_EQUAL(protoipc_accept(both.listener, NULL, &both.accepted), 0);
  CHECK_EQUAL(protoipc_dial(peers_path, NULL, both.arena, &other), 0);
  CHECK_EQUAL(protoipc_accept(both.listener, NULL, &other_end), 0);
  peers_attach(both.dialled);
  peers_attach(both.accepted);
  peers_attach(other);
  block = new_block(both.arena, 1000, 1);
  CHECK_EQUAL(send_block(both.dialled, 0, &block, 0, 1000), 0);
  CHECK_EQUAL(protoipc_arena_release(both.arena, &block), 0);
  protoipc_record record = receive_one(both.accepted, buffer, sizeof buffer);
  CHECK_EQUAL(protoipc_link_give_back(both.accepted, record.index, record.generation), 0);
  CHECK(protoipc_link_flush(both.accepted) >= 0);
  CHECK_EQUAL(protoipc_link_receive(both.dialled, buffer, sizeof buffer, &record, 1), 0);
  CHECK_EQUAL(protoipc_arena_allocate(both.arena, 15 << 20, &block), 0); /* does not fit beside the first segment */
  CHECK(protoipc_link_flush(other) >= 0);
  CHECK_EQUAL(protoipc_link_service(both.accepted), 0);
  protoipc_link_read_stats(both.accepted, &stats);
  CHECK_EQUAL(stats.segments_mapped, 1);
  CHECK(protoipc_link_flush(both.dialled) >= 0);
  CHECK_EQUAL(protoipc_link_service(both.accepted), 0);
  protoipc_link_read_stats(both.accepted, &stats);
  CHECK_EQUAL(stats.segments_mapped, 0);
  protoipc_link_close(other);
  protoipc_link_close(other_end);
  peers_close(&both);
}

/* With the socket full, a new segment has to wait; nothing else does. */
static void test_full_socket(void) {
  peers both = peers_open(NULL, NULL);
  uint8_t buffer[65536];
  const uint8_t doorbell = SHM_MSG_DOORBELL;
  const int socket = protoipc_link_fd(both.dialled);
  int stuffed = 0;
  protoipc_link_stats stats;
  while (platform_send(socket, &doorbell, 1, -1) == 0) stuffed++;
  protoipc_block block = new_block(both.arena, 1000, 5);
  CHECK_EQUAL(send_block(both.dialled, 8, &block, 0, 1000), PROTOIPC_EAGAIN);
  protoipc_link_read_stats(both.dialled, &stats);
  CHECK_EQUAL(stats.blocks_held_by_peer, 0);
  CHECK_EQUAL(stats.records_sent, 0);
  CHECK_EQUAL(protoipc_link_send(both.dialled, "abc", 3), 0);
  CHECK_EQUAL(protoipc_link_sleep(both.accepted), 1);
  CHECK_EQUAL(receive_one(both.accepted, buffer, sizeof buffer).bytes, 3);
  CHECK_EQUAL(protoipc_link_sleep(both.accepted), 0);
  CHECK_EQUAL(protoipc_link_send(both.dialled, "abc", 3), 0);
  CHECK_EQUAL(protoipc_link_flush(both.dialled), 1); /* no room for the doorbell, and no need of it */
  CHECK_EQUAL(receive_one(both.accepted, buffer, sizeof buffer).bytes, 3);
  CHECK_EQUAL(protoipc_link_service(both.accepted), PROTOIPC_RUNG);
  for (int i = 1; i < stuffed; i++) CHECK_EQUAL(protoipc_link_service(both.accepted), PROTOIPC_RUNG);
  CHECK_EQUAL(protoipc_link_service(both.accepted), 0);
  CHECK_EQUAL(send_block(both.dialled, 8, &block, 0, 1000), 0);
  CHECK_EQUAL(receive_one(both.accepted, buffer, sizeof buffer).has_block, 1);
  peers_close(&both);
}

/* Give-backs wait for room in the ring, and lose nothing. */
static void test_give_backs_wait_for_room(void) {
  peers both = peers_open(&small_rings, &small_rings);
  uint8_t buffer[4096];
  protoipc_record record;
  protoipc_link_stats stats;
  uint32_t held = 0, indexes[300], generations[300];
  for (held = 0; held < 300; held++) {
    protoipc_block block = new_block(both.arena, 100, held);
    CHECK_EQUAL(send_block(both.dialled, 0, &block, 0, 100), 0);
    CHECK_EQUAL(protoipc_arena_release(both.arena, &block), 0);
    record = receive_one(both.accepted, buffer, sizeof buffer);
    indexes[held] = record.index;
    generations[held] = record.generation;
  }
  while (protoipc_link_send(both.accepted, buffer, 512) == 0) continue;
  while (protoipc_link_send(both.accepted, buffer, 0) == 0) continue;
  for (uint32_t i = 0; i < held; i++)
    CHECK_EQUAL(protoipc_link_give_back(both.accepted, indexes[i], generations[i]), 0);
  CHECK(protoipc_link_flush(both.accepted) >= 0);
  CHECK_EQUAL(protoipc_link_has_news(both.accepted), 0);
  while (protoipc_link_receive(both.dialled, buffer, sizeof buffer, &record, 1) == 1) continue;
  protoipc_link_read_stats(both.dialled, &stats);
  CHECK_EQUAL(stats.blocks_held_by_peer, 300);
  CHECK_EQUAL(protoipc_link_has_news(both.accepted), 1); /* the room that they asked for */
  CHECK(protoipc_link_flush(both.accepted) >= 0);
  CHECK_EQUAL(protoipc_link_receive(both.dialled, buffer, sizeof buffer, &record, 1), 0);
  protoipc_link_read_stats(both.dialled, &stats);
  CHECK_EQUAL(stats.blocks_held_by_peer, 0);
  peers_close(&both);
}

/* Sends a block, has it received, and gives it back. Returns what the flush of that returns. */
static int send_and_give_back(peers *both, const protoipc_block *block) {
  uint8_t buffer[65536];
  CHECK_EQUAL(send_block(both->dialled, 8, block, 0, 10), 0);
  const protoipc_record record = receive_one(both->accepted, buffer, sizeof buffer);
  CHECK_EQUAL(protoipc_link_sleep(both->dialled), 0);
  CHECK_EQUAL(protoipc_link_give_back(both->accepted, record.index, record.generation), 0);
  return protoipc_link_flush(both->accepted);
}

/* What is only given back wakes nobody who is not short of blocks, and can be collected meanwhile. */
static void test_give_backs_are_quiet(void) {
  const protoipc_options options = {.max_held_blocks = 2};
  peers both = peers_open(&options, NULL);
  uint8_t buffer[65536];
  protoipc_record record;
  protoipc_link_stats stats;
  protoipc_block block = new_block(both.arena, 4096, 1);
  CHECK_EQUAL(send_and_give_back(&both, &block), 0);
  CHECK_EQUAL(platform_is_readable(protoipc_link_fd(both.dialled)), 0);
  CHECK_EQUAL(protoipc_link_collect(both.dialled), 0);
  CHECK_EQUAL(protoipc_link_has_news(both.dialled), 0);
  protoipc_link_read_stats(both.dialled, &stats);
  CHECK_EQUAL(stats.blocks_held_by_peer, 0);

  /* No record is taken, nor what is given back behind it. */
  CHECK_EQUAL(send_block(both.dialled, 8, &block, 0, 10), 0);
  record = receive_one(both.accepted, buffer, sizeof buffer);
  CHECK_EQUAL(protoipc_link_send(both.accepted, "a", 1), 0);
  CHECK_EQUAL(protoipc_link_give_back(both.accepted, record.index, record.generation), 0);
  CHECK_EQUAL(protoipc_link_flush(both.accepted), 1);
  CHECK_EQUAL(protoipc_link_service(both.dialled), PROTOIPC_RUNG);
  protoipc_link_wake(both.dialled);
  CHECK_EQUAL(protoipc_link_collect(both.dialled), 0);
  protoipc_link_read_stats(both.dialled, &stats);
  CHECK_EQUAL(stats.blocks_held_by_peer, 1);
  (void)receive_one(both.dialled, buffer, sizeof buffer);
  CHECK_EQUAL(protoipc_link_collect(both.dialled), 0);
  protoipc_link_read_stats(both.dialled, &stats);
  CHECK_EQUAL(stats.blocks_held_by_peer, 0);

  /* Who could not send one is told, until it could. */
  for (int i = 0; i < 2; i++) CHECK_EQUAL(send_block(both.dialled, 8, &block, 0, 10), 0);
  CHECK_EQUAL(send_block(both.dialled, 8, &block, 0, 10), PROTOIPC_ELIMIT);
  record = receive_one(both.accepted, buffer, sizeof buffer);
  CHECK_EQUAL(protoipc_link_sleep(both.dialled), 0);
  CHECK_EQUAL(protoipc_link_give_back(both.accepted, record.index, record.generation), 0);
  CHECK_EQUAL(protoipc_link_flush(both.accepted), 1);
  CHECK_EQUAL(protoipc_link_service(both.dialled), PROTOIPC_RUNG);
  protoipc_link_wake(both.dialled);
  record = receive_one(both.accepted, buffer, sizeof buffer);
  CHECK_EQUAL(protoipc_link_give_back(both.accepted, record.index, record.generation), 0);
  CHECK(protoipc_link_flush(both.accepted) >= 0);
  CHECK_EQUAL(protoipc_link_collect(both.dialled), 0);
  CHECK_EQUAL(send_and_give_back(&both, &block), 0);

  /* And who got no memory for one, until it got some. The arena has 256 MiB at most. */
  protoipc_block most, other;
  CHECK_EQUAL(protoipc_arena_allocate(both.arena, 200 << 20, &most), 0);
  CHECK_EQUAL(protoipc_arena_allocate(both.arena, 100 << 20, &other), PROTOIPC_ELIMIT);
  CHECK_EQUAL(protoipc_link_collect(both.dialled), 0);
  CHECK_EQUAL(send_and_give_back(&both, &block), 1);
  CHECK_EQUAL(protoipc_link_service(both.dialled), PROTOIPC_RUNG);
  protoipc_link_wake(both.dialled);
  CHECK_EQUAL(protoipc_arena_release(both.arena, &most), 0);
  CHECK_EQUAL(protoipc_arena_allocate(both.arena, 100, &other), 0);
  CHECK_EQUAL(protoipc_link_collect(both.dialled), 0);
  CHECK_EQUAL(send_and_give_back(&both, &block), 0);
  peers_close(&both);
}

/* Who was asleep counts what was given back meanwhile, before it says that the peer holds too much. */
static void test_limits_count_quiet_give_backs(void) {
  const protoipc_options options = {.max_held_blocks = 1};
  peers both = peers_open(&options, NULL);
  protoipc_block block = new_block(both.arena, 4096, 1);
  CHECK_EQUAL(send_and_give_back(&both, &block), 0);
  CHECK_EQUAL(send_block(both.dialled, 8, &block, 0, 10), 0);
  CHECK_EQUAL(send_block(both.dialled, 8, &block, 0, 10), PROTOIPC_ELIMIT);
  peers_close(&both);
}

/* A batch ends with the record that brings its blocks to a bound. */
static void test_batches_of_blocks_are_bounded(void) {
  peers both = peers_open(NULL, NULL);
  uint8_t buffer[65536];
  protoipc_record records[16];
  protoipc_block block = new_block(both.arena, PROTOIPC_RECEIVED_BLOCK_BYTES, 1);
  for (int i = 0; i < 3; i++)
    CHECK_EQUAL(send_block(both.dialled, 8, &block, 0, PROTOIPC_RECEIVED_BLOCK_BYTES / 2), 0);
  CHECK_EQUAL(send_block(both.dialled, 8, &block, 0, PROTOIPC_RECEIVED_BLOCK_BYTES), 0);
  CHECK_EQUAL(protoipc_link_send(both.dialled, "a", 1), 0);
  CHECK_EQUAL(protoipc_link_receive(both.accepted, buffer, sizeof buffer, records, 16), 2);
  CHECK_EQUAL(protoipc_link_receive(both.accepted, buffer, sizeof buffer, records, 16), 2);
  CHECK_EQUAL(protoipc_link_receive(both.accepted, buffer, sizeof buffer, records, 16), 1);
  peers_close(&both);
}

TEST_MAIN(TEST(test_blocks_of_every_kind), TEST(test_block_data_is_checked), TEST(test_limits_of_holds),
          TEST(test_wrong_blocks), TEST(test_announcements_and_retirements), TEST(test_retirements_are_told_by_a_flush),
          TEST(test_full_socket),
          TEST(test_give_backs_wait_for_room), TEST(test_give_backs_are_quiet),
          TEST(test_limits_count_quiet_give_backs), TEST(test_batches_of_blocks_are_bounded))
