/*
 * Every allocation and every system call of a link's life fails, one at a time, with each error that it can have. What
 * comes of it is a typed error, or nothing at all; what was made can be closed, and leaves nothing; and what failed can
 * be tried again.
 *
 * The functions below stand between the library and the system. They are hidden, so that nobody else calls them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "peers.h"

#if defined(__GLIBC__)

enum { fault_variants = 4 };

static struct {
  int is_armed;
  uint32_t calls;   /* since it was armed */
  uint32_t at;      /* which of them fails, from 1 */
  uint32_t variant; /* with which of its errors */
  const char *name; /* of the one that did, or NULL */
  int number;       /* errno, or 0 for an allocation */
} fault;

static void *fault_real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  CHECK(found != NULL);
  return found;
}

/* 1: this call fails, and errno is one of `numbers` (ended by 0), by the variant. */
static int fault_is_due(const char *name, const int *numbers) {
  int count = 0;
  if (!fault.is_armed || ++fault.calls != fault.at) return 0;
  while (numbers[count] != 0) count++;
  if (fault.variant >= (uint32_t)(count == 0 ? 1 : count)) return 0;
  fault.name = name;
  fault.number = errno = count == 0 ? ENOMEM : numbers[fault.variant];
  return 1;
}

#define FAULT(name, ...) fault_is_due(#name, (const int[]){__VA_ARGS__, 0})
#define REAL(name) ((__typeof__(&name))fault_real(#name))

void *calloc(size_t count, size_t each) { return FAULT(calloc, 0) ? NULL : REAL(calloc)(count, each); }
void *realloc(void *memory, size_t bytes) { return FAULT(realloc, 0) ? NULL : REAL(realloc)(memory, bytes); }

int memfd_create(const char *name, unsigned flags) {
  return FAULT(memfd_create, EMFILE, ENFILE, ENOMEM) ? -1 : REAL(memfd_create)(name, flags);
}
int ftruncate64(int fd, __off64_t bytes) {
  return FAULT(ftruncate64, EINTR, ENOSPC, EFBIG) ? -1 : REAL(ftruncate64)(fd, bytes);
}
int fallocate64(int fd, int mode, __off64_t from, __off64_t bytes) {
  return FAULT(fallocate64, EINTR, ENOSPC, ENOMEM) ? -1 : REAL(fallocate64)(fd, mode, from, bytes);
}
int fcntl64(int fd, int command, ...) {
  va_list values;
  va_start(values, command);
  const long value = va_arg(values, long);
  va_end(values);
  return FAULT(fcntl64, EPERM, EBUSY) ? -1 : REAL(fcntl64)(fd, command, value);
}
int fstat64(int fd, struct stat64 *out) { return FAULT(fstat64, EIO, ENOMEM) ? -1 : REAL(fstat64)(fd, out); }
int fstatfs64(int fd, struct statfs64 *out) { return FAULT(fstatfs64, EIO, ENOMEM) ? -1 : REAL(fstatfs64)(fd, out); }
void *mmap64(void *at, size_t bytes, int protection, int flags, int fd, __off64_t from) {
  if (FAULT(mmap64, ENOMEM, ENFILE, EAGAIN)) return MAP_FAILED;
  return REAL(mmap64)(at, bytes, protection, flags, fd, from);
}
int madvise(void *at, size_t bytes, int advice) {
  return FAULT(madvise, ENOMEM, EINVAL) ? -1 : REAL(madvise)(at, bytes, advice);
}
int socket(int domain, int type, int protocol) {
  return FAULT(socket, EMFILE, ENFILE, ENOBUFS, ENOMEM) ? -1 : REAL(socket)(domain, type, protocol);
}
int bind(int fd, const struct sockaddr *address, socklen_t bytes) {
  return FAULT(bind, ENOSPC, EACCES, ENOMEM) ? -1 : REAL(bind)(fd, address, bytes);
}
int listen(int fd, int backlog) { return FAULT(listen, ENOBUFS) ? -1 : REAL(listen)(fd, backlog); }
int connect(int fd, const struct sockaddr *address, socklen_t bytes) {
  return FAULT(connect, EINTR, EAGAIN, ENOMEM, ECONNREFUSED) ? -1 : REAL(connect)(fd, address, bytes);
}
int accept4(int fd, struct sockaddr *address, socklen_t *bytes, int flags) {
  return FAULT(accept4, EINTR, ECONNABORTED, EMFILE, ENOMEM) ? -1 : REAL(accept4)(fd, address, bytes, flags);
}
int getsockopt(int fd, int level, int option, void *value, socklen_t *bytes) {
  return FAULT(getsockopt, ENOPROTOOPT, EMFILE, ESRCH) ? -1 : REAL(getsockopt)(fd, level, option, value, bytes);
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  return FAULT(sendmsg, EINTR, ENOBUFS, ETOOMANYREFS, EAGAIN) ? -1 : REAL(sendmsg)(fd, message, flags);
}
ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  return FAULT(recvmsg, EINTR, EAGAIN, ENOMEM, ECONNRESET) ? -1 : REAL(recvmsg)(fd, message, flags);
}
int ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
  return FAULT(ppoll, EINTR) ? -1 : REAL(ppoll)(entries, count, timeout, mask);
}

/* ---- A link's life ---- */

/* What the caller of a function may be told when the system fails: never that it asked for nonsense. */
static int life_check(int result, const char *call) {
  if (result >= 0) return result;
  if (result == PROTOIPC_EINVAL || result < PROTOIPC_ESYSTEM || fault.name == NULL)
    fprintf(stderr, "%s is %d (%s) after %s with %d, call %u\n", call, result, protoipc_strerror(result),
            fault.name == NULL ? "no fault" : fault.name, fault.number, fault.at);
  CHECK(result != PROTOIPC_EINVAL && result >= PROTOIPC_ESYSTEM && fault.name != NULL);
  return result;
}

/*
 * A call that fails once, because of the fault, works when it is made again: whatever it had begun is undone. False:
 * the link was lost by it, and says why.
 */
#define LIFE_TRY(link, call)                                                                                 \
  do {                                                                                                       \
    if (life_check((call), #call) < 0) {                                                                     \
      if ((link) != NULL && *protoipc_link_reason(link) != 0) return;                                        \
      const int life_again = (call);                                                                         \
      if (life_again < 0)                                                                                    \
        fprintf(stderr, "after %s with %d: %s\n", fault.name, fault.number, protoipc_strerror(life_again));  \
      CHECK(life_again >= 0);                                                                                \
    }                                                                                                        \
  } while (0)

/* Services until the link has what is looked for. 0: it never came, and the fault is to blame. */
static int life_attach(protoipc_link *link) {
  for (int i = 0; i < 50; i++) {
    const int found = protoipc_link_service(link);
    if (life_check(found, "protoipc_link_service") < 0 || (found & PROTOIPC_HUNG_UP)) {
      CHECK(fault.name != NULL);
      return 0;
    }
    if (found & PROTOIPC_ATTACHED) return 1;
  }
  CHECK(fault.name != NULL);
  return 0;
}

static int life_receive(protoipc_link *link, protoipc_record *record) {
  static uint8_t buffer[64 << 10];
  int count = 0;
  for (int i = 0; i < 10 && count == 0; i++) {
    if (life_check(protoipc_link_service(link), "protoipc_link_service") < 0) return 0;
    count = protoipc_link_receive(link, buffer, sizeof buffer, record, 1);
    if (life_check(count, "protoipc_link_receive") < 0) return 0;
  }
  CHECK(count == 1);
  return 1;
}

static int life_commit_block(const peers *both, const protoipc_block *block) {
  protoipc_window window;
  const int result = protoipc_link_reserve(both->dialled, PROTOIPC_BLOCK_ROOM, &window);
  return result != 0 ? result : protoipc_link_commit_block(both->dialled, 0, block, 0, 100);
}

/* Blocks there and back, and a segment that is given up: what needs memory, descriptors and the control socket. */
static void life_of_blocks(const peers *both) {
  protoipc_block block;
  protoipc_record record;
  for (int i = 0; i < 3; i++) {
    LIFE_TRY(NULL, protoipc_arena_allocate(both->arena, i == 1 ? 9 << 20 : 5000, &block));
    LIFE_TRY(both->dialled, life_commit_block(both, &block));
    CHECK_EQUAL(protoipc_arena_release(both->arena, &block), 0);
    LIFE_TRY(both->dialled, protoipc_link_flush(both->dialled));
    if (!life_receive(both->accepted, &record)) return;
    const void *data = NULL;
    CHECK_EQUAL(protoipc_link_block_data(both->accepted, &record, &data), 0);
    CHECK_EQUAL(protoipc_link_give_back(both->accepted, record.index, record.generation), 0);
    LIFE_TRY(both->accepted, protoipc_link_flush(both->accepted));
    uint8_t none[64 << 10];
    if (life_check(protoipc_link_receive(both->dialled, none, sizeof none, &record, 1), "protoipc_link_receive") < 0) return;
  }
  protoipc_arena_stats stats;
  protoipc_arena_read_stats(both->arena, &stats);
  CHECK_EQUAL(stats.blocks, 0);
}

/* Ends early where the fault has ended it; what there is, is in `both`. */
static void life_run(peers *both) {
  const protoipc_options options = {.ring_bytes = 4096, .max_block_bytes = 16 << 20};
  protoipc_record record;
  LIFE_TRY(NULL, protoipc_arena_open(12 << 20, &both->arena));
  LIFE_TRY(NULL, protoipc_listen(peers_path, &options, &both->listener));
  LIFE_TRY(NULL, protoipc_dial(peers_path, &options, both->arena, &both->dialled));
  /* What was accepted in vain is gone: its peer is told, or sees the end. */
  if (life_check(protoipc_accept(both->listener, NULL, &both->accepted), "protoipc_accept") < 0) return;
  if (!life_attach(both->dialled) || !life_attach(both->accepted)) return;
  LIFE_TRY(both->dialled, protoipc_link_send(both->dialled, "abc", 3));
  CHECK(protoipc_link_sleep(both->accepted) >= 0);
  LIFE_TRY(both->dialled, protoipc_link_flush(both->dialled));
  if (!life_receive(both->accepted, &record)) return;
  life_of_blocks(both);
  if (*protoipc_link_reason(both->dialled) != 0 || *protoipc_link_reason(both->accepted) != 0) return;
  const int waited = protoipc_link_wait(both->accepted, 0, 1000000);
  CHECK(waited == PROTOIPC_ETIMEDOUT || life_check(waited, "protoipc_link_wait") < 0 || fault.name != NULL);
  protoipc_link_shutdown(both->dialled);
  for (int i = 0; i < 3; i++) CHECK(protoipc_link_linger(both->dialled) <= 0);
}

static void life_end(peers *both) {
  protoipc_link_close(both->dialled);
  protoipc_link_close(both->accepted);
  protoipc_arena_close(both->arena);
  protoipc_listener_close(both->listener);
  unlink(peers_path);
}

static void life_play(uint32_t at, uint32_t variant) {
  peers both = {0};
  fault.at = at;
  fault.variant = variant;
  fault.calls = 0;
  fault.name = NULL;
  fault.is_armed = 1;
  life_run(&both);
  life_end(&both);
  fault.is_armed = 0;
}

static void test_every_call_fails_once(void) {
  uint32_t faults = 0, calls = 0;
  peers_socket_path();
  life_play(0, 0); /* whatever is set up once, is */
  const int descriptors = peers_count_descriptors(), maps = peers_count_maps();
  CHECK_EQUAL(maps, 0);
  for (uint32_t variant = 0; variant < fault_variants; variant++) {
    for (uint32_t at = 1;; at++) {
      life_play(at, variant);
      if (fault.calls < at) break; /* the life is over before */
      faults += fault.name != NULL;
      calls = at;
      if (peers_count_descriptors() != descriptors || peers_count_maps() != 0)
        fprintf(stderr, "something is left after %s with %d, call %u\n", fault.name, fault.number, at);
      CHECK_EQUAL(peers_count_descriptors(), descriptors);
      CHECK_EQUAL(peers_count_maps(), 0);
      CHECK(access(peers_path, F_OK) != 0);
    }
  }
  CHECK(calls > 50 && faults > 150);
  printf("%u calls, %u faults\n", calls, faults);
}

/* Not one of them is seen: the life goes on to its end as if there were no signals. */
static void test_interruptions_are_invisible(void) {
  peers_socket_path();
  for (uint32_t at = 1;; at++) {
    peers both = {0};
    fault.at = at;
    fault.variant = 0;
    fault.calls = 0;
    fault.name = NULL;
    fault.is_armed = 1;
    life_run(&both);
    fault.is_armed = 0;
    const int is_over = fault.calls < at, is_interruption = fault.name != NULL && fault.number == EINTR;
    if (is_over || is_interruption) {
      CHECK_EQUAL(*protoipc_link_reason(both.accepted), 0);
      protoipc_link_stats stats;
      protoipc_link_read_stats(both.accepted, &stats);
      CHECK_EQUAL(stats.records_received, 4);
    }
    life_end(&both);
    if (is_over) break;
  }
}

/* In a forked child no call does anything, and closing frees what is the child's alone. */
static void test_a_child_closes_what_it_has(void) {
  peers both = peers_open(NULL, NULL);
  protoipc_block block;
  CHECK_EQUAL(protoipc_arena_allocate(both.arena, 5000, &block), 0);
  CHECK_EQUAL(life_commit_block(&both, &block), 0);
  const pid_t child = fork();
  if (child == 0) {
    const int before = peers_count_descriptors();
    CHECK_EQUAL(protoipc_link_send(both.dialled, "abc", 3), PROTOIPC_EFORKED);
    CHECK_EQUAL(protoipc_arena_allocate(both.arena, 5000, &block), PROTOIPC_EFORKED);
    life_end(&(peers){.listener = both.listener, .arena = both.arena, .dialled = both.dialled, .accepted = both.accepted});
    CHECK(peers_count_descriptors() < before);
    CHECK_EQUAL(peers_count_maps(), 0);
    exit(0); /* by way of the leak detector */
  }
  CHECK_EQUAL(test_wait(child), 0);
  protoipc_record record;
  CHECK(life_receive(both.accepted, &record) == 1);
  CHECK_EQUAL(protoipc_arena_release(both.arena, &block), 0);
  peers_close(&both);
}

TEST_MAIN(TEST(test_every_call_fails_once), TEST(test_interruptions_are_invisible), TEST(test_a_child_closes_what_it_has))

#else
int main(void) {
  puts("the names of the C library's functions are known for glibc alone");
  return 0;
}
#endif
