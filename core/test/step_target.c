/* The operations on shared words whose every instruction is a place to die at: see step.c. */
#define _GNU_SOURCE 1
#include "step.h"

/* Bodies by number, filled before anything is counted: what an operation costs in kill points is the ring's. */
static uint8_t bodies[32][96];

void step_fill_bodies(void) {
  for (uint64_t number = 0; number < 32; number++) pair_fill(bodies[number], number, sizeof bodies[number]);
}

/* ---- Playing both sides ---- */

static int reserve(pair_end *end, uint32_t bytes, protoipc_window *window) {
  ring_fault fault;
  return ring_reserve(&end->writer, bytes, window, &fault);
}

/* As protoipc_link_send. */
static void push(pair_end *end, uint64_t number) {
  protoipc_window window;
  const uint32_t bytes = step_bytes(number);
  CHECK_EQUAL(reserve(end, bytes, &window), PROTOIPC_OK);
  memcpy((uint8_t *)end->own + window.offset + PROTOIPC_RECORD_HEADER, bodies[number], bytes);
  CHECK_EQUAL(ring_commit(&end->writer, &bytes, 1), PROTOIPC_OK);
}

static void take(pair_end *end) {
  uint8_t body[STEP_RING_BYTES / 8];
  ring_item item;
  ring_fault fault;
  CHECK_EQUAL(ring_take(&end->reader, body, &item, &fault), 1);
}

/* Laps, so that old records stand everywhere in the ring, up to `cursor`; all is taken and released. */
static void run_laps(pair_end *from, pair_end *to, uint64_t cursor) {
  while (from->writer.tail < cursor) {
    const uint64_t to_end = STEP_RING_BYTES - from->writer.tail % STEP_RING_BYTES, left = cursor - from->writer.tail;
    const uint64_t most = to_end < left ? to_end : left;
    const uint32_t bytes = most < 48 ? (uint32_t)most - 8 : most < 64 ? 16 : 40;
    protoipc_window window;
    CHECK_EQUAL(reserve(from, bytes, &window), PROTOIPC_OK);
    memset((uint8_t *)from->own + window.offset + PROTOIPC_RECORD_HEADER, 0xee, bytes);
    CHECK_EQUAL(ring_commit(&from->writer, &bytes, 1), PROTOIPC_OK);
    take(to);
    ring_release(&to->reader);
  }
  CHECK(from->writer.tail == cursor);
}

static void run_two_laps(step_world *world) {
  run_laps(&world->both.a, &world->both.b, 2 * STEP_RING_BYTES + 1024);
  run_laps(&world->both.b, &world->both.a, 2 * STEP_RING_BYTES + 512);
}

/* Two records wait in the target's ring. */
static void prepare_push(step_world *world) {
  run_two_laps(world);
  push(&world->both.a, 1);
  push(&world->both.a, 2);
}

/* As above, and the next does not fit before the ring's end. */
static void prepare_padding(step_world *world) {
  run_laps(&world->both.a, &world->both.b, 3 * STEP_RING_BYTES - 48 - 88 - 24);
  push(&world->both.a, 1);
  push(&world->both.a, 2);
  CHECK(STEP_RING_BYTES - world->both.a.writer.tail % STEP_RING_BYTES == 24);
}

static void open_arena(step_world *world) {
  CHECK_EQUAL(protoipc_arena_open(16384, &world->arena), PROTOIPC_OK);
  arena_join(world->arena, &world->holds);
  for (int i = 0; i < STEP_BLOCKS; i++)
    CHECK_EQUAL(protoipc_arena_allocate(world->arena, 4096, &world->blocks[i]), PROTOIPC_OK);
}

/* As protoipc_link_commit_block, to a peer that knows the segment. */
static void push_block(step_world *world, pair_end *end, uint64_t number) {
  const protoipc_block *const block = &world->blocks[number];
  const uint32_t pad = 8 - STEP_HEAD_BYTES % 8, bytes = STEP_HEAD_BYTES + pad + (uint32_t)sizeof(shm_block_name);
  protoipc_window window;
  CHECK_EQUAL(reserve(end, STEP_HEAD_BYTES + PROTOIPC_BLOCK_ROOM, &window), PROTOIPC_OK);
  uint8_t *const body = (uint8_t *)end->own + window.offset + PROTOIPC_RECORD_HEADER;
  memcpy(protoipc_arena_data(world->arena, block), bodies[number], STEP_PAYLOAD_BYTES);
  memcpy(body, bodies[number], STEP_HEAD_BYTES);
  CHECK_EQUAL(arena_hold(world->arena, &world->holds, block, 0, STEP_PAYLOAD_BYTES, 8, 65536), PROTOIPC_OK);
  const shm_block_name name = {.index = block->index, .generation = block->generation, .segment = block->segment,
                               .offset = block->offset, .bytes = STEP_PAYLOAD_BYTES};
  memset(body + STEP_HEAD_BYTES, 0, pad);
  memcpy(body + STEP_HEAD_BYTES + pad, &name, sizeof name);
  CHECK_EQUAL(ring_commit_kind(&end->writer, SHM_FRAME_WITH_BLOCK, (uint8_t)pad, bytes), PROTOIPC_OK);
}

/* The target holds a block twice, and another once that the survivor gave up; records of both are in the ring. */
static void prepare_held(step_world *world) {
  prepare_push(world);
  open_arena(world);
  push_block(world, &world->both.b, 0);
  push_block(world, &world->both.b, 0);
  push_block(world, &world->both.b, 1);
  CHECK_EQUAL(protoipc_arena_release(world->arena, &world->blocks[1]), PROTOIPC_OK);
}

static void prepare_give_back(step_world *world) {
  prepare_held(world);
  for (int i = 0; i < 3; i++) take(&world->both.a);
  ring_release(&world->both.a.reader);
}

static void prepare_take(step_world *world) {
  prepare_push(world);
  run_laps(&world->both.b, &world->both.a, 3 * STEP_RING_BYTES - 64);
  for (uint64_t number = 10; number < 13; number++) push(&world->both.b, number);
}

/* The target's ring takes no more. */
static void fill(step_world *world) {
  protoipc_window window;
  uint32_t bytes = STEP_RING_BYTES / 8;
  while (reserve(&world->both.a, bytes, &window) == PROTOIPC_OK) {
    memset((uint8_t *)world->both.a.own + window.offset + PROTOIPC_RECORD_HEADER, 0x77, bytes);
    CHECK_EQUAL(ring_commit(&world->both.a.writer, &bytes, 1), PROTOIPC_OK);
  }
}

static void prepare_full(step_world *world) {
  run_two_laps(world);
  fill(world);
  /* As if it had not been asked yet. */
  world->both.a.writer.wanted = 0;
  atomic_store(&world->both.a.own->sleeper.space_wanted, 0);
}

static void prepare_room(step_world *world) {
  run_two_laps(world);
  fill(world);
  while (world->both.b.reader.head < world->both.a.writer.tail) take(&world->both.b);
  ring_release(&world->both.b.reader);
}

static void prepare_asleep(step_world *world) {
  prepare_push(world);
  CHECK_EQUAL(pair_sleep(&world->both.a, SHM_SLEEPS_ON_SOCKET), 0);
}

static void prepare_sleeping_survivor(step_world *world) {
  run_two_laps(world);
  CHECK_EQUAL(pair_sleep(&world->both.b, SHM_SLEEPS_ON_FUTEX), 0);
}

/* ---- What the target does ---- */

static void enter_nothing(step_world *world) { (void)world; }

static void enter_arena(step_world *world) {
  uint64_t bytes;
  open_arena(world);
  world->notes->segment_fd = arena_segment_fd(world->arena, world->blocks[1].segment, &bytes);
  world->notes->block = world->blocks[1];
}

static void operate_push(step_world *world) { push(&world->both.a, 3); }

static void operate_batch(step_world *world) {
  protoipc_window window;
  const uint32_t lengths[] = {step_bytes(3), step_bytes(4)};
  CHECK_EQUAL(reserve(&world->both.a, lengths[0], &window), PROTOIPC_OK);
  uint8_t *at = (uint8_t *)world->both.a.own + window.offset;
  for (uint32_t i = 0; i < 2; i++) {
    memcpy(at + PROTOIPC_RECORD_HEADER, bodies[3 + i], lengths[i]);
    at += PROTOIPC_RECORD_HEADER + (lengths[i] + 7) / 8 * 8;
  }
  CHECK_EQUAL(ring_commit(&world->both.a.writer, lengths, 2), PROTOIPC_OK);
}

static void operate_block(step_world *world) { push_block(world, &world->both.a, 1); }

static void operate_take(step_world *world) {
  take(&world->both.a);
  take(&world->both.a);
  ring_release(&world->both.a.reader);
}

static void operate_take_block(step_world *world) {
  take(&world->both.a);
  ring_release(&world->both.a.reader);
}

static void operate_give_back(step_world *world) {
  protoipc_window window;
  CHECK_EQUAL(reserve(&world->both.a, 2 * sizeof(shm_give_back), &window), PROTOIPC_OK);
  for (uint32_t i = 0; i < 2; i++) {
    const shm_give_back name = {world->blocks[i].index, world->blocks[i].generation};
    memcpy((uint8_t *)world->both.a.own + window.offset + PROTOIPC_RECORD_HEADER + i * sizeof name, &name, sizeof name);
  }
  CHECK_EQUAL(ring_commit_kind(&world->both.a.writer, SHM_GIVE_BACK, 0, 2 * sizeof(shm_give_back)), PROTOIPC_OK);
}

static void operate_sleep(step_world *world) { CHECK_EQUAL(pair_sleep(&world->both.a, SHM_SLEEPS_ON_SOCKET), 0); }

static void operate_sleep_with_news(step_world *world) {
  CHECK_EQUAL(pair_sleep(&world->both.a, SHM_SLEEPS_ON_SOCKET), 1);
}

static void operate_wake(step_world *world) { ring_wake(world->both.a.own); }

/* The bell has one writer, so that a load and a store count it up. */
static void operate_ring(step_world *world) {
  pair_end *const end = &world->both.a;
  push(end, 3);
  CHECK_EQUAL(pair_must_wake(end), SHM_SLEEPS_ON_FUTEX);
  const uint32_t bell = atomic_load_explicit(&end->own->bell.bell, memory_order_relaxed);
  atomic_store_explicit(&end->own->bell.bell, bell + 1, memory_order_release);
}

static void operate_reserve_full(step_world *world) {
  protoipc_window window;
  CHECK_EQUAL(reserve(&world->both.a, 512, &window), PROTOIPC_EAGAIN);
}

/* ---- What must hold after it is dead, beyond its records ---- */

static const char *check_nothing(step_world *world, int is_complete) {
  (void)world, (void)is_complete;
  return NULL;
}

/* The head is where it was, or behind all that was taken: a record, padding, a record. */
static const char *check_take(step_world *world, int is_complete) {
  const uint64_t head = atomic_load(&world->both.a.own->reader.head), before = 3 * STEP_RING_BYTES - 64;
  const uint64_t after = 3 * STEP_RING_BYTES + PROTOIPC_RECORD_HEADER + (step_bytes(11) + 7) / 8 * 8;
  if (head != before && head != after) return "the head is neither where it was nor behind what was taken";
  return is_complete && head != after ? "what was taken is not released" : NULL;
}

/* What is given back is the survivor's again; what is not goes with the link. */
static const char *check_holds(step_world *world, int is_complete) {
  (void)is_complete;
  protoipc_arena_stats stats;
  arena_leave(world->arena, &world->holds);
  protoipc_arena_read_stats(world->arena, &stats);
  if (stats.blocks != 1) return "not exactly the survivor's own block is held";
  if (protoipc_arena_release(world->arena, &world->blocks[0]) != PROTOIPC_OK) return "the survivor's hold is gone";
  protoipc_arena_read_stats(world->arena, &stats);
  return stats.blocks == 0 && stats.block_bytes == 0 ? NULL : "a block is held by nobody";
}

static const char *check_sleep(step_world *world, int is_complete) {
  const uint32_t sleep = atomic_load(&world->both.a.own->sleeper.sleep);
  if (sleep != SHM_AWAKE && (sleep & SHM_SLEEP_HOW) != SHM_SLEEPS_ON_SOCKET) return "the sleep is of no known kind";
  if (is_complete && sleep == SHM_AWAKE) return "the sleep was not declared";
  push(&world->both.b, 20);
  const int how = pair_must_wake(&world->both.b);
  return how == (sleep == SHM_AWAKE ? SHM_AWAKE : SHM_SLEEPS_ON_SOCKET) ? NULL : "the sleeper is not rung for";
}

static const char *check_awake(step_world *world, int is_complete) {
  const uint32_t sleep = atomic_load(&world->both.a.own->sleeper.sleep);
  return is_complete && sleep != SHM_AWAKE ? "still asleep" : NULL;
}

static const char *check_ring(step_world *world, int is_complete) {
  const uint32_t bell = atomic_load(&world->both.a.own->bell.bell);
  const uint64_t tail = atomic_load(&world->both.a.own->writer.tail);
  if (bell > 1 || (is_complete && bell != 1)) return "the bell was not counted up once";
  return bell == 1 && tail == 2 * STEP_RING_BYTES + 1024 ? "the bell rings for nothing" : NULL;
}

static const char *check_full(step_world *world, int is_complete) {
  const uint64_t wanted = atomic_load(&world->both.a.own->sleeper.space_wanted);
  const uint64_t tail = atomic_load(&world->both.a.own->writer.tail);
  if (wanted != 0 && wanted != tail - STEP_RING_BYTES / 2) return "room is asked for at no sensible head";
  return is_complete && wanted == 0 ? "room was not asked for" : NULL;
}

static const char *check_room(step_world *world, int is_complete) {
  const uint64_t wanted = atomic_load(&world->both.a.own->sleeper.space_wanted);
  return is_complete && wanted != 0 ? "room is still asked for" : NULL;
}

#define WAITING {SHM_FRAME, 1}, {SHM_FRAME, 2}

const step_operation step_operations[] = {
    {"push", prepare_push, enter_nothing, operate_push, 2, 1, {WAITING, {SHM_FRAME, 3}}, check_nothing},
    {"push with padding", prepare_padding, enter_nothing, operate_push, 2, 1, {WAITING, {SHM_FRAME, 3}}, check_nothing},
    {"batch", prepare_push, enter_nothing, operate_batch, 2, 2,
     {WAITING, {SHM_FRAME, 3}, {SHM_FRAME, 4}}, check_nothing},
    {"batch with padding", prepare_padding, enter_nothing, operate_batch, 2, 2,
     {WAITING, {SHM_FRAME, 3}, {SHM_FRAME, 4}}, check_nothing},
    {"block", prepare_push, enter_arena, operate_block, 2, 1, {WAITING, {SHM_FRAME_WITH_BLOCK, 1}}, check_nothing},
    {"take and release", prepare_take, enter_nothing, operate_take, 2, 0, {WAITING}, check_take},
    {"take a block", prepare_held, enter_nothing, operate_take_block, 2, 0, {WAITING}, check_holds},
    {"give back", prepare_give_back, enter_nothing, operate_give_back, 2, 1, {WAITING, {SHM_GIVE_BACK, 0}}, check_holds},
    {"sleep", prepare_push, enter_nothing, operate_sleep, 2, 0, {WAITING}, check_sleep},
    {"sleep with news", prepare_take, enter_nothing, operate_sleep_with_news, 2, 0, {WAITING}, check_awake},
    {"wake", prepare_asleep, enter_nothing, operate_wake, 2, 0, {WAITING}, check_awake},
    {"push and ring", prepare_sleeping_survivor, enter_nothing, operate_ring, 0, 1, {{SHM_FRAME, 3}}, check_ring},
    {"reserve in a full ring", prepare_full, enter_nothing, operate_reserve_full, 0, 0, {{0, 0}}, check_full},
    {"push when there is room again", prepare_room, enter_nothing, operate_push, 0, 1, {{SHM_FRAME, 3}}, check_room},
};
const uint32_t step_operation_count = sizeof step_operations / sizeof *step_operations;
