/*
 * Runs a fuzz target where there is no libFuzzer: first the corpus, then inputs made of it by blind changes, for so many
 * seconds. It knows nothing of coverage; what it finds it leaves in a file, and says its name.
 *
 *   target SECONDS CRASH-FILE CORPUS-FOLDER
 */
#include <dirent.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum { most_bytes = 1024, most_inputs = 4096 };

static struct {
  uint8_t *data;
  size_t bytes;
} inputs[most_inputs];
static size_t input_count;

static uint64_t next(uint64_t *state) {
  uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);
  value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
  return value ^ value >> 31;
}

static void load(const char *folder) {
  DIR *entries = opendir(folder);
  MUST(entries != NULL);
  for (const struct dirent *entry; (entry = readdir(entries)) != NULL && input_count < most_inputs;) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
    if (file == NULL) continue;
    uint8_t *data = malloc(most_bytes);
    MUST(data != NULL);
    inputs[input_count].data = data;
    inputs[input_count++].bytes = fread(data, 1, most_bytes, file);
    fclose(file);
  }
  closedir(entries);
}

/* Kept on the disk while it runs: whoever dies of it leaves it there. */
static void play(const char *crash_file, const uint8_t *data, size_t bytes) {
  static FILE *file;
  static uint8_t exact_marker;
  if (file == NULL) file = fopen(crash_file, "wb+");
  MUST(file != NULL);
  rewind(file);
  MUST(fwrite(data, 1, bytes, file) == bytes && fflush(file) == 0 && ftruncate(fileno(file), (off_t)bytes) == 0);
  /* Of exactly its size, so that reading behind it is seen. */
  uint8_t *exact = bytes == 0 ? &exact_marker : malloc(bytes);
  memcpy(exact, data, bytes);
  LLVMFuzzerTestOneInput(exact, bytes);
  if (bytes != 0) free(exact);
}

static size_t change(uint8_t *data, uint64_t *state) {
  const size_t pick = next(state) % input_count;
  size_t bytes = inputs[pick].bytes;
  memcpy(data, inputs[pick].data, bytes);
  for (uint64_t changes = 1 + next(state) % 8; changes > 0; changes--) {
    const uint64_t how = next(state) % 6, value = next(state);
    const size_t at = bytes == 0 ? 0 : next(state) % bytes;
    if (how == 0 && bytes < most_bytes) {
      memmove(data + at + 1, data + at, bytes - at);
      data[at] = (uint8_t)value;
      bytes++;
    } else if (how == 1 && bytes > 0) {
      memmove(data + at, data + at + 1, --bytes - at);
    } else if (how == 2) { /* the rest of another */
      const size_t other = value % input_count, from = inputs[other].bytes == 0 ? 0 : next(state) % inputs[other].bytes;
      size_t more = inputs[other].bytes - from;
      if (more > most_bytes - at) more = most_bytes - at;
      memcpy(data + at, inputs[other].data + from, more);
      bytes = at + more;
    } else if (how == 3 && bytes > 0) {
      data[at] ^= (uint8_t)(1u << value % 8);
    } else if (bytes > 0) {
      data[at] = (uint8_t)value;
    }
  }
  return bytes;
}

int main(int argc, char **argv) {
  static uint8_t data[most_bytes];
  if (argc < 4) return 2;
  load(argv[3]);
  MUST(input_count > 0);
  const double seconds = atof(argv[1]);
  uint64_t state = (uint64_t)time(NULL), executions = 0;
  for (size_t i = 0; i < input_count; i++, executions++) play(argv[2], inputs[i].data, inputs[i].bytes);
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    for (int i = 0; i < 64; i++, executions++) play(argv[2], data, change(data, &state));
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9 < seconds);
  remove(argv[2]);
  printf("stat::number_of_executed_units: %llu\n", (unsigned long long)executions);
  return 0;
}
