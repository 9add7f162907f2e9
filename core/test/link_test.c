/* Records between two ends in one process, and how a link begins and ends. */
#define _GNU_SOURCE
#include "peers.h"

static const protoipc_options small_rings = {.ring_bytes = 4096};

static void test_every_size_both_ways(void) {
  peers both = peers_open(NULL, NULL);
  const uint32_t most = protoipc_link_max_record_bytes(both.dialled);
  uint8_t *body = malloc(most), *buffer = malloc(most);
  CHECK_EQUAL(most, 262144 / 8);
  CHECK_EQUAL(protoipc_link_max_receive_bytes(both.accepted), most);
  for (uint32_t bytes = 0; bytes <= most; bytes = bytes < 300 ? bytes + 1 : bytes + bytes / 7 + 1) {
    for (int way = 0; way < 2; way++) {
      protoipc_link *from = way ? both.accepted : both.dialled, *to = way ? both.dialled : both.accepted;
      fill(body, bytes, bytes + (uint64_t)way);
      CHECK_EQUAL(protoipc_link_send(from, body, bytes), 0);
      const protoipc_record record = receive_one(to, buffer, most);
      CHECK_EQUAL(record.bytes, bytes);
      CHECK_EQUAL(record.has_block, 0);
      check_filled(buffer + record.offset, bytes, bytes + (uint64_t)way);
    }
  }
  CHECK_EQUAL(protoipc_link_send(both.dialled, body, most), 0);
  CHECK_EQUAL(protoipc_link_send(both.dialled, body, most + 1), PROTOIPC_ETOOLARGE);
  free(body);
  free(buffer);
  peers_close(&both);
}

/* Batches of random sizes for many laps, with a reader that is sometimes late. */
static void test_many_laps(void) {
  peers both = peers_open(&small_rings, &small_rings);
  const uint32_t most = protoipc_link_max_record_bytes(both.dialled);
  test_random random = {3};
  uint64_t sent = 0, received = 0;
  uint8_t body[512], buffer[2048];
  uint32_t sizes[4096];
  protoipc_record records[16];
  CHECK_EQUAL(most, sizeof body);
  while (received < 200000) {
    for (uint64_t burst = test_below(&random, 20); burst > 0; burst--) {
      const uint32_t bytes = (uint32_t)test_below(&random, most + 1);
      fill(body, bytes, sent);
      const int result = protoipc_link_send(both.dialled, body, bytes);
      if (result == PROTOIPC_EAGAIN) break;
      CHECK_EQUAL(result, 0);
      sizes[sent++ % 4096] = bytes;
    }
    if (test_below(&random, 3) == 0) continue;
    const int count = protoipc_link_receive(both.accepted, buffer, sizeof buffer, records, 16);
    CHECK(count >= 0);
    for (int i = 0; i < count; i++) {
      CHECK_EQUAL(records[i].offset % 8, 0);
      CHECK_EQUAL(records[i].bytes, sizes[received % 4096]);
      check_filled(buffer + records[i].offset, records[i].bytes, received++);
    }
  }
  protoipc_link_stats stats;
  protoipc_link_read_stats(both.dialled, &stats);
  CHECK_EQUAL(stats.records_sent, sent);
  protoipc_link_read_stats(both.accepted, &stats);
  CHECK_EQUAL(stats.records_received, received);
  peers_close(&both);
}

static void test_window_of_many_records(void) {
  peers both = peers_open(NULL, NULL);
  protoipc_window window;
  uint32_t lengths[100], at = 0;
  uint8_t *own, buffer[40000];
  uint64_t own_bytes;
  protoipc_record records[200];
  protoipc_link_own_segment(both.dialled, (void **)&own, &own_bytes);
  CHECK_EQUAL(own_bytes, 4096 + 262144);
  CHECK_EQUAL(protoipc_link_reserve(both.dialled, 200, &window), 0);
  for (uint32_t i = 0; i < 100; i++) {
    lengths[i] = i;
    fill(own + window.offset + at + PROTOIPC_RECORD_HEADER, i, i);
    at += PROTOIPC_RECORD_HEADER + (i + 7) / 8 * 8;
  }
  CHECK(at <= window.bytes);
  CHECK_EQUAL(protoipc_link_commit(both.dialled, lengths, 100), 0);
  CHECK_EQUAL(protoipc_link_commit(both.dialled, lengths, 1), PROTOIPC_EINVAL); /* the window is used up */
  CHECK_EQUAL(protoipc_link_receive(both.accepted, buffer, sizeof buffer, records, 200), 100);
  for (uint32_t i = 0; i < 100; i++) {
    CHECK_EQUAL(records[i].bytes, i);
    check_filled(buffer + records[i].offset, i, i);
  }
  peers_close(&both);
}

static void test_full_ring_says_when_there_is_room(void) {
  peers both = peers_open(&small_rings, &small_rings);
  uint8_t body[512] = {0}, buffer[512];
  int sent = 0;
  while (protoipc_link_send(both.dialled, body, sizeof body) == 0) sent++;
  CHECK(sent >= 6);
  CHECK_EQUAL(protoipc_link_has_news(both.dialled), 0);
  CHECK_EQUAL(protoipc_link_sleep(both.dialled), 0);
  CHECK_EQUAL(protoipc_link_service(both.dialled), 0);
  (void)receive_one(both.accepted, buffer, sizeof buffer);
  CHECK_EQUAL(protoipc_link_has_news(both.dialled), 0); /* half of it is not free yet */
  for (int i = 1; i < sent; i++) (void)receive_one(both.accepted, buffer, sizeof buffer);
  CHECK_EQUAL(protoipc_link_has_news(both.dialled), 1);
  CHECK_EQUAL(protoipc_link_service(both.dialled), PROTOIPC_RUNG); /* receiving alone has rung, once */
  CHECK_EQUAL(protoipc_link_service(both.dialled), 0);
  protoipc_link_wake(both.dialled);
  CHECK_EQUAL(protoipc_link_send(both.dialled, body, sizeof body), 0);
  CHECK_EQUAL(protoipc_link_has_news(both.dialled), 0);
  peers_close(&both);
}

static void test_rings_once_for_a_sleep(void) {
  peers both = peers_open(NULL, NULL);
  uint8_t buffer[65536];
  protoipc_record records[64];
  CHECK_EQUAL(protoipc_link_send(both.dialled, "a", 1), 0);
  CHECK_EQUAL(protoipc_link_flush(both.dialled), 0); /* nobody sleeps */
  CHECK_EQUAL(protoipc_link_has_news(both.accepted), 1);
  CHECK_EQUAL(protoipc_link_spin(both.accepted, 1000000), 1);
  CHECK_EQUAL(protoipc_link_sleep(both.accepted), 1);
  CHECK_EQUAL(protoipc_link_receive(both.accepted, buffer, sizeof buffer, records, 64), 1);
  CHECK_EQUAL(protoipc_link_spin(both.accepted, 1000), 0);
  CHECK_EQUAL(protoipc_link_sleep(both.accepted), 0);
  for (int i = 0; i < 20; i++) {
    CHECK_EQUAL(protoipc_link_send(both.dialled, "a", 1), 0);
    CHECK_EQUAL(protoipc_link_flush(both.dialled), i == 0);
  }
  CHECK_EQUAL(platform_is_readable(protoipc_link_fd(both.accepted)), 1);
  CHECK_EQUAL(protoipc_link_service(both.accepted), PROTOIPC_RUNG);
  CHECK_EQUAL(platform_is_readable(protoipc_link_fd(both.accepted)), 0);
  protoipc_link_wake(both.accepted);
  CHECK_EQUAL(protoipc_link_receive(both.accepted, buffer, sizeof buffer, records, 64), 20);
  CHECK_EQUAL(protoipc_link_flush(both.dialled), 0);
  protoipc_link_stats stats;
  protoipc_link_read_stats(both.dialled, &stats);
  CHECK_EQUAL(stats.doorbells_sent, 1);
  protoipc_link_read_stats(both.accepted, &stats);
  CHECK_EQUAL(stats.doorbells_received, 1);
  peers_close(&both);
}

/* Who always finds news in the ring still takes what stands in the socket, now and then. */
static void test_wait_looks_at_the_socket(void) {
  peers both = peers_open(NULL, NULL);
  const uint8_t doorbell = SHM_MSG_DOORBELL;
  protoipc_link_stats stats;
  int waits = 0;
  CHECK_EQUAL(protoipc_link_send(both.dialled, "a", 1), 0);
  CHECK_EQUAL(platform_send(protoipc_link_fd(both.dialled), &doorbell, 1, -1), 0);
  do {
    CHECK_EQUAL(protoipc_link_wait(both.accepted, 0, 1), 1);
    protoipc_link_read_stats(both.accepted, &stats);
  } while (stats.doorbells_received == 0 && ++waits < 1000);
  CHECK(waits < 1000);
  CHECK_EQUAL(protoipc_link_service(both.accepted), PROTOIPC_RUNG);
  peers_close(&both);
}

/* Nothing can be sent before the peer's segment is here, and then there is news for who tried. */
static void test_before_attachment(void) {
  peers both = {.listener = peers_listen(NULL)};
  protoipc_window window;
  protoipc_record record;
  uint8_t buffer[32768];
  CHECK_EQUAL(protoipc_dial(peers_path, NULL, NULL, &both.dialled), 0);
  CHECK_EQUAL(protoipc_link_service(both.dialled), 0);
  CHECK_EQUAL(protoipc_link_reserve(both.dialled, 1, &window), PROTOIPC_EAGAIN);
  CHECK_EQUAL(protoipc_link_send(both.dialled, "a", 1), PROTOIPC_EAGAIN);
  CHECK_EQUAL(protoipc_link_receive(both.dialled, buffer, sizeof buffer, &record, 1), 0);
  CHECK_EQUAL(protoipc_link_max_receive_bytes(both.dialled), 0);
  CHECK_EQUAL(protoipc_link_flush(both.dialled), 0);
  CHECK_EQUAL(protoipc_link_has_news(both.dialled), 0);
  CHECK_EQUAL(protoipc_link_sleep(both.dialled), 0);
  CHECK_EQUAL(protoipc_link_wait(both.dialled, 0, 1000000), PROTOIPC_ETIMEDOUT);
  CHECK_EQUAL(protoipc_accept(both.listener, NULL, &both.accepted), 0);
  CHECK_EQUAL(protoipc_accept(both.listener, NULL, &both.accepted), PROTOIPC_EAGAIN);
  CHECK_EQUAL(protoipc_link_wait(both.dialled, 0, UINT64_C(1000000000)), 1);
  /* What the wait found is not lost for who asks later. */
  CHECK_EQUAL(protoipc_link_service(both.dialled), PROTOIPC_ATTACHED);
  CHECK_EQUAL(protoipc_link_service(both.dialled), 0);
  CHECK_EQUAL(protoipc_link_send(both.dialled, "a", 1), 0);
  CHECK_EQUAL(protoipc_link_wait(both.accepted, 0, UINT64_C(1000000000)), 1);
  CHECK_EQUAL(receive_one(both.accepted, buffer, sizeof buffer).bytes, 1);
  protoipc_peer peer;
  protoipc_link_peer(both.accepted, &peer);
  CHECK_EQUAL(peer.pid, getpid());
  CHECK_EQUAL(peer.uid, geteuid());
  peers_close(&both);
}

/* ---- The end ---- */

static void test_lingering(void) {
  peers both = peers_open(NULL, NULL);
  uint8_t buffer[65536];
  protoipc_record record;
  protoipc_arena_stats arena;
  protoipc_block block = new_block(both.arena, 1000, 9);
  CHECK_EQUAL(protoipc_link_send(both.dialled, "first", 5), 0);
  CHECK_EQUAL(send_block(both.dialled, 4, &block, 0, 1000), 0);
  CHECK_EQUAL(protoipc_arena_release(both.arena, &block), 0);
  protoipc_link_shutdown(both.dialled);
  CHECK_EQUAL(protoipc_link_linger(both.dialled), PROTOIPC_EAGAIN);
  int found = 0;
  while ((found & PROTOIPC_HUNG_UP) == 0) found = protoipc_link_service(both.accepted);
  CHECK_EQUAL(protoipc_link_send(both.accepted, "x", 1), PROTOIPC_ECLOSED);
  CHECK_EQUAL(receive_one(both.accepted, buffer, sizeof buffer).bytes, 5);
  record = receive_one(both.accepted, buffer, sizeof buffer);
  CHECK_EQUAL(protoipc_link_receive(both.accepted, buffer, sizeof buffer, &record, 1), PROTOIPC_ECLOSED);
  CHECK_EQUAL(protoipc_link_wait(both.accepted, 0, 1), 1);
  const void *data;
  CHECK_EQUAL(record.has_block, 1);
  CHECK_EQUAL(protoipc_link_block_data(both.accepted, &record, &data), 0);
  check_filled(data, 1000, 9);
  CHECK_EQUAL(protoipc_link_linger(both.dialled), PROTOIPC_EAGAIN);
  protoipc_arena_read_stats(both.arena, &arena);
  CHECK_EQUAL(arena.blocks, 1);
  protoipc_link_close(both.accepted);
  both.accepted = NULL;
  CHECK_EQUAL(protoipc_link_linger(both.dialled), 0);
  protoipc_link_close(both.dialled);
  both.dialled = NULL;
  protoipc_arena_read_stats(both.arena, &arena);
  CHECK_EQUAL(arena.blocks, 0);
  peers_close(&both);
}

static void test_nothing_is_left_after_close(void) {
  const int descriptors = peers_count_descriptors();
  for (int round = 0; round < 20; round++) {
    peers both = peers_open(NULL, NULL);
    uint8_t buffer[65536];
    protoipc_block block = new_block(both.arena, 1000, 9);
    CHECK_EQUAL(send_block(both.dialled, 4, &block, 0, 1000), 0);
    if (round % 2) CHECK_EQUAL(receive_one(both.accepted, buffer, sizeof buffer).has_block, 1);
    peers_close(&both);
    CHECK_EQUAL(peers_count_maps(), 0);
    CHECK_EQUAL(peers_count_descriptors(), descriptors);
  }
  protoipc_link_close(NULL);
  protoipc_listener_close(NULL);
  protoipc_arena_close(NULL);
}

static void test_options(void) {
  protoipc_listener *listener = NULL;
  const protoipc_options wrong[] = {
      {.ring_bytes = 2048},        {.ring_bytes = 4097},          {.ring_bytes = 128u << 20}, {.max_ring_bytes = 100},
      {.max_ring_bytes = 1u << 31}, {.max_segments = 1u << 20}, {.max_held_blocks = 65537}, {.reserved = {0, 0, 1}},
  };
  peers_socket_path();
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    CHECK_EQUAL(protoipc_listen(peers_path, &wrong[i], &listener), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_link_service(NULL), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_link_has_news(NULL), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_link_reason(NULL)[0], 0);
  const protoipc_options large = {.ring_bytes = 1 << 20}, picky = {.max_ring_bytes = 1 << 19};
  listener = peers_listen(&picky);
  protoipc_link *dialled, *accepted;
  CHECK_EQUAL(protoipc_dial(peers_path, &large, NULL, &dialled), 0);
  CHECK_EQUAL(protoipc_accept(listener, NULL, &accepted), 0);
  CHECK_EQUAL(protoipc_link_service(accepted), PROTOIPC_EPROTOCOL);
  CHECK_TEXT(protoipc_link_reason(accepted), "larger than the limit");
  int found = 0;
  while (found >= 0) found = protoipc_link_service(dialled);
  CHECK_EQUAL(found, PROTOIPC_EPROTOCOL);
  CHECK_TEXT(protoipc_link_reason(dialled), "refused our segment with a ring of 1048576 bytes");
  CHECK_EQUAL(protoipc_link_send(dialled, "x", 1), PROTOIPC_EPROTOCOL);
  CHECK_EQUAL(protoipc_link_has_news(dialled), 1);
  CHECK_EQUAL(protoipc_link_wait(dialled, 0, 1), PROTOIPC_EPROTOCOL);
  protoipc_link_close(dialled);
  protoipc_link_close(accepted);
  protoipc_listener_close(listener);
}

TEST_MAIN(TEST(test_every_size_both_ways), TEST(test_many_laps), TEST(test_window_of_many_records),
          TEST(test_full_ring_says_when_there_is_room), TEST(test_rings_once_for_a_sleep),
          TEST(test_wait_looks_at_the_socket),
          TEST(test_before_attachment), TEST(test_lingering), TEST(test_nothing_is_left_after_close),
          TEST(test_options))
