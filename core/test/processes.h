/* Tests with more than one process. Includes what needs _GNU_SOURCE. */
#ifndef PROTOIPC_TEST_PROCESSES_H
#define PROTOIPC_TEST_PROCESSES_H

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "peers.h"

static const uint64_t second_ns = UINT64_C(1000000000);
/* A child that ends with its parent, before any handle is made; it has the path, and does not remove it. */
static inline pid_t spawn(void (*run)(void)) {
  peers_socket_path();
  fflush(NULL);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(100);
  run();
  exit(0);
}

static inline protoipc_link *dial(protoipc_arena *arena) {
  protoipc_link *link = NULL;
  int result = PROTOIPC_ENOTFOUND;
  for (int i = 0; i < 5000 && result == PROTOIPC_ENOTFOUND; i++) {
    result = protoipc_dial(peers_path, NULL, arena, &link);
    if (result == PROTOIPC_ENOTFOUND) usleep(1000);
  }
  CHECK_EQUAL(result, 0);
  peers_attach(link);
  return link;
}

static inline protoipc_link *accept_one(protoipc_listener *listener, protoipc_arena *arena) {
  protoipc_link *link = NULL;
  struct pollfd entry = {.fd = protoipc_listener_fd(listener), .events = POLLIN};
  CHECK(poll(&entry, 1, 10000) == 1);
  CHECK_EQUAL(protoipc_accept(listener, arena, &link), 0);
  peers_attach(link);
  return link;
}

/* Services until the peer is known to be gone. */
static inline void await_hang_up(protoipc_link *link) {
  for (int i = 0; i < 5000; i++) {
    const int found = protoipc_link_service(link);
    CHECK(found >= 0);
    if (found & PROTOIPC_HUNG_UP) return;
    usleep(1000);
  }
  CHECK(!"hung up in 5 s");
}

#endif
