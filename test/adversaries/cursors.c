/* Cursors that lie: what is said to be written, and what is said to be taken. */
#include "hostile.h"

enum { small_ring = 4096, body_bytes = 504, record_bytes = body_bytes + sizeof(shm_record_header) };

/* A ring that is full to the byte with records of one size, so that a cursor that lies finds records everywhere. */
static void fill_ring(hostile *self) {
  while (self->tail < small_ring) hostile_say(self, TRAFFIC_ECHO, body_bytes);
  hostile_publish(self);
}

static void *move_tail(void *argument) {
  hostile *self = argument;
  uint64_t state = 1;
  for (int i = 0; i < 2000000 && (i % 4096 != 0 || !hostile_is_ended(self->fd, 0)); i++)
    atomic_store(&self->own->writer.tail, self->tail + traffic_random(&state) % (4 * small_ring));
  return NULL;
}

/* More is said to be written than the ring holds: a reader that believes it takes the same records again and again. */
static void beyond_tail(const char *path, hostile_tally *tally) {
  static const uint64_t lies[] = {
      4 * small_ring,               /* beyond */
      2 * small_ring + 8,           /* the first that cannot be, once all is taken */
      0,                            /* backwards */
      record_bytes,                 /* backwards, to where a record ended */
      small_ring + 4,               /* not at a record's place */
      small_ring - 1,
      UINT64_MAX - 7,
      UINT64_MAX,
      UINT64_C(1) << 63,
      UINT64_C(1) << 32,
  };
  for (uint32_t i = 0; i < sizeof lies / sizeof lies[0] && i < hostile_variants; i++) {
    hostile self = hostile_attach(path, small_ring);
    fill_ring(&self);
    while (atomic_load(&self.theirs->reader.head) < small_ring && !hostile_is_ended(self.fd, 1)) hostile_ring(&self);
    hostile_say_tail(&self, lies[i]);
    hostile_finish(&self, tally);
  }
  if (hostile_variants == 1) return;
  hostile self = hostile_attach(path, small_ring);
  fill_ring(&self);
  move_tail(&self);
  hostile_finish(&self, tally);
}

/*
 * More is said to be taken than was written: a writer that believes it sees more room than its ring has. The answers
 * that wait meanwhile are what it would write there.
 */
static void beyond_head(const char *path, hostile_tally *tally) {
  for (uint32_t i = 0; i < 7 && i < hostile_variants; i++) {
    hostile self = hostile_attach(path, 64 << 10);
    const int patience_ms = hostile_patience_ms;
    hostile_patience_ms = 200; /* by then it takes no more, and enough waits */
    for (uint32_t j = 0; j < 2000 && hostile_say(&self, TRAFFIC_ECHO, 1000 + j % 64); j++) hostile_publish(&self);
    hostile_patience_ms = patience_ms;
    const uint64_t tail = atomic_load(&self.theirs->writer.tail);
    const uint64_t lies[] = {tail + (1 << 20), tail + 8, UINT64_MAX - 7, UINT64_C(1) << 63, tail - 4, 3, 0};
    if (i == 6) { /* back, after it was right */
      atomic_store(&self.own->reader.head, tail / 8 * 8);
      hostile_ring(&self);
      usleep(150000);
    }
    atomic_store(&self.own->reader.head, lies[i]);
    hostile_ring(&self);
    hostile_finish(&self, tally);
  }
}

HOSTILE_MAIN({"tail", beyond_tail}, {"head", beyond_head})
