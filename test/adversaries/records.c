/* Records whose headers lie, or change while they are looked at. */
#include "hostile.h"

enum { ring_bytes = 64 << 10, most_body = ring_bytes / 8, small_body = 504 };

/* A body longer than a record may be: longer than the room that its receiver has. */
static void too_long(const char *path, hostile_tally *tally) {
  static const uint32_t lengths[] = {60000, most_body + 1, most_body + 8, ring_bytes, 1u << 31, UINT32_MAX, UINT32_MAX - 7};
  for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0] && i < hostile_variants; i++) {
    hostile self = hostile_attach(path, ring_bytes);
    hostile_lay_header(&self, 0, lengths[i], SHM_FRAME, 0, 0);
    hostile_say_tail(&self, ring_bytes);
    hostile_finish(&self, tally);
  }
}

/* A body that goes on behind the ring's end, or behind what is committed. */
static void outside(const char *path, hostile_tally *tally) {
  for (uint32_t i = 0; i < 3 && i < hostile_variants; i++) {
    hostile self = hostile_attach(path, ring_bytes);
    while (self.tail < ring_bytes - 512) hostile_say(&self, TRAFFIC_ECHO, small_body);
    hostile_publish(&self);
    while (atomic_load(&self.theirs->reader.head) < self.tail && !hostile_is_ended(self.fd, 1)) hostile_ring(&self);
    if (i == 0) {
      hostile_lay_header(&self, self.tail, most_body, SHM_FRAME, 0, 0);
      hostile_say_tail(&self, self.tail + most_body + 8);
    } else if (i == 1) { /* the ring's end is where it may be, but the tail stands in the middle of the body */
      hostile_lay_header(&self, self.tail, small_body, SHM_FRAME, 0, 0);
      hostile_say_tail(&self, self.tail + 256);
    } else { /* one byte too many for the ring's end */
      hostile_lay_header(&self, self.tail, small_body + 1, SHM_FRAME, 0, 0);
      hostile_say_tail(&self, self.tail + 1024);
    }
    hostile_finish(&self, tally);
  }
}

/* A name of 32 bytes in a body that has no place for it: the head's length would be below zero. */
static void block_shape(const char *path, hostile_tally *tally) {
  static const struct {
    uint32_t bytes;
    uint8_t kind, pad;
    uint16_t reserved;
  } headers[] = {
      {8, SHM_FRAME_WITH_BLOCK, 0, 0},  {32, SHM_FRAME_WITH_BLOCK, 7, 0},  {40, SHM_FRAME_WITH_BLOCK, 9, 0},
      {33, SHM_FRAME_WITH_BLOCK, 0, 0}, {0, SHM_FRAME_WITH_BLOCK, 0, 0},   {300, SHM_FRAME_WITH_BLOCK, 255, 0},
      {8, 0, 0, 0},                     {8, 5, 0, 0},                      {8, 255, 0, 0},
      {8, SHM_FRAME, 1, 0},             {8, SHM_FRAME, 0, 1},              {8, SHM_FRAME, 0, 0x8000},
      {0, SHM_GIVE_BACK, 0, 0},         {7, SHM_GIVE_BACK, 0, 0},          {12, SHM_GIVE_BACK, 0, 0},
      {8, SHM_GIVE_BACK, 3, 0},         {8, SHM_PAD, 0, 0},                {ring_bytes - 16, SHM_PAD, 0, 0},
  };
  for (uint32_t i = 0; i < sizeof headers / sizeof headers[0] && i < hostile_variants; i++) {
    hostile self = hostile_attach(path, ring_bytes);
    hostile_lay_header(&self, 0, headers[i].bytes, headers[i].kind, headers[i].pad, headers[i].reserved);
    hostile_say_tail(&self, 1024);
    hostile_finish(&self, tally);
  }
}

/* Padding without end: nothing of it is a record, so whoever skips it while there is more skips for a long time. */
static void padding(const char *path, hostile_tally *tally) {
  const uint64_t large = 64 << 20;
  hostile self = hostile_attach(path, large);
  for (uint64_t at = 0; at < large; at += 8) hostile_lay_header(&self, at, 0, SHM_PAD, 0, 0);
  hostile_say_tail(&self, large);
  hostile_finish(&self, tally);
}

enum { flipped_records = 8, flipped_bytes = ring_bytes / flipped_records, flipped_body = flipped_bytes - 8 };

/* Mostly what is right, so that the check is often passed, and for moments what is not. */
static void flip_headers(hostile_flipper *self, uint64_t turn) {
  const uint64_t value = self->values[turn / flipped_records % 4 == 3];
  uint8_t *at = (uint8_t *)self->at + turn % flipped_records * flipped_bytes;
  __atomic_store_n((uint64_t *)at, value, __ATOMIC_RELAXED);
}

/* Lengths and kinds that change after they were checked. */
static void changing_header(const char *path, hostile_tally *tally) {
  const uint64_t right = hostile_word(flipped_body, SHM_FRAME);
  const uint64_t wild[] = {right + 50000, hostile_word(16, SHM_FRAME_WITH_BLOCK), hostile_word(UINT32_MAX, SHM_FRAME), UINT64_MAX,
                           0};
  const uint64_t until = hostile_race_end_ns(1500);
  for (uint32_t i = 0; traffic_now_ns() < until; i++) {
    hostile self = hostile_attach(path, ring_bytes);
    hostile_flipper flipper = {.flip = flip_headers, .at = hostile_at(&self, 0)};
    flipper.values[0] = right;
    flipper.values[1] = hostile_variants == 1 ? wild[0] : wild[i % (sizeof wild / sizeof wild[0])];
    for (uint32_t j = 0; j < flipped_records; j++) memcpy(hostile_at(&self, j * flipped_bytes), &right, sizeof right);
    hostile_start(&flipper);
    hostile_say_tail(&self, ring_bytes);
    for (int j = 0; j < 100 && atomic_load(&self.theirs->reader.head) < ring_bytes && !hostile_is_ended(self.fd, 0); j++)
      usleep(50);
    hostile_stop(&flipper);
    tally->links++;
    tally->ended += (uint32_t)hostile_is_ended(self.fd, 0);
    hostile_close(&self);
  }
}

HOSTILE_MAIN({"too-long", too_long}, {"outside", outside}, {"shape", block_shape}, {"padding", padding},
             {"changing", changing_header})
