/*
 * Systems without an implementation: everything fails with PROTOIPC_ENOTSUP, so that a program that could use shared
 * memory links everywhere and asks when it runs. macOS and Windows have neither memfds nor seals, and nothing of this
 * library was built or run there. What they would need:
 *
 * - macOS: shm_open() has names to guess, and a peer can shrink such an object under our map, which is a SIGBUS, and
 *   write to it. Mach memory entries (mach_make_memory_entry_64, read-only for the peer) are the safe kind, but travel
 *   by Mach messages and not by Unix sockets. SOCK_SEQPACKET is missing, so that messages need framing of their own;
 *   SO_PEERCRED is LOCAL_PEERCRED and LOCAL_PEERPID, death is EVFILT_PROC, and the futex is os_sync_wait_on_address()
 *   with OS_SYNC_WAIT_ON_ADDRESS_SHARED.
 * - Windows: a section of the paging file (CreateFileMapping) neither shrinks nor grows, and DuplicateHandle() with
 *   FILE_MAP_READ alone gives the peer a map that it cannot make writable. Besides it takes a named pipe in message
 *   mode as the control socket, GetNamedPipeClientProcessId() and that process's token for the peer, its handle for the
 *   death, and an event for the futex, as WaitOnAddress() does not reach other processes.
 */
#if !defined(__linux__)

#include "platform.h"

int platform_segment_create(uint64_t bytes, int *fd, void **data) {
  (void)bytes, (void)fd, (void)data;
  return PROTOIPC_ENOTSUP;
}

int platform_segment_map(int fd, uint64_t max_bytes, const void **data, uint64_t *bytes, const char **why) {
  (void)fd, (void)max_bytes, (void)data, (void)bytes;
  *why = "cannot be mapped on this system";
  return PROTOIPC_ENOTSUP;
}

void platform_unmap(const void *data, uint64_t bytes) { (void)data, (void)bytes; }

int platform_fork_guard(const volatile uint32_t **out) {
  (void)out;
  return PROTOIPC_ENOTSUP;
}

int platform_is_forked(const volatile uint32_t *guard) {
  (void)guard;
  return 0;
}

void platform_fork_guard_free(const volatile uint32_t *guard) { (void)guard; }

void platform_futex_wait(const volatile void *word, uint32_t expected, uint64_t timeout_ns) {
  (void)word, (void)expected, (void)timeout_ns;
}

void platform_futex_wake(const volatile void *word) { (void)word; }

uint64_t platform_now_ns(void) { return 0; }

void platform_pause(void) {}

int platform_listen(const char *path, int *fd) {
  (void)path, (void)fd;
  return PROTOIPC_ENOTSUP;
}

int platform_connect(const char *path, int *fd) {
  (void)path, (void)fd;
  return PROTOIPC_ENOTSUP;
}

int platform_knock(const char *path) {
  (void)path;
  return 0;
}

int platform_accept(int listener, int *fd) {
  (void)listener, (void)fd;
  return PROTOIPC_ENOTSUP;
}

int platform_socket_peer(int fd, protoipc_peer *out) {
  (void)fd, (void)out;
  return PROTOIPC_ENOTSUP;
}

int platform_peer_pidfd(int fd, const protoipc_peer *peer, int *pidfd) {
  (void)fd, (void)peer;
  *pidfd = -1;
  return PROTOIPC_ENOTSUP;
}

int platform_is_readable(int fd) {
  (void)fd;
  return 0;
}

int platform_is_hung_up(int fd) {
  (void)fd;
  return 1;
}

void platform_wait_readable(int fd, int other, uint64_t timeout_ns) { (void)fd, (void)other, (void)timeout_ns; }

int platform_send(int fd, const void *message, size_t bytes, int passed) {
  (void)fd, (void)message, (void)bytes, (void)passed;
  return PROTOIPC_ENOTSUP;
}

int platform_receive(int fd, void *message, size_t room, int *passed, int *was_cut, int *too_many) {
  (void)fd, (void)message, (void)room;
  *passed = -1;
  *was_cut = *too_many = 0;
  return PROTOIPC_ENOTSUP;
}

void platform_shutdown(int fd) { (void)fd; }

void platform_hang_up(int fd) { (void)fd; }

void platform_close(int fd) { (void)fd; }

int platform_reserve_fd(void) { return -1; }

uint32_t platform_effective_uid(void) { return 0; }

int platform_lock(int fd) {
  (void)fd;
  return PROTOIPC_ENOTSUP;
}

/* Names: the lock is `lock-N` there (docs/spec/names-v1.md, 4), which is not built here yet. */

int platform_check_directory(const char *path, int parent, const char **why) {
  (void)path, (void)parent;
  *why = "cannot be checked on this system";
  return PROTOIPC_ENOTSUP;
}

int platform_make_directory(const char *path) {
  (void)path;
  return PROTOIPC_ENOTSUP;
}

int platform_is_own_directory(const char *path) {
  (void)path;
  return 0;
}

int platform_read_own(const char *path, void *out, size_t room, size_t *bytes, const char **why) {
  (void)path, (void)out, (void)room, (void)bytes;
  *why = "cannot be read on this system";
  return PROTOIPC_ENOTSUP;
}

int platform_check_own(const char *path, const char **why) {
  (void)path;
  *why = "cannot be read on this system";
  return PROTOIPC_ENOTSUP;
}

int platform_write_new(const char *path, const void *data, size_t bytes) {
  (void)path, (void)data, (void)bytes;
  return PROTOIPC_ENOTSUP;
}

int platform_link_file(const char *from, const char *to) {
  (void)from, (void)to;
  return PROTOIPC_ENOTSUP;
}

int platform_rename(const char *from, const char *to) {
  (void)from, (void)to;
  return PROTOIPC_ENOTSUP;
}

int platform_remove(const char *path) {
  (void)path;
  return PROTOIPC_ENOTSUP;
}

void platform_remove_directory(const char *path) { (void)path; }

int platform_remove_temporaries(const char *directory) {
  (void)directory;
  return PROTOIPC_ENOTSUP;
}

int platform_random(void *out, size_t bytes) {
  (void)out, (void)bytes;
  return PROTOIPC_ENOTSUP;
}

int platform_hold_name(const char *name, size_t bytes, int *fd) {
  (void)name, (void)bytes, (void)fd;
  return PROTOIPC_ENOTSUP;
}

int platform_hold_file(const char *path, int *fd) {
  (void)path, (void)fd;
  return PROTOIPC_ENOTSUP;
}

void platform_let_file(int fd) { (void)fd; }

int32_t platform_own_pid(void) { return 0; }

int platform_process_start(int32_t pid, char *out, size_t room) {
  (void)pid, (void)out, (void)room;
  return PROTOIPC_ENOTSUP;
}

int platform_is_in_other_network(int32_t pid) {
  (void)pid;
  return 0;
}

void platform_sleep(uint64_t ns) { (void)ns; }

#else
typedef int platform_none_is_not_built_here;
#endif
