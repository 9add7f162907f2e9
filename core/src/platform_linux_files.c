/* Linux: what names need of files, processes and abstract sockets. */
#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"
#include "platform_linux.h"

enum {
  platform_group_and_others = 077,
  platform_others_write = 022,
  platform_path_room = 512,
  /* Who watches stays in the queue, unaccepted. The system's own limit may be lower. */
  platform_watchers = 4096
};

static int platform_file_error(int number) {
  switch (number) {
    case EEXIST:
      return PROTOIPC_EINUSE;
    case ELOOP:
    case ENOTDIR:
    case EROFS:
      return PROTOIPC_EDENIED;
    case ENAMETOOLONG:
      return PROTOIPC_ETOOLARGE;
    default:
      return platform_error(number);
  }
}

static int platform_check_parent(const char *path, const char **why) {
  char parent[platform_path_room];
  struct stat found;
  const char *slash = strrchr(path, '/');
  const size_t length = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
  if (length >= sizeof parent) return PROTOIPC_ETOOLARGE;
  memcpy(parent, path, length);
  parent[length] = 0;
  if (stat(parent, &found) != 0) return platform_file_error(errno);
  const int is_trusted = found.st_uid == geteuid() || found.st_uid == 0;
  if (is_trusted && ((found.st_mode & platform_others_write) == 0 || (found.st_mode & S_ISVTX) != 0)) return 0;
  *why = "can be replaced by other users, by its parent's owner or mode";
  return PROTOIPC_EDENIED;
}

int platform_check_directory(const char *path, int parent, const char **why) {
  struct stat found;
  *why = "cannot be looked at";
  if (lstat(path, &found) != 0) return platform_file_error(errno);
  *why = NULL;
  if (S_ISLNK(found.st_mode)) *why = "is a symbolic link";
  else if (!S_ISDIR(found.st_mode)) *why = "is no directory";
  else if (found.st_uid != geteuid()) *why = "belongs to another user";
  else if ((found.st_mode & platform_group_and_others) != 0) *why = "lets other users in; its mode must be 0700";
  if (*why != NULL) return PROTOIPC_EDENIED;
  return parent ? platform_check_parent(path, why) : 0;
}

int platform_make_directory(const char *path) {
  char above[platform_path_room];
  if (mkdir(path, 0700) == 0 || errno == EEXIST) return 0;
  const char *slash = strrchr(path, '/');
  if (errno != ENOENT || slash == NULL || slash == path) return platform_file_error(errno);
  const size_t length = (size_t)(slash - path);
  if (length >= sizeof above) return PROTOIPC_ETOOLARGE;
  memcpy(above, path, length);
  above[length] = 0;
  const int result = platform_make_directory(above);
  if (result != 0) return result;
  return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : platform_file_error(errno);
}

int platform_is_own_directory(const char *path) {
  struct stat found;
  return lstat(path, &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == geteuid();
}

/* Opens what must be a regular file of ours. O_NONBLOCK: a FIFO must not make us wait. */
static int platform_open_own(const char *path, int *out, struct stat *found, const char **why) {
  int fd;
  do fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  while (fd < 0 && errno == EINTR);
  *why = "cannot be read";
  if (fd < 0) {
    if (errno == ELOOP) *why = "is a symbolic link";
    if (errno == ENXIO) *why = "is no regular file";
    return errno == ENXIO ? PROTOIPC_EDENIED : platform_file_error(errno);
  }
  int result = fstat(fd, found) == 0 ? 0 : platform_file_error(errno);
  if (result == 0) {
    *why = NULL;
    if (!S_ISREG(found->st_mode)) *why = "is no regular file";
    else if (found->st_uid != geteuid()) *why = "belongs to another user";
    else if ((found->st_mode & platform_others_write) != 0) *why = "can be written by other users";
    if (*why != NULL) result = PROTOIPC_EDENIED;
  }
  if (result != 0) close(fd);
  else *out = fd;
  return result;
}

int platform_check_own(const char *path, const char **why) {
  struct stat found;
  int fd = -1;
  const int result = platform_open_own(path, &fd, &found, why);
  if (result == 0) close(fd);
  return result;
}

int platform_read_own(const char *path, void *out, size_t room, size_t *bytes, const char **why) {
  struct stat found;
  int fd = -1;
  int result = platform_open_own(path, &fd, &found, why);
  if (result != 0) return result;
  if (found.st_size < 0 || (uint64_t)found.st_size > room) {
    *why = "is larger than such a file may be";
    close(fd);
    return PROTOIPC_EDENIED;
  }
  /* As much as fstat() said: a file that grows is not followed. */
  size_t got = 0;
  while (got < (size_t)found.st_size) {
    const ssize_t count = read(fd, (char *)out + got, (size_t)found.st_size - got);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) result = platform_file_error(errno);
    if (count <= 0) break;
    got += (size_t)count;
  }
  close(fd);
  if (result == 0) *bytes = got;
  return result;
}

int platform_write_new(const char *path, const void *data, size_t bytes) {
  int fd;
  do fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return platform_file_error(errno);
  int result = 0;
  size_t put = 0;
  while (result == 0 && put < bytes) {
    const ssize_t count = write(fd, (const char *)data + put, bytes - put);
    if (count >= 0) put += (size_t)count;
    else if (errno != EINTR) result = platform_file_error(errno);
  }
  close(fd);
  if (result != 0) unlink(path);
  return result;
}

int platform_link_file(const char *from, const char *to) {
  return link(from, to) == 0 ? 0 : platform_file_error(errno);
}

int platform_rename(const char *from, const char *to) {
  return rename(from, to) == 0 ? 0 : platform_file_error(errno);
}

int platform_remove(const char *path) {
  return unlink(path) == 0 || errno == ENOENT ? 0 : platform_file_error(errno);
}

void platform_remove_directory(const char *path) { (void)rmdir(path); }

/* A folder of files, nothing deeper. */
static void platform_remove_folder(int above, const char *name) {
  const int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *folder = fd < 0 ? NULL : fdopendir(fd);
  if (folder == NULL) {
    if (fd >= 0) close(fd);
    return;
  }
  for (struct dirent *item = readdir(folder); item != NULL; item = readdir(folder))
    (void)unlinkat(dirfd(folder), item->d_name, 0);
  closedir(folder);
  (void)unlinkat(above, name, AT_REMOVEDIR);
}

int platform_remove_temporaries(const char *directory) {
  DIR *folder = opendir(directory);
  if (folder == NULL) return platform_file_error(errno);
  for (struct dirent *item = readdir(folder); item != NULL; item = readdir(folder)) {
    if (strchr(item->d_name, '~') == NULL || unlinkat(dirfd(folder), item->d_name, 0) == 0) continue;
    if (errno == EISDIR || errno == EPERM) platform_remove_folder(dirfd(folder), item->d_name);
  }
  closedir(folder);
  return 0;
}

int platform_random(void *out, size_t bytes) {
  ssize_t got;
  do got = getrandom(out, bytes, 0); /* up to 256 bytes come whole */
  while (got < 0 && errno == EINTR);
  return got == (ssize_t)bytes ? 0 : PROTOIPC_ESYSTEM;
}

int platform_hold_name(const char *name, size_t bytes, int *out) {
  struct sockaddr_un address;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  if (bytes >= sizeof address.sun_path) return PROTOIPC_ETOOLARGE;
  /* The first byte stays zero: abstract. All of sun_path is the name. */
  memcpy(address.sun_path + 1, name, bytes);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return platform_error(errno);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, platform_watchers) != 0) {
    const int result = platform_error(errno);
    close(fd);
    return result;
  }
  *out = fd;
  return 0;
}

int platform_hold_file(const char *path, int *out) {
  struct stat found;
  const char *why;
  int fd = -1;
  int result = platform_open_own(path, &fd, &found, &why);
  if (result != 0) return result;
  result = platform_lock(fd);
  if (result != 0) close(fd);
  else *out = fd;
  return result;
}

void platform_let_file(int fd) {
  if (fd < 0) return;
  (void)flock(fd, LOCK_UN);
  close(fd);
}

int32_t platform_own_pid(void) { return (int32_t)getpid(); }

int platform_process_start(int32_t pid, char *out, size_t room) {
  char path[32], text[1024];
  out[0] = 0;
  (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (length <= 0) return kill(pid, 0) == 0 || errno == EPERM ? 0 : PROTOIPC_ENOTFOUND;
  text[length] = 0;
  /* Behind the program's name, which may hold anything, ")" among it, field 22 is the 20th. */
  const char *at = strrchr(text, ')');
  for (int field = 0; at != NULL && field < 20; field++) {
    at = strchr(at, ' ');
    if (at != NULL) at++;
  }
  const size_t bytes = at == NULL ? 0 : strspn(at, "0123456789");
  if (bytes > 0 && bytes < room) {
    memcpy(out, at, bytes);
    out[bytes] = 0;
  }
  return 0;
}

int platform_is_in_other_network(int32_t pid) {
  struct stat own, theirs;
  char path[40];
  (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
  if (stat("/proc/self/ns/net", &own) != 0 || stat(path, &theirs) != 0) return 0;
  return own.st_ino != theirs.st_ino || own.st_dev != theirs.st_dev;
}

void platform_sleep(uint64_t ns) {
  const struct timespec pause = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
  (void)nanosleep(&pause, NULL);
}

#else
typedef int platform_linux_files_is_not_built_here;
#endif
