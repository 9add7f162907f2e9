/* Links for tests: both ends in one process, or a socket that says to a link whatever a test wants. */
#ifndef PROTOIPC_TEST_PEERS_H
#define PROTOIPC_TEST_PEERS_H

#include <dirent.h>

#include "../include/protoipc.h"
#include "../src/layout.h"
#include "../src/platform.h"
#include "test.h"

/* A directory of its own for each process of the tests; removed at its end. */
static char peers_path[64];
static char peers_directory[48];
static pid_t peers_owner;

static inline void peers_remove(void) {
  if (getpid() != peers_owner) return;
  unlink(peers_path);
  rmdir(peers_directory);
}

static inline const char *peers_socket_path(void) {
  if (peers_path[0] != 0) return peers_path;
  strcpy(peers_directory, "/tmp/protoipc-test-XXXXXX");
  CHECK(mkdtemp(peers_directory) != NULL);
  snprintf(peers_path, sizeof peers_path, "%s/shm", peers_directory);
  peers_owner = getpid();
  atexit(peers_remove);
  return peers_path;
}

typedef struct peers {
  protoipc_listener *listener;
  protoipc_arena *arena; /* of the dialling side */
  protoipc_link *dialled;
  protoipc_link *accepted;
} peers;

static inline protoipc_listener *peers_listen(const protoipc_options *options) {
  protoipc_listener *listener = NULL;
  CHECK_EQUAL(protoipc_listen(peers_socket_path(), options, &listener), 0);
  return listener;
}

/* Services until the link is attached. */
static inline void peers_attach(protoipc_link *link) {
  for (int i = 0; i < 5000; i++) {
    const int found = protoipc_link_service(link);
    if (found < 0) fprintf(stderr, "%s: %s\n", protoipc_strerror(found), protoipc_link_reason(link));
    CHECK(found >= 0);
    if (found & PROTOIPC_ATTACHED) return;
    usleep(1000);
  }
  CHECK(!"attached in 5 s");
}

static inline peers peers_open(const protoipc_options *dialler, const protoipc_options *acceptor) {
  peers both = {0};
  both.listener = peers_listen(acceptor);
  CHECK_EQUAL(protoipc_arena_open(0, &both.arena), 0);
  CHECK_EQUAL(protoipc_dial(peers_path, dialler, both.arena, &both.dialled), 0);
  CHECK_EQUAL(protoipc_accept(both.listener, NULL, &both.accepted), 0);
  peers_attach(both.dialled);
  peers_attach(both.accepted);
  return both;
}

static inline void peers_close(peers *both) {
  protoipc_link_close(both->dialled);
  protoipc_link_close(both->accepted);
  protoipc_arena_close(both->arena);
  protoipc_listener_close(both->listener);
  unlink(peers_path);
}

/* ---- What is sent ---- */

/* Bytes that say which record they belong to, and where they stand in it. */
static inline void fill(uint8_t *bytes, size_t count, uint64_t number) {
  test_random random = {number};
  for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)(test_next(&random) >> 32);
}

static inline void check_filled(const uint8_t *bytes, size_t count, uint64_t number) {
  test_random random = {number};
  for (size_t i = 0; i < count; i++)
    if (bytes[i] != (uint8_t)(test_next(&random) >> 32)) {
      fprintf(stderr, "record %" PRIu64 " of %zu bytes differs at %zu\n", number, count, i);
      exit(1);
    }
}

/* Receives one record, which has to be there. */
static inline protoipc_record receive_one(protoipc_link *link, void *buffer, uint32_t room) {
  protoipc_record record;
  CHECK_EQUAL(protoipc_link_receive(link, buffer, room, &record, 1), 1);
  return record;
}

static inline protoipc_block new_block(protoipc_arena *arena, uint64_t bytes, uint64_t number) {
  protoipc_block block;
  CHECK_EQUAL(protoipc_arena_allocate(arena, bytes, &block), 0);
  CHECK(block.bytes >= bytes);
  fill(protoipc_arena_data(arena, &block), bytes, number);
  return block;
}

/* A record with a head of `head_bytes`, and the block as its payload. */
static inline int send_block(protoipc_link *link, uint32_t head_bytes, const protoipc_block *block, uint64_t offset,
                      uint64_t bytes) {
  protoipc_window window;
  void *own;
  uint64_t own_bytes;
  const int result = protoipc_link_reserve(link, head_bytes + PROTOIPC_BLOCK_ROOM, &window);
  if (result != 0) return result;
  protoipc_link_own_segment(link, &own, &own_bytes);
  fill((uint8_t *)own + window.offset + PROTOIPC_RECORD_HEADER, head_bytes, head_bytes);
  return protoipc_link_commit_block(link, head_bytes, block, offset, bytes);
}

/* ---- What a process has ---- */

static inline int peers_count_descriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  int count = 0;
  CHECK(directory != NULL);
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

/* Maps of sealed memory. */
static inline int peers_count_maps(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[512];
  int count = 0;
  CHECK(maps != NULL);
  while (fgets(line, sizeof line, maps) != NULL) count += strstr(line, "memfd:protoipc") != NULL;
  fclose(maps);
  return count;
}

/* ---- A peer that says what it wants ---- */

typedef struct raw_peer {
  protoipc_link *victim;
  int fd;
  shm_segment *own; /* a segment as it should be, for the test to spoil */
  uint64_t bytes;
  int segment_fd;
} raw_peer;

#define RAW_RING_BYTES 4096u

/* A socket to a link that was just accepted, and a segment that was not sent yet. */
static inline raw_peer raw_open(const protoipc_options *options, protoipc_arena *arena) {
  raw_peer raw = {.bytes = SHM_RING_OFFSET + RAW_RING_BYTES};
  protoipc_listener *listener = peers_listen(options);
  void *data = NULL;
  CHECK_EQUAL(platform_connect(peers_path, &raw.fd), 0);
  CHECK_EQUAL(protoipc_accept(listener, arena, &raw.victim), 0);
  protoipc_listener_close(listener);
  unlink(peers_path);
  CHECK_EQUAL(platform_segment_create(raw.bytes, &raw.segment_fd, &data), 0);
  raw.own = data;
  raw.own->header.magic = SHM_MAGIC;
  raw.own->header.layout_version = SHM_LAYOUT_VERSION;
  raw.own->header.segment_bytes = raw.bytes;
  raw.own->header.ring_offset = SHM_RING_OFFSET;
  raw.own->header.ring_bytes = RAW_RING_BYTES;
  return raw;
}

static inline shm_attach raw_attach_message(const raw_peer *raw) {
  return (shm_attach){
      .type = SHM_MSG_ATTACH, .layout_version = SHM_LAYOUT_VERSION, .magic = SHM_MAGIC, .segment_bytes = raw->bytes};
}

static inline void raw_send(const raw_peer *raw, const void *message, size_t bytes, int passed) {
  CHECK_EQUAL(platform_send(raw->fd, message, bytes, passed), 0);
}

static inline void raw_attach(const raw_peer *raw) {
  const shm_attach message = raw_attach_message(raw);
  raw_send(raw, &message, sizeof message, raw->segment_fd);
  peers_attach(raw->victim);
}

static inline void raw_close(raw_peer *raw) {
  protoipc_link_close(raw->victim);
  platform_close(raw->fd);
  platform_close(raw->segment_fd);
  platform_unmap(raw->own, raw->bytes);
}

/* Lays a record into the ring and commits it. */
static inline void raw_put(raw_peer *raw, uint8_t kind, uint8_t pad, const void *body, uint32_t bytes) {
  const uint64_t tail = atomic_load(&raw->own->writer.tail);
  uint8_t *at = (uint8_t *)raw->own + SHM_RING_OFFSET + tail % RAW_RING_BYTES;
  const shm_record_header header = {.bytes = bytes, .kind = kind, .pad = pad};
  memcpy(at, &header, sizeof header);
  if (bytes != 0) memcpy(at + sizeof header, body, bytes);
  atomic_store(&raw->own->writer.tail, tail + sizeof header + (bytes + 7) / 8 * 8);
}

/* Services the victim until its error; the socket brings everything in order. */
static inline int raw_service(const raw_peer *raw) {
  int found = 0;
  for (int i = 0; i < 100 && found >= 0; i++) found = protoipc_link_service(raw->victim);
  return found;
}

/* The last message that the victim sent which is no attach message: a rejection, or nothing. */
static inline uint32_t raw_rejected_why(const raw_peer *raw) {
  uint32_t why = 0;
  for (;;) {
    union {
      uint8_t bytes[128];
      shm_reject reject;
    } message;
    int passed, was_cut, too_many;
    const int bytes = platform_receive(raw->fd, &message, sizeof message, &passed, &was_cut, &too_many);
    if (bytes < 0) return why;
    platform_close(passed);
    if (message.bytes[0] == SHM_MSG_REJECT) why = message.reject.why;
  }
}

static int descriptors_before;

static inline void check_fails(raw_peer *raw, int code, const char *part) {
  CHECK_EQUAL(raw_service(raw), code);
  CHECK_TEXT(protoipc_link_reason(raw->victim), part);
  CHECK_EQUAL(protoipc_link_service(raw->victim), code); /* and so it stays */
  CHECK_EQUAL(protoipc_link_send(raw->victim, "x", 1), code);
  CHECK_EQUAL(protoipc_link_has_news(raw->victim), 1);
}

static inline void check_nothing_is_left(raw_peer *raw) {
  raw_close(raw);
  CHECK_EQUAL(peers_count_maps(), 0);
  CHECK_EQUAL(peers_count_descriptors(), descriptors_before);
}

static inline raw_peer open_raw(const protoipc_options *options) {
  descriptors_before = peers_count_descriptors();
  return raw_open(options, NULL);
}

#endif
