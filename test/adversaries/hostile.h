/*
 * An adversary's tools: the control socket and the segments by the layout's own words, without the library. Everything
 * here does what it is told; nothing checks what makes sense.
 */
#ifndef ADVERSARIES_HOSTILE_H
#define ADVERSARIES_HOSTILE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../../core/src/layout.h"
#include "traffic.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define HOSTILE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)
/* How long the victim has to end a link that has earned it. */
static int hostile_patience_ms = 5000;
/* How many variants of an attack are played. */
static uint32_t hostile_variants = UINT32_MAX;

typedef struct hostile {
  int fd; /* the control socket, which blocks for a fifth of a second at most */
  shm_segment *own;
  uint64_t own_bytes, ring_bytes;
  int own_fd;
  const shm_segment *theirs;
  uint64_t their_bytes, their_ring;
  int their_fd;
  uint64_t tail;   /* laid; published by hostile_publish */
  uint64_t head;   /* taken */
  uint64_t serial; /* of the newest record */
  uint32_t rung;
  uint32_t segments; /* announced */
} hostile;

/*
 * When an attack that has to meet the victim in the middle of something gives up. One that is to succeed has longer: it is
 * stopped when it has.
 */
static inline uint64_t hostile_race_end_ns(uint64_t usual_ms) {
  return traffic_now_ns() + (hostile_variants == 1 ? 15000 : usual_ms) * 1000000;
}

_Noreturn static inline void hostile_die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(2);
}

/* ---- The socket ---- */

/* -1 where nobody takes the connection. */
static inline int hostile_try_socket(const char *path) {
  const struct timeval fifth = {.tv_usec = 200000};
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) hostile_die("socket");
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &fifth, sizeof fifth);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &fifth, sizeof fifth);
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

static inline int hostile_socket(const char *path) {
  for (int i = 0; i < 2000; i++) {
    const int fd = hostile_try_socket(path);
    if (fd >= 0) return fd;
    if (errno == ECONNREFUSED || errno == ENOENT) break;
    usleep(1000);
  }
  hostile_die("connect");
}

/* Sends one message with `count` descriptors. 0, or the error's number. */
static inline int hostile_send_all(int fd, const void *message, size_t bytes, const int *fds, int count, int flags) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(253 * sizeof(int))];
  } control;
  struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = bytes};
  struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    memset(&control, 0, sizeof control);
    envelope.msg_control = &control;
    envelope.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(&control.header), fds, (size_t)count * sizeof(int));
  }
  return sendmsg(fd, &envelope, MSG_NOSIGNAL | flags) >= 0 ? 0 : errno;
}

static inline int hostile_send(int fd, const void *message, size_t bytes, int passed) {
  return hostile_send_all(fd, message, bytes, &passed, passed >= 0 ? 1 : 0, 0);
}

/* Receives one message; its bytes, 0 at the end, -1 where none came in a fifth of a second. `passed`: -1, or the first. */
static inline ssize_t hostile_receive(int fd, void *message, size_t room, int *passed) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec part = {.iov_base = message, .iov_len = room};
  struct msghdr envelope = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t bytes = recvmsg(fd, &envelope, MSG_CMSG_CLOEXEC);
  /* Who closes with messages of ours unread resets us, and what it said stands behind that. */
  if (bytes < 0 && errno == ECONNRESET) bytes = recvmsg(fd, &envelope, MSG_CMSG_CLOEXEC);
  *passed = -1;
  if (bytes < 0) return errno == ECONNRESET ? 0 : -1;
  struct cmsghdr *entry = CMSG_FIRSTHDR(&envelope);
  if (entry != NULL && entry->cmsg_type == SCM_RIGHTS) memcpy(passed, CMSG_DATA(entry), sizeof *passed);
  return bytes;
}

/* 1: the victim has ended the link within the time. Throws away what it said. */
static inline int hostile_is_ended(int fd, int patience_ms) {
  const uint64_t until = traffic_now_ns() + (uint64_t)patience_ms * 1000000;
  do {
    uint8_t message[128];
    struct pollfd entry = {.fd = fd, .events = POLLIN | POLLRDHUP};
    int passed = -1;
    if (poll(&entry, 1, patience_ms < 20 ? patience_ms : 20) <= 0) continue;
    if (!(entry.revents & POLLIN)) return 1;
    const ssize_t bytes = hostile_receive(fd, message, sizeof message, &passed);
    if (passed >= 0) close(passed);
    if (bytes == 0) return 1;
  } while (traffic_now_ns() < until);
  return 0;
}

/* 1: the victim has ended the link. Reads nothing. */
static inline int hostile_is_hung_up(int fd) {
  struct pollfd entry = {.fd = fd, .events = POLLRDHUP};
  return poll(&entry, 1, 0) > 0;
}

/* ---- Segments ---- */

/* A file of `bytes`, allocated, mapped, then sealed with `seals` (0: not at all). */
static inline int hostile_memfd(uint64_t bytes, int seals, void **data) {
  const int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0 || fallocate(fd, 0, 0, (off_t)bytes) != 0) hostile_die("memfd");
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) hostile_die("mmap");
  if (seals != 0 && fcntl(fd, F_ADD_SEALS, seals) != 0) hostile_die("F_ADD_SEALS");
  if (data != NULL) *data = memory;
  else munmap(memory, bytes);
  return fd;
}

static inline shm_header hostile_header(uint64_t ring_bytes) {
  return (shm_header){.magic = SHM_MAGIC,
                      .layout_version = SHM_LAYOUT_VERSION,
                      .segment_bytes = SHM_RING_OFFSET + ring_bytes,
                      .ring_offset = SHM_RING_OFFSET,
                      .ring_bytes = ring_bytes};
}

static inline shm_attach hostile_attach_message(uint64_t bytes) {
  return (shm_attach){
      .type = SHM_MSG_ATTACH, .layout_version = SHM_LAYOUT_VERSION, .magic = SHM_MAGIC, .segment_bytes = bytes};
}

/* A socket and a segment as it should be; nothing is sent yet. */
static inline hostile hostile_open(const char *path, uint64_t ring_bytes, int seals) {
  hostile self = {.fd = hostile_socket(path),
                  .ring_bytes = ring_bytes,
                  .own_bytes = SHM_RING_OFFSET + ring_bytes,
                  .their_fd = -1};
  void *data = NULL;
  self.own_fd = hostile_memfd(self.own_bytes, seals, &data);
  self.own = data;
  self.own->header = hostile_header(ring_bytes);
  return self;
}

/* Takes the victim's attach message and maps its segment. 0: the victim has ended the link, or sent something else. */
static inline int hostile_meet(hostile *self) {
  const uint64_t until = traffic_now_ns() + (uint64_t)hostile_patience_ms * 1000000;
  shm_attach message;
  ssize_t bytes;
  do bytes = hostile_receive(self->fd, &message, sizeof message, &self->their_fd);
  while (bytes < 0 && traffic_now_ns() < until);
  if (bytes != sizeof message || message.type != SHM_MSG_ATTACH || self->their_fd < 0) return 0;
  void *data = mmap(NULL, message.segment_bytes, PROT_READ, MAP_SHARED, self->their_fd, 0);
  if (data == MAP_FAILED) hostile_die("mmap of the victim's segment");
  self->theirs = data;
  self->their_bytes = message.segment_bytes;
  self->their_ring = message.segment_bytes - SHM_RING_OFFSET;
  return 1;
}

/* A link as an honest peer makes it. */
static inline hostile hostile_attach(const char *path, uint64_t ring_bytes) {
  hostile self = hostile_open(path, ring_bytes, HOSTILE_SEALS);
  const shm_attach message = hostile_attach_message(self.own_bytes);
  hostile_send(self.fd, &message, sizeof message, self.own_fd);
  if (!hostile_meet(&self)) hostile_die("the victim's attach message");
  return self;
}

static inline void hostile_close(hostile *self) {
  close(self->fd);
  munmap(self->own, self->own_bytes);
  close(self->own_fd);
  if (self->theirs != NULL) munmap((void *)(uintptr_t)self->theirs, self->their_bytes);
  if (self->their_fd >= 0) close(self->their_fd);
}

/* Announces a segment with a descriptor, as what and how large one wants. */
static inline int hostile_announce(hostile *self, uint32_t number, uint64_t bytes, int fd) {
  const shm_announce message = {.type = SHM_MSG_SEGMENT, .segment = number, .bytes = bytes};
  return hostile_send(self->fd, &message, sizeof message, fd);
}

static inline int hostile_retire(hostile *self, uint32_t number) {
  const shm_announce message = {.type = SHM_MSG_RETIRE, .segment = number};
  return hostile_send(self->fd, &message, sizeof message, -1);
}

/* ---- Records ---- */

/* A record's header as the one word that it is. */
static inline uint64_t hostile_word(uint32_t bytes, uint8_t kind) { return bytes | (uint64_t)kind << 32; }

/* The memory at a cursor of our ring. */
static inline uint8_t *hostile_at(const hostile *self, uint64_t cursor) {
  return (uint8_t *)self->own + SHM_RING_OFFSET + cursor % self->ring_bytes;
}

static inline void hostile_lay_header(hostile *self, uint64_t cursor, uint32_t bytes, uint8_t kind, uint8_t pad,
                                      uint16_t reserved) {
  const shm_record_header header = {.bytes = bytes, .kind = kind, .pad = pad, .reserved = reserved};
  memcpy(hostile_at(self, cursor), &header, sizeof header);
}

/* Wakes the victim as an honest peer does: once for each sleep that it declares. */
static inline void hostile_ring(hostile *self) {
  const uint8_t doorbell = SHM_MSG_DOORBELL;
  atomic_thread_fence(memory_order_seq_cst);
  const uint32_t sleep = atomic_load(&self->theirs->sleeper.sleep);
  if (sleep == self->rung || (sleep & SHM_SLEEP_HOW) != SHM_SLEEPS_ON_SOCKET) return;
  self->rung = sleep;
  (void)hostile_send_all(self->fd, &doorbell, 1, NULL, 0, MSG_DONTWAIT);
}

/* Says how much is written, whatever is. */
static inline void hostile_say_tail(hostile *self, uint64_t tail) {
  atomic_store(&self->own->writer.tail, tail);
  hostile_ring(self);
}

static inline void hostile_publish(hostile *self) { hostile_say_tail(self, self->tail); }

/* Waits until the ring has room for `bytes`. 0: it never had, within the patience. */
static inline int hostile_await_room(hostile *self, uint64_t bytes) {
  const uint64_t until = traffic_now_ns() + (uint64_t)hostile_patience_ms * 1000000;
  while (self->tail + bytes - atomic_load(&self->theirs->reader.head) > self->ring_bytes) {
    hostile_publish(self);
    if (traffic_now_ns() > until || hostile_is_hung_up(self->fd)) return 0;
    usleep(100);
  }
  return 1;
}

/* Lays a record, and padding before it where it must be; waits for room. 0: there was none. */
static inline int hostile_lay(hostile *self, uint8_t kind, uint8_t pad, const void *body, uint32_t bytes) {
  const uint64_t record = sizeof(shm_record_header) + ((uint64_t)bytes + 7) / 8 * 8;
  const uint64_t to_end = self->ring_bytes - self->tail % self->ring_bytes;
  const uint64_t padding = record > to_end ? to_end : 0;
  if (!hostile_await_room(self, padding + record)) return 0;
  if (padding != 0) hostile_lay_header(self, self->tail, (uint32_t)(padding - sizeof(shm_record_header)), SHM_PAD, 0, 0);
  self->tail += padding;
  hostile_lay_header(self, self->tail, bytes, kind, pad, 0);
  if (bytes != 0) memcpy(hostile_at(self, self->tail) + sizeof(shm_record_header), body, bytes);
  self->tail += record;
  return 1;
}

/* Lays a record as an honest peer would say it, with the next serial number. */
static inline int hostile_say(hostile *self, uint32_t what, uint32_t bytes) {
  static uint8_t body[1 << 20];
  return hostile_lay(self, SHM_FRAME, 0, body, traffic_lay(body, ++self->serial, what, bytes, 0));
}

/* Lays a record whose payload is said to stand in a block. */
static inline int hostile_say_block(hostile *self, const shm_block_name *name) {
  uint8_t body[sizeof(traffic_head) + sizeof *name];
  const traffic_head head = {.serial = ++self->serial, .what = TRAFFIC_NOTE, .bytes = (uint32_t)name->bytes};
  memcpy(body, &head, sizeof head);
  memcpy(body + sizeof head, name, sizeof *name);
  return hostile_lay(self, SHM_FRAME_WITH_BLOCK, 0, body, sizeof body);
}

static inline int hostile_give_back(hostile *self, uint32_t index, uint32_t generation) {
  const shm_give_back name = {.index = index, .generation = generation};
  return hostile_lay(self, SHM_GIVE_BACK, 0, &name, sizeof name);
}

/* Takes the next record of the victim's ring; its kind, or 0 where none comes in `patience_ms`. */
static inline uint8_t hostile_take(hostile *self, uint8_t *body, uint32_t *bytes, int patience_ms) {
  const uint64_t until = traffic_now_ns() + (uint64_t)patience_ms * 1000000;
  for (;;) {
    if (atomic_load(&self->theirs->writer.tail) == self->head) {
      if (traffic_now_ns() >= until) return 0;
      hostile_ring(self);
      usleep(100);
      continue;
    }
    const uint8_t *at = (const uint8_t *)self->theirs + SHM_RING_OFFSET + self->head % self->their_ring;
    shm_record_header header;
    memcpy(&header, at, sizeof header);
    if (header.kind != SHM_PAD) memcpy(body, at + sizeof header, header.bytes);
    *bytes = header.bytes;
    self->head += sizeof header + ((uint64_t)header.bytes + 7) / 8 * 8;
    atomic_store(&self->own->reader.head, self->head);
    if (header.kind != SHM_PAD) return header.kind;
  }
}

/* Takes until a publication comes, and its block's name. 0: none came. */
static inline int hostile_take_publication(hostile *self, shm_block_name *name, int patience_ms) {
  static uint8_t body[1 << 20];
  uint32_t bytes = 0;
  uint8_t kind;
  while ((kind = hostile_take(self, body, &bytes, patience_ms)) != 0) {
    if (kind != SHM_FRAME_WITH_BLOCK) continue;
    memcpy(name, body + bytes - sizeof *name, sizeof *name);
    return 1;
  }
  return 0;
}

/* ---- Words that change while somebody looks at them ---- */

typedef struct hostile_flipper {
  void (*flip)(struct hostile_flipper *self, uint64_t turn);
  void *at;
  uint64_t values[2];
  pthread_t thread;
  _Atomic int stop;
} hostile_flipper;

static inline void *hostile_flip(void *argument) {
  hostile_flipper *self = argument;
  for (uint64_t turn = 0; !self->stop; turn++) self->flip(self, turn);
  return NULL;
}

/* Turns a word of 64 bits between two values. */
static inline void hostile_flip_word(hostile_flipper *self, uint64_t turn) {
  __atomic_store_n((uint64_t *)self->at, self->values[turn & 1], __ATOMIC_RELAXED);
}

static inline void hostile_start(hostile_flipper *self) {
  if (pthread_create(&self->thread, NULL, hostile_flip, self) != 0) hostile_die("pthread_create");
}

static inline void hostile_stop(hostile_flipper *self) {
  self->stop = 1;
  pthread_join(self->thread, NULL);
}

/* ---- Programs: ATTACK PATH [PATIENCE-MS [VARIANTS]] ---- */

/* What became of the links: a line of JSON, to which an attack may add before. */
typedef struct hostile_tally {
  uint32_t links, ended;
} hostile_tally;

/* Waits for the victim to end the link, counts it, and closes it. */
static inline void hostile_finish(hostile *self, hostile_tally *tally) {
  tally->links++;
  tally->ended += (uint32_t)hostile_is_ended(self->fd, hostile_patience_ms);
  hostile_close(self);
}

typedef struct hostile_attack {
  const char *name;
  void (*run)(const char *path, hostile_tally *tally);
} hostile_attack;

static inline int hostile_main(const hostile_attack *attacks, size_t count, int argc, char **argv) {
  hostile_tally tally = {0, 0};
  if (argc < 3) return 2;
  if (argc > 3) hostile_patience_ms = atoi(argv[3]);
  if (argc > 4) hostile_variants = (uint32_t)atoi(argv[4]);
  signal(SIGPIPE, SIG_IGN);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(attacks[i].name, argv[1]) != 0) continue;
    attacks[i].run(argv[2], &tally);
    printf("{\"links\":%u,\"ended\":%u}\n", tally.links, tally.ended);
    return 0;
  }
  fprintf(stderr, "no attack is called %s\n", argv[1]);
  return 2;
}

#define HOSTILE_MAIN(...)                                                          \
  int main(int argc, char **argv) {                                                \
    const hostile_attack attacks[] = {__VA_ARGS__};                                \
    return hostile_main(attacks, sizeof attacks / sizeof attacks[0], argc, argv);  \
  }

#endif
