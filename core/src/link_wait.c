/* News, sleeping, waking, and the blocking wait. */
#include "link.h"
#include "weaken.h"

static int link_look(const protoipc_link *link) {
  if (link->error != 0 || link_is_hung_up(link)) return 1;
  if (!link->attached) return 0;
  return link->room_missed || ring_has_record(&link->reader) || ring_has_room(&link->writer);
}

int protoipc_link_has_news(const protoipc_link *link) {
  if (link == NULL) return PROTOIPC_EINVAL;
  return platform_is_forked(link->guard) ? PROTOIPC_EFORKED : link_look(link);
}

/* The clock is asked seldom, and not before a quick peer had the time to answer: asking costs more than looking. */
enum { link_looks_per_clock = 16, link_looks_before_clock = 64 };

static int link_look_often(const protoipc_link *link, int looks) {
  for (int i = 0; i < looks; i++) {
    if (link_look(link)) return 1;
    platform_pause();
  }
  return 0;
}

static int link_spin(const protoipc_link *link, uint64_t spin_ns) {
  if (spin_ns == 0) return link_look(link);
  if (link_look_often(link, link_looks_before_clock)) return 1;
  const uint64_t start = platform_now_ns();
  do {
    if (link_look_often(link, link_looks_per_clock)) return 1;
  } while (platform_now_ns() - start < spin_ns);
  return 0;
}

int protoipc_link_spin(const protoipc_link *link, uint64_t spin_ns) {
  if (link == NULL) return PROTOIPC_EINVAL;
  return platform_is_forked(link->guard) ? PROTOIPC_EFORKED : link_spin(link, spin_ns);
}

int protoipc_link_sleep(protoipc_link *link) {
  if (link == NULL) return PROTOIPC_EINVAL;
  if (platform_is_forked(link->guard)) return PROTOIPC_EFORKED;
  if (link_look(link)) return 1;
  if (!link->attached) return 0; /* what comes next comes by the socket */
  const int wants_give_backs = link->block_missed || arena_is_short(link->arena);
  return ring_sleep(&link->writer, &link->reader, &link->sleeps,
                    wants_give_backs ? SHM_SLEEPS_ON_SOCKET : SHM_SLEEPS_FOR_FRAMES);
}

void protoipc_link_wake(protoipc_link *link) {
  if (link != NULL && !platform_is_forked(link->guard)) ring_wake(link->own);
}

/* ---- Waking the peer ---- */

void link_ring_bell(protoipc_link *link) {
  if (link->own == NULL) return;
  atomic_fetch_add_explicit(&link->own->bell.bell, 1, memory_order_release);
  platform_futex_wake(&link->own->bell.bell);
}

int link_ring(protoipc_link *link) {
  const uint64_t told_tail = link->told_tail, told_head = link->told_head;
  const uint32_t rung = link->rung;
  switch (ring_must_wake(&link->writer, &link->reader, &link->told_tail, &link->told_head, &link->rung)) {
    case SHM_SLEEPS_ON_FUTEX:
      link_ring_bell(link);
      break;
    case SHM_SLEEPS_ON_SOCKET:
    case SHM_SLEEPS_FOR_FRAMES: {
      const uint8_t doorbell = SHM_MSG_DOORBELL;
      /* A full socket is success, for then there is something to wake for; and one that has ended says so itself. */
      if (platform_send(link->fd, &doorbell, sizeof doorbell, -1) == PROTOIPC_ENOMEM) {
        link->told_tail = told_tail;
        link->told_head = told_head;
        link->rung = rung;
        return PROTOIPC_ENOMEM;
      }
      break;
    }
    default:
      return 0;
  }
  link->doorbells_sent++;
  return 1;
}

/* ---- The blocking wait ---- */

/* Death is looked for this often, and a wake-up that a peer withholds costs no more. */
static const uint64_t link_slice_ns = 20 * UINT64_C(1000000);

/* Sleeps until the peer wakes us, at most one slice. */
static void link_sleep_slice(protoipc_link *link, uint64_t most_ns) {
  const uint64_t slice = most_ns < link_slice_ns || SHM_WEAKENED(WAIT_SLICE) ? most_ns : link_slice_ns;
  if (!link->attached) {
    platform_wait_readable(link->fd, link->death_fd, slice);
    return;
  }
  /* The bell is read before the sleep is declared: a ring for this sleep then always finds another number. */
  const uint32_t bell = atomic_load_explicit(&link->theirs->bell.bell, memory_order_acquire);
  if (ring_sleep(&link->writer, &link->reader, &link->sleeps, SHM_SLEEPS_ON_FUTEX)) return;
  platform_futex_wait(&link->theirs->bell.bell, bell, slice);
  ring_wake(link->own);
  if (atomic_load_explicit(&link->theirs->bell.bell, memory_order_acquire) != bell) link->doorbells_received++;
}

/*
 * Who always finds news at once would never look at the socket, and announcements would pile up there. A look is two system
 * calls, each as long as several quick answers.
 */
enum { link_waits_per_service = 512 };

int protoipc_link_wait(protoipc_link *link, uint64_t spin_ns, uint64_t timeout_ns) {
  int result = link_check(link);
  if (result != 0) return result;
  result = protoipc_link_flush(link);
  if (result < 0 && link->error != 0) return result;
  if (++link->waits >= link_waits_per_service) {
    link->waits = 0;
    result = link_service(link);
    if (result != 0) return result;
  }
  if (spin_ns != 0 && timeout_ns != 0 && link_look_often(link, link_looks_before_clock)) return 1;
  const uint64_t start = platform_now_ns();
  if (link_spin(link, spin_ns < timeout_ns ? spin_ns : timeout_ns)) return 1;
  link->waits = 0;
  for (;;) {
    result = link_service(link);
    if (result != 0) return result;
    if (link_look(link)) return 1;
    const uint64_t passed = platform_now_ns() - start;
    if (passed >= timeout_ns) return PROTOIPC_ETIMEDOUT;
    link_sleep_slice(link, timeout_ns - passed);
    if (link_look(link)) return link->error != 0 ? link->error : 1;
    (void)protoipc_link_flush(link);
    if (link->error != 0) return link->error;
  }
}
