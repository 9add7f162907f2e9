/* Blocks that the victim receives: names that lie or change, and segments that are announced and retired as they please. */
#include "hostile.h"

enum { ring_bytes = 64 << 10, segment_bytes = 64 << 10, granule = 4096 };

/* A link with so many segments announced, each full of what a block of serial 1 would be. */
static hostile attach_with_segments(const char *path, uint32_t count) {
  hostile self = hostile_attach(path, ring_bytes);
  for (uint32_t i = 0; i < count; i++) {
    void *data = NULL;
    const int fd = hostile_memfd(segment_bytes, HOSTILE_SEALS, &data);
    traffic_fill(data, 1, segment_bytes);
    munmap(data, segment_bytes);
    hostile_announce(&self, i, segment_bytes, fd);
    close(fd);
  }
  self.segments = count;
  return self;
}

/* Payloads that are not, or not all, in their segment. */
static void out_of_range(const char *path, hostile_tally *tally) {
  static const uint64_t lies[][2] = {
      {UINT64_C(1) << 44, 64}, /* offset, bytes */
      {segment_bytes - 64, 1 << 20},
      {segment_bytes, 1},
      {segment_bytes + 1, 0},
      {0, segment_bytes + 1},
      {UINT64_MAX, 1},
      {UINT64_MAX - 63, 64},
      {UINT64_MAX, UINT64_MAX},
      {64, UINT64_MAX},
      {UINT64_C(1) << 63, 1 << 20},
      {0, UINT64_C(1) << 32},
      {0, (1 << 20) + 1}, /* above max_block_bytes */
  };
  for (uint32_t i = 0; i < sizeof lies / sizeof lies[0] && i < hostile_variants; i++) {
    hostile self = attach_with_segments(path, 1);
    const shm_block_name name = {.index = 1, .generation = 1, .offset = lies[i][0], .bytes = lies[i][1]};
    hostile_say_block(&self, &name);
    hostile_publish(&self);
    hostile_finish(&self, tally);
  }
}

enum { flipped_records = 64 };

/* The offset in the name of one of the records, as they stand in the ring. */
static void flip_names(hostile_flipper *self, uint64_t turn) {
  const uint64_t record = sizeof(shm_record_header) + sizeof(traffic_head) + sizeof(shm_block_name);
  uint8_t *name = (uint8_t *)self->at + turn % flipped_records * record + sizeof(shm_record_header) + sizeof(traffic_head);
  __atomic_store_n((uint64_t *)(name + offsetof(shm_block_name, offset)), self->values[turn / flipped_records & 1],
                   __ATOMIC_RELAXED);
}

/* Names that change after they were checked. */
static void changing_name(const char *path, hostile_tally *tally) {
  const uint64_t until = hostile_race_end_ns(1200);
  while (traffic_now_ns() < until) {
    hostile self = attach_with_segments(path, 1);
    hostile_flipper flipper = {.flip = flip_names, .at = hostile_at(&self, 0), .values = {0, UINT64_C(1) << 44}};
    for (uint32_t i = 0; i < flipped_records; i++) {
      const shm_block_name name = {.index = i, .generation = 1, .bytes = 64};
      hostile_say_block(&self, &name);
    }
    hostile_start(&flipper);
    hostile_publish(&self);
    for (int i = 0; i < 100 && atomic_load(&self.theirs->reader.head) < self.tail && !hostile_is_hung_up(self.fd); i++)
      usleep(50);
    hostile_stop(&flipper);
    tally->links++;
    tally->ended += (uint32_t)hostile_is_hung_up(self.fd);
    hostile_close(&self);
  }
}

/* Segments that were never announced, or are gone. */
static void unknown_segment(const char *path, hostile_tally *tally) {
  static const uint32_t numbers[] = {1, 7, UINT32_MAX, 0x80000000};
  for (uint32_t i = 0; i < sizeof numbers / sizeof numbers[0] && i < hostile_variants; i++) {
    hostile self = attach_with_segments(path, 1);
    const shm_block_name name = {.index = 1, .generation = 1, .segment = numbers[i], .bytes = 64};
    hostile_say_block(&self, &name);
    hostile_publish(&self);
    hostile_finish(&self, tally);
  }
  if (hostile_variants == 1) return;
  /* Retired while a record that names it is in the ring. */
  hostile self = attach_with_segments(path, 2);
  const shm_block_name gone = {.index = 1, .generation = 1, .segment = 0, .bytes = 64};
  hostile_say_block(&self, &gone);
  hostile_retire(&self, 0);
  hostile_is_ended(self.fd, 50);
  hostile_publish(&self);
  hostile_finish(&self, tally);
  self = attach_with_segments(path, 1);
  const shm_block_name odd = {.index = 1, .generation = 1, .reserved = 1, .bytes = 64};
  hostile_say_block(&self, &odd);
  hostile_publish(&self);
  hostile_finish(&self, tally);
}

/* ---- Announcements and retirements ---- */

/* More segments than may be. */
static void endless(const char *path, hostile_tally *tally) {
  hostile self = hostile_attach(path, ring_bytes);
  const int fd = hostile_memfd(granule, HOSTILE_SEALS, NULL);
  for (uint32_t i = 0; i < 64; i++)
    if (hostile_announce(&self, i, granule, fd) == EPIPE) break;
  close(fd);
  hostile_finish(&self, tally);
}

/* More memory than may be, in few segments. */
static void too_much(const char *path, hostile_tally *tally) {
  const uint64_t each = 6 << 20;
  hostile self = hostile_attach(path, ring_bytes);
  const int fd = hostile_memfd(each, HOSTILE_SEALS, NULL);
  for (uint32_t i = 0; i < 6; i++) hostile_announce(&self, i, each, fd);
  hostile_finish(&self, tally);
  if (hostile_variants > 1) { /* sizes that are not the file's */
    static const uint64_t sizes[] = {0, 4096, UINT64_MAX, (6 << 20) + 4096};
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      self = hostile_attach(path, ring_bytes);
      hostile_announce(&self, 0, sizes[i], fd);
      hostile_finish(&self, tally);
    }
  }
  close(fd);
}

static void say_block_of(hostile *self, uint32_t segment, uint32_t index, uint64_t offset) {
  const shm_block_name name = {.index = index, .generation = 1, .segment = segment, .offset = offset, .bytes = 64};
  hostile_say_block(self, &name);
  hostile_publish(self);
}

/* Lets the victim hold more than it keeps, so that it gives the oldest back. */
static void let_it_give_back(hostile *self, uint32_t segment) {
  for (uint32_t i = 0; i < 12; i++) say_block_of(self, segment, 1000 + i, 0);
  hostile_is_ended(self->fd, 100);
}

/* Numbers that go back: the segments would stand out of order, and the victim would not find them again. */
static void out_of_order(const char *path, hostile_tally *tally) {
  static const uint32_t orders[][3] = {{5, 3, 6}, {0, 0, 1}, {UINT32_MAX, 0, 1}, {1, 2, 0}};
  for (uint32_t i = 0; i < sizeof orders / sizeof orders[0] && i < hostile_variants; i++) {
    hostile self = hostile_attach(path, ring_bytes);
    const int fd = hostile_memfd(segment_bytes, HOSTILE_SEALS, NULL);
    hostile_announce(&self, orders[i][0], segment_bytes, fd);
    if (i == 0) say_block_of(&self, 5, 1, 0);
    hostile_is_ended(self.fd, 100);
    hostile_announce(&self, orders[i][1], segment_bytes, fd);
    hostile_announce(&self, orders[i][2], segment_bytes, fd);
    if (i == 0) let_it_give_back(&self, 6);
    close(fd);
    hostile_finish(&self, tally);
  }
}

/* Retires what the victim still looks at. */
static void retire_held(const char *path, hostile_tally *tally) {
  for (uint32_t i = 0; i < 3 && i < hostile_variants; i++) {
    hostile self = attach_with_segments(path, 2);
    if (i == 0) {
      say_block_of(&self, 0, 1, 0);
      hostile_is_ended(self.fd, 150); /* until it holds it */
      hostile_retire(&self, 0);
      let_it_give_back(&self, 1);
    } else if (i == 1) {
      hostile_retire(&self, 2); /* was never there */
    } else {
      hostile_retire(&self, 1);
      hostile_retire(&self, 1);
    }
    hostile_finish(&self, tally);
  }
}

/* One name in two segments: the victim would end the hold in one of them twice, and lose sight of the other. */
static void two_places(const char *path, hostile_tally *tally) {
  hostile self = attach_with_segments(path, 3);
  say_block_of(&self, 0, 1, 0);
  say_block_of(&self, 1, 1, 0);
  /* It keeps eight: one more than the six that follow, and the oldest goes back. */
  for (uint32_t i = 0; i < 7; i++) say_block_of(&self, 2, 100 + i, 0);
  hostile_is_ended(self.fd, 200);
  hostile_retire(&self, 0);
  let_it_give_back(&self, 2);
  hostile_finish(&self, tally);
}

/*
 * Blocks for ever, and no room for what the victim gives back: what waits to be told must not grow without end.
 */
static void sink(const char *path, hostile_tally *tally) {
  hostile self = attach_with_segments(path, 1);
  const uint64_t start = traffic_now_ns();
  uint32_t sent = 0;
  for (; sent < 150000; sent++) {
    const shm_block_name name = {.index = sent, .generation = 1, .bytes = 1};
    if (!hostile_say_block(&self, &name)) break;
    if (sent % 256 == 255) hostile_publish(&self);
  }
  hostile_publish(&self);
  printf("{\"blocks\":%u,\"ms\":%llu}\n", sent, TRAFFIC_NUMBER((traffic_now_ns() - start) / 1000000));
  hostile_finish(&self, tally);
}

HOSTILE_MAIN({"range", out_of_range}, {"changing", changing_name}, {"unknown", unknown_segment}, {"endless", endless},
             {"too-much", too_much}, {"order", out_of_order}, {"retire-held", retire_held}, {"two-places", two_places},
             {"sink", sink})
