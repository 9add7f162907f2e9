/* Segments that are not what they should be: whoever maps them can be killed by their owner, or made to pay for them. */
#include "hostile.h"

enum { ring_bytes = 64 << 10 };

/* Attaches with any descriptor and header. */
static hostile attach_with(const char *path, int fd, uint64_t claimed) {
  hostile self = hostile_open(path, 4096, HOSTILE_SEALS);
  const shm_attach message = hostile_attach_message(claimed);
  hostile_send(self.fd, &message, sizeof message, fd);
  return self;
}

/* Takes the memory from under whoever has mapped it. */
static void shrink_under(hostile *self, int fd, shm_segment *data, hostile_tally *tally) {
  if (hostile_meet(self)) {
    hostile_is_ended(self->fd, 100); /* until it is attached, or refused */
    if (ftruncate(fd, 0) == 0) hostile_ring(self);
    usleep(200000); /* the victim looks at least ten times a second */
  }
  munmap(data, SHM_RING_OFFSET + ring_bytes);
  close(fd);
  hostile_finish(self, tally);
}

static void shrinking(const char *path, hostile_tally *tally) {
  static const int seals[] = {0, F_SEAL_GROW | F_SEAL_FUTURE_WRITE, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE,
                              F_SEAL_SHRINK | F_SEAL_GROW};
  for (uint32_t i = 0; i < sizeof seals / sizeof seals[0] && i < hostile_variants; i++) {
    void *data = NULL;
    const int fd = hostile_memfd(SHM_RING_OFFSET + ring_bytes, seals[i], &data);
    ((shm_segment *)data)->header = hostile_header(ring_bytes);
    hostile self = attach_with(path, fd, SHM_RING_OFFSET + ring_bytes);
    shrink_under(&self, fd, data, tally);
  }
}

/* What is not memory at all: a file of a disk has no seals, and can be cut off like any other. */
static void no_memory(const char *path, hostile_tally *tally) {
  for (uint32_t i = 0; i < 9 && i < hostile_variants; i++) {
    char name[] = "/tmp/hostile-XXXXXX", shared[] = "/dev/shm/hostile-XXXXXX";
    void *data = NULL;
    int fd = -1, pair[2] = {-1, -1};
    if (i <= 1) {
      fd = mkstemp(i == 0 ? name : shared);
      unlink(i == 0 ? name : shared);
      if (fd < 0 || ftruncate(fd, SHM_RING_OFFSET + ring_bytes) != 0) hostile_die("a file");
      data = mmap(NULL, SHM_RING_OFFSET + ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if (data == MAP_FAILED) hostile_die("mmap of a file");
      memset(data, 0, SHM_RING_OFFSET + ring_bytes);
      ((shm_segment *)data)->header = hostile_header(ring_bytes);
      hostile self = attach_with(path, fd, SHM_RING_OFFSET + ring_bytes);
      shrink_under(&self, fd, data, tally);
      continue;
    }
    if (i == 2) fd = open("/dev/zero", O_RDWR);
    if (i == 3) fd = open("/", O_RDONLY | O_DIRECTORY);
    if (i == 4) fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (i == 5 && pipe(pair) == 0) fd = pair[0], close(pair[1]);
    if (i == 6) fd = open("/proc/self/mem", O_RDONLY);
    if (i == 7) fd = open("/dev/null", O_RDWR);
    if (i == 8) { /* pages that may be missing when they are touched */
      fd = memfd_create("huge", MFD_ALLOW_SEALING | MFD_HUGETLB);
      if (fd < 0 || ftruncate(fd, 2 << 20) != 0 || fcntl(fd, F_ADD_SEALS, HOSTILE_SEALS) != 0) continue;
    }
    hostile self = attach_with(path, fd, SHM_RING_OFFSET + ring_bytes);
    close(fd);
    hostile_finish(&self, tally);
  }
}

static uint64_t allocated(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 ? (uint64_t)status.st_blocks * 512 : 0;
}

/* A segment of an arena without memory: the victim's reading would make it, and the victim would be charged for it. */
static void holes(const char *path, hostile_tally *tally) {
  const uint64_t bytes = 4 << 20;
  hostile self = hostile_attach(path, ring_bytes);
  const int fd = memfd_create("holes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0 || fcntl(fd, F_ADD_SEALS, HOSTILE_SEALS) != 0) hostile_die("holes");
  hostile_announce(&self, 0, bytes, fd);
  for (uint32_t i = 0; i < 4; i++) {
    const shm_block_name name = {.index = i, .generation = 1, .offset = (uint64_t)i << 20, .bytes = 1 << 20};
    hostile_say_block(&self, &name);
  }
  hostile_publish(&self);
  hostile_is_ended(self.fd, 400);
  printf("{\"chargedBytes\":%llu}\n", TRAFFIC_NUMBER(allocated(fd)));
  hostile_finish(&self, tally);
  close(fd);
}

/* ---- Attach messages and headers that lie ---- */

/* A record that goes on as far as the ring that is claimed lets it, and so behind the segment. */
static void lay_long_record(shm_segment *own, uint64_t claimed_ring) {
  const uint64_t header = hostile_word((uint32_t)(claimed_ring / 8), SHM_FRAME);
  memcpy((uint8_t *)own + SHM_RING_OFFSET, &header, sizeof header);
  atomic_store(&own->writer.tail, claimed_ring / 8 + 8);
}

/* Spoils the header and the message in the i-th way; 0: there are no more. */
static int spoil(uint32_t i, shm_header *header, shm_attach *message) {
  switch (i) {
    case 0: header->ring_bytes = 1 << 20; return 1; /* of a segment of 68 KiB */
    case 1: header->ring_bytes = 12288; return 1;
    case 2: header->ring_bytes = 0; return 1;
    case 3: header->ring_bytes = UINT64_C(1) << 63; return 1;
    case 4: header->ring_bytes = 2048; return 1;
    case 5: header->ring_offset = 0; return 1;
    case 6: header->ring_offset = UINT64_MAX - 4095; return 1;
    case 7: header->ring_offset = 8192; return 1;
    case 8: header->segment_bytes += 4096; return 1;
    case 9: message->segment_bytes += 4096; return 1;
    case 10: header->magic++; return 1;
    case 11: header->layout_version = 2; return 1;
    case 12: header->features = 1; return 1;
    case 13: header->reserved[87] = 1; return 1;
    case 14: message->magic = 0; return 1;
    case 15: message->layout_version = 0; return 1;
    case 16: message->layout_version = UINT32_MAX; return 1;
    case 17: message->features = 0x80000000; return 1;
    case 18: message->reserved0[2] = 1; return 1;
    case 19: message->reserved1 = 1; return 1;
    case 20: message->reserved[31] = 1; return 1;
    case 21: message->segment_bytes = 0; return 1;
    case 22: message->segment_bytes = UINT64_MAX; return 1;
    default: return 0;
  }
}

static void attach_spoilt(const char *path, hostile_tally *tally, const shm_header *header, const shm_attach *message) {
  hostile self = hostile_open(path, ring_bytes, HOSTILE_SEALS);
  self.own->header = *header;
  lay_long_record(self.own, 1 << 20);
  hostile_send(self.fd, message, sizeof *message, self.own_fd);
  hostile_finish(&self, tally);
}

static void attach_lies(const char *path, hostile_tally *tally) {
  for (uint32_t i = 0; i < hostile_variants; i++) {
    shm_header header = hostile_header(ring_bytes);
    shm_attach message = hostile_attach_message(SHM_RING_OFFSET + ring_bytes);
    if (!spoil(i, &header, &message)) break;
    attach_spoilt(path, tally, &header, &message);
  }
  if (hostile_variants == 1) return;
  uint64_t state = 7;
  for (int i = 0; i < 100; i++) { /* one byte of one of them, to a value that it does not have */
    shm_header header = hostile_header(ring_bytes);
    shm_attach message = hostile_attach_message(SHM_RING_OFFSET + ring_bytes);
    uint8_t *at = i % 2 == 0 ? (uint8_t *)&header + traffic_random(&state) % sizeof header
                             : (uint8_t *)&message + traffic_random(&state) % sizeof message;
    *at ^= (uint8_t)(1 + traffic_random(&state) % 255);
    attach_spoilt(path, tally, &header, &message);
  }
}

/* A header that changes while it is looked at: what was checked must be what is used. */
static void changing_attach(const char *path, hostile_tally *tally) {
  const uint64_t until = hostile_race_end_ns(1500);
  while (traffic_now_ns() < until) {
    hostile self = hostile_open(path, ring_bytes, HOSTILE_SEALS);
    const shm_attach message = hostile_attach_message(self.own_bytes);
    hostile_flipper flipper = {
        .flip = hostile_flip_word, .at = &self.own->header.ring_bytes, .values = {ring_bytes, 1 << 20}};
    lay_long_record(self.own, 1 << 20);
    hostile_start(&flipper);
    hostile_send(self.fd, &message, sizeof message, self.own_fd);
    tally->ended += (uint32_t)hostile_is_ended(self.fd, 200);
    tally->links++;
    hostile_stop(&flipper);
    hostile_close(&self);
  }
}

HOSTILE_MAIN({"shrinking", shrinking}, {"no-memory", no_memory}, {"holes", holes}, {"attach", attach_lies},
             {"changing", changing_attach})
