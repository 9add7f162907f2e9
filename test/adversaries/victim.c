/*
 * The victim: a process with the library that serves an adversary's links and an honest client's at once. It answers
 * what each of them says, and checks it; it says how each link ended; when it is told to, it closes everything and says
 * what was left behind.
 *
 *   victim HONEST-PATH HOSTILE-PATH [--blocking]
 *
 * On standard output, a line of JSON each: {"ready"}, {"end"} for each link, {"report"} at the end. On standard input:
 * "quit". With --blocking, a thread of its own waits for the hostile link with protoipc_link_wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "served.h"

#ifdef SHM_WEAKEN
const char *shm_weaken = ""; /* the name of the check that is off; victim's own ones too */
#endif

enum { victim_most_links = 512, victim_publication_bytes = 16 << 10 };
/* A link that is not attached by then is closed: the library leaves this to whoever has a clock. */
static const uint64_t victim_attach_ns = UINT64_C(300000000);

typedef struct victim {
  protoipc_listener *listeners[2]; /* the honest client's, the adversary's */
  protoipc_arena *arena;
  served links[victim_most_links];
  uint32_t count;
  uint64_t publications, unpublished;
  uint32_t fds_before, maps_before;
  served_account ended[2];
  uint32_t ends[2];
  int quits;
} victim;

static const protoipc_options victim_options = {
    .ring_bytes = 64 << 10,
    .max_block_bytes = 1 << 20,
    .max_segments = 8,
    .max_mapped_bytes = 16 << 20,
    .max_held_blocks = 16,
    .max_held_bytes = 256 << 10,
};

static const char *const victim_sides[2] = {"honest", "hostile"};

static void victim_end(victim *all, uint32_t index, int code) {
  served *link = &all->links[index];
  const int side = link->is_hostile;
  printf("{\"end\":\"%s\",\"code\":%d,\"received\":%llu,\"wrong\":%llu,\"atMs\":%llu,\"reason\":", victim_sides[side],
         code, TRAFFIC_NUMBER(link->account.received), TRAFFIC_NUMBER(link->account.wrong),
         TRAFFIC_NUMBER(traffic_now_ns() / 1000000));
  traffic_print_text(protoipc_link_reason(link->link));
  puts("}");
  fflush(stdout);
  served_note(&link->account);
  served_add(&all->ended[side], &link->account);
  all->ends[side]++;
  served_close(link);
  all->links[index] = all->links[--all->count];
}

static void victim_accept(victim *all, int side) {
  while (all->count < victim_most_links) {
    protoipc_link *link = NULL;
    const int result = protoipc_accept(all->listeners[side], all->arena, &link);
    if (result == PROTOIPC_EAGAIN) return;
    if (result == 0) {
      all->links[all->count++] = served_open(link, side);
      continue;
    }
    printf("{\"refused\":\"%s\",\"code\":%d}\n", victim_sides[side], result);
    if (result == PROTOIPC_EDESCRIPTORS) return;
  }
}

/* A fresh block for every link, as a publisher with subscribers does it. */
static void victim_publish(victim *all) {
  protoipc_block block;
  const uint64_t serial = ++all->publications;
  const uint32_t bytes = 1 + (uint32_t)(serial * 7919 % victim_publication_bytes);
  if (protoipc_arena_allocate(all->arena, bytes, &block) != 0) {
    all->unpublished++;
    return;
  }
  traffic_fill(protoipc_arena_data(all->arena, &block), serial, bytes);
  for (uint32_t i = 0; i < all->count; i++)
    if (all->links[i].attached) served_publish(&all->links[i], &block, serial, bytes);
  protoipc_arena_release(all->arena, &block);
}

static int victim_is_late(const served *link) {
  return !link->attached && !SHM_WEAKENED(ATTACH_DEADLINE) && traffic_now_ns() - link->since_ns > victim_attach_ns;
}

/* Serves every link once. */
static void victim_serve(victim *all) {
  for (uint32_t i = 0; i < all->count;) {
    served *link = &all->links[i];
    uint32_t wanted = 0;
    int result = served_step(link, &wanted);
    if (result == 0 && victim_is_late(link)) result = PROTOIPC_ETIMEDOUT;
    while (wanted-- > 0) victim_publish(all);
    if (result != 0) victim_end(all, i, result);
    else i++;
  }
}

static void victim_command(victim *all) {
  char text[16];
  const ssize_t length = read(STDIN_FILENO, text, sizeof text);
  if (length == 0 || (length > 0 && text[0] == 'q')) all->quits = 1;
}

/* Sleeps until something is there, at most a tenth of a second. */
static void victim_sleep(victim *all) {
  static struct pollfd entries[3 + 2 * victim_most_links];
  nfds_t count = 0;
  int news = 0;
  entries[count++] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
  for (int side = 0; side < 2; side++)
    entries[count++] = (struct pollfd){
        .fd = all->listeners[side] == NULL ? -1 : protoipc_listener_fd(all->listeners[side]), .events = POLLIN};
  for (uint32_t i = 0; i < all->count; i++) {
    served *link = &all->links[i];
    if (protoipc_link_sleep(link->link) == 1 && !served_is_blocked(link)) news = 1;
    entries[count++] = (struct pollfd){.fd = protoipc_link_fd(link->link), .events = POLLIN};
    entries[count++] = (struct pollfd){.fd = protoipc_link_death_fd(link->link), .events = POLLIN};
  }
  poll(entries, count, news ? 0 : 100);
  for (uint32_t i = 0; i < all->count; i++) protoipc_link_wake(all->links[i].link);
  if (entries[0].revents != 0) victim_command(all);
  for (int side = 0; side < 2; side++)
    if (all->listeners[side] != NULL && entries[1 + side].revents != 0) victim_accept(all, side);
}

/* Closes everything, and says what is left. */
static void victim_report(victim *all) {
  protoipc_arena_stats stats;
  while (all->count > 0) victim_end(all, all->count - 1, PROTOIPC_OK);
  protoipc_arena_read_stats(all->arena, &stats);
  protoipc_arena_close(all->arena);
  for (int side = 0; side < 2; side++) protoipc_listener_close(all->listeners[side]);
  uint64_t bytes = 0;
  const uint32_t maps = traffic_count_maps(&bytes), fds = traffic_count_descriptors();
  printf("{\"report\":true,\"leakedFds\":%d,\"leakedMaps\":%d,\"blocksLeft\":%llu,\"unpublished\":%llu",
         (int)fds - (int)all->fds_before, (int)maps - (int)all->maps_before, TRAFFIC_NUMBER(stats.blocks),
         TRAFFIC_NUMBER(all->unpublished));
  for (int side = 0; side < 2; side++) {
    printf(",\"%s\":{\"links\":%u,", victim_sides[side], all->ends[side]);
    served_print(&all->ended[side]);
    putchar('}');
  }
  puts("}");
  fflush(stdout);
}

static protoipc_listener *victim_listen(const char *path) {
  protoipc_listener *listener = NULL;
  const int result = protoipc_listen(path, &victim_options, &listener);
  if (result != 0) {
    fprintf(stderr, "%s: %s\n", path, protoipc_strerror(result));
    exit(2);
  }
  chmod(path, 0777); /* the user is the library's to check */
  return listener;
}

/* ---- A thread that waits for the hostile link ---- */

typedef struct waiting {
  protoipc_listener *listener;
  served_account account;
  _Atomic int quits;
} waiting;

static void *victim_wait(void *argument) {
  waiting *self = argument;
  protoipc_link *link = NULL;
  while (protoipc_accept(self->listener, NULL, &link) != 0)
    if (self->quits) return NULL;
    else usleep(1000);
  served one = served_open(link, 1);
  int result = 0;
  while (result == 0 && !self->quits) {
    uint32_t wanted = 0;
    /* What an impatient caller would give: the library alone says how late a record is seen. */
    result = protoipc_link_wait(link, 0, UINT64_C(3000000000));
    if (result == 1 || result == PROTOIPC_ETIMEDOUT) result = 0;
    if (result == 0) result = served_step(&one, &wanted);
  }
  served_add(&self->account, &one.account);
  served_close(&one);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
#ifdef SHM_WEAKEN
  const char *name = getenv("SHM_WEAKEN");
  if (name != NULL) shm_weaken = name;
#endif
  const struct rlimit few = {.rlim_cur = 256, .rlim_max = 256};
  setrlimit(RLIMIT_NOFILE, &few);
  const int blocking = argc > 3 && strcmp(argv[3], "--blocking") == 0;
  static victim all;
  uint64_t bytes = 0;
  all.fds_before = traffic_count_descriptors();
  all.maps_before = traffic_count_maps(&bytes);
  if (protoipc_arena_open(1 << 20, &all.arena) != 0) return 2;
  all.listeners[0] = victim_listen(argv[1]);
  waiting waiting = {.listener = NULL};
  pthread_t thread;
  if (blocking) {
    waiting.listener = victim_listen(argv[2]);
    if (pthread_create(&thread, NULL, victim_wait, &waiting) != 0) return 2;
  } else {
    all.listeners[1] = victim_listen(argv[2]);
  }
  puts("{\"ready\":true}");
  fflush(stdout);
  while (!all.quits) {
    victim_serve(&all);
    victim_sleep(&all);
  }
  if (blocking) {
    waiting.quits = 1;
    pthread_join(thread, NULL);
    protoipc_listener_close(waiting.listener);
    served_add(&all.ended[1], &waiting.account);
  }
  victim_report(&all);
  return 0;
}
