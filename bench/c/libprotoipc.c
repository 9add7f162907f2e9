/* Bare records through libprotoipc, from C: two processes that block, which spin first. As blockingRecordSides in Node. */
#define _GNU_SOURCE
#include "round-trips.h"

#include <poll.h>
#include <sys/wait.h>

#include "../../core/protoipc.c"

#define SPIN_NS UINT64_C(50000)
#define WAIT_NS UINT64_C(1000000000)

/* One side, and what it receives into. */
struct side {
  protoipc_link *link;
  uint8_t *segment; /* ours, where records are laid */
  uint32_t buffer_bytes;
  uint8_t *buffer;
};

static void check(int result, const char *what, const protoipc_link *link) {
  if (result >= 0) return;
  fprintf(stderr, "Error: %s: %s %s\n", what, protoipc_strerror(result), protoipc_link_reason(link));
  exit(1);
}

static struct side attach(protoipc_link *link) {
  for (int found = 0; (found & (int)PROTOIPC_ATTACHED) == 0;) {
    struct pollfd readable = {.fd = protoipc_link_fd(link), .events = POLLIN};
    (void)poll(&readable, 1, -1);
    found = protoipc_link_service(link);
    check(found, "cannot attach", link);
  }
  struct side side = {.link = link};
  void *segment;
  uint64_t bytes;
  protoipc_link_own_segment(link, &segment, &bytes);
  side.segment = segment;
  side.buffer_bytes = 65536 + protoipc_link_max_receive_bytes(link);
  side.buffer = malloc(side.buffer_bytes);
  if (side.buffer == NULL) stop("no memory to receive into");
  return side;
}

static inline void put(const struct side *side, uint32_t number) {
  protoipc_window window;
  const uint32_t bytes = RECORD_BYTES;
  check(protoipc_link_reserve(side->link, bytes, &window), "cannot reserve", side->link);
  write_record((uint32_t *)(void *)(side->segment + window.offset + PROTOIPC_RECORD_HEADER), number);
  check(protoipc_link_commit(side->link, &bytes, 1), "cannot commit", side->link);
}

/* Returns false when the other side has closed. */
static inline int take(const struct side *side, uint32_t number) {
  protoipc_record record;
  int count = 0;
  while (count == 0) {
    const int news = protoipc_link_wait(side->link, SPIN_NS, WAIT_NS);
    if (news != PROTOIPC_ETIMEDOUT) check(news, "cannot wait", side->link);
    count = protoipc_link_receive(side->link, side->buffer, side->buffer_bytes, &record, 1);
    if (count == PROTOIPC_ECLOSED) return 0;
    check(count, "cannot receive", side->link);
  }
  if (record.bytes != RECORD_BYTES) stop("a record has another length");
  check_record((const uint32_t *)(const void *)(side->buffer + record.offset), number);
  return 1;
}

static inline void trip(void *state, uint32_t number) {
  put(state, number);
  if (!take(state, number)) stop("the server has closed");
}

static void serve(const char *path) {
  protoipc_link *link;
  check(protoipc_dial(path, NULL, NULL, &link), "cannot dial", NULL);
  const struct side side = attach(link);
  for (uint32_t number = 1; take(&side, number); number++) put(&side, number);
}

int main(int count, char **values) {
  struct arguments told = read_arguments(count, values);
  char directory[] = "/tmp/protoipc-bench-XXXXXX", path[64];
  if (mkdtemp(directory) == NULL) stop("cannot make a directory");
  (void)snprintf(path, sizeof path, "%s/s", directory);
  protoipc_listener *listener;
  check(protoipc_listen(path, NULL, &listener), "cannot listen", NULL);
  pid_t server = fork();
  if (server < 0) stop("cannot fork");
  if (server == 0) {
    settle(told.server_cpu);
    serve(path);
    return 0;
  }
  settle(told.client_cpu);
  struct pollfd waiting = {.fd = protoipc_listener_fd(listener), .events = POLLIN};
  if (poll(&waiting, 1, 10000) != 1) stop("the server does not dial");
  protoipc_link *link;
  check(protoipc_accept(listener, NULL, &link), "cannot accept", NULL);
  (void)unlink(path);
  (void)rmdir(directory);
  struct side side = attach(link);
  time_round_trips(told, trip, &side);
  protoipc_link_close(link);
  protoipc_listener_close(listener);
  waitpid(server, NULL, 0);
  return 0;
}
