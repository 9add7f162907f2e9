/* The segment's layout, to the byte: docs/spec/shm-v1.md. Little-endian; offsets and sizes only, no pointers. */
#ifndef PROTOIPC_LAYOUT_H
#define PROTOIPC_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the layout is little-endian; this platform is not"
#endif

#define SHM_MAGIC UINT64_C(0x314d48534350490a) /* "\nIPCSHM1" read as little-endian */
#define SHM_LAYOUT_VERSION 1u
#define SHM_RING_OFFSET 4096u
#define SHM_MIN_RING_BYTES 4096u
#define SHM_MAX_RING_BYTES (64u << 20)
#define SHM_DEFAULT_RING_BYTES (256u << 10)
/* Two lines: the prefetcher of x86 takes cache lines of 64 bytes in pairs. */
#define SHM_LINE 128

/* What never changes after the segment was sent. */
typedef struct shm_header {
  uint64_t magic;
  uint32_t layout_version;
  uint32_t features; /* zero in version 1 */
  uint64_t segment_bytes;
  uint64_t ring_offset;
  uint64_t ring_bytes;
  uint8_t reserved[SHM_LINE - 40];
} shm_header;

/* Our cursor as a writer: how many bytes of records were ever committed to our ring. */
typedef struct shm_writer_line {
  _Atomic uint64_t tail;
  uint8_t reserved[SHM_LINE - 8];
} shm_writer_line;

/* Our cursor as a reader of the peer's ring: how many bytes of it were ever taken. */
typedef struct shm_reader_line {
  _Atomic uint64_t head;
  uint8_t reserved[SHM_LINE - 8];
} shm_reader_line;

/* What the peer looks at after it has moved a cursor. Seldom written, so that it stays in the peer's cache. */
typedef struct shm_sleep_line {
  _Atomic uint32_t sleep;        /* SHM_AWAKE, or (number of this sleep << 2) | how */
  uint32_t reserved0;
  _Atomic uint64_t space_wanted; /* 0, or the value of the peer's head from which on we are to be woken */
  uint8_t reserved[SHM_LINE - 16];
} shm_sleep_line;

/* What the peer waits on with a futex: counted up by us before we wake it. */
typedef struct shm_bell_line {
  _Atomic uint32_t bell;
  uint8_t reserved[SHM_LINE - 4];
} shm_bell_line;

typedef struct shm_segment {
  shm_header header;
  shm_writer_line writer;
  shm_reader_line reader;
  shm_sleep_line sleeper;
  shm_bell_line bell;
} shm_segment;

/* SHM_SLEEPS_FOR_FRAMES: on the socket, and give-backs alone are nothing to wake for. */
enum { SHM_AWAKE = 0, SHM_SLEEPS_ON_SOCKET = 1, SHM_SLEEPS_ON_FUTEX = 2, SHM_SLEEPS_FOR_FRAMES = 3, SHM_SLEEP_HOW = 3 };

/* A record: this header, a body, zero bytes up to the next multiple of 8. Never wraps around the ring's end. */
typedef struct shm_record_header {
  uint32_t bytes; /* of the body */
  uint8_t kind;
  uint8_t pad; /* SHM_FRAME_WITH_BLOCK: zero bytes between the head and the block's name */
  uint16_t reserved;
} shm_record_header;

enum {
  SHM_PAD = 1,              /* fills the ring up to its end; the body is skipped */
  SHM_FRAME = 2,            /* the body is one frame of docs/spec/wire-v1.md */
  SHM_FRAME_WITH_BLOCK = 3, /* a frame without payload, pad bytes, an shm_block_name: the payload */
  SHM_GIVE_BACK = 4         /* shm_give_back, one or more */
};

typedef struct shm_block_name {
  uint32_t index;
  uint32_t generation;
  uint32_t segment;
  uint32_t reserved;
  uint64_t offset;
  uint64_t bytes;
} shm_block_name;

typedef struct shm_give_back {
  uint32_t index;
  uint32_t generation;
} shm_give_back;

/* ---- Control messages: each is one message of a SOCK_SEQPACKET socket ---- */

enum {
  SHM_MSG_DOORBELL = 1, /* this byte alone */
  SHM_MSG_ATTACH = 2,   /* shm_attach and one descriptor: the sender's segment */
  SHM_MSG_SEGMENT = 3,  /* shm_announce and one descriptor: a segment of the sender's arena */
  SHM_MSG_RETIRE = 4,   /* shm_announce without descriptor: the segment is used no more */
  SHM_MSG_REJECT = 5    /* shm_reject: the sender closes */
};

typedef struct shm_attach {
  uint8_t type;
  uint8_t reserved0[3];
  uint32_t layout_version;
  uint64_t magic;
  uint64_t segment_bytes;
  uint32_t features;
  uint32_t reserved1;
  uint8_t reserved[32];
} shm_attach;

typedef struct shm_announce {
  uint8_t type;
  uint8_t reserved0[3];
  uint32_t segment; /* ascending from 0, never reused on a link */
  uint64_t bytes;   /* of the segment; 0 in a retirement */
} shm_announce;

enum { SHM_REJECT_VERSION = 1, SHM_REJECT_DENIED = 2, SHM_REJECT_BUSY = 3, SHM_REJECT_SEGMENT = 4 };

typedef struct shm_reject {
  uint8_t type;
  uint8_t reserved0[3];
  uint32_t why;
  uint32_t min_layout_version;
  uint32_t max_layout_version;
} shm_reject;

static_assert(sizeof(shm_header) == 128, "header");
static_assert(offsetof(shm_header, segment_bytes) == 16, "header.segment_bytes");
static_assert(offsetof(shm_header, ring_offset) == 24, "header.ring_offset");
static_assert(offsetof(shm_header, ring_bytes) == 32, "header.ring_bytes");
static_assert(offsetof(shm_segment, writer) == 128, "segment.writer");
static_assert(offsetof(shm_segment, reader) == 256, "segment.reader");
static_assert(offsetof(shm_segment, sleeper) == 384, "segment.sleeper");
static_assert(offsetof(shm_sleep_line, space_wanted) == 8, "sleep_line.space_wanted");
static_assert(offsetof(shm_segment, bell) == 512, "segment.bell");
static_assert(sizeof(shm_segment) == 640 && sizeof(shm_segment) <= SHM_RING_OFFSET, "segment");
static_assert(sizeof(shm_record_header) == 8, "record header");
static_assert(offsetof(shm_record_header, kind) == 4, "record header.kind");
static_assert(sizeof(shm_block_name) == 32, "block name");
static_assert(sizeof(shm_give_back) == 8, "give-back");
static_assert(sizeof(shm_attach) == 64, "attach");
static_assert(sizeof(shm_announce) == 16, "announce");
static_assert(sizeof(shm_reject) == 16, "reject");
static_assert(sizeof(_Atomic uint64_t) == 8 && sizeof(_Atomic uint32_t) == 4, "atomics");

#endif
