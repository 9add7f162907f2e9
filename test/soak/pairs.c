/*
 * Real processes that are really killed: a server and two clients talk over links, with records in batches and blocks in
 * both directions, while one of the three, chosen by chance, is killed with SIGKILL at a moment chosen by chance, and
 * started again. Who survives checks that what the dead one said came whole, once, in order, and as far as it was
 * committed; and after each hundred kills that its descriptors, mappings and blocks are exactly those of its links.
 *
 *   pairs KILLS SEED SOCKET
 *
 * One line of JSON at the end. Exit code 1: something does not hold; the line says what.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../../core/include/protoipc.h"
#include "board.h"

enum {
  ring_bytes = 16 << 10,
  most_links = 8,
  most_body = ring_bytes / 8,
  most_block = 40000,
  kept_blocks = 4,
  kills_between_audits = 100,
  longest_life_us = 12000
};

static board *shared;

typedef struct body_head {
  uint64_t number; /* of the link */
  uint64_t serial; /* of the record in its direction, from 1 */
  uint64_t sum;    /* of the content, which stands behind this or in a block */
} body_head;

/* One end of a link. */
typedef struct end {
  protoipc_link *link;
  uint64_t number; /* 0: the server does not know it yet */
  int side;        /* ours: 0 the client's, 1 the server's */
  int is_attached;
  uint64_t sent, received;
  protoipc_record kept[kept_blocks];
  uint64_t kept_sums[kept_blocks];
  uint32_t kept_count;
} end;

typedef struct process {
  int number;
  uint64_t chance;
  protoipc_arena *arena;
  protoipc_listener *listener;
  end ends[most_links];
  uint32_t count;
  uint32_t fds_before;
} process;

/* FNV-1a over bytes that were copied, or that nobody changes. */
static uint64_t sum_of(const void *memory, uint64_t bytes) {
  const uint8_t *at = memory;
  uint64_t sum = UINT64_C(0xcbf29ce484222325);
  for (uint64_t i = 0; i < bytes; i++) sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
  return sum;
}

static board_side *side_of(const end *one, int side) { return &shared->sides[one->number % board_links][side]; }

/* ---- Saying ---- */

static void note_begun(const end *one, uint64_t records) { side_of(one, one->side)->begun = one->sent + records; }

static void note_result(end *one, int result, uint64_t records) {
  board_side *side = side_of(one, one->side);
  if (result == 0) one->sent += records;
  side->committed = one->sent;
  side->begun = one->sent;
}

/* Fills memory with what looks random and is cheap. */
static void fill(process *self, uint8_t *at, uint32_t bytes) {
  uint64_t seed = traffic_random(&self->chance);
  for (uint32_t i = 0; i < bytes; i++) at[i] = (uint8_t)(seed >> (i & 31)) + (uint8_t)i;
}

static void lay_head(const end *one, uint8_t *at, uint64_t serial, uint64_t sum) {
  const body_head head = {.number = one->number, .serial = serial, .sum = sum};
  memcpy(at, &head, sizeof head);
}

/* As many records as chance has it, laid into one window and committed at once. */
static int say_batch(process *self, end *one) {
  protoipc_window window;
  void *own = NULL;
  uint64_t own_bytes = 0;
  uint32_t lengths[16], count = 0, used = 0;
  const uint32_t wanted = 1 + (uint32_t)(traffic_random(&self->chance) % 16);
  int result = protoipc_link_reserve(one->link, most_body, &window);
  if (result != 0) return result;
  protoipc_link_own_segment(one->link, &own, &own_bytes);
  while (count < wanted) {
    const uint32_t bytes = (uint32_t)sizeof(body_head) + (uint32_t)(traffic_random(&self->chance) % 300);
    const uint32_t record = PROTOIPC_RECORD_HEADER + (bytes + 7) / 8 * 8;
    if (record > window.bytes - used) break;
    uint8_t *body = (uint8_t *)own + window.offset + used + PROTOIPC_RECORD_HEADER;
    fill(self, body + sizeof(body_head), bytes - (uint32_t)sizeof(body_head));
    lay_head(one, body, one->sent + count + 1, sum_of(body + sizeof(body_head), bytes - sizeof(body_head)));
    lengths[count++] = bytes;
    used += record;
  }
  note_begun(one, count);
  result = protoipc_link_commit(one->link, lengths, count);
  note_result(one, result, count);
  return result;
}

static int commit_block(end *one, const protoipc_block *block, uint32_t bytes, uint64_t sum) {
  protoipc_window window;
  void *own = NULL;
  uint64_t own_bytes = 0;
  int result = protoipc_link_reserve(one->link, sizeof(body_head) + PROTOIPC_BLOCK_ROOM, &window);
  if (result != 0) return result;
  protoipc_link_own_segment(one->link, &own, &own_bytes);
  lay_head(one, (uint8_t *)own + window.offset + PROTOIPC_RECORD_HEADER, one->sent + 1, sum);
  note_begun(one, 1);
  result = protoipc_link_commit_block(one->link, sizeof(body_head), block, 0, bytes);
  note_result(one, result, 1);
  return result;
}

/* A block, to one link or to all of them. */
static int say_block(process *self, end *one) {
  const uint32_t bytes = 1 + (uint32_t)(traffic_random(&self->chance) % most_block);
  protoipc_block block;
  int result = protoipc_arena_allocate(self->arena, bytes, &block);
  if (result == PROTOIPC_ELIMIT) return PROTOIPC_EAGAIN;
  if (result != 0) board_fail(shared, "protoipc_arena_allocate: %s", protoipc_strerror(result));
  uint8_t *data = protoipc_arena_data(self->arena, &block);
  fill(self, data, bytes);
  const uint64_t sum = sum_of(data, bytes);
  result = commit_block(one, &block, bytes, sum);
  for (uint32_t i = 0; i < self->count && result == 0 && bytes % 3 == 0; i++)
    if (&self->ends[i] != one && self->ends[i].is_attached && self->ends[i].number != 0)
      (void)commit_block(&self->ends[i], &block, bytes, sum);
  if (protoipc_arena_release(self->arena, &block) != 0) board_fail(shared, "a block is not held by its maker");
  return result == PROTOIPC_ELIMIT ? PROTOIPC_EAGAIN : result;
}

/* ---- Hearing ---- */

static void check_block(const end *one, const protoipc_record *record, uint64_t sum, const char *when) {
  const void *data = NULL;
  if (protoipc_link_block_data(one->link, record, &data) != 0 || sum_of(data, record->block_bytes) != sum)
    board_fail(shared, "link %llu: a block of %llu bytes is torn %s", TRAFFIC_NUMBER(one->number),
               TRAFFIC_NUMBER(record->block_bytes), when);
}

static void keep_block(end *one, const protoipc_record *record, uint64_t sum) {
  check_block(one, record, sum, "when it comes");
  shared->blocks++;
  shared->bytes += record->block_bytes;
  if (one->kept_count == kept_blocks) {
    check_block(one, &one->kept[0], one->kept_sums[0], "while it is held");
    if (protoipc_link_give_back(one->link, one->kept[0].index, one->kept[0].generation) != 0)
      board_fail(shared, "a block that is held cannot be given back");
    one->kept_count--;
    memmove(one->kept, one->kept + 1, one->kept_count * sizeof one->kept[0]);
    memmove(one->kept_sums, one->kept_sums + 1, one->kept_count * sizeof one->kept_sums[0]);
  }
  one->kept[one->kept_count] = *record;
  one->kept_sums[one->kept_count++] = sum;
}

static void hear(end *one, const uint8_t *body, const protoipc_record *record) {
  body_head head;
  if (record->bytes < sizeof head) board_fail(shared, "a record of %u bytes was never sent", record->bytes);
  memcpy(&head, body, sizeof head);
  if (one->number == 0) one->number = head.number;
  if (head.number != one->number || head.serial != one->received + 1)
    board_fail(shared, "link %llu: record %llu of link %llu after %llu", TRAFFIC_NUMBER(one->number),
               TRAFFIC_NUMBER(head.serial), TRAFFIC_NUMBER(head.number), TRAFFIC_NUMBER(one->received));
  if (record->has_block) keep_block(one, record, head.sum);
  else if (sum_of(body + sizeof head, record->bytes - sizeof head) != head.sum)
    board_fail(shared, "link %llu: record %llu is torn", TRAFFIC_NUMBER(one->number), TRAFFIC_NUMBER(head.serial));
  one->received = head.serial;
  shared->records++;
  shared->bytes += record->bytes;
}

/* ---- Ends ---- */

/* The other side is dead, or has closed, and the ring is drained: what came is what it committed, and no more. */
static void check_end(const end *one) {
  if (one->number == 0) return; /* nothing was said */
  const board_side *theirs = side_of(one, 1 - one->side);
  if (one->received < theirs->committed)
    board_fail(shared, "link %llu: %llu records were committed, %llu came", TRAFFIC_NUMBER(one->number),
               TRAFFIC_NUMBER(theirs->committed), TRAFFIC_NUMBER(one->received));
  if (one->received > theirs->begun)
    board_fail(shared, "link %llu: %llu records were begun, %llu came", TRAFFIC_NUMBER(one->number),
               TRAFFIC_NUMBER(theirs->begun), TRAFFIC_NUMBER(one->received));
  shared->ends_checked++;
}

static void close_end(process *self, uint32_t at) {
  protoipc_link_close(self->ends[at].link);
  self->ends[at] = self->ends[--self->count];
}

static end *add_end(process *self, protoipc_link *link, int side, uint64_t number) {
  self->ends[self->count] = (end){.link = link, .side = side, .number = number};
  return &self->ends[self->count++];
}

/* What an end of a link may be told of a peer that lives or dies: nothing else. */
static void check_result(const end *one, const char *call, int result) {
  if (result >= 0 || result == PROTOIPC_EAGAIN || result == PROTOIPC_ECLOSED) return;
  board_fail(shared, "%s on link %llu: %s: %s", call, TRAFFIC_NUMBER(one->number), protoipc_strerror(result),
             protoipc_link_reason(one->link));
}

/* Takes what is there. 0, or 1 where the link has ended and everything of it was heard. */
static int hear_all(end *one) {
  static uint8_t buffer[4 * most_body];
  protoipc_record records[32];
  for (;;) {
    const int count = protoipc_link_receive(one->link, buffer, sizeof buffer, records, 32);
    check_result(one, "protoipc_link_receive", count);
    if (count == PROTOIPC_ECLOSED) {
      check_end(one);
      return 1;
    }
    for (int i = 0; i < count; i++) hear(one, buffer + records[i].offset, &records[i]);
    if (count <= 0) return 0;
  }
}

/* Serves an end once. 1: it has ended. */
static int step(process *self, end *one) {
  const int found = protoipc_link_service(one->link);
  check_result(one, "protoipc_link_service", found);
  if (found > 0 && (found & PROTOIPC_ATTACHED)) one->is_attached = 1;
  if (!one->is_attached) return found < 0 || (found & PROTOIPC_HUNG_UP);
  if (hear_all(one)) return 1;
  if (one->number != 0) {
    const int result = traffic_random(&self->chance) % 3 == 0 ? say_block(self, one) : say_batch(self, one);
    check_result(one, "a commit", result);
  }
  check_result(one, "protoipc_link_flush", protoipc_link_flush(one->link));
  return 0;
}

/* ---- Audits ---- */

/* What this process has is what its links need, to the last descriptor. */
static void audit(process *self) {
  protoipc_arena_stats arena;
  uint64_t bytes = 0, held = 0;
  protoipc_arena_read_stats(self->arena, &arena);
  uint32_t maps = (uint32_t)arena.segments + 1 /* the board */, fds = self->fds_before + (uint32_t)arena.segments;
  for (uint32_t i = 0; i < self->count; i++) {
    protoipc_link_stats stats;
    protoipc_link_read_stats(self->ends[i].link, &stats);
    maps += 1 + (uint32_t)self->ends[i].is_attached + (uint32_t)stats.segments_mapped;
    fds += 2; /* the socket, the process */
    held += stats.blocks_held_by_peer;
  }
  const uint32_t has_maps = traffic_count_maps(&bytes), has_fds = traffic_count_descriptors();
  if (has_maps != maps || has_fds != fds)
    board_fail(shared, "process %d with %u links has %u mappings and %u descriptors instead of %u and %u", self->number,
               self->count, has_maps, has_fds, maps, fds);
  if (arena.blocks > held || (self->count == 0 && arena.blocks != 0))
    board_fail(shared, "process %d has %llu blocks, of which its peers hold %llu", self->number,
               TRAFFIC_NUMBER(arena.blocks), TRAFFIC_NUMBER(held));
}

static void audit_if_asked(process *self) {
  const uint32_t asked = shared->audits;
  if (shared->audited[self->number] == asked) return;
  audit(self);
  shared->audited[self->number] = asked;
}

/* ---- Processes ---- */

static const protoipc_options options = {.ring_bytes = ring_bytes, .max_held_blocks = 64};

/* Sleeps on the socket of every link, or, a client with one link, on its bell. */
static void sleep_a_little(process *self) {
  struct pollfd entries[1 + 2 * most_links];
  nfds_t count = 0;
  int news = 0;
  if (self->listener == NULL && self->count == 1 && self->ends[0].is_attached && traffic_random(&self->chance) % 2 == 0) {
    const int result = protoipc_link_wait(self->ends[0].link, 0, 20000000);
    if (result < 0 && result != PROTOIPC_ETIMEDOUT) check_result(&self->ends[0], "protoipc_link_wait", result);
    return;
  }
  if (self->listener != NULL)
    entries[count++] = (struct pollfd){.fd = protoipc_listener_fd(self->listener), .events = POLLIN};
  for (uint32_t i = 0; i < self->count; i++) {
    news |= protoipc_link_sleep(self->ends[i].link) == 1;
    entries[count++] = (struct pollfd){.fd = protoipc_link_fd(self->ends[i].link), .events = POLLIN};
    entries[count++] = (struct pollfd){.fd = protoipc_link_death_fd(self->ends[i].link), .events = POLLIN};
  }
  poll(entries, count, news ? 0 : 20);
  for (uint32_t i = 0; i < self->count; i++) protoipc_link_wake(self->ends[i].link);
}

static void serve(process *self, const char *path) {
  unlink(path);
  if (protoipc_listen(path, &options, &self->listener) != 0) board_fail(shared, "protoipc_listen after a kill");
  self->fds_before = traffic_count_descriptors();
  while (!shared->stop) {
    protoipc_link *link = NULL;
    while (self->count < most_links && protoipc_accept(self->listener, self->arena, &link) == 0) add_end(self, link, 1, 0);
    for (uint32_t i = 0; i < self->count;)
      if (step(self, &self->ends[i])) close_end(self, i);
      else i++;
    audit_if_asked(self);
    sleep_a_little(self);
  }
}

static void dial(process *self, const char *path) {
  protoipc_link *link = NULL;
  const int result = protoipc_dial(path, &options, self->arena, &link);
  if (result == 0) {
    const uint64_t number = atomic_fetch_add(&shared->links, 1) + 1;
    end *one = add_end(self, link, 0, number);
    for (int side = 0; side < 2; side++) {
      side_of(one, side)->begun = 0;
      side_of(one, side)->committed = 0;
    }
  } else if (result != PROTOIPC_ENOTFOUND && result != PROTOIPC_EAGAIN && result != PROTOIPC_ECLOSED) {
    board_fail(shared, "protoipc_dial: %s", protoipc_strerror(result));
  } else {
    usleep(200);
  }
}

/* Ends in peace: what was committed is taken before the link goes. */
static void leave(process *self) {
  protoipc_link *link = self->ends[0].link;
  protoipc_link_shutdown(link);
  for (int i = 0; i < 2000 && protoipc_link_linger(link) == PROTOIPC_EAGAIN && !shared->stop; i++) usleep(500);
  close_end(self, 0);
}

static void be_client(process *self, const char *path) {
  self->fds_before = traffic_count_descriptors();
  while (!shared->stop) {
    if (self->count == 0) {
      dial(self, path);
    } else if (step(self, &self->ends[0])) {
      close_end(self, 0);
    } else {
      if (self->ends[0].is_attached && traffic_random(&self->chance) % 512 == 0) leave(self);
      else sleep_a_little(self);
    }
    audit_if_asked(self);
  }
}

/* Starts a process in place of one that was killed. */
static pid_t start(int number, uint64_t seed, const char *path) {
  const uint32_t generation = ++shared->generations[number];
  const pid_t parent = getpid(), child = fork();
  if (child != 0) return child;
  /* Nobody is left behind, should this program be killed itself. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  process self = {.number = number, .chance = seed * 1000003 + (uint64_t)number * 7919 + generation};
  if (protoipc_arena_open(8 << 20, &self.arena) != 0) board_fail(shared, "protoipc_arena_open");
  if (number == board_server) serve(&self, path);
  else be_client(&self, path);
  while (self.count > 0) close_end(&self, self.count - 1);
  protoipc_listener_close(self.listener);
  protoipc_arena_close(self.arena);
  exit(0);
}

/* ---- The killer ---- */

/* Waits until every process has passed the newest audit. 0: one of them has not within 20 s. */
static int await_audits(void) {
  const uint32_t asked = ++shared->audits;
  for (int i = 0; i < 20000 && !shared->failed; i++) {
    int passed = 0;
    for (int j = 0; j < board_processes; j++) passed += shared->audited[j] == asked;
    if (passed == board_processes) return 1;
    usleep(1000);
  }
  return 0;
}

static int finish(const pid_t *children) {
  int failed = 0;
  shared->stop = 1;
  for (int i = 0; i < board_processes; i++) {
    int status = 0;
    pid_t ended = 0;
    for (int j = 0; j < 5000 && (ended = waitpid(children[i], &status, WNOHANG)) == 0; j++) usleep(1000);
    failed |= ended != children[i] || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (ended != 0) continue; /* the number may be another process's by now */
    kill(children[i], SIGKILL);
    waitpid(children[i], &status, 0);
  }
  return failed;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const uint64_t kills = strtoull(argv[1], NULL, 10), seed = strtoull(argv[2], NULL, 10), started = traffic_now_ns();
  pid_t children[board_processes];
  uint64_t chance = seed, done = 0, killed[2] = {0, 0};
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 2;
  for (int i = 0; i < board_processes; i++) children[i] = start(i, seed, argv[3]);
  for (; done < kills && !shared->failed; done++) {
    const int victim = (int)(traffic_random(&chance) % board_processes);
    usleep((useconds_t)(traffic_random(&chance) % longest_life_us));
    kill(children[victim], SIGKILL);
    int status = 0;
    waitpid(children[victim], &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) break;
    killed[victim != board_server]++;
    children[victim] = start(victim, seed, argv[3]);
    if ((done + 1) % kills_between_audits == 0 && !await_audits()) break;
  }
  const int audited = !shared->failed && await_audits();
  const int failed = finish(children) | !audited | shared->failed | (done != kills);
  unlink(argv[3]);
  printf("{\"kills\":%llu,\"serverKills\":%llu,\"clientKills\":%llu,\"links\":%llu,\"records\":%llu,\"blocks\":%llu,"
         "\"bytes\":%llu,\"endsChecked\":%llu,\"audits\":%u,\"ms\":%llu,\"failure\":",
         TRAFFIC_NUMBER(done), TRAFFIC_NUMBER(killed[0]), TRAFFIC_NUMBER(killed[1]), TRAFFIC_NUMBER(shared->links),
         TRAFFIC_NUMBER(shared->records), TRAFFIC_NUMBER(shared->blocks), TRAFFIC_NUMBER(shared->bytes),
         TRAFFIC_NUMBER(shared->ends_checked), shared->audits, TRAFFIC_NUMBER((traffic_now_ns() - started) / 1000000));
  traffic_print_text(shared->text[0] != 0 ? shared->text : failed ? "a process did not come to its end" : "");
  puts("}");
  return failed != 0;
}
