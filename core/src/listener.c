/* Taking links. */
#include <stdlib.h>

#include "link.h"

struct protoipc_listener {
  const volatile uint32_t *guard;
  protoipc_options options; /* every field has its value */
  int fd;
  int reserve_fd; /* closed when no descriptor is left, so that a connection can be taken and told so; -1: none */
};

static void listener_free(protoipc_listener *listener) {
  platform_close(listener->fd);
  platform_close(listener->reserve_fd);
  platform_fork_guard_free(listener->guard);
  free(listener);
}

int protoipc_listen(const char *path, const protoipc_options *options, protoipc_listener **out) {
  protoipc_options all;
  if (path == NULL || out == NULL) return PROTOIPC_EINVAL;
  int result = link_resolve_options(options, &all);
  if (result != 0) return result;
  protoipc_listener *listener = calloc(1, sizeof *listener);
  if (listener == NULL) return PROTOIPC_ENOMEM;
  *listener = (protoipc_listener){.options = all, .fd = -1, .reserve_fd = platform_reserve_fd()};
  result = platform_fork_guard(&listener->guard);
  if (result == 0 && listener->reserve_fd < 0) result = PROTOIPC_EDESCRIPTORS;
  /* The path comes last, so that no failure leaves one behind. */
  if (result == 0) result = platform_listen(path, &listener->fd);
  if (result != 0) {
    listener_free(listener);
    return result;
  }
  *out = listener;
  return 0;
}

int protoipc_listener_fd(const protoipc_listener *listener) {
  if (listener == NULL) return PROTOIPC_EINVAL;
  return platform_is_forked(listener->guard) ? PROTOIPC_EFORKED : listener->fd;
}

/* No descriptor is left: takes the connection by means of the reserve, and says so. */
static int listener_refuse(protoipc_listener *listener) {
  int fd = -1;
  platform_close(listener->reserve_fd);
  const int result = platform_accept(listener->fd, &fd);
  if (result == 0) {
    link_send_reject(fd, SHM_REJECT_BUSY);
    platform_hang_up(fd);
  }
  listener->reserve_fd = platform_reserve_fd();
  return result == 0 ? PROTOIPC_EDESCRIPTORS : result;
}

int protoipc_accept(protoipc_listener *listener, protoipc_arena *arena, protoipc_link **out) {
  int fd = -1;
  if (listener == NULL || out == NULL) return PROTOIPC_EINVAL;
  if (platform_is_forked(listener->guard)) return PROTOIPC_EFORKED;
  if (listener->reserve_fd < 0) listener->reserve_fd = platform_reserve_fd();
  const int result = platform_accept(listener->fd, &fd);
  if (result == PROTOIPC_EDESCRIPTORS) return listener_refuse(listener);
  return result != 0 ? result : link_create(fd, &listener->options, arena, out);
}

void protoipc_listener_close(protoipc_listener *listener) {
  if (listener != NULL) listener_free(listener);
}

int protoipc_socket_peer(int fd, protoipc_peer *out) {
  return out == NULL ? PROTOIPC_EINVAL : platform_socket_peer(fd, out);
}

int protoipc_lock(int fd) { return platform_lock(fd); }
