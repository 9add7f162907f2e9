/* One direction of a link: the writer's half works on our own segment, the reader's half on the peer's. */
#ifndef PROTOIPC_RING_H
#define PROTOIPC_RING_H

#include "../include/protoipc.h"
#include "layout.h"

/* Why the peer's memory makes no sense, for people on this side. */
typedef struct ring_fault {
  char text[160];
} ring_fault;

/* All but the two cursors in shared memory is private: what the peer writes is loaded once, checked, then used. */
typedef struct ring_writer {
  shm_segment *own;
  const shm_segment *peer; /* its reader line says what it has taken */
  uint8_t *data;           /* own + SHM_RING_OFFSET */
  uint64_t capacity;       /* a power of two */
  uint64_t tail;           /* committed */
  uint64_t frames;         /* the tail behind the last record that was no give-back */
  uint64_t padded;         /* the window's position: tail, or behind the padding that goes before it */
  uint64_t head;           /* the newest of the peer that was checked: tail - capacity <= head <= tail */
  uint64_t wanted;         /* the peer's head from which on there is the room that was asked for; 0: nothing is asked */
  uint32_t window_bytes;   /* of the window that is out; 0: none */
} ring_writer;

typedef struct ring_reader {
  shm_segment *own;        /* our reader line */
  const shm_segment *peer;
  const uint8_t *data;
  uint64_t capacity;       /* of the peer's ring, as its sealed segment has it */
  uint64_t head;           /* taken */
  uint64_t released;       /* the head that the peer can see; at most `head` */
  uint64_t tail;           /* the newest of the peer that was checked: head <= tail <= head + capacity */
} ring_reader;

/*
 * Both segments are mapped, their headers checked, and all cursors 0. The peer can write its header at any time, so the
 * size of its ring is not read from there again: `ring_bytes` is the private copy that was checked.
 */
void ring_writer_init(ring_writer *writer, shm_segment *own, const shm_segment *peer, uint64_t ring_bytes);
void ring_reader_init(ring_reader *reader, shm_segment *own, const shm_segment *peer, uint64_t ring_bytes);

/* The largest body: an eighth of the ring, so that a record and the padding before it always fit an empty ring. */
uint32_t ring_max_body(uint64_t capacity);

/* As protoipc_link_reserve; a fault is PROTOIPC_EPROTOCOL. */
int ring_reserve(ring_writer *writer, uint32_t body_bytes, protoipc_window *out, ring_fault *fault);
/* As protoipc_link_commit: writes the headers, then stores the tail once. PROTOIPC_EINVAL: beyond the window, or none. */
int ring_commit(ring_writer *writer, const uint32_t *lengths, uint32_t count);
/* One record of a kind, its body at its place in the window already, padding included. */
int ring_commit_kind(ring_writer *writer, uint8_t kind, uint8_t pad, uint32_t body_bytes);

/* What a record in the ring is, after its body was copied. */
typedef struct ring_item {
  uint32_t bytes;
  uint8_t kind; /* never SHM_PAD */
  uint8_t pad;
} ring_item;

/*
 * Copies the next record's body to `buffer` (room for ring_max_body) and moves the private head. 1: there was one, 0:
 * the ring is empty, PROTOIPC_EPROTOCOL. Skips padding, of which there is never more than one piece before a record.
 */
int ring_take(ring_reader *reader, void *buffer, ring_item *item, ring_fault *fault);
/*
 * As ring_take, without taking: the body stands in the ring, where the peer can change it. ring_pass takes it, which it
 * has to follow at once.
 */
int ring_look(ring_reader *reader, ring_item *item, const uint8_t **body, ring_fault *fault);
void ring_pass(ring_reader *reader, const ring_item *item);
/* Tells the writer what was taken: stores the head (release). Before ring_must_wake, which looks at what was told. */
void ring_release(ring_reader *reader);

/* Whether the ring holds something; does not check what the peer claims. */
int ring_has_record(const ring_reader *reader);
/*
 * Whether the room that ring_reserve asked for is there; 0 where none was asked for. It stays so until a ring_reserve
 * succeeds: who wants no room any more reserves 0 bytes.
 */
int ring_has_room(const ring_writer *writer);

/*
 * After a tail or head was stored: whether the peer has to be woken, and how. Fences; reads the peer's sleep line once.
 * `rung` is the sleep for which it was woken last. Returns SHM_AWAKE or how the peer sleeps. It is woken for records (our
 * tail moved), of which give-backs do not count where it sleeps for frames, and for room when our head has reached what
 * it asked for.
 */
int ring_must_wake(const ring_writer *writer, const ring_reader *reader, uint64_t *told_tail, uint64_t *told_head,
                   uint32_t *rung);
/* Declares a sleep of a kind, fences, looks again: 1 there is news (and we are awake), 0 we sleep. */
int ring_sleep(const ring_writer *writer, const ring_reader *reader, uint32_t *sleeps, int how);
void ring_wake(shm_segment *own);

#endif
