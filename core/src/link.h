/* A link: both rings, the control socket, and who holds what. */
#ifndef PROTOIPC_LINK_H
#define PROTOIPC_LINK_H

#include "../include/protoipc.h"
#include "arena.h"
#include "held.h"
#include "layout.h"
#include "platform.h"
#include "ring.h"

/* A segment of the peer's arena. */
typedef struct link_segment {
  uint32_t number;
  uint32_t held; /* holds that we have in it: it cannot go while there are any */
  const uint8_t *data;
  uint64_t bytes;
} link_segment;

struct protoipc_link {
  const volatile uint32_t *guard;
  protoipc_options options; /* every field has its value */
  protoipc_peer peer;
  int fd;
  int death_fd;

  /* How it stands. */
  int error;          /* 0, or why nothing goes on; the reason is below */
  int attached;       /* the peer's segment is mapped and the rings are live */
  int ended;          /* the socket has ended: nothing more comes from it */
  int dead;           /* the peer's process has ended; a child of it may still have the socket */
  int room_missed;    /* room was asked for before the link was attached */
  int block_missed;   /* the last block was not sent, because the peer holds as much as it may */
  uint32_t found;     /* bits that protoipc_link_service has yet to return */
  uint32_t waits;     /* calls of protoipc_link_wait since it looked at the socket */
  uint32_t unchecked; /* messages since the peer's process was looked at */
  char reason[256];

  shm_segment *own;
  uint64_t own_bytes;
  const shm_segment *theirs;
  uint64_t their_bytes;
  ring_writer writer;
  ring_reader reader;
  /* As ring_must_wake and ring_sleep keep them. */
  uint64_t told_tail, told_head;
  uint32_t rung, sleeps;

  protoipc_arena *arena; /* NULL: no block is sent */
  arena_holds holds;     /* of the peer, on our arena */
  held_table held;       /* ours, on the peer's */
  link_segment *segments; /* of the peer's arena, ascending by number; room for options.max_segments */
  uint32_t segment_count;
  uint32_t next_segment; /* numbers below this were announced, or passed over */
  uint64_t mapped_bytes;

  uint64_t records_sent, records_received, doorbells_sent, doorbells_received;
};

/* ---- link.c ---- */

/* The link cannot go on: keeps the first reason, and tells the peer by the socket's end. Returns `code`. */
__attribute__((format(printf, 3, 4))) int link_fail(protoipc_link *link, int code, const char *format, ...);
/* 0, or why no call can be made: PROTOIPC_EFORKED, or the error that ended the link. */
int link_check(const protoipc_link *link);
/* 1: the peer has closed or died. */
int link_is_hung_up(const protoipc_link *link);
/* Asks the system whether the peer's process lives. */
void link_look_at_process(protoipc_link *link);

/* ---- link_attach.c ---- */

/* The options with all defaults filled in. PROTOIPC_EINVAL for what cannot be. */
int link_resolve_options(const protoipc_options *options, protoipc_options *out);
/*
 * Makes a link of a connected socket, which it takes: checks the peer's user, makes our segment and sends it. On failure
 * the peer is told why, and the socket is closed.
 */
int link_create(int fd, const protoipc_options *options, protoipc_arena *arena, protoipc_link **out);
/* Tells a peer that it is refused. Needs no descriptor and no memory. */
void link_send_reject(int fd, uint32_t why);
/* The peer's attach message and its descriptor, which stays the caller's. */
int link_attach(protoipc_link *link, const shm_attach *attach, int passed);

/* ---- link_control.c ---- */

/*
 * Takes a control message, and adds what it says to link->found. 1; 0: there is none now, or never will be; or the error
 * that ended the link.
 */
int link_take_message(protoipc_link *link);
/* As protoipc_link_service, save that what was found is kept. */
int link_service(protoipc_link *link);

/* ---- link_segments.c: the segments of the peer's arena ---- */

link_segment *link_find_segment(const protoipc_link *link, uint32_t number);
/* An announcement and its descriptor, which stays the caller's. */
int link_announced(protoipc_link *link, const shm_announce *message, int passed);
int link_retired(protoipc_link *link, const shm_announce *message);
void link_unmap_segments(protoipc_link *link);

/* ---- link_wait.c ---- */

/* Rings if the peer sleeps and something is new to it. 1: rang, 0, PROTOIPC_ENOMEM: tried in vain, to be tried again. */
int link_ring(protoipc_link *link);
/* Wakes a peer that waits on our bell, whatever its sleep line says. */
void link_ring_bell(protoipc_link *link);

#endif
