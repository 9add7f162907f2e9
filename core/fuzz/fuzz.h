/* What the fuzz targets share: reading an input, and saying what must hold. */
#ifndef PROTOIPC_FUZZ_H
#define PROTOIPC_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As libFuzzer calls it, and standalone.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#ifdef SHM_WEAKEN
/* The check of ../src/weaken.h that is off, to see that the target misses it: -DSHM_WEAKEN='"NAME"'. */
extern const char *shm_weaken;
__attribute__((weak)) const char *shm_weaken = SHM_WEAKEN;
#endif

#define MUST(condition)                                                                    \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);        \
      abort();                                                                             \
    }                                                                                      \
  } while (0)

/* An input is a script: operations of a byte, each with its arguments. What is not there any more is 0. */
typedef struct fuzz_input {
  const uint8_t *at;
  size_t left;
} fuzz_input;

static inline void fuzz_take(fuzz_input *input, void *to, size_t bytes) {
  const size_t there = bytes < input->left ? bytes : input->left;
  memset(to, 0, bytes);
  if (there != 0) memcpy(to, input->at, there);
  input->at += there;
  input->left -= there;
}

static inline uint8_t fuzz_take8(fuzz_input *input) {
  uint8_t value;
  fuzz_take(input, &value, sizeof value);
  return value;
}

static inline uint16_t fuzz_take16(fuzz_input *input) {
  uint16_t value;
  fuzz_take(input, &value, sizeof value);
  return value;
}

static inline uint32_t fuzz_take32(fuzz_input *input) {
  uint32_t value;
  fuzz_take(input, &value, sizeof value);
  return value;
}

static inline uint64_t fuzz_take64(fuzz_input *input) {
  uint64_t value;
  fuzz_take(input, &value, sizeof value);
  return value;
}

/* A number of any size, small ones mostly: what breaks things stands near the numbers that are right. */
static inline uint64_t fuzz_take_near(fuzz_input *input, uint64_t right) {
  const uint8_t how = fuzz_take8(input);
  switch (how % 8) {
    case 0:
      return fuzz_take64(input);
    case 1:
      return fuzz_take32(input);
    case 2:
      return right + (uint64_t)(int64_t)(int8_t)fuzz_take8(input);
    case 3:
      return right - fuzz_take16(input);
    case 4:
      return right + fuzz_take16(input);
    case 5:
      return UINT64_C(1) << (fuzz_take8(input) % 64);
    case 6:
      return fuzz_take16(input);
    default:
      return right;
  }
}

#endif
