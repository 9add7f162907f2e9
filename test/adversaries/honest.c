/*
 * The honest client of a victim: it asks, checks every answer and every publication, keeps some blocks for a while and
 * looks at them again before it gives them back, and measures how long it ever waited.
 *
 *   honest PATH BOUND-MS
 *
 * Ends with "quit" on standard input, with what went wrong, or with a stall: nothing for BOUND-MS. Its last line of
 * output is JSON.
 */
#include <poll.h>

#include "../../core/include/protoipc.h"
#include "../../core/src/weaken.h"
#include "traffic.h"

#ifdef SHM_WEAKEN
const char *shm_weaken = "";
#endif

enum { honest_kept = 8, honest_block_bytes = 20000 };

typedef struct honest {
  protoipc_link *link;
  protoipc_arena *arena;
  uint64_t bound_ns, longest_ns;
  uint64_t serial, replies, publications; /* how many came */
  uint8_t *buffer;
  uint32_t buffer_bytes;
  protoipc_record kept[honest_kept];
  uint64_t kept_serials[honest_kept];
  uint32_t kept_count;
  uint64_t last_publication;
} honest;

static void honest_say(const honest *self, const char *error, const char *reason) {
  printf("{\"rounds\":%llu,\"publications\":%llu,\"longestMs\":%llu,\"error\":", TRAFFIC_NUMBER(self->serial),
         TRAFFIC_NUMBER(self->publications), TRAFFIC_NUMBER(self->longest_ns / 1000000));
  traffic_print_text(error);
  printf(",\"reason\":");
  traffic_print_text(reason);
  puts("}");
  fflush(stdout);
}

_Noreturn static void honest_fail(const honest *self, const char *error, const char *reason) {
  honest_say(self, error, reason);
  _exit(1); /* what is left is not looked at: the failure is the result */
}

static void honest_check_link(const honest *self, int result) {
  if (result < 0) honest_fail(self, "link", *protoipc_link_reason(self->link) != 0 ? protoipc_link_reason(self->link) : protoipc_strerror(result));
}

/* 1: it is time to end. */
static int honest_is_told_to_quit(void) {
  struct pollfd entry = {.fd = STDIN_FILENO, .events = POLLIN};
  return poll(&entry, 1, 0) > 0;
}

/* ---- What comes ---- */

static void honest_look(const honest *self, const protoipc_record *record, uint64_t serial, const char *when) {
  const void *data = NULL;
  if (protoipc_link_block_data(self->link, record, &data) != 0 || !traffic_is_filled(data, serial, record->block_bytes))
    honest_fail(self, "wrong", when);
}

static void honest_keep(honest *self, const protoipc_record *record, uint64_t serial) {
  honest_look(self, record, serial, "a publication is not what its publisher wrote");
  if (self->kept_count == honest_kept) {
    honest_look(self, &self->kept[0], self->kept_serials[0], "a publication has changed while it was held");
    honest_check_link(self, protoipc_link_give_back(self->link, self->kept[0].index, self->kept[0].generation));
    self->kept_count--;
    memmove(self->kept, self->kept + 1, self->kept_count * sizeof self->kept[0]);
    memmove(self->kept_serials, self->kept_serials + 1, self->kept_count * sizeof self->kept_serials[0]);
  }
  self->kept[self->kept_count] = *record;
  self->kept_serials[self->kept_count++] = serial;
}

static void honest_take(honest *self, const protoipc_record *record) {
  traffic_head head;
  if (!traffic_read(self->buffer + record->offset, record->bytes, (int)record->has_block, &head))
    honest_fail(self, "wrong", "a record is not what the victim says");
  if (head.what == TRAFFIC_REPLY) {
    if (head.serial != self->replies + 1) honest_fail(self, "wrong", "an answer is lost or out of order");
    self->replies = head.serial;
  } else {
    if (head.serial <= self->last_publication) honest_fail(self, "wrong", "a publication is out of order");
    self->last_publication = head.serial;
    self->publications++;
    honest_keep(self, record, head.serial);
  }
}

static int honest_receive(honest *self) {
  protoipc_record records[16];
  const int found = protoipc_link_service(self->link);
  honest_check_link(self, found);
  const int count = protoipc_link_receive(self->link, self->buffer, self->buffer_bytes, records, 16);
  honest_check_link(self, count);
  for (int i = 0; i < count; i++) honest_take(self, &records[i]);
  honest_check_link(self, protoipc_link_flush(self->link));
  return count;
}

/* Waits until so many answers and publications came. */
static void honest_await(honest *self, uint64_t replies, uint64_t publications) {
  const uint64_t start = traffic_now_ns();
  while (self->replies < replies || self->publications < publications) {
    if (honest_receive(self) > 0) continue;
    const uint64_t waited = traffic_now_ns() - start;
    if (waited > self->bound_ns)
      honest_fail(self, "stall", self->replies < replies ? "an answer did not come" : "a publication did not come");
    struct pollfd entry = {.fd = protoipc_link_fd(self->link), .events = POLLIN};
    if (protoipc_link_sleep(self->link) == 0) poll(&entry, 1, 50);
    protoipc_link_wake(self->link);
  }
  const uint64_t waited = traffic_now_ns() - start;
  if (waited > self->longest_ns) self->longest_ns = waited;
}

/* ---- What goes ---- */

static void honest_send_block(honest *self) {
  const uint32_t bytes = 1 + (uint32_t)(self->serial * 104729 % honest_block_bytes);
  const traffic_head head = {.serial = self->serial, .what = TRAFFIC_BLOCK, .bytes = bytes};
  protoipc_block block;
  protoipc_window window;
  uint64_t own_bytes = 0;
  void *own = NULL;
  honest_check_link(self, protoipc_arena_allocate(self->arena, bytes, &block));
  traffic_fill(protoipc_arena_data(self->arena, &block), self->serial, bytes);
  honest_check_link(self, protoipc_link_reserve(self->link, sizeof head + PROTOIPC_BLOCK_ROOM, &window));
  protoipc_link_own_segment(self->link, &own, &own_bytes);
  memcpy((uint8_t *)own + window.offset + PROTOIPC_RECORD_HEADER, &head, sizeof head);
  honest_check_link(self, protoipc_link_commit_block(self->link, sizeof head, &block, 0, bytes));
  honest_check_link(self, protoipc_arena_release(self->arena, &block));
}

static void honest_send(honest *self, uint32_t what) {
  static uint8_t body[4096];
  const uint32_t room = (uint32_t)(sizeof body - sizeof(traffic_head));
  const uint32_t bytes = (uint32_t)sizeof(traffic_head) + (uint32_t)(self->serial * 7919 % room);
  traffic_lay(body, self->serial, what, bytes, 0);
  honest_check_link(self, protoipc_link_send(self->link, body, bytes));
}

static void honest_round(honest *self) {
  const uint64_t publications = self->publications;
  const uint64_t kind = ++self->serial % 4;
  if (kind == 1) honest_send_block(self);
  else honest_send(self, kind == 2 ? TRAFFIC_PUBLISH : TRAFFIC_ECHO);
  honest_check_link(self, protoipc_link_flush(self->link));
  honest_await(self, self->serial, publications + (kind == 2));
}

/* Dials until it is attached, as a client that is told to try again later. */
static void honest_connect(honest *self, const char *path) {
  const uint64_t start = traffic_now_ns();
  while (traffic_now_ns() - start < self->bound_ns) {
    int result = self->link == NULL ? protoipc_dial(path, NULL, self->arena, &self->link) : 0;
    if (result == 0) result = protoipc_link_service(self->link);
    if (result > 0 && (result & PROTOIPC_ATTACHED)) return;
    if (result < 0 || (result & PROTOIPC_HUNG_UP)) {
      if (result != PROTOIPC_EAGAIN && result != PROTOIPC_EDESCRIPTORS && result != PROTOIPC_HUNG_UP)
        honest_fail(self, "link", protoipc_strerror(result));
      protoipc_link_close(self->link);
      self->link = NULL;
    }
    usleep(1000);
  }
  honest_fail(self, "stall", "no link could be had");
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
#ifdef SHM_WEAKEN
  const char *name = getenv("SHM_WEAKEN");
  if (name != NULL) shm_weaken = name;
#endif
  honest self = {.bound_ns = strtoull(argv[2], NULL, 10) * 1000000};
  if (protoipc_arena_open(0, &self.arena) != 0) return 2;
  honest_connect(&self, argv[1]);
  self.buffer_bytes = 4 * protoipc_link_max_receive_bytes(self.link);
  self.buffer = malloc(self.buffer_bytes);
  for (int i = 0; i < 16; i++) honest_round(&self);
  puts("{\"ready\":true}");
  fflush(stdout);
  while (!honest_is_told_to_quit()) {
    honest_round(&self);
    usleep(300);
  }
  for (int i = 0; i < 16; i++) honest_round(&self);
  for (uint32_t i = 0; i < self.kept_count; i++)
    honest_look(&self, &self.kept[i], self.kept_serials[i], "a publication has changed while it was held");
  honest_say(&self, "", "");
  protoipc_link_close(self.link);
  protoipc_arena_close(self.arena);
  free(self.buffer);
  return 0;
}
