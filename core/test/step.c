/*
 * Kills a process after every single instruction of each operation on shared words, and plays its peer that lives on.
 *
 * For each operation and each k: a fresh target is single-stepped k instructions into it (ptrace) and gets SIGKILL. What
 * the survivor then finds in the same memory must be what was there before, and all of what the operation commits or
 * nothing of it: nothing torn, twice, in another order, or lost after its commit.
 *
 * Exits with 0 when all of that holds, 1 when not, 77 where there is no single-stepping as it needs it.
 *   step [operation...]
 */
#define _GNU_SOURCE 1
#include <stdio.h>

#if !defined(__linux__) || !(defined(__x86_64__) || defined(__aarch64__))

int main(void) {
  puts("step: needs Linux on x86-64 or arm64");
  return 77;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>

#include "step.h"

/* No operation is nearly as long: a target that gets here is lost. */
enum { MOST_INSTRUCTIONS = 100000 };

static void *shared_page(void) {
  void *const page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  return page;
}

/* ---- The target ---- */

static void mark(void) { syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP); }

static void be_target(const step_operation *operation, step_world *world) {
  CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
  operation->enter(world);
  mark();
  operation->operate(world);
  mark();
  _exit(0);
}

/* Waits for the target's next stop; returns its signal. */
static int next_stop(pid_t target) {
  int status;
  CHECK(waitpid(target, &status, 0) == target);
  CHECK(WIFSTOPPED(status)); /* else the operation failed in the target, which says why */
  return WSTOPSIG(status);
}

/* Steps k instructions into the operation, or to its end. Returns whether it came to its end. */
static int step_into(pid_t target, uint32_t k) {
  CHECK_EQUAL(next_stop(target), SIGSTOP);
  for (uint32_t i = 0; i < k; i++) {
    CHECK(ptrace(PTRACE_SINGLESTEP, target, NULL, NULL) == 0);
    const int signal = next_stop(target);
    if (signal == SIGSTOP) return 1;
    CHECK_EQUAL(signal, SIGTRAP);
  }
  return 0;
}

/* ---- What the survivor finds ---- */

static int is_block_record(const step_world *world, const uint8_t *body, const ring_item *item, int segment_fd) {
  const protoipc_block *const block = &world->notes->block;
  uint8_t payload[STEP_PAYLOAD_BYTES];
  shm_block_name name;
  if (item->bytes < STEP_HEAD_BYTES + sizeof name || !pair_is_filled(body, 1, STEP_HEAD_BYTES)) return 0;
  memcpy(&name, body + item->bytes - sizeof name, sizeof name);
  if (name.index != block->index || name.generation != block->generation || name.segment != block->segment) return 0;
  if (name.reserved != 0 || name.offset != block->offset || name.bytes != STEP_PAYLOAD_BYTES) return 0;
  if (pread(segment_fd, payload, sizeof payload, (off_t)name.offset) != (ssize_t)sizeof payload) return 0;
  return pair_is_filled(payload, 1, STEP_PAYLOAD_BYTES);
}

static int is_give_back(step_world *world, const uint8_t *body, const ring_item *item) {
  shm_give_back names[STEP_BLOCKS];
  if (item->bytes != sizeof names) return 0;
  memcpy(names, body, sizeof names);
  for (int i = 0; i < STEP_BLOCKS; i++)
    if (arena_unhold(world->arena, &world->holds, names[i].index, names[i].generation) != PROTOIPC_OK) return 0;
  return 1;
}

/* Takes what is in the target's ring. Returns NULL, or what is wrong with it. */
static const char *check_records(const step_operation *operation, step_world *world, int is_committed, int segment_fd) {
  const uint32_t expected = operation->before + (is_committed ? operation->added : 0);
  uint8_t body[STEP_RING_BYTES / 8];
  ring_item item;
  ring_fault fault;
  for (uint32_t i = 0; i < expected; i++) {
    const step_record *const record = &operation->records[i];
    const int code = ring_take(&world->both.b.reader, body, &item, &fault);
    if (code < 0) return "a record is torn: its header makes no sense";
    if (code == 0) return "a record is lost";
    if (item.kind != record->kind) return "a record is of another kind";
    if (record->kind == SHM_FRAME && item.bytes != step_bytes(record->number)) return "a frame is not as long as it was";
    if (record->kind == SHM_FRAME && !pair_is_filled(body, record->number, item.bytes)) return "a frame is torn";
    if (record->kind == SHM_FRAME_WITH_BLOCK && !is_block_record(world, body, &item, segment_fd))
      return "a frame with a block is torn, or its block";
    if (record->kind == SHM_GIVE_BACK && !is_give_back(world, body, &item)) return "blocks given back are torn";
  }
  const int rest = ring_take(&world->both.b.reader, body, &item, &fault);
  return rest == 0 ? NULL : rest < 0 ? "behind the records is what makes no sense" : "there is a record too many";
}

/* In operations on a full ring the records of before are not told apart: they are taken, whole. */
static const char *check_full_ring(step_world *world, uint64_t tail) {
  uint8_t body[STEP_RING_BYTES / 8];
  ring_item item;
  ring_fault fault;
  while (world->both.b.reader.head < tail)
    if (ring_take(&world->both.b.reader, body, &item, &fault) != 1) return "a record of before is torn";
  return NULL;
}

/* The link ends here, but its memory is sound: the survivor goes on writing and asking whom to wake. */
static const char *check_survivor(step_world *world) {
  pair_end *const survivor = &world->both.b;
  protoipc_window window;
  ring_fault fault;
  ring_release(&survivor->reader);
  if (pair_must_wake(survivor) < 0) return "the sleep line makes no sense";
  const int code = ring_reserve(&survivor->writer, 1, &window, &fault);
  return code == PROTOIPC_OK || code == PROTOIPC_EAGAIN ? NULL : "the target's head makes no sense";
}

/* ---- One operation ---- */

static void begin(const step_operation *operation, step_world *world) {
  memset(world, 0, sizeof *world);
  pair_open(&world->both, STEP_RING_BYTES);
  world->notes = shared_page();
  world->notes->segment_fd = -1;
  operation->prepare(world);
}

static void end(step_world *world) {
  if (world->arena != NULL) protoipc_arena_close(world->arena);
  CHECK(munmap(world->notes, 4096) == 0);
  pair_close(&world->both);
}

typedef struct result {
  uint32_t points, failures, committed_at; /* the first instruction after which the records are visible */
} result;

/* Kills a target after k instructions. Returns whether the operation was over before. */
static int kill_at(const step_operation *operation, uint32_t k, result *found) {
  step_world memory, *const world = &memory;
  begin(operation, world);
  const uint64_t tail = atomic_load(&world->both.a.own->writer.tail);
  const pid_t target = fork();
  CHECK(target != -1);
  if (target == 0) be_target(operation, world);
  const int is_complete = step_into(target, k);
  int segment_fd = -1;
  if (world->notes->segment_fd != -1) { /* its memory would be gone with it: nobody else maps it here */
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)target, world->notes->segment_fd);
    CHECK((segment_fd = open(path, O_RDONLY | O_CLOEXEC)) != -1);
  }
  CHECK(kill(target, SIGKILL) == 0);
  CHECK_EQUAL(test_wait(target), 128 + SIGKILL);

  const int is_committed = atomic_load(&world->both.a.own->writer.tail) != tail;
  const char *wrong = NULL;
  if (operation->added == 0 && is_committed) wrong = "the tail has moved";
  if (is_complete && operation->added != 0 && !is_committed) wrong = "the tail has not moved";
  if (wrong == NULL && operation->before == 0) wrong = check_full_ring(world, tail);
  if (wrong == NULL) wrong = check_records(operation, world, is_committed, segment_fd);
  if (wrong == NULL) wrong = operation->check(world, is_complete);
  if (wrong == NULL) wrong = check_survivor(world);
  if (is_committed && found->committed_at == 0) found->committed_at = k;
  if (wrong != NULL && found->failures++ == 0)
    printf("%s, killed after %" PRIu32 " instructions: %s\n", operation->name, k, wrong);
  found->points++;
  if (segment_fd != -1) close(segment_fd);
  end(world);
  return is_complete;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int is_wanted(const char *name, int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], name) == 0) return 1;
  return argc < 2;
}

int main(int argc, char **argv) {
  const double from = seconds();
  uint32_t points = 0, failures = 0;
  step_fill_bodies();
  for (uint32_t i = 0; i < step_operation_count; i++) {
    const step_operation *const operation = &step_operations[i];
    result found = {0};
    if (!is_wanted(operation->name, argc, argv)) continue;
    const double begun = seconds();
    uint32_t k = 0;
    while (!kill_at(operation, k, &found)) CHECK(++k < MOST_INSTRUCTIONS);
    printf("%-30s %6" PRIu32 " kill points, %" PRIu32 " failed, %.1f s", operation->name, found.points, found.failures,
           seconds() - begun);
    if (operation->added != 0) printf(", committed by instruction %" PRIu32, found.committed_at);
    puts("");
    points += found.points;
    failures += found.failures;
  }
  printf("%" PRIu32 " kill points, %" PRIu32 " failed, %.1f s\n", points, failures, seconds() - from);
  return points == 0 || failures != 0;
}

#endif
