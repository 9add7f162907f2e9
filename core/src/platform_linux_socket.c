/* Linux: the control socket (SOCK_SEQPACKET), its peer, pidfds and locks. */
#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform.h"
#include "platform_linux.h"
#include "weaken.h"

/* Newer than the headers of the systems that we build on; the numbers are the kernel's ABI. */
#ifndef SO_PEERPIDFD
#if defined(__hppa__)
#define SO_PEERPIDFD 0x404B
#elif defined(__sparc__)
#define SO_PEERPIDFD 0x0056
#else
#define SO_PEERPIDFD 77
#endif
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum {
  platform_backlog = 511,
  /* One is expected; the second place tells two from one without taking a flood into our table. */
  platform_most_descriptors = 2
};

static int platform_address(const char *path, struct sockaddr_un *out, socklen_t *out_bytes) {
  size_t length = path == NULL ? 0 : strlen(path);
  if (length == 0) return PROTOIPC_EINVAL;
  /* The kernel would take one more without its zero byte; other tools then cannot name it. */
  if (length >= sizeof out->sun_path) return PROTOIPC_ETOOLARGE;
  memset(out, 0, sizeof *out);
  out->sun_family = AF_UNIX;
  memcpy(out->sun_path, path, length);
  *out_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
  return 0;
}

static int platform_socket(int *out) {
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return platform_error(errno);
  *out = fd;
  return 0;
}

int platform_listen(const char *path, int *out) {
  struct sockaddr_un address;
  socklen_t bytes = 0;
  int fd = -1;
  int result = platform_address(path, &address, &bytes);
  if (result == 0) result = platform_socket(&fd);
  if (result != 0) return result;
  if (bind(fd, (struct sockaddr *)&address, bytes) != 0) {
    result = platform_error(errno);
    close(fd);
    return result;
  }
  if (listen(fd, platform_backlog) != 0) {
    result = platform_error(errno);
    unlink(path); /* bind() has just made it */
    close(fd);
    return result;
  }
  *out = fd;
  return 0;
}

int platform_connect(const char *path, int *out) {
  struct sockaddr_un address;
  socklen_t bytes = 0;
  int fd = -1;
  int result = platform_address(path, &address, &bytes);
  if (result == 0) result = platform_socket(&fd);
  if (result != 0) return result;
  do result = connect(fd, (struct sockaddr *)&address, bytes);
  while (result != 0 && errno == EINTR);
  if (result != 0) {
    result = platform_error(errno);
    close(fd);
    return result;
  }
  *out = fd;
  return 0;
}

int platform_knock(const char *path) {
  struct sockaddr_un address;
  struct stat found;
  socklen_t bytes = 0;
  if (lstat(path, &found) != 0) return 0;
  if (S_ISFIFO(found.st_mode)) {
    /* Without a reader: ENXIO. */
    const int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno != ENXIO && errno != ENOENT;
    close(fd);
    return 1;
  }
  if (!S_ISSOCK(found.st_mode) || platform_address(path, &address, &bytes) != 0) return 0;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return 1;
  /* Anything but these two, such as another type of socket or a full backlog, comes from one that somebody holds. */
  const int is_free = connect(fd, (struct sockaddr *)&address, bytes) != 0 && (errno == ECONNREFUSED || errno == ENOENT);
  close(fd);
  return !is_free;
}

int platform_accept(int listener, int *out) {
  int fd;
  do fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | (SHM_WEAKENED(SEND_BLOCKS) ? 0 : SOCK_NONBLOCK));
  while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
  if (fd < 0) return platform_error(errno);
  *out = fd;
  return 0;
}

int platform_socket_peer(int fd, protoipc_peer *out) {
  struct ucred credentials;
  socklen_t bytes = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0)
    return errno == EBADF || errno == ENOTSOCK ? PROTOIPC_EINVAL : platform_error(errno);
  /* A socket without a peer has credentials too: pid 0 and the user -1. */
  if (bytes != sizeof credentials || credentials.uid == (uid_t)-1) return PROTOIPC_EINVAL;
  out->pid = credentials.pid;
  out->uid = credentials.uid;
  out->gid = credentials.gid;
  return 0;
}

int platform_peer_pidfd(int fd, const protoipc_peer *peer, int *out) {
  int pidfd = -1;
  socklen_t bytes = sizeof pidfd;
  *out = -1;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &bytes) == 0) {
    *out = pidfd;
    return 0;
  }
  int number = errno;
  if (number == ENOPROTOOPT && peer->pid > 0) { /* before Linux 6.5 */
    pidfd = (int)syscall(SYS_pidfd_open, peer->pid, 0);
    number = pidfd < 0 ? errno : 0;
    if (number == EINVAL) return 0; /* a thread's number, as emulators have them: no news of its death */
  }
  if (pidfd >= 0) {
    *out = pidfd;
    return 0;
  }
  if (number == ESRCH || number == EINVAL) return PROTOIPC_ECLOSED; /* ended, and reaped */
  return number == EMFILE || number == ENFILE ? PROTOIPC_EDESCRIPTORS : 0;
}

int platform_send(int fd, const void *message, size_t bytes, int passed) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = bytes};
  struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};
  if (passed >= 0) {
    memset(&control, 0, sizeof control);
    envelope.msg_control = &control;
    envelope.msg_controllen = CMSG_LEN(sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &passed, sizeof passed);
  }
  ssize_t sent;
  do sent = sendmsg(fd, &envelope, MSG_NOSIGNAL | (SHM_WEAKENED(SEND_BLOCKS) ? 0 : MSG_DONTWAIT));
  while (sent < 0 && errno == EINTR);
  if (sent >= 0) return 0;
  return errno == ETOOMANYREFS ? PROTOIPC_EAGAIN : platform_error(errno);
}

/* Takes the descriptors of a message: the first, or -1. Returns how many there were; more than one are closed. */
static int platform_take_descriptors(struct msghdr *envelope, int *passed) {
  int count = 0;
  *passed = -1;
  for (struct cmsghdr *entry = CMSG_FIRSTHDR(envelope); entry != NULL; entry = CMSG_NXTHDR(envelope, entry)) {
    if (entry->cmsg_level != SOL_SOCKET || entry->cmsg_type != SCM_RIGHTS) continue;
    size_t length = (entry->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < length; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(entry) + i * sizeof fd, sizeof fd);
      if (count++ == 0)
        *passed = fd;
      else if (!SHM_WEAKENED(EXTRA_DESCRIPTORS))
        close(fd);
    }
  }
  return count;
}

int platform_receive(int fd, void *message, size_t room, int *passed, int *was_cut, int *too_many) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(platform_most_descriptors * sizeof(int))];
  } control;
  struct iovec part = {.iov_base = message, .iov_len = room};
  struct msghdr envelope;
  ssize_t bytes;
  int resets = 0;
  do {
    memset(&envelope, 0, sizeof envelope);
    envelope.msg_iov = &part;
    envelope.msg_iovlen = 1;
    envelope.msg_control = &control;
    envelope.msg_controllen = sizeof control;
    bytes = recvmsg(fd, &envelope, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    /* A peer that closes with messages of ours unread resets us, once, and what it sent before stands behind that. */
  } while (bytes < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
  *passed = -1;
  *was_cut = 0;
  *too_many = 0;
  if (bytes < 0) return platform_error(errno);
  int count = platform_take_descriptors(&envelope, passed);
  int cut = (envelope.msg_flags & MSG_CTRUNC) != 0;
  if (cut && count == 0) return PROTOIPC_EDESCRIPTORS; /* it had one, but our table had no room */
  if (cut || count > 1) {
    if (*passed >= 0) close(*passed);
    *passed = -1;
    *too_many = 1;
  }
  *was_cut = (envelope.msg_flags & MSG_TRUNC) != 0;
  /* The end and an empty message look alike, save that nothing can follow the end. */
  if (bytes == 0 && count == 0 && platform_is_hung_up(fd)) return PROTOIPC_ECLOSED;
  return (int)bytes;
}

void platform_shutdown(int fd) { (void)shutdown(fd, SHUT_WR); }

void platform_hang_up(int fd) {
  if (fd < 0) return;
  (void)shutdown(fd, SHUT_RDWR);
  close(fd);
}

void platform_close(int fd) {
  if (fd >= 0) close(fd);
}

int platform_reserve_fd(void) { return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

uint32_t platform_effective_uid(void) { return (uint32_t)geteuid(); }

int platform_lock(int fd) {
  int result;
  do result = flock(fd, LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR);
  if (result == 0) return 0;
  if (errno == EWOULDBLOCK) return PROTOIPC_EINUSE;
  return errno == EBADF ? PROTOIPC_EINVAL : platform_error(errno);
}

#else
typedef int platform_linux_socket_is_not_built_here;
#endif
