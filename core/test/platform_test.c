#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "peers.h"

static const uint64_t segment_bytes = 1 << 16;

static void test_segment_is_sealed(void) {
  const int before = peers_count_descriptors();
  int fd = -1;
  void *data = NULL;
  CHECK_EQUAL(platform_segment_create(segment_bytes, &fd, &data), 0);
  memset(data, 7, segment_bytes);
  CHECK(ftruncate(fd, 4096) != 0 && errno == EPERM);
  CHECK(ftruncate(fd, 1 << 20) != 0 && errno == EPERM);
  CHECK(mmap(NULL, segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  CHECK(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM);
  CHECK(fallocate(fd, 3 /* keep size, punch hole */, 0, 4096) != 0 && errno == EPERM);
  CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) != 0);
  CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);

  const void *view = NULL;
  const char *why = NULL;
  uint64_t bytes = 0;
  CHECK_EQUAL(platform_segment_map(fd, segment_bytes, &view, &bytes, &why), 0);
  CHECK_EQUAL(bytes, segment_bytes);
  CHECK_EQUAL(((const uint8_t *)view)[segment_bytes - 1], 7);
  CHECK(mprotect((void *)(uintptr_t)view, segment_bytes, PROT_READ | PROT_WRITE) != 0);
  CHECK_EQUAL(platform_segment_map(fd, segment_bytes - 1, &view, &bytes, &why), PROTOIPC_EPROTOCOL);
  CHECK_TEXT(why, "larger than the limit");
  platform_unmap(view, segment_bytes);
  platform_unmap(data, segment_bytes);
  platform_close(fd);
  CHECK_EQUAL(peers_count_maps(), 0);
  CHECK_EQUAL(peers_count_descriptors(), before);
}

static void check_refused(int fd, const char *part) {
  const void *view = NULL;
  const char *why = NULL;
  uint64_t bytes = 0;
  CHECK_EQUAL(platform_segment_map(fd, 1 << 30, &view, &bytes, &why), PROTOIPC_EPROTOCOL);
  CHECK_TEXT(why, part);
  close(fd);
}

static int sealed_memfd(unsigned flags, int seals) {
  const int fd = memfd_create("protoipc", flags | MFD_ALLOW_SEALING);
  CHECK(fd >= 0);
  CHECK(ftruncate(fd, 8192) == 0 && fallocate(fd, 0, 0, 8192) == 0);
  CHECK(fcntl(fd, F_ADD_SEALS, seals) == 0);
  return fd;
}

static void test_other_descriptors_are_refused(void) {
  const int future = 0x10; /* F_SEAL_FUTURE_WRITE */
  check_refused(sealed_memfd(0, F_SEAL_GROW | future), "F_SEAL_SHRINK");
  check_refused(sealed_memfd(0, F_SEAL_SHRINK | future), "F_SEAL_GROW");
  check_refused(sealed_memfd(0, F_SEAL_SHRINK | F_SEAL_GROW), "F_SEAL_FUTURE_WRITE");
  check_refused(open("/dev/zero", O_RDWR), "no memfd");
  check_refused(socket(AF_UNIX, SOCK_STREAM, 0), "no memfd");

  const int holes = memfd_create("protoipc", MFD_ALLOW_SEALING);
  CHECK(ftruncate(holes, 1 << 20) == 0);
  CHECK(fcntl(holes, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | future) == 0);
  check_refused(holes, "not physically allocated");

  const int empty = memfd_create("protoipc", MFD_ALLOW_SEALING);
  CHECK(fcntl(empty, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | future) == 0);
  check_refused(empty, "empty");

  const int huge = memfd_create("protoipc", MFD_ALLOW_SEALING | MFD_HUGETLB);
  if (huge >= 0 && ftruncate(huge, 2 << 20) == 0 &&
      fcntl(huge, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | future) == 0)
    check_refused(huge, "ordinary pages");
  else if (huge >= 0)
    close(huge);

  /* What nobody can write to any more is as good as what only the peer can. */
  const int fixed = sealed_memfd(0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  const void *view = NULL;
  const char *why = NULL;
  uint64_t bytes = 0;
  const int result = platform_segment_map(fixed, 1 << 30, &view, &bytes, &why);
  CHECK(result == 0 || result == PROTOIPC_EDENIED); /* before Linux 6.7 such a file cannot be mapped shared at all */
  if (result == 0) platform_unmap(view, bytes);
  close(fixed);
}

static void test_want_of_memory_is_an_error(void) {
  const int before = peers_count_descriptors();
  struct rlimit limit;
  int fd = -1;
  void *data = NULL;
  CHECK_EQUAL(platform_segment_create((uint64_t)1 << 62, &fd, &data), PROTOIPC_ENOMEM);
  CHECK_EQUAL(platform_segment_create(UINT64_MAX, &fd, &data), PROTOIPC_ENOMEM);
  CHECK_EQUAL(platform_segment_create(0, &fd, &data), PROTOIPC_EINVAL);
  /* Growing beyond this would raise SIGXFSZ, whose default is death. */
  CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
  limit.rlim_cur = segment_bytes - 1;
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK_EQUAL(platform_segment_create(segment_bytes, &fd, &data), PROTOIPC_ENOMEM);
  protoipc_listener *listener = peers_listen(NULL);
  protoipc_link *link = NULL;
  CHECK_EQUAL(protoipc_dial(peers_path, NULL, NULL, &link), PROTOIPC_ENOMEM);
  protoipc_arena *arena = NULL;
  protoipc_block block;
  CHECK_EQUAL(protoipc_arena_open(0, &arena), 0);
  CHECK_EQUAL(protoipc_arena_allocate(arena, 100000, &block), PROTOIPC_ENOMEM);
  protoipc_arena_close(arena);
  protoipc_listener_close(listener);
  CHECK_EQUAL(peers_count_descriptors(), before);
}

static void test_no_address_space_is_an_error(void) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they have terabytes mapped */
  struct rlimit limit;
  int fd = -1;
  void *data = NULL;
  const int before = peers_count_descriptors();
  CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
  limit.rlim_cur = 64 << 20;
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  CHECK_EQUAL(platform_segment_create(65 << 20, &fd, &data), PROTOIPC_ENOMEM);
  CHECK_EQUAL(peers_count_descriptors(), before);
#endif
}

static void ignore(int number) { (void)number; }

/* A signal every fraction of a millisecond changes nothing. */
static void test_signals_are_invisible(void) {
  const struct sigaction action = {.sa_handler = ignore};
  const struct itimerspec often = {.it_interval = {0, 200000}, .it_value = {0, 200000}};
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  timer_t timer;
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  CHECK(timer_settime(timer, 0, &often, NULL) == 0);
  for (int i = 0; i < 20; i++) {
    int fd = -1;
    void *data = NULL;
    CHECK_EQUAL(platform_segment_create(16 << 20, &fd, &data), 0);
    platform_unmap(data, 16 << 20);
    platform_close(fd);
  }
  for (int i = 0; i < 200; i++) {
    peers both = peers_open(NULL, NULL);
    CHECK_EQUAL(protoipc_link_send(both.dialled, "abc", 3), 0);
    CHECK_EQUAL(protoipc_link_wait(both.accepted, 0, UINT64_C(1000000000)), 1);
    CHECK_EQUAL(protoipc_link_wait(both.dialled, 0, 500000), PROTOIPC_ETIMEDOUT);
    peers_close(&both);
  }
  timer_delete(timer);
}

static void test_fork_guard(void) {
  const volatile uint32_t *guard = NULL;
  CHECK_EQUAL(platform_fork_guard(&guard), 0);
  CHECK_EQUAL(platform_is_forked(guard), 0);
  pid_t child = fork();
  if (child == 0) _exit(platform_is_forked(guard) ? 42 : 0);
  CHECK_EQUAL(test_wait(child), 42);
  /* As where the kernel cannot wipe: the process's number tells. */
  volatile uint32_t pretended[2] = {1, (uint32_t)getpid()};
  CHECK_EQUAL(platform_is_forked(pretended), 0);
  child = fork();
  if (child == 0) _exit(platform_is_forked(pretended) ? 42 : 0);
  CHECK_EQUAL(test_wait(child), 42);
  platform_fork_guard_free(guard);
}

static void test_segments_are_not_inherited(void) {
  int fd = -1;
  void *data = NULL;
  CHECK_EQUAL(platform_segment_create(segment_bytes, &fd, &data), 0);
  const pid_t child = fork();
  if (child == 0) _exit(peers_count_maps());
  CHECK_EQUAL(test_wait(child), 0);
  platform_unmap(data, segment_bytes);
  platform_close(fd);
}

typedef struct waiter {
  const uint32_t *word;
  _Atomic int woken;
} waiter;

static void *wait_for_change(void *argument) {
  waiter *self = argument;
  while (__atomic_load_n(self->word, __ATOMIC_SEQ_CST) == 0)
    platform_futex_wait(self->word, 0, UINT64_C(60000000000));
  self->woken = 1;
  return NULL;
}

/* The waiter's map is read-only, and another map of the same file. */
static void test_futex_through_a_read_only_map(void) {
  int fd = -1;
  void *data = NULL;
  const void *view = NULL;
  const char *why = NULL;
  uint64_t bytes = 0;
  pthread_t thread;
  CHECK_EQUAL(platform_segment_create(segment_bytes, &fd, &data), 0);
  CHECK_EQUAL(platform_segment_map(fd, segment_bytes, &view, &bytes, &why), 0);
  waiter self = {.word = view};
  CHECK(pthread_create(&thread, NULL, wait_for_change, &self) == 0);
  usleep(50000);
  CHECK_EQUAL(self.woken, 0);
  const uint64_t start = platform_now_ns();
  __atomic_store_n((uint32_t *)data, 1, __ATOMIC_SEQ_CST);
  platform_futex_wake(data);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(platform_now_ns() - start < UINT64_C(900000000)); /* else it was the slice of a second that ended */
  const uint64_t before = platform_now_ns();
  platform_futex_wait(view, 1, 30000000);
  CHECK(platform_now_ns() - before >= 30000000);
  platform_unmap(view, bytes);
  platform_unmap(data, segment_bytes);
  platform_close(fd);
}

static void test_paths(void) {
  protoipc_listener *listener = NULL;
  protoipc_link *link = NULL;
  char path[200];
  const char *directory = peers_socket_path();
  memset(path, 'x', sizeof path);
  memcpy(path, directory, strlen(directory));
  path[108] = 0;
  CHECK_EQUAL(protoipc_listen(path, NULL, &listener), PROTOIPC_ETOOLARGE);
  CHECK_EQUAL(protoipc_dial(path, NULL, NULL, &link), PROTOIPC_ETOOLARGE);
  path[107] = 0;
  CHECK_EQUAL(protoipc_dial(path, NULL, NULL, &link), PROTOIPC_ENOTFOUND);
  CHECK_EQUAL(protoipc_listen(path, NULL, &listener), 0);
  CHECK_EQUAL(protoipc_dial(path, NULL, NULL, &link), 0);
  protoipc_link_close(link);
  protoipc_listener_close(listener);
  CHECK(access(path, F_OK) == 0); /* the caller's to remove */
  CHECK_EQUAL(protoipc_dial(path, NULL, NULL, &link), PROTOIPC_ENOTFOUND);
  CHECK_EQUAL(protoipc_listen(path, NULL, &listener), PROTOIPC_EINUSE);
  CHECK(access(path, F_OK) == 0);
  unlink(path);
  CHECK_EQUAL(protoipc_listen("", NULL, &listener), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_listen(NULL, NULL, &listener), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_dial("", NULL, NULL, &link), PROTOIPC_EINVAL);
  CHECK(listener != NULL && link != NULL); /* outputs are left alone by failures */
}

/* Nothing stays at the path, whichever of the steps fails. */
static void test_failed_listen_leaves_no_path(void) {
  struct rlimit limit;
  protoipc_listener *listener = NULL;
  const protoipc_options bad = {.ring_bytes = 5000};
  peers_socket_path();
  CHECK_EQUAL(protoipc_listen(peers_path, &bad, &listener), PROTOIPC_EINVAL);
  CHECK(access(peers_path, F_OK) != 0);
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const int next = dup(0);
  CHECK(next >= 0);
  close(next);
  for (int spare = 0; spare < 2; spare++) {
    limit.rlim_cur = (rlim_t)(next + spare);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_EQUAL(protoipc_listen(peers_path, NULL, &listener), PROTOIPC_EDESCRIPTORS);
    CHECK(access(peers_path, F_OK) != 0);
  }
}

static void test_lock(void) {
  char path[] = "/tmp/protoipc-lock-XXXXXX";
  const int fd = mkstemp(path), other = open(path, O_RDWR);
  CHECK_EQUAL(protoipc_lock(fd), 0);
  CHECK_EQUAL(protoipc_lock(fd), 0);
  CHECK_EQUAL(protoipc_lock(other), PROTOIPC_EINUSE);
  close(fd);
  CHECK_EQUAL(protoipc_lock(other), 0);
  close(other);
  unlink(path);
  CHECK_EQUAL(protoipc_lock(-1), PROTOIPC_EINVAL);
}

static void test_socket_peer(void) {
  int pair[2];
  protoipc_peer peer = {0};
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  CHECK_EQUAL(protoipc_socket_peer(pair[0], &peer), 0);
  CHECK_EQUAL(peer.pid, getpid());
  CHECK_EQUAL(peer.uid, geteuid());
  CHECK_EQUAL(peer.gid, getegid());
  CHECK_EQUAL(protoipc_socket_peer(0, &peer), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_socket_peer(-1, &peer), PROTOIPC_EINVAL);
  const int lonely = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_EQUAL(protoipc_socket_peer(lonely, &peer), PROTOIPC_EINVAL);
  close(lonely);
  close(pair[0]);
  close(pair[1]);
}

static void test_errors_have_texts(void) {
  for (int code = 0; code >= PROTOIPC_ESYSTEM; code--) CHECK(strcmp(protoipc_strerror(code), "unknown error") != 0);
  CHECK_TEXT(protoipc_strerror(PROTOIPC_ESYSTEM - 1), "unknown error");
  CHECK_TEXT(protoipc_strerror(1), "unknown error");
  CHECK_EQUAL(protoipc_version(), PROTOIPC_VERSION_MAJOR << 16 | PROTOIPC_VERSION_MINOR << 8 | PROTOIPC_VERSION_PATCH);
}

TEST_MAIN(TEST(test_segment_is_sealed), TEST(test_other_descriptors_are_refused), TEST(test_want_of_memory_is_an_error),
          TEST(test_no_address_space_is_an_error), TEST(test_signals_are_invisible), TEST(test_fork_guard),
          TEST(test_segments_are_not_inherited), TEST(test_futex_through_a_read_only_map), TEST(test_paths),
          TEST(test_failed_listen_leaves_no_path), TEST(test_lock), TEST(test_socket_peer),
          TEST(test_errors_have_texts))
