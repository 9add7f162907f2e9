/* What the victim, its honest client and the adversaries say to each other in records, so that each can tell right from wrong. */
#ifndef ADVERSARIES_TRAFFIC_H
#define ADVERSARIES_TRAFFIC_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  TRAFFIC_ECHO = 1,    /* to the victim: say it again */
  TRAFFIC_PUBLISH = 2, /* to the victim: give a fresh block to every link */
  TRAFFIC_BLOCK = 3,   /* to the victim: the payload stands in a block */
  TRAFFIC_REPLY = 4,   /* from the victim: the answer to an echo or a block */
  TRAFFIC_PUBLICATION = 5, /* from the victim: the payload stands in a block */
  TRAFFIC_NOTE = 6         /* to the victim: no answer is wanted */
};

/* The beginning of every body, or of the head where the payload stands in a block. */
typedef struct traffic_head {
  uint64_t serial; /* of a sender's records, from 1; of a publication */
  uint32_t what;
  uint32_t bytes; /* of the pattern that follows, or that stands in the block */
  uint64_t stamp_ns; /* CLOCK_MONOTONIC when it was sent, or 0 */
} traffic_head;

static inline uint8_t traffic_byte(uint64_t serial, uint32_t i) {
  return (uint8_t)(serial * 167 + i * UINT64_C(31) + (i >> 8));
}

static inline void traffic_fill(void *to, uint64_t serial, uint32_t bytes) {
  uint8_t *at = to;
  for (uint32_t i = 0; i < bytes; i++) at[i] = traffic_byte(serial, i);
}

/* The memory may be the peer's: each byte is looked at once. */
static inline int traffic_is_filled(const volatile uint8_t *at, uint64_t serial, uint64_t bytes) {
  int same = 1;
  for (uint64_t i = 0; i < bytes; i++) same &= at[i] == traffic_byte(serial, (uint32_t)i);
  return same;
}

/* 1: the body is whole, as its sender laid it. With a block, the pattern is not in the body. */
static inline int traffic_read(const uint8_t *body, uint32_t bytes, int has_block, traffic_head *out) {
  if (bytes < sizeof *out) return 0;
  memcpy(out, body, sizeof *out);
  if (has_block) return bytes == sizeof *out;
  return out->bytes == bytes - sizeof *out && traffic_is_filled(body + sizeof *out, out->serial, out->bytes);
}

/* Lays a body of `bytes` (at least a head) and returns `bytes`. */
static inline uint32_t traffic_lay(uint8_t *body, uint64_t serial, uint32_t what, uint32_t bytes, uint64_t stamp_ns) {
  const traffic_head head = {
      .serial = serial, .what = what, .bytes = bytes - (uint32_t)sizeof head, .stamp_ns = stamp_ns};
  memcpy(body, &head, sizeof head);
  traffic_fill(body + sizeof head, serial, head.bytes);
  return bytes;
}

static inline uint64_t traffic_clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static inline uint64_t traffic_now_ns(void) { return traffic_clock_ns(CLOCK_MONOTONIC); }

/* Numbers that look random and are the same in each run. */
static inline uint64_t traffic_random(uint64_t *state) {
  uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);
  value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
  return value ^ value >> 31;
}

/* ---- What a process has ---- */

static inline uint32_t traffic_count_descriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  uint32_t count = 0;
  if (directory == NULL) return 0;
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

/* Mappings that are shared with other processes, and their bytes. Sanitizers have none. */
static inline uint32_t traffic_count_maps(uint64_t *bytes) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[4352];
  uint32_t count = 0;
  *bytes = 0;
  if (maps == NULL) return 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long from = 0, to = 0;
    char rights[8] = "";
    if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[3] != 's') continue;
    count++;
    *bytes += to - from;
  }
  fclose(maps);
  return count;
}

/* A text as JSON. */
static inline void traffic_print_text(const char *text) {
  putchar('"');
  for (; *text != 0; text++) {
    if (*text == '"' || *text == '\\') putchar('\\');
    putchar(*text >= ' ' ? *text : '?');
  }
  putchar('"');
}

/* For unsigned long long in printf. */
#define TRAFFIC_NUMBER(value) ((unsigned long long)(value))

#endif
