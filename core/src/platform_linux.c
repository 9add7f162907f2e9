/* Linux: sealed memfds, the fork guard, futexes, the clock. The sockets are in platform_linux_socket.c. */
#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"
#include "weaken.h"
#include "platform_linux.h"

/* Newer than the headers of the systems that we build on; the numbers are the kernel's ABI. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

enum {
  platform_tmpfs_magic = 0x01021994,
  platform_futex_wait_op = 0,
  platform_futex_wake_op = 1,
  /* Small, because before Linux 5.13 a signal makes fallocate() undo the whole of its range. */
  platform_allocation_step = 4 << 20,
  /* Below this, asking for what is available costs more than taking it. */
  platform_small_bytes = 1 << 20
};

int platform_error(int number) {
  switch (number) {
    case EMFILE:
    case ENFILE:
      return PROTOIPC_EDESCRIPTORS;
    case ENOMEM:
    case ENOSPC:
    case EFBIG:
    case ENOBUFS:
    case EDQUOT:
      return PROTOIPC_ENOMEM;
    case EACCES:
    case EPERM:
      return PROTOIPC_EDENIED;
    case EAGAIN:
      return PROTOIPC_EAGAIN;
    case EADDRINUSE:
      return PROTOIPC_EINUSE;
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
    case EPROTOTYPE: /* a socket of another kind */
      return PROTOIPC_ENOTFOUND;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
      return PROTOIPC_ECLOSED;
    case ENOSYS:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case ENOPROTOOPT:
    case EPROTONOSUPPORT:
      return PROTOIPC_ENOTSUP;
    default:
      return PROTOIPC_ESYSTEM;
  }
}

/* ---- Memory ---- */

static int platform_memfd(int *out) {
  int fd = memfd_create("protoipc", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  if (fd < 0 && errno == EINVAL) fd = memfd_create("protoipc", MFD_CLOEXEC | MFD_ALLOW_SEALING); /* before Linux 6.3 */
  if (fd < 0) return platform_error(errno);
  *out = fd;
  return 0;
}

/* A number of /proc/meminfo, in bytes; 0 where it is not there. */
static uint64_t platform_meminfo(const char *text, const char *name) {
  const char *at = strstr(text, name);
  return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10) * 1024;
}

/* What can be allocated without anybody being killed for it, as far as the kernel can tell. */
static uint64_t platform_available_bytes(void) {
  char text[4096];
  struct sysinfo system;
  const int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
  const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[length > 0 ? length : 0] = 0;
  const uint64_t available = platform_meminfo(text, "MemAvailable:");
  if (available != 0) return available + platform_meminfo(text, "SwapFree:");
  if (sysinfo(&system) != 0) return UINT64_MAX;
  return ((uint64_t)system.totalram + system.totalswap) * system.mem_unit;
}

/*
 * fallocate() of a memfd does not fail for want of memory before it has taken all that there is, and what it takes
 * counts for no process: the kernel then kills others, one after the other. So what cannot be is refused before.
 */
static int platform_has_memory(uint64_t bytes) {
  return bytes < platform_small_bytes || bytes <= platform_available_bytes();
}

/* Gives the file its size and its memory, so that no later access can end in a SIGBUS for want of it. */
static int platform_fill(int fd, uint64_t bytes) {
  /* Growing a file beyond this limit would not only fail: it raises SIGXFSZ, which kills. So it is looked at before. */
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur)
    return PROTOIPC_ENOMEM;
  if (!platform_has_memory(bytes)) return PROTOIPC_ENOMEM;
  int result;
  do result = ftruncate(fd, (off_t)bytes);
  while (result != 0 && errno == EINTR);
  if (result != 0) return platform_error(errno);
  for (uint64_t at = 0; at < bytes;) {
    uint64_t step = bytes - at < platform_allocation_step ? bytes - at : platform_allocation_step;
    if (fallocate(fd, 0, (off_t)at, (off_t)step) == 0)
      at += step;
    else if (errno != EINTR)
      return platform_error(errno);
  }
  return 0;
}

static int platform_map(int fd, uint64_t bytes, int protection, void **out) {
  if (bytes > SIZE_MAX) return PROTOIPC_ENOMEM;
  void *data = mmap(NULL, (size_t)bytes, protection, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return platform_error(errno);
  if (madvise(data, (size_t)bytes, MADV_DONTFORK) != 0) {
    munmap(data, (size_t)bytes);
    return PROTOIPC_ENOTSUP;
  }
  *out = data;
  return 0;
}

int platform_segment_create(uint64_t bytes, int *out_fd, void **out_data) {
  if (bytes == 0) return PROTOIPC_EINVAL;
  if (bytes > INT64_MAX) return PROTOIPC_ENOMEM;
  int fd = -1;
  void *data = NULL;
  int result = platform_memfd(&fd);
  if (result != 0) return result;
  result = platform_fill(fd, bytes);
  if (result == 0) result = platform_map(fd, bytes, PROT_READ | PROT_WRITE, &data);
  if (result != 0) {
    close(fd);
    return result;
  }
  if (!SHM_WEAKENED(OWN_SEALS) &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
    result = errno == EINVAL ? PROTOIPC_ENOTSUP : platform_error(errno); /* EINVAL: before Linux 5.1 */
    munmap(data, (size_t)bytes);
    close(fd);
    return result;
  }
  *out_fd = fd;
  *out_data = data;
  return 0;
}

/* The seals come first: only of a sealed file do size and allocation stay what they are. */
static const char *platform_segment_fault(int fd, uint64_t max_bytes, uint64_t *bytes) {
  int seals = fcntl(fd, F_GET_SEALS);
  struct stat status;
  struct statfs system;
  if (SHM_WEAKENED(PEER_FILE) && fstat(fd, &status) == 0) return *bytes = (uint64_t)status.st_size, NULL;
  if (seals < 0) return "is no memfd";
  if (SHM_WEAKENED(PEER_SEALS) || SHM_WEAKENED(OWN_SEALS)) seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;
  if ((seals & F_SEAL_SHRINK) == 0) return "lacks the seal F_SEAL_SHRINK";
  if ((seals & F_SEAL_GROW) == 0) return "lacks the seal F_SEAL_GROW";
  if ((seals & (F_SEAL_FUTURE_WRITE | F_SEAL_WRITE)) == 0) return "lacks the seal F_SEAL_FUTURE_WRITE";
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return "is no regular file";
  /* Huge pages can be missing when they are touched, whatever the seals say: that is a SIGBUS. */
  if (fstatfs(fd, &system) != 0 || system.f_type != platform_tmpfs_magic) return "is no memfd of ordinary pages";
  if (status.st_size <= 0) return "is empty";
  if ((uint64_t)status.st_size > max_bytes) return "is larger than the limit";
  /* With holes, it would be our reading that allocates, and so our process that is charged, or killed, for it. */
  if ((uint64_t)status.st_blocks * 512 < (uint64_t)status.st_size && !SHM_WEAKENED(PEER_ALLOCATED))
    return "is not physically allocated";
  *bytes = (uint64_t)status.st_size;
  return NULL;
}

int platform_segment_map(int fd, uint64_t max_bytes, const void **out_data, uint64_t *out_bytes, const char **why) {
  uint64_t bytes = 0;
  void *data = NULL;
  *why = platform_segment_fault(fd, max_bytes, &bytes);
  if (*why != NULL) return PROTOIPC_EPROTOCOL;
  int result = platform_map(fd, bytes, PROT_READ, &data);
  if (result != 0) {
    *why = "cannot be mapped";
    return result;
  }
  *out_data = data;
  *out_bytes = bytes;
  return 0;
}

void platform_unmap(const void *data, uint64_t bytes) {
  if (data != NULL) munmap((void *)(uintptr_t)data, (size_t)bytes);
}

enum { platform_guard_bytes = 4096 };

/* [0]: 1, wiped in a child; [1]: 0, or the process, where the kernel cannot wipe (or an emulator does not). */
int platform_fork_guard(const volatile uint32_t **out) {
  uint32_t *guard =
      mmap(NULL, platform_guard_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (guard == MAP_FAILED) return platform_error(errno);
  guard[0] = 1;
  guard[1] = madvise(guard, platform_guard_bytes, MADV_WIPEONFORK) == 0 ? 0 : (uint32_t)getpid();
  *out = guard;
  return 0;
}

int platform_is_forked(const volatile uint32_t *guard) {
  if (guard[0] == 0) return 1;
  uint32_t process = guard[1];
  return process != 0 && process != (uint32_t)getpid();
}

void platform_fork_guard_free(const volatile uint32_t *guard) {
  if (guard != NULL) munmap((void *)(uintptr_t)guard, platform_guard_bytes);
}

/* ---- Waiting ---- */

/* The old call takes two longs on every architecture; those that never had it take 64-bit seconds. */
#if defined(SYS_futex)
#define PLATFORM_FUTEX SYS_futex
typedef struct platform_futex_time {
  long seconds, nanoseconds;
} platform_futex_time;
#else
#define PLATFORM_FUTEX SYS_futex_time64
typedef struct platform_futex_time {
  int64_t seconds, nanoseconds;
} platform_futex_time;
#endif

static const uint64_t platform_second_ns = UINT64_C(1000000000);

void platform_futex_wait(const volatile void *word, uint32_t expected, uint64_t timeout_ns) {
  /* A second at most: whoever waits looks again anyway, and so no time overflows a 32-bit long. */
  if (timeout_ns > platform_second_ns) timeout_ns = platform_second_ns;
  platform_futex_time time = {0, 0};
  if (timeout_ns == platform_second_ns)
    time.seconds = 1;
  else
    time.nanoseconds = (long)timeout_ns;
  /* Not FUTEX_PRIVATE: the other process wakes us. After EAGAIN, EINTR and a timeout alike the caller looks again. */
  (void)syscall(PLATFORM_FUTEX, word, platform_futex_wait_op, expected, &time, NULL, 0);
}

void platform_futex_wake(const volatile void *word) {
  (void)syscall(PLATFORM_FUTEX, word, platform_futex_wake_op, INT_MAX, NULL, NULL, 0);
}

uint64_t platform_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * platform_second_ns + (uint64_t)now.tv_nsec;
}

void platform_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ __volatile__("yield" ::: "memory");
#else
  __asm__ __volatile__("" ::: "memory");
#endif
}

static int platform_poll(struct pollfd *entries, nfds_t count, const struct timespec *timeout) {
  return ppoll(entries, count, timeout, NULL);
}

int platform_is_readable(int fd) {
  const struct timespec now = {0, 0};
  struct pollfd entry = {.fd = fd, .events = POLLIN};
  int result;
  if (fd < 0) return 0;
  do result = platform_poll(&entry, 1, &now);
  while (result < 0 && errno == EINTR);
  return result > 0;
}

int platform_is_hung_up(int fd) {
  const struct timespec now = {0, 0};
  struct pollfd entry = {.fd = fd, .events = POLLRDHUP};
  int result;
  do result = platform_poll(&entry, 1, &now);
  while (result < 0 && errno == EINTR);
  return result > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void platform_wait_readable(int fd, int other, uint64_t timeout_ns) {
  struct pollfd entries[2] = {{.fd = fd, .events = POLLIN}, {.fd = other, .events = POLLIN}};
  if (timeout_ns > 3600 * platform_second_ns) timeout_ns = 3600 * platform_second_ns;
  struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / platform_second_ns),
                             .tv_nsec = (long)(timeout_ns % platform_second_ns)};
  (void)platform_poll(entries, 2, &timeout);
}

#else
typedef int platform_linux_is_not_built_here;
#endif
