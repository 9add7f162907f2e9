/*
 * libprotoipc: records between two processes of one machine, over shared memory.  A link is two rings of records, one
 * in each side's own sealed segment, and a control socket. Large payloads stand in blocks of an arena and are named by
 * records. What a record's bytes mean is the session's business, not this library's. The layout and the control
 * messages are in docs/spec/shm-v1.md.  Rules that hold for every function here - 0 is success, a positive value is
 * documented at its function, a negative one is a `protoipc_error`. Outputs are written only when the value is not
 * negative. - Nothing is logged, nothing aborts because of what a peer does, there is no global state. - A handle and
 * everything made from it is used by one thread at a time. Different handles are independent; an arena and its links
 * are one in this respect. - After fork(), a child's calls return PROTOIPC_EFORKED and change nothing; only the
 * functions named close free. - No function blocks, save protoipc_link_wait and protoipc_names_claim. - Descriptors that a function returns stay
 * the library's; the caller may poll them and nothing else.
 */
#ifndef PROTOIPC_H
#define PROTOIPC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define PROTOIPC_API
#else
#define PROTOIPC_API __attribute__((visibility("default")))
#endif

#define PROTOIPC_VERSION_MAJOR 0
#define PROTOIPC_VERSION_MINOR 1
#define PROTOIPC_VERSION_PATCH 0

/* What went wrong. The numbers are part of the ABI. */
typedef enum protoipc_error {
  PROTOIPC_OK = 0,
  PROTOIPC_EINVAL = -1,      /* an argument or option that cannot be */
  PROTOIPC_EAGAIN = -2,      /* not now: wait for the descriptor, or for room */
  PROTOIPC_ECLOSED = -3,     /* the peer has closed or died; all that it committed has been received */
  PROTOIPC_EPROTOCOL = -4,   /* the peer broke a rule: see protoipc_link_reason */
  PROTOIPC_EVERSION = -5,    /* the peer speaks no layout that we do */
  PROTOIPC_EDENIED = -6,     /* the peer is of a user that is not allowed, or the system refused */
  PROTOIPC_ENOMEM = -7,      /* memory, address space or a segment's physical memory is short (ENOMEM, ENOSPC, EFBIG) */
  PROTOIPC_EDESCRIPTORS = -8, /* no descriptor is left (EMFILE, ENFILE), here or at the peer: protoipc_link_reason */
  PROTOIPC_ENOTFOUND = -9,   /* nobody listens there */
  PROTOIPC_EINUSE = -10,     /* the path, or the lock, is somebody else's */
  PROTOIPC_ETOOLARGE = -11,  /* larger than the limit that the function names */
  PROTOIPC_ELIMIT = -12,     /* a configured limit is reached: blocks that the peer holds, bytes of an arena */
  PROTOIPC_EFORKED = -13,    /* the handle belongs to the parent process */
  PROTOIPC_ENOTSUP = -14,    /* this platform or kernel has no such thing */
  PROTOIPC_ETIMEDOUT = -15,  /* the time is over */
  PROTOIPC_ESYSTEM = -16     /* any other failure of the system */
} protoipc_error;

/* A short English text for an error or 0; "unknown error" for any other number. Static memory. */
PROTOIPC_API const char *protoipc_strerror(int code);
/* The library's version, (major << 16) | (minor << 8) | patch. */
PROTOIPC_API uint32_t protoipc_version(void);

/* ---- Limits and sizes ---------------------------------------------------------------------------------------- */

/* What a link is made with. Zero in a field means its default. The defaults' reasons are in docs/spec/shm-v1.md. */
typedef struct protoipc_options {
  uint32_t ring_bytes;       /* of our own ring; a power of two, 4 KiB to 64 MiB; default 262,144 */
  uint32_t max_ring_bytes;   /* the largest ring accepted from a peer; default 67,108,864 */
  uint64_t max_block_bytes;  /* the largest payload accepted in a block; default 4,194,304 */
  uint32_t max_segments;     /* arena segments that a peer may have at a time; up to 65,536; default 64 */
  uint64_t max_mapped_bytes; /* of all segments that a peer has at a time; default 268,435,456 */
  uint32_t max_held_blocks;  /* holds that one peer may have on our arena; up to 65,536; default 1,024 */
  uint64_t max_held_bytes;   /* of those; default 134,217,728 */
  uint32_t any_uid;          /* not 0: peers of any user are accepted. Default: our own effective user alone */
  uint32_t reserved[5];      /* zero */
} protoipc_options;

/* Who is at the other end, as the kernel told it when the connection was made. */
typedef struct protoipc_peer {
  int32_t pid; /* 0: outside our pid namespace */
  uint32_t uid;
  uint32_t gid;
} protoipc_peer;

/* ---- Arena: the blocks that we send -------------------------------------------------------------------------- */

typedef struct protoipc_arena protoipc_arena;

/* A block that the caller holds. Plain data: copies name the same block. */
typedef struct protoipc_block {
  uint32_t index;      /* of the block in its arena */
  uint32_t generation; /* differs from that of every earlier block with this index, until 2^32 of them were made */
  uint32_t segment;    /* the arena's segment, from 0 */
  uint32_t reserved;   /* zero */
  uint64_t offset;     /* of the block's first byte in the segment; a multiple of 64 */
  uint64_t bytes;      /* that may be used */
} protoipc_block;

/* Makes an arena without memory. max_bytes (from 4,096) bounds all of its segments; 0: 268,435,456. */
PROTOIPC_API int protoipc_arena_open(uint64_t max_bytes, protoipc_arena **out);
/* Frees it and unmaps its memory. Links that still name it must have been closed before. NULL is ignored. */
PROTOIPC_API void protoipc_arena_close(protoipc_arena *arena);
/*
 * A block of at least `bytes` (1 to max_bytes), held once by the caller. Its content is undefined. Adds a segment where
 * none has room, and may give up segments in which nothing is held. PROTOIPC_ELIMIT: the arena may not grow;
 * PROTOIPC_ETOOLARGE: above max_bytes; PROTOIPC_ENOMEM, PROTOIPC_EDESCRIPTORS: the system refused.
 */
PROTOIPC_API int protoipc_arena_allocate(protoipc_arena *arena, uint64_t bytes, protoipc_block *out);
/* Shortens a block that nobody but the caller holds to `bytes` (at least 1), in place, and updates `block`. */
PROTOIPC_API int protoipc_arena_trim(protoipc_arena *arena, protoipc_block *block, uint64_t bytes);
/* Ends the caller's hold. The memory is reused when no link holds it. PROTOIPC_EINVAL: not held by the caller. */
PROTOIPC_API int protoipc_arena_release(protoipc_arena *arena, const protoipc_block *block);
/* The block's first byte, writable, until the caller's hold ends; NULL for a block that the caller does not hold. */
PROTOIPC_API void *protoipc_arena_data(protoipc_arena *arena, const protoipc_block *block);
/*
 * The mapping of a segment: its first byte and its size. Valid while something in it is held: a later
 * protoipc_arena_allocate may unmap it otherwise. PROTOIPC_EINVAL where there is none of that number (any more).
 */
PROTOIPC_API int protoipc_arena_segment(protoipc_arena *arena, uint32_t segment, void **data, uint64_t *bytes);

typedef struct protoipc_arena_stats {
  uint64_t segments;
  uint64_t segment_bytes;
  uint64_t blocks;      /* that somebody holds */
  uint64_t block_bytes; /* of those, rounded as they are stored */
} protoipc_arena_stats;
PROTOIPC_API void protoipc_arena_read_stats(const protoipc_arena *arena, protoipc_arena_stats *out);

/* ---- Making links -------------------------------------------------------------------------------------------- */

typedef struct protoipc_listener protoipc_listener;
typedef struct protoipc_link protoipc_link;

/*
 * Listens on a path that does not exist yet (1 to 107 bytes; PROTOIPC_ETOOLARGE). The caller removes or renames it;
 * where this fails, nothing is left there. PROTOIPC_EINUSE: there is something at the path. `options` is copied; NULL:
 * defaults.
 */
PROTOIPC_API int protoipc_listen(const char *path, const protoipc_options *options, protoipc_listener **out);
/* Readable when protoipc_accept has something to do. */
PROTOIPC_API int protoipc_listener_fd(const protoipc_listener *listener);
/*
 * Takes one connection; `arena` may be NULL: then no block can be sent on the link. PROTOIPC_EAGAIN: there is none.
 * PROTOIPC_EDENIED: one was there and is refused. PROTOIPC_EDESCRIPTORS: one was taken, if need be with a descriptor
 * kept in reserve, told so, and closed; PROTOIPC_ENOMEM likewise. The link is attached when protoipc_link_service says
 * so.
 */
PROTOIPC_API int protoipc_accept(protoipc_listener *listener, protoipc_arena *arena, protoipc_link **out);
/* Stops listening; links live on. NULL is ignored. */
PROTOIPC_API void protoipc_listener_close(protoipc_listener *listener);

/*
 * Connects. PROTOIPC_EAGAIN: the listener's queue is full, try again; PROTOIPC_ENOTFOUND: nobody listens;
 * PROTOIPC_EDENIED: the listener is of another user. That the listener refuses us is told later, by
 * protoipc_link_service.
 */
PROTOIPC_API int protoipc_dial(const char *path, const protoipc_options *options, protoipc_arena *arena,
                               protoipc_link **out);

/* Readable when protoipc_link_service has something to do. */
PROTOIPC_API int protoipc_link_fd(const protoipc_link *link);
/* Readable when the peer's process has ended, reaped or not; -1 where the kernel has no such thing. */
PROTOIPC_API int protoipc_link_death_fd(const protoipc_link *link);
PROTOIPC_API void protoipc_link_peer(const protoipc_link *link, protoipc_peer *out);

/* What protoipc_link_service found, as bits. */
#define PROTOIPC_ATTACHED 1u  /* the link is attached: records can be sent and received */
#define PROTOIPC_RUNG 2u      /* a doorbell came: look at the rings */
#define PROTOIPC_HUNG_UP 4u   /* the peer has closed or died; what its ring holds can still be received */

/*
 * Takes what the control socket has: the attach message, doorbells, announcements, the end. Bounded work: where more
 * may be there, the descriptor stays readable. Returns bits of the above, 0 for nothing new, or an error, after which
 * the link is only good for protoipc_link_reason and protoipc_link_close (and every function goes on to return that
 * error), save that the blocks that we hold stay readable until then. Errors: PROTOIPC_EPROTOCOL; PROTOIPC_EVERSION;
 * PROTOIPC_EDENIED: the peer refused us; PROTOIPC_EDESCRIPTORS: we, or the peer, had no descriptor left: dial again
 * later.
 */
PROTOIPC_API int protoipc_link_service(protoipc_link *link);
/* Why the link cannot go on, one line for people on this side; "" where nothing is wrong. Valid until the next call. */
PROTOIPC_API const char *protoipc_link_reason(const protoipc_link *link);
/*
 * Ends the link for its user. What was committed can still be read by the peer, and the blocks that it holds stay as
 * they are, until it closes or dies: protoipc_link_linger says when that is. No function but that, protoipc_link_close
 * and the two that give descriptors may be called after it.
 */
PROTOIPC_API void protoipc_link_shutdown(protoipc_link *link);
/* After protoipc_link_shutdown: 0 when the peer has closed or died, PROTOIPC_EAGAIN while it has not. Poll both fds. */
PROTOIPC_API int protoipc_link_linger(protoipc_link *link);
/* Frees the link and ends every hold that its peer had. NULL is ignored. */
PROTOIPC_API void protoipc_link_close(protoipc_link *link);

/* ---- Sending ------------------------------------------------------------------------------------------------- */

/*
 * The largest body of a record that the ring takes: an eighth of the ring. Larger payloads go into blocks or in parts.
 */
PROTOIPC_API uint32_t protoipc_link_max_record_bytes(const protoipc_link *link);
/* Our own segment: its first byte and its size. For bindings that write bodies in place. */
PROTOIPC_API void protoipc_link_own_segment(const protoipc_link *link, void **data, uint64_t *bytes);

/* Room for records in our segment: each takes PROTOIPC_RECORD_HEADER bytes and its body, rounded up to 8. */
#define PROTOIPC_RECORD_HEADER 8u
typedef struct protoipc_window {
  uint32_t offset; /* of the first record's header in our segment; a multiple of 8 */
  uint32_t bytes;  /* contiguous room */
} protoipc_window;

/*
 * Contiguous room for at least one record with a body of `body_bytes`. PROTOIPC_EAGAIN: the ring is full; the peer is
 * asked to ring when half of it is free again. Or the link is not attached yet. protoipc_link_has_news says when there
 * is room. PROTOIPC_ETOOLARGE: above protoipc_link_max_record_bytes. PROTOIPC_ECLOSED: nobody would read it. Discards a
 * window that was not committed.
 */
PROTOIPC_API int protoipc_link_reserve(protoipc_link *link, uint32_t body_bytes, protoipc_window *out);
/*
 * Commits `count` records whose bodies, `lengths[i]` bytes each, stand one after the other in the window: body i begins
 * PROTOIPC_RECORD_HEADER after its header, and the next header at the next multiple of 8. From here on the peer can see
 * them, and nothing is left of the window. Does not ring. PROTOIPC_EINVAL: they do not fit the window; it stays.
 */
PROTOIPC_API int protoipc_link_commit(protoipc_link *link, const uint32_t *lengths, uint32_t count);
/*
 * Commits one record: a head of `head_bytes` that stands where a body would stand in the window, and as its payload
 * `bytes` from `offset` of the block, which the caller holds and the peer holds from now on. Room for
 * PROTOIPC_BLOCK_ROOM more than the head must have been reserved. PROTOIPC_ELIMIT: the peer holds as much as it may;
 * PROTOIPC_EAGAIN: the block's segment could not be announced yet, as the control socket is full: it can be when
 * protoipc_link_fd is writable; PROTOIPC_ETOOLARGE: the block is above max_held_bytes; PROTOIPC_EINVAL: no part of a
 * block that the caller holds, or no byte of it, or no such room. In all nothing is committed, and the window stays.
 */
#define PROTOIPC_BLOCK_ROOM 40u
PROTOIPC_API int protoipc_link_commit_block(protoipc_link *link, uint32_t head_bytes, const protoipc_block *block,
                                            uint64_t offset, uint64_t bytes);
/* Copies one body into the ring and commits it. As protoipc_link_reserve and protoipc_link_commit. */
PROTOIPC_API int protoipc_link_send(protoipc_link *link, const void *body, uint32_t bytes);
/*
 * Commits give-backs that wait, as far as there is room (the rest goes with a later flush), tells which segments are
 * used no more, and rings if the peer sleeps. Returns 1 where it rang, else 0. Discards a window that was not
 * committed. PROTOIPC_ENOMEM: the bell could not be rung, try again.
 */
PROTOIPC_API int protoipc_link_flush(protoipc_link *link);

/* ---- Receiving ----------------------------------------------------------------------------------------------- */

typedef struct protoipc_record {
  uint32_t offset;       /* of the body in the caller's buffer */
  uint32_t bytes;        /* of the body */
  uint32_t has_block;    /* 1: the payload stands in a block, which we hold until it is given back */
  uint32_t segment;      /* of the peer's arena */
  uint32_t index;        /* names the block, with the generation */
  uint32_t generation;
  uint64_t block_offset; /* of the payload in the segment */
  uint64_t block_bytes;
} protoipc_record;

/*
 * Copies up to `max_records` bodies into `buffer`, which has room for at least protoipc_link_max_receive_bytes, and
 * frees their place in the ring, for which a peer that waits for room is rung. Each body begins at a multiple of 8 in
 * the buffer; it stops where no largest body would fit any more, so that a larger buffer takes more at once, and behind
 * the record with which payloads in blocks reach PROTOIPC_RECEIVED_BLOCK_BYTES, so that other links have their turn
 * while a payload that was sent to all of them is still in the processor's cache. Returns
 * how many, from 0 (also for a record that was the library's own, and before the link is attached); PROTOIPC_ECLOSED
 * when there are none and never will be; PROTOIPC_EPROTOCOL when the peer broke a rule (records before that have been
 * returned).
 */
#define PROTOIPC_RECEIVED_BLOCK_BYTES 65536u
PROTOIPC_API int protoipc_link_receive(protoipc_link *link, void *buffer, uint32_t buffer_bytes,
                                       protoipc_record *records, uint32_t max_records);
/*
 * Takes the give-backs that stand before any other record, and no record: for an owner that is short of blocks, of links
 * that it does not receive from now. 0, also where there are none; or the error that ended the link.
 */
PROTOIPC_API int protoipc_link_collect(protoipc_link *link);
/* The largest body that the peer can send in its ring; 0 until the link is attached. */
PROTOIPC_API uint32_t protoipc_link_max_receive_bytes(const protoipc_link *link);
/*
 * The payload of a block that we hold, as the peer wrote it: read-only memory that the peer can change at any time.
 * Valid until it is given back or the link is closed. PROTOIPC_EINVAL for what names no such memory.
 */
PROTOIPC_API int protoipc_link_block_data(const protoipc_link *link, const protoipc_record *record,
                                          const void **data);
/* Gives a block back. The record of it leaves with the next protoipc_link_flush. PROTOIPC_EINVAL: we do not hold it. */
PROTOIPC_API int protoipc_link_give_back(protoipc_link *link, uint32_t index, uint32_t generation);

/* ---- Waiting ------------------------------------------------------------------------------------------------- */

/* 1: there is a record, or the room that was asked for, or the link's end; 0: there is not. Costs a few nanoseconds. */
PROTOIPC_API int protoipc_link_has_news(const protoipc_link *link);
/* Looks for at most `spin_ns` nanoseconds, without sleeping. As protoipc_link_has_news. */
PROTOIPC_API int protoipc_link_spin(const protoipc_link *link, uint64_t spin_ns);
/*
 * Declares that we sleep, so that the peer rings by the control socket. Returns 1, and declares nothing, where there is
 * news; 0 where the caller may sleep until the descriptors are readable. What the peer only gives back is no reason to
 * ring, until it fills a quarter of the peer's ring, unless we are short of blocks when we say this: the last
 * protoipc_link_commit_block said PROTOIPC_ELIMIT, or the arena had no memory for the last block that was asked for. Links
 * that slept before that are to say it again. protoipc_link_collect takes what is given back meanwhile.
 */
PROTOIPC_API int protoipc_link_sleep(protoipc_link *link);
/* Declares that we are awake. */
PROTOIPC_API void protoipc_link_wake(protoipc_link *link);
/*
 * Blocks the thread until there is news, spinning for `spin_ns` first. Returns 1 for news, PROTOIPC_ETIMEDOUT after
 * `timeout_ns`, or the error that ended the link. Flushes first, and services the control socket itself; what it found
 * is there for the next protoipc_link_service. The end of the peer is news within 20 ms.
 */
PROTOIPC_API int protoipc_link_wait(protoipc_link *link, uint64_t spin_ns, uint64_t timeout_ns);

/* Counts of a link, from 0. */
typedef struct protoipc_link_stats {
  uint64_t records_sent;
  uint64_t records_received;
  uint64_t doorbells_sent; /* system calls made to wake the peer, by socket or futex */
  uint64_t doorbells_received;
  uint64_t blocks_held_by_peer;
  uint64_t bytes_held_by_peer;
  uint64_t blocks_held_by_us;
  uint64_t segments_mapped; /* of the peer's arena */
} protoipc_link_stats;
PROTOIPC_API void protoipc_link_read_stats(const protoipc_link *link, protoipc_link_stats *out);

/* ---- Names ---------------------------------------------------------------------------------------------------- */

/*
 * Names on disk (docs/spec/names-v1.md): an endpoint's name belongs to one process at a time, and others find it by its
 * name. Linux only so far.
 */
typedef struct protoipc_names protoipc_names; /* the names of one domain */
typedef struct protoipc_claim protoipc_claim; /* the right to a name */

/*
 * Chooses the root and the domain, and looks at nothing in them. NULL: what the environment says, else the defaults.
 * PROTOIPC_EINVAL: a root that is no absolute path, a domain that can be none; PROTOIPC_ETOOLARGE: a path of more than
 * 255 bytes.
 */
PROTOIPC_API int protoipc_names_open(const char *root, const char *domain, protoipc_names **out);
/* Frees it; claims live on. NULL is ignored. */
PROTOIPC_API void protoipc_names_close(protoipc_names *names);
/* The root's path; the handle's. */
PROTOIPC_API const char *protoipc_names_root(const protoipc_names *names);
/* Why the last call failed or a name was taken, one line for people on this side; "" otherwise. Until the next call. */
PROTOIPC_API const char *protoipc_names_reason(const protoipc_names *names);
/*
 * Claims a name (1 to 64 of a-z A-Z 0-9 . _ -, not "." first). `incarnation` is the run of the endpoint in lower-case
 * hexadecimal, up to 64 digits; NULL: 32 random ones. 0: it is ours until protoipc_claim_close, or our end. A positive
 * value is the pid of the living process that has it. PROTOIPC_EINUSE: it was taken for all of `timeout_ns` by one that
 * did not say its pid: an owner that starts or ends, so a second is usual. May sleep for `timeout_ns`, about 10 ms at a
 * time. PROTOIPC_EDENIED: something stands there that is not safe to use, which is left as it is.
 * A child that is forked, and does not exec, keeps the name of a parent that dies until it ends too.
 */
PROTOIPC_API int protoipc_names_claim(protoipc_names *names, const char *name, const char *incarnation,
                                      uint64_t timeout_ns, protoipc_claim **out);
/* The directory in which listeners stand, "" in a forked child; the handle's. */
PROTOIPC_API const char *protoipc_claim_directory(const protoipc_claim *claim);
/*
 * Says in the entry which transports listen, best first: up to 16 names of up to 31 of a-z 0-9 -. A file of that name is
 * in the directory for each.
 */
PROTOIPC_API int protoipc_claim_announce(protoipc_claim *claim, const char *const *transports, uint32_t count);
/*
 * Removes the entry and the directory, gives the name back, and frees the claim. Listeners are closed and their files
 * removed before. In a forked child it frees and removes nothing. NULL is ignored.
 */
PROTOIPC_API void protoipc_claim_close(protoipc_claim *claim);

#define PROTOIPC_MAX_TRANSPORTS 16
/* An endpoint, as its entry shows it. Whether anybody is there is known by connecting. */
typedef struct protoipc_found {
  char directory[256];
  int32_t pid;
  uint32_t protocol; /* the major version of the wire protocol */
  char start_time[24]; /* of the process, in the kernel's count; "": not known */
  char incarnation[65];
  char transports[PROTOIPC_MAX_TRANSPORTS][32]; /* best first; more, or longer ones, are left out */
  uint32_t transport_count;
} protoipc_found;
/* Looks an endpoint up. PROTOIPC_ENOTFOUND: there is no entry; PROTOIPC_EDENIED: something that is not safe to use. */
PROTOIPC_API int protoipc_names_find(protoipc_names *names, const char *name, protoipc_found *out);

/* ---- For other transports ------------------------------------------------------------------------------------ */

/* Who is at the other end of a connected Unix socket. */
PROTOIPC_API int protoipc_socket_peer(int fd, protoipc_peer *out);
/* Takes flock(LOCK_EX) without waiting. PROTOIPC_EINUSE: somebody has it. It ends with the descriptor. */
PROTOIPC_API int protoipc_lock(int fd);

#ifdef __cplusplus
}
#endif
#endif
