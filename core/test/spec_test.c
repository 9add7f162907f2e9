/*
 * The session of section 14 of docs/spec/shm-v1.md, played again: D is the library, S is played here by hand. Every line
 * of bytes must stand in the document, in this order. Run from core/.
 */
#define _GNU_SOURCE 1
#include "pair.h"

#include <sys/socket.h>

#include "../src/platform.h"
#include "peers.h"

enum { RING_BYTES = 4096, SEGMENT_BYTES = SHM_RING_OFFSET + RING_BYTES, MIB = 1 << 20 };

static char document[1 << 17];
static const char *at = document;

static void read_document(void) {
  FILE *const file = fopen("../docs/spec/shm-v1.md", "re");
  CHECK(file != NULL && "is the test run from core/?");
  document[fread(document, 1, sizeof document - 1, file)] = 0;
  fclose(file);
}

/* The next line of the document that begins with `line`. */
static void expect_line(const char *line) {
  char wanted[256];
  snprintf(wanted, sizeof wanted, "\n%s", line);
  const char *const found = strstr(at, wanted);
  if (found == NULL) fprintf(stderr, "the document does not say, or not here:\n%s\n", line);
  CHECK(found != NULL);
  at = found + strlen(wanted);
}

/* 16 bytes to a line, each 8 apart from the next. `offset` is printed in hexadecimal. */
static void expect_bytes(const char *who, const void *memory, size_t offset, size_t bytes) {
  const uint8_t *const from = (const uint8_t *)memory + offset;
  for (size_t i = 0; i < bytes; i += 16) {
    char line[128];
    int used = snprintf(line, sizeof line, "%s %04zx ", who, offset + i);
    for (size_t j = i; j < bytes && j < i + 16; j++)
      used += snprintf(line + used, sizeof line - (size_t)used, j % 8 == 0 && j > i ? "  %02x" : " %02x", from[j]);
    expect_line(line);
  }
}

/* The next control message of D. */
static int expect_message(int socket, size_t bytes) {
  uint8_t message[128];
  int passed, was_cut, too_many;
  CHECK_EQUAL(platform_receive(socket, message, sizeof message, &passed, &was_cut, &too_many), bytes);
  CHECK(!was_cut && !too_many);
  expect_bytes("D>", message, 0, bytes);
  return passed;
}

typedef struct session {
  protoipc_link *d;
  protoipc_arena *arena;
  const shm_segment *d_segment;
  int socket;
  pair_end s;
} session;

static void attach(session *all) {
  const char *const path = peers_socket_path();
  const protoipc_options options = {.ring_bytes = RING_BYTES};
  int listener, segment;
  void *data;
  CHECK_EQUAL(platform_listen(path, &listener), 0);
  CHECK_EQUAL(protoipc_arena_open(12 * MIB, &all->arena), 0);
  CHECK_EQUAL(protoipc_dial(path, &options, all->arena, &all->d), 0);
  CHECK_EQUAL(platform_accept(listener, &all->socket), 0);
  close(listener);

  segment = expect_message(all->socket, sizeof(shm_attach));
  CHECK(segment != -1);
  all->d_segment = mmap(NULL, SEGMENT_BYTES, PROT_READ, MAP_SHARED, segment, 0);
  CHECK(all->d_segment != MAP_FAILED);
  close(segment);
  expect_bytes("D ", all->d_segment, 0, 48);

  CHECK_EQUAL(platform_segment_create(SEGMENT_BYTES, &segment, &data), 0);
  memcpy(data, all->d_segment, sizeof(shm_header)); /* the same sizes */
  const shm_attach message = {.type = SHM_MSG_ATTACH, .layout_version = SHM_LAYOUT_VERSION, .magic = SHM_MAGIC,
                              .segment_bytes = SEGMENT_BYTES};
  CHECK_EQUAL(platform_send(all->socket, &message, sizeof message, segment), 0);
  close(segment);
  CHECK_EQUAL(protoipc_link_service(all->d), PROTOIPC_ATTACHED);
  all->s = (pair_end){.own = data};
  ring_writer_init(&all->s.writer, data, all->d_segment, RING_BYTES);
  ring_reader_init(&all->s.reader, data, all->d_segment, RING_BYTES);
}

static void detach(session *all) {
  protoipc_link_close(all->d);
  protoipc_arena_close(all->arena);
  platform_unmap(all->d_segment, SEGMENT_BYTES);
  platform_unmap(all->s.own, SEGMENT_BYTES);
  close(all->socket);
}

static void take(session *all, uint32_t count) {
  uint8_t body[RING_BYTES / 8];
  ring_item item;
  ring_fault fault;
  for (uint32_t i = 0; i < count; i++) CHECK_EQUAL(ring_take(&all->s.reader, body, &item, &fault), 1);
  ring_release(&all->s.reader);
}

static void put_records(session *all) {
  void *own;
  uint64_t bytes;
  protoipc_window window;
  protoipc_link_own_segment(all->d, &own, &bytes);
  CHECK_EQUAL(pair_sleep(&all->s, SHM_SLEEPS_ON_SOCKET), 0);
  expect_bytes("S ", all->s.own, 384, 16);
  CHECK_EQUAL(protoipc_link_reserve(all->d, 3, &window), 0);
  memcpy((uint8_t *)own + window.offset + PROTOIPC_RECORD_HEADER, "abc", 3);
  CHECK_EQUAL(protoipc_link_commit(all->d, (uint32_t[]){3, 0}, 2), 0);
  expect_bytes("D ", all->d_segment, 4096, 24);
  expect_bytes("D ", all->d_segment, 128, 8);
  CHECK_EQUAL(protoipc_link_flush(all->d), 1);
  CHECK_EQUAL(expect_message(all->socket, 1), -1);
  ring_wake(all->s.own);
  expect_bytes("S ", all->s.own, 384, 16);
  take(all, 2);
  expect_bytes("S ", all->s.own, 256, 8);
}

static void put_block(session *all) {
  protoipc_block blocks[2];
  protoipc_window window;
  void *own;
  uint64_t bytes;
  protoipc_link_own_segment(all->d, &own, &bytes);
  CHECK_EQUAL(protoipc_arena_allocate(all->arena, 4096, &blocks[0]), 0);
  CHECK_EQUAL(protoipc_arena_allocate(all->arena, 100000, &blocks[1]), 0);
  CHECK_EQUAL(protoipc_link_reserve(all->d, 5 + PROTOIPC_BLOCK_ROOM, &window), 0);
  memcpy((uint8_t *)own + window.offset + PROTOIPC_RECORD_HEADER, "head!", 5);
  CHECK_EQUAL(protoipc_link_commit_block(all->d, 5, &blocks[1], 0, 100000), 0);
  const int segment = expect_message(all->socket, sizeof(shm_announce));
  CHECK(segment != -1);
  close(segment);
  expect_bytes("D ", all->d_segment, 4096 + 24, 48);
  expect_bytes("D ", all->d_segment, 128, 8);
  take(all, 1);
  expect_bytes("S ", all->s.own, 256, 8);

  const shm_give_back back = {blocks[1].index, blocks[1].generation};
  ring_fault fault;
  CHECK_EQUAL(ring_reserve(&all->s.writer, sizeof back, &window, &fault), 0);
  memcpy((uint8_t *)all->s.own + window.offset + PROTOIPC_RECORD_HEADER, &back, sizeof back);
  CHECK_EQUAL(ring_commit_kind(&all->s.writer, SHM_GIVE_BACK, 0, sizeof back), 0);
  expect_bytes("S ", all->s.own, 4096, 16);
  expect_bytes("S ", all->s.own, 128, 8);
  static uint8_t buffer[RING_BYTES];
  protoipc_record record;
  CHECK_EQUAL(protoipc_link_receive(all->d, buffer, sizeof buffer, &record, 1), 0);
  expect_bytes("D ", all->d_segment, 256, 8);

  for (int i = 0; i < 2; i++) CHECK_EQUAL(protoipc_arena_release(all->arena, &blocks[i]), 0);
  CHECK_EQUAL(protoipc_arena_allocate(all->arena, 12 * MIB, &blocks[0]), 0);
  CHECK_EQUAL(protoipc_link_flush(all->d), 0);
  CHECK_EQUAL(expect_message(all->socket, sizeof(shm_announce)), -1);
}

static void fill_ring(session *all) {
  uint8_t body[RING_BYTES / 8];
  memset(body, 'z', sizeof body);
  for (int i = 0; i < 7; i++) CHECK_EQUAL(protoipc_link_send(all->d, body, sizeof body), 0);
  take(all, 7);
  CHECK_EQUAL(protoipc_link_send(all->d, body, sizeof body), 0);
  expect_bytes("D ", all->d_segment, 4096 + 3712, 8);
  expect_bytes("D ", all->d_segment, 4096, 16);
  expect_bytes("D ", all->d_segment, 128, 8);
  int code;
  while ((code = protoipc_link_send(all->d, body, sizeof body)) == 0) {
  }
  CHECK_EQUAL(code, PROTOIPC_EAGAIN);
  expect_bytes("D ", all->d_segment, 128, 8);
  expect_bytes("S ", all->s.own, 256, 8);
  expect_bytes("D ", all->d_segment, 384, 16);
}

static void bytes_of_the_document(void) {
  session all = {0};
  read_document();
  expect_line("## 14. A link, byte by byte");
  attach(&all);
  put_records(&all);
  put_block(&all);
  fill_ring(&all);
  detach(&all);
}

TEST_MAIN(TEST(bytes_of_the_document))
