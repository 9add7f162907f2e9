/*
 * The floor of a wake-up: one process writes an eventfd once per millisecond, another sleeps in a read of it. The
 * messages, with the times at which they were sent, stand in shared memory.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <sys/eventfd.h>
#include <sys/wait.h>

#define PERIOD_NS 1000000u

/* Messages that may wait for a receiver that is late. */
#define SLOTS 1024u
#define WORDS 7u

struct message {
  _Alignas(64) uint64_t sent_ns;
  uint64_t words[WORDS];
};

static void send_paced(int bell, struct message *messages) {
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (uint64_t number = 0;; number++) {
    next.tv_nsec += PERIOD_NS;
    if (next.tv_nsec >= 1000000000) {
      next.tv_nsec -= 1000000000;
      next.tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR) continue;
    struct message *message = &messages[number % SLOTS];
    for (uint64_t i = 0; i < WORDS; i++) message->words[i] = number + i;
    message->sent_ns = now_ns();
    uint64_t one = 1;
    if (write(bell, &one, sizeof one) != (ssize_t)sizeof one) stop("cannot write the eventfd");
  }
}

static void check(const struct message *message, uint64_t number) {
  uint64_t wrong = 0;
  for (uint64_t i = 0; i < WORDS; i++) wrong |= message->words[i] ^ (number + i);
  if (wrong == 0) return;
  fprintf(stderr, "Error: message %llu arrived changed\n", (unsigned long long)number);
  exit(1);
}

static void receive(int bell, const struct message *messages, struct arguments told) {
  size_t wanted = (size_t)(told.measure_ns / PERIOD_NS);
  struct samples samples = make_samples(wanted);
  uint64_t measure_from = now_ns() + told.warm_up_ns;
  for (uint64_t number = 0; samples.count < wanted;) {
    uint64_t rung;
    if (read(bell, &rung, sizeof rung) != (ssize_t)sizeof rung) stop("cannot read the eventfd");
    uint64_t received_ns = now_ns();
    for (uint64_t end = number + rung; number < end; number++) {
      const struct message *message = &messages[number % SLOTS];
      check(message, number);
      if (received_ns >= measure_from) add_sample(&samples, (double)(received_ns - message->sent_ns));
    }
  }
  print_result(&samples, &samples);
}

int main(int count, char **values) {
  struct arguments told = read_arguments(count, values);
  struct message *messages = share(SLOTS * sizeof *messages);
  int bell = eventfd(0, EFD_CLOEXEC);
  if (bell < 0) stop("cannot make an eventfd");
  pid_t server = fork();
  if (server < 0) stop("cannot fork");
  if (server == 0) {
    settle(told.server_cpu);
    send_paced(bell, messages);
  }
  settle(told.client_cpu);
  receive(bell, messages, told);
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  return 0;
}
