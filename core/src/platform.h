/* What differs between systems. One file per system implements it: platform_linux.c; platform_none.c says ENOTSUP. */
#ifndef PROTOIPC_PLATFORM_H
#define PROTOIPC_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

#include "../include/protoipc.h"

/* ---- Memory ---- */

/*
 * A new anonymous file of `bytes` (a multiple of the page size), physically allocated, mapped writable and not inherited
 * by children, then sealed: its size is fixed and nobody can map it writable any more. Both must be given back.
 */
int platform_segment_create(uint64_t bytes, int *fd, void **data);
/*
 * Maps a peer's segment read-only and not inherited, after its seals were checked; `bytes` is what the sealed file has.
 * PROTOIPC_EPROTOCOL for what is no such file or larger than `max_bytes`; `why` then says what is wrong with it, as
 * words that go on "the descriptor ...". The descriptor stays the caller's.
 */
int platform_segment_map(int fd, uint64_t max_bytes, const void **data, uint64_t *bytes, const char **why);
void platform_unmap(const void *data, uint64_t bytes);

/* Tells a forked child from the process that made the guard. Each handle has its own: there is no global state. */
int platform_fork_guard(const volatile uint32_t **out);
/* 1 in a forked child: there the mapped segments are absent, and must not even be unmapped (something else may be). */
int platform_is_forked(const volatile uint32_t *guard);
void platform_fork_guard_free(const volatile uint32_t *guard);

/* ---- Waiting ---- */

/* Waits while *word is `expected`, at most `timeout_ns`. Spurious returns are allowed. Works through read-only maps. */
void platform_futex_wait(const volatile void *word, uint32_t expected, uint64_t timeout_ns);
void platform_futex_wake(const volatile void *word);
/* CLOCK_MONOTONIC, nanoseconds. */
uint64_t platform_now_ns(void);
/* Tells the processor that this is a spinning loop. */
void platform_pause(void);

/* ---- The control socket: SOCK_SEQPACKET, not blocking, closed on exec ---- */

int platform_listen(const char *path, int *fd);
int platform_connect(const char *path, int *fd);
/* 1: somebody listens on the socket, or reads the FIFO, that is at the path. 0: nobody, or there is neither. Never waits. */
int platform_knock(const char *path);
/* PROTOIPC_EAGAIN: nobody waits; PROTOIPC_EDESCRIPTORS. */
int platform_accept(int listener, int *fd);
int platform_socket_peer(int fd, protoipc_peer *out);
/*
 * A descriptor that is readable when the peer's process has ended; -1 where this kernel has none. PROTOIPC_ECLOSED: it
 * has ended already; PROTOIPC_EDESCRIPTORS. `pidfd` is written in every case.
 */
int platform_peer_pidfd(int fd, const protoipc_peer *peer, int *pidfd);
/* 1: the descriptor is readable now, or has ended. 0 for -1. */
int platform_is_readable(int fd);
/* 1: the other end will send no more (all that it sent may still have to be received). */
int platform_is_hung_up(int fd);
/* Waits until one of the descriptors (-1: none) is readable, at most `timeout_ns`. Spurious returns are allowed. */
void platform_wait_readable(int fd, int other, uint64_t timeout_ns);

/*
 * Sends one message, with a descriptor where `passed` is not -1. PROTOIPC_EAGAIN: the socket is full, or as many
 * descriptors as may be are on their way; PROTOIPC_ECLOSED: the peer is gone; PROTOIPC_ENOMEM.
 */
int platform_send(int fd, const void *message, size_t bytes, int passed);
/*
 * Receives one message. Returns its bytes (0 for an empty message; cut to `room`, with *was_cut), PROTOIPC_EAGAIN,
 * PROTOIPC_ECLOSED, or PROTOIPC_EDESCRIPTORS where no descriptor was left to take the one that came. `passed` is -1 or
 * the one that came with it; where more came, or the list was cut, all are closed and *too_many is 1.
 */
int platform_receive(int fd, void *message, size_t room, int *passed, int *was_cut, int *too_many);
/* No more is sent; what was sent can still be received. */
void platform_shutdown(int fd);
/* Ends the connection in both directions, even where a forked child still has the descriptor, and closes it. */
void platform_hang_up(int fd);
void platform_close(int fd);
/* A descriptor that is only there to be closed when none is left. -1: none. */
int platform_reserve_fd(void);

uint32_t platform_effective_uid(void);
int platform_lock(int fd);

/* ---- Files, for names. `why` says of a PROTOIPC_EDENIED what is wrong, as words that go on "PATH ..." ---- */

/* 0 for a directory that only we enter and, with `parent`, that no other can replace; ENOTFOUND; EDENIED. */
int platform_check_directory(const char *path, int parent, const char **why);
/* Makes it, and those above it that are missing, with mode 0700. */
int platform_make_directory(const char *path);
int platform_is_own_directory(const char *path);
/*
 * Reads a regular file of ours that no other may write, and never waits. PROTOIPC_EDENIED for anything else, and above
 * `room`; PROTOIPC_ENOTFOUND.
 */
int platform_read_own(const char *path, void *out, size_t room, size_t *bytes, const char **why);
/* As platform_read_own(), whatever is in it. */
int platform_check_own(const char *path, const char **why);
/* Writes a new file, mode 0600; where it fails none is left. PROTOIPC_EINUSE: it exists. */
int platform_write_new(const char *path, const void *data, size_t bytes);
/* PROTOIPC_EINUSE: `to` exists. */
int platform_link_file(const char *from, const char *to);
int platform_rename(const char *from, const char *to);
/* 0 also where there is none. */
int platform_remove(const char *path);
/* Removes a directory if it is empty. */
void platform_remove_directory(const char *path);
/* Removes what has a `~` in its name: files, and folders of files. */
int platform_remove_temporaries(const char *directory);
int platform_random(void *out, size_t bytes);
/* An abstract stream socket that listens and is never accepted from. PROTOIPC_EINUSE: somebody has the name. */
int platform_hold_name(const char *name, size_t bytes, int *fd);
/* Opens and locks a file of ours. PROTOIPC_EINUSE; PROTOIPC_ENOTFOUND. */
int platform_hold_file(const char *path, int *fd);
/* Gives the lock of a file back, even where a forked child has the descriptor, and closes it. */
void platform_let_file(int fd);
int32_t platform_own_pid(void);
/* When the process was started, in the kernel's count; "" where that is not told. PROTOIPC_ENOTFOUND: there is none. */
int platform_process_start(int32_t pid, char *out, size_t room);
/* 1: the process is in another network namespace. 0 where that cannot be seen. */
int platform_is_in_other_network(int32_t pid);
void platform_sleep(uint64_t ns);

#endif
