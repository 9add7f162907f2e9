/* A test program is a list of cases. Each runs in a process of its own, so that none sees what another left behind. */
#ifndef PROTOIPC_TEST_H
#define PROTOIPC_TEST_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                    \
  do {                                                                                      \
    if (!(condition)) {                                                                     \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);         \
      exit(1);                                                                              \
    }                                                                                       \
  } while (0)

#define CHECK_EQUAL(value, expected)                                                                      \
  do {                                                                                                    \
    const long long test_value = (long long)(value), test_expected = (long long)(expected);               \
    if (test_value != test_expected) {                                                                    \
      fprintf(stderr, "%s:%d: %s is %lld, and not %lld\n", __FILE__, __LINE__, #value, test_value,        \
              test_expected);                                                                             \
      exit(1);                                                                                            \
    }                                                                                                     \
  } while (0)

/* That a text has a part. */
#define CHECK_TEXT(text, part)                                                                             \
  do {                                                                                                     \
    const char *test_text = (text);                                                                        \
    if (strstr(test_text, (part)) == NULL) {                                                               \
      fprintf(stderr, "%s:%d: \"%s\" has no \"%s\"\n", __FILE__, __LINE__, test_text, (part));             \
      exit(1);                                                                                             \
    }                                                                                                      \
  } while (0)

typedef struct test_case {
  const char *name;
  void (*run)(void);
} test_case;

#define TEST(name) {#name, name}

/* Numbers that look random and are the same in each run. */
typedef struct test_random {
  uint64_t state;
} test_random;

static inline uint64_t test_next(test_random *random) {
  uint64_t value = random->state += UINT64_C(0x9e3779b97f4a7c15);
  value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
  return value ^ value >> 31;
}

/* From 0 to below `bound`. */
static inline uint64_t test_below(test_random *random, uint64_t bound) { return test_next(random) % bound; }

/* Waits for a child; its exit code, or 128 and the signal. */
static inline int test_wait(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Runs the cases that the arguments name, or all. 1 where one of them failed. */
static inline int test_run(const test_case *cases, size_t count, int argc, char **argv) {
  int failed = 0;
  for (size_t i = 0; i < count; i++) {
    int wanted = argc < 2;
    for (int j = 1; j < argc; j++) wanted |= strcmp(argv[j], cases[i].name) == 0;
    if (!wanted) continue;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
      alarm(120);
      cases[i].run();
      exit(0);
    }
    const int code = test_wait(child);
    if (code != 0) fprintf(stderr, "%s failed: %d\n", cases[i].name, code);
    failed |= code != 0;
  }
  return failed;
}

#define TEST_MAIN(...)                                                     \
  int main(int argc, char **argv) {                                        \
    const test_case cases[] = {__VA_ARGS__};                               \
    return test_run(cases, sizeof cases / sizeof cases[0], argc, argv);    \
  }

#endif
