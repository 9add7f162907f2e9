/*
 * Both sides of a link as two threads on one mapping, which is what ThreadSanitizer can see: records of random sizes
 * both ways, give-backs between them, and a sleep, by futex or by a pipe, for all or for frames alone, whenever there is
 * nothing to do. A wake-up that is lost is found by its time: the sleeper has news, and nobody told it.
 */
#define _GNU_SOURCE 1
#include "pair.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include "../src/platform.h"

enum { MOST_BYTES = 160, LOST_AFTER_SECONDS = 5 };

typedef struct side {
  pair_end *end;
  shm_segment *peer;
  test_random random;
  uint64_t records;   /* to be sent, and to be taken */
  uint64_t burst;     /* how far sending may be ahead of taking */
  int bell, door;     /* pipes: where our bytes come from, where the peer's go to */
  uint64_t sent, taken, rung, slept;
  /* The first of both begins; the other answers what it got. */
  uint64_t head_start;
} side;

/* Now and then, where there is room. */
static void give_back(side *me) {
  const shm_give_back name = {.index = 1, .generation = 1};
  protoipc_window window;
  ring_fault fault;
  /* Room that was asked for is not asked for any more when there is some for this. */
  if (me->end->writer.wanted != 0 || test_below(&me->random, 4) != 0) return;
  if (ring_reserve(&me->end->writer, sizeof name, &window, &fault) != PROTOIPC_OK) return;
  memcpy((uint8_t *)me->end->own + window.offset + PROTOIPC_RECORD_HEADER, &name, sizeof name);
  CHECK_EQUAL(ring_commit_kind(&me->end->writer, SHM_GIVE_BACK, 0, sizeof name), PROTOIPC_OK);
}

static uint32_t send_some(side *me) {
  uint32_t lengths[16], count = 0, used = 0;
  const uint64_t allowed = me->burst == 0 ? me->records : me->taken + me->head_start;
  const uint64_t until = allowed < me->records ? allowed : me->records;
  protoipc_window window;
  ring_fault fault;
  if (me->sent >= until) return 0;
  const int code = ring_reserve(&me->end->writer, pair_body_bytes(me->sent, MOST_BYTES), &window, &fault);
  if (code == PROTOIPC_EAGAIN) return 0;
  CHECK_EQUAL(code, PROTOIPC_OK);
  const uint32_t wish = 1 + (uint32_t)test_below(&me->random, 16);
  while (count < wish && me->sent + count < until) {
    const uint32_t bytes = pair_body_bytes(me->sent + count, MOST_BYTES), whole = 8 + (bytes + 7) / 8 * 8;
    if (whole > window.bytes - used) break;
    pair_fill((uint8_t *)me->end->own + window.offset + used + 8, me->sent + count, bytes);
    lengths[count++] = bytes;
    used += whole;
  }
  CHECK_EQUAL(ring_commit(&me->end->writer, lengths, count), PROTOIPC_OK);
  me->sent += count;
  return count;
}

static uint32_t take_some(side *me) {
  uint8_t body[512];
  ring_item item;
  ring_fault fault = {{0}};
  const uint32_t wish = 1 + (uint32_t)test_below(&me->random, 24);
  uint32_t count = 0;
  for (; count < wish; count++) {
    const int code = ring_take(&me->end->reader, body, &item, &fault);
    if (code < 0) fprintf(stderr, "%s\n", fault.text);
    CHECK(code >= 0);
    if (code == 0) break;
    if (item.kind == SHM_GIVE_BACK) {
      count--;
      continue;
    }
    CHECK_EQUAL(item.bytes, pair_body_bytes(me->taken + count, MOST_BYTES));
    CHECK(pair_is_filled(body, me->taken + count, item.bytes));
  }
  ring_release(&me->end->reader);
  me->taken += count;
  return count;
}

static void ring_peer(side *me) {
  const int how = pair_must_wake(me->end);
  if (how == SHM_AWAKE) return;
  me->rung++;
  if (how == SHM_SLEEPS_ON_FUTEX) {
    atomic_fetch_add(&me->end->own->bell.bell, 1);
    platform_futex_wake(&me->end->own->bell.bell);
  } else {
    CHECK(write(me->door, "!", 1) == 1 || errno == EAGAIN);
  }
}

/* A sleep that ends by its time is lost if there was something to wake up for. */
static void check_not_lost(const side *me, int how) {
  ring_reader reader = me->end->reader;
  const uint8_t *body;
  ring_item item;
  ring_fault fault;
  while (how == SHM_SLEEPS_FOR_FRAMES && ring_look(&reader, &item, &body, &fault) == 1 && item.kind == SHM_GIVE_BACK)
    ring_pass(&reader, &item);
  CHECK(!ring_has_record(&reader) && "a wake-up for a record was lost");
  CHECK(!ring_has_room(&me->end->writer) && "a wake-up for room was lost");
}

static void sleep_on_futex(side *me) {
  const uint32_t bell = atomic_load(&me->peer->bell.bell);
  if (pair_sleep(me->end, SHM_SLEEPS_ON_FUTEX) != 0) return;
  const uint64_t limit = LOST_AFTER_SECONDS * UINT64_C(1000000000);
  uint64_t until = platform_now_ns() + limit;
  while (atomic_load(&me->peer->bell.bell) == bell) {
    const uint64_t now = platform_now_ns();
    if (now < until) platform_futex_wait(&me->peer->bell.bell, bell, until - now);
    else check_not_lost(me, SHM_SLEEPS_ON_FUTEX), until = now + limit;
  }
}

static void sleep_on_pipe(side *me, int how) {
  if (pair_sleep(me->end, how) != 0) return;
  struct pollfd poller = {.fd = me->bell, .events = POLLIN};
  char bytes[64];
  while (poll(&poller, 1, LOST_AFTER_SECONDS * 1000) != 1) check_not_lost(me, how);
  while (read(me->bell, bytes, sizeof bytes) == sizeof bytes) {
  }
}

static void *run_side(void *of) {
  side *const me = of;
  while (me->sent < me->records || me->taken < me->records) {
    const uint32_t moved = send_some(me) + take_some(me);
    give_back(me);
    ring_peer(me);
    if (moved != 0) continue;
    /* Stays awake for long, or for about as long as an answer takes: then it comes while the sleep is declared. */
    uint64_t looks = test_below(&me->random, 2) == 0 ? 5000 : test_below(&me->random, 64);
    while (looks-- > 0 && !ring_has_record(&me->end->reader)) platform_pause();
    me->slept++;
    if (test_below(&me->random, 2) == 0) sleep_on_futex(me);
    else sleep_on_pipe(me, test_below(&me->random, 2) == 0 ? SHM_SLEEPS_ON_SOCKET : SHM_SLEEPS_FOR_FRAMES);
    ring_wake(me->end->own);
  }
  return NULL;
}

static void run(uint64_t ring_bytes, uint64_t records, uint64_t burst) {
  pair both;
  pthread_t threads[2];
  int a_bell[2], b_bell[2];
  pair_open(&both, ring_bytes);
  CHECK(pipe2(a_bell, O_NONBLOCK | O_CLOEXEC) == 0 && pipe2(b_bell, O_NONBLOCK | O_CLOEXEC) == 0);
  side a = {.end = &both.a, .peer = both.b.own, .random = {1}, .records = records, .burst = burst, .head_start = burst,
            .bell = a_bell[0], .door = b_bell[1]};
  side b = {.end = &both.b, .peer = both.a.own, .random = {2}, .records = records, .burst = burst,
            .bell = b_bell[0], .door = a_bell[1]};
  CHECK(pthread_create(&threads[0], NULL, run_side, &a) == 0 && pthread_create(&threads[1], NULL, run_side, &b) == 0);
  CHECK(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0);
  CHECK(a.sent == records && a.taken == records && b.sent == records && b.taken == records);
  CHECK(a.slept + b.slept > 0); /* of two that are busy for a moment, one may never have to */
  CHECK(a.rung <= b.slept && b.rung <= a.slept); /* once for each sleep */
  printf("%" PRIu64 " records, rings of %" PRIu64 ": %" PRIu64 " sleeps, %" PRIu64 " of them rung\n", 2 * records,
         ring_bytes, a.slept + b.slept, a.rung + b.rung);
  for (int i = 0; i < 2; i++) close(a_bell[i]), close(b_bell[i]);
  pair_close(&both);
}

/* As fast as it goes, both ways at once: full rings, laps, padding. */
static void streams(void) {
  run(4096, 750000, 0);
  run(65536, 1250000, 0);
}

/* One after the other: each side sleeps for every answer. */
static void answers(void) { run(4096, 60000, 1); }

static void bursts(void) { run(8192, 450000, 100); }

TEST_MAIN(TEST(streams), TEST(answers), TEST(bursts))
