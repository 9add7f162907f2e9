/* Two processes: streams, death, and the blocking wait. */
#define _GNU_SOURCE
#include "processes.h"

static uint8_t buffer[1 << 20];

/* ---- Death ---- */

static void send_and_be_killed(void) {
  protoipc_link *link = dial(NULL);
  for (uint64_t i = 0; i < 1000; i++) CHECK_EQUAL(protoipc_link_send(link, &i, sizeof i), 0);
  raise(SIGKILL);
}

static void test_records_outlive_their_sender(void) {
  const pid_t child = spawn(send_and_be_killed);
  protoipc_listener *listener = peers_listen(NULL);
  protoipc_link *link = accept_one(listener, NULL);
  protoipc_record records[64];
  CHECK_EQUAL(test_wait(child), 128 + SIGKILL);
  await_hang_up(link);
  for (uint64_t next = 0; next < 1000;) {
    const int count = protoipc_link_receive(link, buffer, sizeof buffer, records, 64);
    CHECK(count > 0);
    for (int i = 0; i < count; i++) {
      uint64_t number;
      memcpy(&number, buffer + records[i].offset, sizeof number);
      CHECK_EQUAL(number, next++);
    }
  }
  CHECK_EQUAL(protoipc_link_receive(link, buffer, sizeof buffer, records, 64), PROTOIPC_ECLOSED);
  CHECK_EQUAL(protoipc_link_send(link, "x", 1), PROTOIPC_ECLOSED);
  CHECK_EQUAL(protoipc_link_sleep(link), 1);
  protoipc_link_close(link);
  protoipc_listener_close(listener);
}

/* Numbered records of all sizes, some with blocks, until it is killed at any point. */
static void stream_for_ever(void) {
  protoipc_arena *arena;
  CHECK_EQUAL(protoipc_arena_open(0, &arena), 0);
  protoipc_link *link = dial(arena);
  protoipc_record record;
  test_random random = {1};
  for (uint64_t number = 0;; number++) {
    const uint32_t bytes = 8 + (uint32_t)test_below(&random, 3000);
    int result = PROTOIPC_EAGAIN;
    fill(buffer, bytes, number);
    memcpy(buffer, &number, sizeof number);
    while (result == PROTOIPC_EAGAIN || result == PROTOIPC_ELIMIT) {
      if (number % 4 == 0) {
        protoipc_block block;
        CHECK_EQUAL(protoipc_arena_allocate(arena, bytes, &block), 0);
        memcpy(protoipc_arena_data(arena, &block), buffer, bytes);
        result = send_block(link, 0, &block, 0, bytes);
        CHECK_EQUAL(protoipc_arena_release(arena, &block), 0);
      } else {
        result = protoipc_link_send(link, buffer, bytes);
      }
      CHECK(protoipc_link_flush(link) >= 0);
      if (result != 0) CHECK(protoipc_link_wait(link, 0, second_ns / 1000) != PROTOIPC_EPROTOCOL);
      CHECK_EQUAL(protoipc_link_receive(link, buffer + 8192, sizeof buffer - 8192, &record, 1), 0);
    }
    CHECK_EQUAL(result, 0);
  }
}

static void take_stream(protoipc_link *link, uint64_t *next) {
  static uint8_t expected[8192];
  protoipc_record records[16];
  const int count = protoipc_link_receive(link, buffer, sizeof buffer, records, 16);
  if (count < 0) CHECK_EQUAL(count, PROTOIPC_ECLOSED);
  for (int i = 0; i < count; i++, ++*next) {
    const void *bytes = buffer + records[i].offset;
    uint64_t size = records[i].bytes, number;
    CHECK_EQUAL(records[i].has_block, *next % 4 == 0);
    if (records[i].has_block) {
      CHECK_EQUAL(protoipc_link_block_data(link, &records[i], &bytes), 0);
      size = records[i].block_bytes;
    }
    memcpy(&number, bytes, sizeof number);
    CHECK_EQUAL(number, *next);
    fill(expected, size, number);
    CHECK(memcmp((const uint8_t *)bytes + 8, expected + 8, size - 8) == 0);
    if (records[i].has_block) CHECK_EQUAL(protoipc_link_give_back(link, records[i].index, records[i].generation), 0);
  }
  CHECK(protoipc_link_flush(link) >= 0);
}

static void test_killed_at_any_point(void) {
  test_random random = {5};
  peers_socket_path();
  uint64_t all = 0;
  for (int round = 0; round < 40; round++) {
    const pid_t child = spawn(stream_for_ever);
    protoipc_listener *listener = peers_listen(NULL);
    protoipc_link *link = accept_one(listener, NULL);
    const uint64_t start = platform_now_ns(), life = test_below(&random, second_ns / 25);
    uint64_t next = 0, before;
    int killed = 0;
    while (!killed || (protoipc_link_service(link) & PROTOIPC_HUNG_UP) == 0) {
      if (!killed && platform_now_ns() - start >= life) killed = kill(child, SIGKILL) == 0;
      const int waited = protoipc_link_wait(link, 0, second_ns / 1000);
      CHECK(waited == 1 || waited == PROTOIPC_ETIMEDOUT);
      take_stream(link, &next);
    }
    do {
      before = next;
      take_stream(link, &next);
    } while (next != before);
    all += next;
    protoipc_record record;
    const int result = protoipc_link_receive(link, buffer, sizeof buffer, &record, 1);
    CHECK_EQUAL(result, PROTOIPC_ECLOSED);
    CHECK_EQUAL(test_wait(child), 128 + SIGKILL);
    protoipc_link_close(link);
    protoipc_listener_close(listener);
    unlink(peers_path);
    CHECK_EQUAL(peers_count_maps(), 0);
  }
  CHECK(all > 1000);
}

static void hold_and_be_killed(void) {
  protoipc_link *link = dial(NULL);
  protoipc_record record;
  for (int i = 0; i < 5; i++) {
    CHECK_EQUAL(protoipc_link_wait(link, 0, 10 * second_ns), 1);
    CHECK_EQUAL(protoipc_link_receive(link, buffer, sizeof buffer, &record, 1), 1);
  }
  CHECK_EQUAL(protoipc_link_send(link, "held", 4), 0);
  CHECK(protoipc_link_flush(link) >= 0);
  for (;;) pause();
}

/* What a dead peer held is free as soon as its link is closed. */
static void test_holds_vanish_with_the_peer(void) {
  protoipc_arena *arena;
  protoipc_arena_stats stats;
  protoipc_record record;
  const pid_t child = spawn(hold_and_be_killed);
  protoipc_listener *listener = peers_listen(NULL);
  CHECK_EQUAL(protoipc_arena_open(0, &arena), 0);
  protoipc_link *link = accept_one(listener, arena);
  for (int i = 0; i < 5; i++) {
    protoipc_block block = new_block(arena, 100000, 1);
    CHECK_EQUAL(send_block(link, 0, &block, 0, 100000), 0);
    CHECK_EQUAL(protoipc_arena_release(arena, &block), 0);
  }
  CHECK(protoipc_link_flush(link) >= 0);
  CHECK_EQUAL(protoipc_link_wait(link, 0, 10 * second_ns), 1);
  CHECK_EQUAL(protoipc_link_receive(link, buffer, sizeof buffer, &record, 1), 1);
  protoipc_arena_read_stats(arena, &stats);
  CHECK_EQUAL(stats.blocks, 5);
  CHECK(kill(child, SIGKILL) == 0);
  /* Its death is news, within the slice of 20 ms and what a loaded machine adds. */
  const uint64_t start = platform_now_ns();
  CHECK_EQUAL(protoipc_link_wait(link, 0, 20 * second_ns), 1);
  CHECK(platform_now_ns() - start < 5 * second_ns);
  CHECK_EQUAL(protoipc_link_receive(link, buffer, sizeof buffer, &record, 1), PROTOIPC_ECLOSED);
  protoipc_link_close(link);
  protoipc_arena_read_stats(arena, &stats);
  CHECK_EQUAL(stats.blocks, 0);
  CHECK_EQUAL(test_wait(child), 128 + SIGKILL);
  protoipc_arena_close(arena);
  protoipc_listener_close(listener);
}

/* Its child has the socket, so that it does not end; the process that we linked to is dead all the same. */
static void fork_and_be_killed(void) {
  protoipc_link *link = dial(NULL);
  const pid_t child = fork();
  if (child == 0) {
    alarm(100);
    for (;;) pause();
  }
  CHECK_EQUAL(protoipc_link_send(link, &child, sizeof child), 0);
  CHECK(protoipc_link_flush(link) >= 0);
  for (;;) pause();
}

static void test_a_fork_does_not_hide_a_death(void) {
  const pid_t child = spawn(fork_and_be_killed);
  protoipc_listener *listener = peers_listen(NULL);
  protoipc_link *link = accept_one(listener, NULL);
  protoipc_record record;
  pid_t grandchild;
  CHECK_EQUAL(protoipc_link_wait(link, 0, 10 * second_ns), 1);
  CHECK_EQUAL(protoipc_link_receive(link, buffer, sizeof buffer, &record, 1), 1);
  memcpy(&grandchild, buffer, sizeof grandchild);
  CHECK(protoipc_link_death_fd(link) >= 0);
  CHECK_EQUAL(platform_is_readable(protoipc_link_death_fd(link)), 0);
  CHECK(kill(child, SIGKILL) == 0);
  CHECK_EQUAL(protoipc_link_wait(link, 0, 20 * second_ns), 1); /* not reaped yet */
  CHECK_EQUAL(protoipc_link_receive(link, buffer, sizeof buffer, &record, 1), PROTOIPC_ECLOSED);
  CHECK(protoipc_link_service(link) & PROTOIPC_HUNG_UP);
  CHECK_EQUAL(platform_is_hung_up(protoipc_link_fd(link)), 0); /* the socket alone would not have told */
  CHECK(kill(grandchild, SIGKILL) == 0);
  CHECK_EQUAL(test_wait(child), 128 + SIGKILL);
  protoipc_link_close(link);
  protoipc_listener_close(listener);
}

/* Nor does it where more is in the socket than is taken at once. */
static void fork_and_talk(void) {
  protoipc_link *link = dial(NULL);
  const int socket = protoipc_link_fd(link);
  const uint8_t doorbell = SHM_MSG_DOORBELL;
  while (platform_send(socket, &doorbell, 1, -1) == 0) continue;
  if (fork() != 0) raise(SIGKILL);
  alarm(1);
  for (;;) pause();
}

static void test_talk_does_not_hide_a_death(void) {
  const pid_t child = spawn(fork_and_talk);
  protoipc_listener *listener = peers_listen(NULL);
  protoipc_link *link = accept_one(listener, NULL);
  int found = 0;
  CHECK_EQUAL(test_wait(child), 128 + SIGKILL);
  for (int i = 0; i < 20 && (found & PROTOIPC_HUNG_UP) == 0; i++) found = protoipc_link_service(link);
  CHECK_EQUAL(found, PROTOIPC_RUNG | PROTOIPC_HUNG_UP);
  protoipc_link_close(link);
  protoipc_listener_close(listener);
}

/* ---- The blocking wait ---- */

enum { turns = 20000 };

static void answer(void) {
  protoipc_link *link = dial(NULL);
  protoipc_record record;
  for (int i = 0; i < turns; i++) {
    int count = 0;
    while (count == 0) {
      CHECK_EQUAL(protoipc_link_wait(link, i % 2 ? 0 : 5000, 20 * second_ns), 1);
      count = protoipc_link_receive(link, buffer, sizeof buffer, &record, 1);
    }
    CHECK_EQUAL(count, 1);
    CHECK_EQUAL(protoipc_link_send(link, buffer, record.bytes), 0);
    CHECK(protoipc_link_flush(link) >= 0);
  }
  protoipc_link_shutdown(link);
  while (protoipc_link_linger(link) == PROTOIPC_EAGAIN) usleep(1000);
  protoipc_link_close(link);
}

/* Sleeps by the socket, as an event loop does. */
static void sleep_in_poll(protoipc_link *link) {
  struct pollfd entries[2] = {{.fd = protoipc_link_fd(link), .events = POLLIN},
                              {.fd = protoipc_link_death_fd(link), .events = POLLIN}};
  if (protoipc_link_sleep(link)) return;
  CHECK(poll(entries, 2, 20000) > 0);
  CHECK(protoipc_link_service(link) >= 0);
  protoipc_link_wake(link);
}

/* A lost wake-up would cost a slice of the futex's waiter, and the poll's 20 s: so it is the poll that shows it. */
static void test_every_wake_up_arrives(void) {
  const pid_t child = spawn(answer);
  protoipc_listener *listener = peers_listen(NULL);
  protoipc_link *link = accept_one(listener, NULL);
  protoipc_record record;
  for (uint64_t i = 0; i < turns; i++) {
    int count = 0;
    uint64_t number;
    CHECK_EQUAL(protoipc_link_send(link, &i, sizeof i), 0);
    CHECK(protoipc_link_flush(link) >= 0);
    while (count == 0) {
      if (i % 3 == 0)
        CHECK_EQUAL(protoipc_link_wait(link, 0, 20 * second_ns), 1);
      else
        sleep_in_poll(link);
      count = protoipc_link_receive(link, buffer, sizeof buffer, &record, 1);
    }
    CHECK_EQUAL(count, 1);
    memcpy(&number, buffer, sizeof number);
    CHECK_EQUAL(number, i);
  }
  while (protoipc_link_receive(link, buffer, sizeof buffer, &record, 1) != PROTOIPC_ECLOSED) sleep_in_poll(link);
  protoipc_link_close(link);
  CHECK_EQUAL(test_wait(child), 0);
  protoipc_listener_close(listener);
}

static void test_timeouts(void) {
  peers both = peers_open(NULL, NULL);
  const uint64_t waits[] = {0, 1, 1000000, 35000000};
  for (size_t i = 0; i < 4; i++) {
    const uint64_t start = platform_now_ns();
    CHECK_EQUAL(protoipc_link_wait(both.accepted, i % 2 ? second_ns : 0, waits[i]), PROTOIPC_ETIMEDOUT);
    CHECK(platform_now_ns() - start >= waits[i]);
  }
  CHECK_EQUAL(protoipc_link_send(both.dialled, "x", 1), 0);
  CHECK_EQUAL(protoipc_link_wait(both.accepted, UINT64_MAX, UINT64_MAX), 1);
  /* What stands committed and unflushed does not keep two from each other. */
  CHECK_EQUAL(protoipc_link_wait(both.dialled, 0, 1), PROTOIPC_ETIMEDOUT);
  peers_close(&both);
}

/* The full stream with everything at once: blocks both ways, give-backs, futex sleeps, no kill. */
static void test_streaming_between_processes(void) {
  const pid_t child = spawn(stream_for_ever);
  protoipc_listener *listener = peers_listen(NULL);
  protoipc_link *link = accept_one(listener, NULL);
  uint64_t next = 0;
  while (next < 100000) {
    CHECK_EQUAL(protoipc_link_wait(link, 0, 20 * second_ns), 1);
    take_stream(link, &next);
  }
  CHECK(kill(child, SIGKILL) == 0);
  CHECK_EQUAL(test_wait(child), 128 + SIGKILL);
  protoipc_link_close(link);
  protoipc_listener_close(listener);
}

TEST_MAIN(TEST(test_records_outlive_their_sender), TEST(test_killed_at_any_point),
          TEST(test_holds_vanish_with_the_peer), TEST(test_a_fork_does_not_hide_a_death),
          TEST(test_talk_does_not_hide_a_death),
          TEST(test_every_wake_up_arrives), TEST(test_timeouts), TEST(test_streaming_between_processes))
