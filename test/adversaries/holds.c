/* Blocks of the victim's: given back twice, wrongly, without end or never; written to; left behind; overrun. */
#include "hostile.h"

enum { ring_bytes = 64 << 10 };

/* Asks for a publication, and takes it. 0: none came. */
static int take_one(hostile *self, shm_block_name *name) {
  hostile_say(self, TRAFFIC_PUBLISH, 64);
  hostile_publish(self);
  return hostile_take_publication(self, name, 500);
}

/* Gives back what it gave back already: that would end somebody else's hold. */
static void twice(const char *path, hostile_tally *tally) {
  for (uint32_t i = 0; i < 3 && i < hostile_variants; i++) {
    hostile self = hostile_attach(path, ring_bytes);
    shm_block_name name;
    for (int j = 0; j < 200 && !hostile_is_hung_up(self.fd); j++) {
      if (!take_one(&self, &name)) break;
      hostile_give_back(&self, name.index, name.generation);
      hostile_give_back(&self, name.index, name.generation);
      hostile_publish(&self);
      if (i > 0) break; /* as one record of two, and as a flood */
    }
    if (i == 1) {
      const shm_give_back both[2] = {{name.index, name.generation}, {name.index, name.generation}};
      hostile_lay(&self, SHM_GIVE_BACK, 0, both, sizeof both);
    }
    for (int j = 0; i == 2 && j < 20000; j++)
      if (!hostile_give_back(&self, name.index, name.generation)) break;
    hostile_publish(&self);
    hostile_finish(&self, tally);
  }
}

/* Gives back what is no block at all. */
static void wild_index(const char *path, hostile_tally *tally) {
  static const uint32_t indexes[] = {0x01000000, UINT32_MAX, 16, 4096, 0x7fffffff};
  for (uint32_t i = 0; i < sizeof indexes / sizeof indexes[0] && i < hostile_variants; i++) {
    hostile self = hostile_attach(path, ring_bytes);
    shm_block_name name;
    take_one(&self, &name);
    hostile_give_back(&self, indexes[i], 1);
    hostile_publish(&self);
    hostile_finish(&self, tally);
  }
}

/* Gives back another block that had the same index. */
static void generation(const char *path, hostile_tally *tally) {
  static const int32_t off[] = {-1, 1, 0x40000000};
  for (uint32_t i = 0; i < sizeof off / sizeof off[0] && i < hostile_variants; i++) {
    hostile self = hostile_attach(path, ring_bytes);
    shm_block_name name;
    take_one(&self, &name);
    hostile_give_back(&self, name.index, name.generation + (uint32_t)off[i]);
    hostile_publish(&self);
    hostile_finish(&self, tally);
  }
}

/* Takes everything and gives nothing back. */
static void hoard(const char *path, hostile_tally *tally) {
  hostile self = hostile_attach(path, ring_bytes);
  const uint64_t until = traffic_now_ns() + UINT64_C(1000000000);
  shm_block_name name;
  uint32_t held = 0;
  while (traffic_now_ns() < until) held += (uint32_t)hostile_take_publication(&self, &name, 50);
  printf("{\"held\":%u}\n", held);
  fflush(stdout);
  tally->links++;
  tally->ended += (uint32_t)hostile_is_ended(self.fd, 0);
  hostile_close(&self);
}

/* Tries every way to write to what the victim sent: the memory of its arena is read by all of its peers. */
static void scribble(const char *path, hostile_tally *tally) {
  hostile self = hostile_attach(path, ring_bytes);
  uint32_t written = 0;
  shm_announce message;
  int fd = -1, passed = -1;
  hostile_say(&self, TRAFFIC_PUBLISH, 64);
  hostile_publish(&self);
  for (int i = 0; i < 50 && fd < 0; i++) {
    const ssize_t bytes = hostile_receive(self.fd, &message, sizeof message, &passed);
    if (bytes == sizeof message && message.type == SHM_MSG_SEGMENT) fd = passed;
    else if (passed >= 0) close(passed);
  }
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  const int again = open(name, O_RDWR | O_CLOEXEC);
  const int fds[] = {fd, again, self.their_fd};
  for (int i = 0; i < 3; i++) {
    if (fds[i] < 0) continue;
    const uint64_t bytes = fds[i] == self.their_fd ? self.their_bytes : message.bytes;
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
    if (memory == MAP_FAILED) {
      memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fds[i], 0);
      if (memory == MAP_FAILED) continue;
      if (mprotect(memory, bytes, PROT_READ | PROT_WRITE) != 0) {
        munmap(memory, bytes);
        memory = NULL;
      }
    }
    if (memory != NULL) {
      written |= 1u << i;
      /* Everything, as long as somebody reads it. */
      for (int turn = 0; turn < 200 && fds[i] != self.their_fd; turn++) {
        memset(memory, 0xaa, bytes);
        usleep(2000);
      }
      munmap(memory, bytes);
    }
    if (pwrite(fds[i], "hostile", 7, 0) > 0) written |= 8;
    if (fallocate(fds[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0) written |= 16;
    if (ftruncate(fds[i], 0) == 0) written |= 32;
    if (fcntl(fds[i], F_ADD_SEALS, F_SEAL_WRITE) == 0) written |= 64;
  }
  printf("{\"segments\":%d,\"written\":%u}\n", fd >= 0, written);
  tally->links++;
  hostile_close(&self);
}

/* Takes nothing for a while, then looks whether all of it is there. */
static void slow_reader(const char *path, hostile_tally *tally) {
  static uint8_t body[1 << 20];
  hostile self = hostile_attach(path, ring_bytes);
  const uint32_t sent = 150;
  for (uint32_t i = 0; i < sent; i++)
    if (!hostile_say(&self, TRAFFIC_ECHO, 900 + i)) break;
  hostile_publish(&self);
  hostile_is_ended(self.fd, 400);
  uint64_t wrong = 0, expected = 0;
  while (expected < sent) {
    traffic_head head;
    uint32_t bytes = 0;
    const uint8_t kind = hostile_take(&self, body, &bytes, 1000);
    if (kind == 0) break;
    if (kind == SHM_FRAME_WITH_BLOCK) continue;
    if (!traffic_read(body, bytes, 0, &head) || head.serial != expected + 1) {
      wrong++;
      break;
    }
    expected++;
  }
  printf("{\"wrongAnswers\":%llu,\"missing\":%llu}\n", TRAFFIC_NUMBER(wrong), TRAFFIC_NUMBER(sent - expected));
  tally->links++;
  tally->ended += (uint32_t)hostile_is_ended(self.fd, 0);
  hostile_close(&self);
}

/* Says a lot and takes nothing, for good. */
static void never_takes(const char *path, hostile_tally *tally) {
  hostile self = hostile_attach(path, ring_bytes);
  const uint64_t until = traffic_now_ns() + UINT64_C(1000000000);
  hostile_patience_ms = 300;
  while (traffic_now_ns() < until && hostile_say(&self, TRAFFIC_ECHO, 4000)) hostile_publish(&self);
  tally->links++;
  tally->ended += (uint32_t)hostile_is_ended(self.fd, 0);
  hostile_close(&self);
}

HOSTILE_MAIN({"twice", twice}, {"wild-index", wild_index}, {"generation", generation}, {"hoard", hoard},
             {"scribble", scribble}, {"slow-reader", slow_reader}, {"never-takes", never_takes})
