/*
 * Makes an honest process hostile: starts it, and changes bytes of the memory that it shares, at random, all the time.
 * Its peer then reads blocks and records that change while they are read, from a process that otherwise says what is
 * right.
 *
 *   flipper RING-FLIPS COMMAND [ARGUMENT...]
 *
 * One of RING-FLIPS flips goes into the rings, headers and cursors (0: none), which ends links; the others go into the
 * blocks. It ends with the process; SIGTERM ends both.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "traffic.h"

enum {
  flipper_most_maps = 64,
  flipper_arena_bytes = 8 << 20,
  flipper_stretch_bytes = 64 << 10,
  flips_between_looks = 10000
};

typedef struct region {
  uint64_t from, bytes;
} region;

typedef struct regions {
  region all[flipper_most_maps];
  uint32_t count;
} regions;

static pid_t child;

static void end_child(int number) {
  (void)number;
  kill(child, SIGKILL);
}

/* The segments that the process writes: those of arenas, which are larger than any ring here, and those of links. */
static void look(regions *arenas, regions *rings) {
  char name[64], line[4352];
  snprintf(name, sizeof name, "/proc/%d/maps", (int)child);
  FILE *maps = fopen(name, "r");
  arenas->count = rings->count = 0;
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    unsigned long from = 0, to = 0;
    char rights[8] = "";
    if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || strcmp(rights, "rw-s") != 0) continue;
    if (strstr(line, "memfd:protoipc") == NULL) continue;
    regions *list = to - from >= flipper_arena_bytes ? arenas : rings;
    if (list->count < flipper_most_maps) list->all[list->count++] = (region){from, to - from};
  }
  if (maps != NULL) fclose(maps);
}

/* Bytes that turn a text's length around: of one byte, the first of two, three and four, the ones that follow, none. */
static const uint8_t flipper_bytes[] = {'a', 0xc3, 0xe2, 0xf0, 0x80, 0xa9, 0x00, 0xff};

/* Texts of one size in bytes and of different lengths: who has counted the one must not write the other. */
static uint8_t stretches[2][flipper_stretch_bytes];

static void lay_stretches(void) {
  static const uint8_t clef[] = {0xf0, 0x9d, 0x84, 0x9e};
  memset(stretches[0], 'a', sizeof stretches[0]);
  for (uint32_t i = 0; i < flipper_stretch_bytes; i++) stretches[1][i] = clef[i % sizeof clef];
}

static void flip_stretch(int memory, const regions *list, uint64_t *chance) {
  if (list->count == 0) return;
  const region *place = &list->all[traffic_random(chance) % list->count];
  const uint64_t bytes = 4 + traffic_random(chance) % (flipper_stretch_bytes / 4) * 4;
  const uint64_t at = place->from + traffic_random(chance) % ((place->bytes - flipper_stretch_bytes) / 4) * 4;
  if (pwrite(memory, stretches[traffic_random(chance) % 2], bytes, (off_t)at) < 0) return; /* it is gone by now */
}

static void flip(int memory, const regions *list, uint64_t *chance) {
  if (list->count == 0) return;
  const region *place = &list->all[traffic_random(chance) % list->count];
  const uint64_t at = place->from + traffic_random(chance) % place->bytes;
  const uint8_t byte = flipper_bytes[traffic_random(chance) % sizeof flipper_bytes];
  if (pwrite(memory, &byte, 1, (off_t)at) != 1) return;
}

/* Words and not bytes: cursors and what stands beside them, or records. */
static void flip_ring(int memory, const regions *list, uint64_t *chance) {
  if (list->count == 0) return;
  const region *place = &list->all[traffic_random(chance) % list->count];
  const uint64_t word = traffic_random(chance) >> traffic_random(chance) % 64;
  const uint64_t at = traffic_random(chance) % (traffic_random(chance) % 2 == 0 ? 640 : place->bytes);
  if (pwrite(memory, &word, sizeof word, (off_t)(place->from + at / 8 * 8)) != sizeof word) return;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const uint64_t ring_flips = strtoull(argv[1], NULL, 10);
  const pid_t parent = getpid();
  child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    execvp(argv[2], argv + 2);
    _exit(127);
  }
  signal(SIGTERM, end_child);
  char name[64];
  snprintf(name, sizeof name, "/proc/%d/mem", (int)child);
  uint64_t chance = (uint64_t)child, flips = 0;
  lay_stretches();
  regions arenas = {.count = 0}, rings = {.count = 0};
  int status = 0, memory = -1;
  while (waitpid(child, &status, WNOHANG) == 0) {
    look(&arenas, &rings);
    if (arenas.count + rings.count == 0) {
      usleep(10000);
      continue;
    }
    if (memory < 0) memory = open(name, O_RDWR | O_CLOEXEC);
    if (memory < 0) {
      perror(name);
      kill(child, SIGKILL);
      return 3;
    }
    for (int i = 0; i < flips_between_looks; i++, flips++)
      if (ring_flips != 0 && flips % ring_flips == 0) flip_ring(memory, &rings, &chance);
      else if (flips % 4 == 0) flip(memory, &arenas, &chance);
      else flip_stretch(memory, &arenas, &chance);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}
