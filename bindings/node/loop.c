/*
 * When the event loop looks at links.
 *
 * A turn of libuv's loop is: timers, idle, prepare, poll, check, closing (docs.libuv.org, "The I/O loop"); how long
 * poll may block is found out after prepare, and it does not block while an idle handle runs. So in prepare we look at
 * the links in use, for a while where that is wanted, and declare that we sleep only when nothing is there; and in
 * check we are awake again. A link that is not in use stays asleep, costs nothing in any turn, and is woken by the
 * descriptor that its peer rings.
 *
 * Being awake costs the peer nothing: it has to ring only for who sleeps, and that is dear for both.
 */
#include "addon.h"

/* A wake-up costs about as much as this on the machines measured; longer spins gained nothing. */
#define SPIN_NS UINT64_C(20000)
/* Between two polls where the user gives a core to this. */
#define ALWAYS_SPIN_NS UINT64_C(100000)
/* A link is in use for so long after its last record. */
#define RECENT_NS UINT64_C(1000000)
/* Timers and sockets wait no longer than this and a batch for their turn. */
#define TURN_NS UINT64_C(1000000)
/* Spins in a row that saw no record: a loop that has other work, too, does not wait for one before each piece of it. */
enum { MOST_FRUITLESS = 2, ROUNDS_PER_LOOK = 16, BATCHES_PER_LOOK = 4 };
/*
 * Spinning pays only while both sides have a core of their own: on one core it keeps the peer from answering. So a spin
 * that sees a record earns one more, one that does not costs one, and with none left we only try again for a part of
 * the time. Both sides try at the same time, by the machine's clock: a spin finds nothing while the peer has to wake up.
 */
#define TRIAL_PERIOD_NS UINT64_C(16000000)
#define TRIAL_NS UINT64_C(1000000)
enum { MOST_SPINS_EARNED = 8 };

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ __volatile__("yield" ::: "memory");
#endif
}

static void do_nothing(uv_idle_t *idle) { (void)idle; }

/* Whether poll must not block. */
static void set_idle(addon *addon, bool on) {
  if (addon->is_idle == on) return;
  addon->is_idle = on;
  if (on) uv_idle_start(&addon->idle, do_nothing);
  else uv_idle_stop(&addon->idle);
}

static void set_awake(link_handle *link) {
  if (!link->is_asleep) return;
  link->is_asleep = false;
  protoipc_link_wake(link->link);
}

static bool has_news(const link_handle *link) { return link->tells_room || protoipc_link_has_news(link->link); }

/* Delivers a batch of each link that has news. JavaScript runs in between: the list may change under us. */
static bool deliver_all(addon *addon) {
  bool delivered = false;
  for (link_handle *link = addon->active; link != NULL; link = addon->next_to_look) {
    addon->next_to_look = link->next_active;
    if (link->owes_flush) (void)link_flush(link);
    if (has_news(link) && link_deliver(link)) delivered = true;
  }
  return delivered;
}

static bool any_has_news(const addon *addon) {
  for (const link_handle *link = addon->active; link != NULL; link = link->next_active)
    if (has_news(link)) return true;
  return false;
}

static uint64_t spin_time(const addon *addon) {
  uint64_t time = 0;
  for (const link_handle *link = addon->active; link != NULL; link = link->next_active) {
    if (link->waiting == WAITING_SPIN) return ALWAYS_SPIN_NS;
    if (link->waiting == WAITING_ADAPTIVE && addon->fruitless < MOST_FRUITLESS) time = SPIN_NS;
  }
  return time;
}

static bool may_spin(const addon *addon, uint64_t time) {
  if (time == 0) return false;
  return time == ALWAYS_SPIN_NS || addon->spins_earned > 0 || uv_hrtime() % TRIAL_PERIOD_NS < TRIAL_NS;
}

/* Looks again and again; true as soon as there is something. The clock is not asked where that is soon. */
static bool spin(addon *addon) {
  const uint64_t time = spin_time(addon);
  uint64_t until = 0;
  if (!may_spin(addon, time)) return false;
  for (;;) {
    for (int round = 0; round < ROUNDS_PER_LOOK; round++) {
      if (any_has_news(addon) && deliver_all(addon)) {
        if (addon->spins_earned < MOST_SPINS_EARNED) addon->spins_earned++;
        return true;
      }
      pause_briefly();
    }
    const uint64_t now = uv_hrtime();
    if (until == 0) until = now + time;
    else if (now >= until) break;
  }
  addon->fruitless++;
  if (addon->spins_earned > 0) addon->spins_earned--;
  return false;
}

/* Declares that we sleep, link by link; those that were not used of late are not looked at any more. */
static void sleep_all(addon *addon) {
  const uint64_t now = uv_hrtime();
  bool has_work = false;
  for (link_handle *link = addon->active, *next; link != NULL; link = next) {
    next = link->next_active;
    if (link->is_touched) link->used_ns = now;
    link->is_touched = false;
    if (link->waiting == WAITING_SPIN) {
      has_work = true;
      continue;
    }
    if (link->tells_room || (!link->is_asleep && protoipc_link_sleep(link->link) != 0)) {
      has_work = true;
      continue;
    }
    link->is_asleep = true;
    if (now - link->used_ns > RECENT_NS) loop_forget(link);
  }
  set_idle(addon, has_work);
}

static void watch(addon *addon);

static void on_prepare(uv_prepare_t *prepare) {
  addon *const addon = prepare->data;
  uint64_t began = 0;
  uint32_t batches = 0;
  bool spun = false;
  set_idle(addon, false);
  for (;;) {
    /* What a spin has delivered is a batch too: timers wait no longer for it. */
    if (deliver_all(addon) || spun) {
      addon->fruitless = 0;
      spun = false;
      if (batches++ % BATCHES_PER_LOOK != 0) continue;
      const uint64_t now = uv_hrtime();
      if (began == 0) began = now;
      if (now - began < TURN_NS) continue;
      set_idle(addon, true);
      break;
    }
    if (addon->active == NULL) break;
    /* 0: other work waits, or libuv cannot tell before the next poll. Both are soon over. */
    if (uv_backend_timeout(addon->uv) == 0) {
      set_idle(addon, true);
      break;
    }
    spun = spin(addon);
    if (spun) continue;
    sleep_all(addon);
    break;
  }
  watch(addon);
  addon_close_scope(addon);
}

static void on_check(uv_check_t *check) {
  addon *const addon = check->data;
  for (link_handle *link = addon->active; link != NULL; link = link->next_active) set_awake(link);
  if (deliver_all(addon)) addon->fruitless = 0;
  watch(addon);
  addon_close_scope(addon);
}

/* The turns of the loop are none of our business while no link is in use. */
static void watch(addon *addon) {
  const bool on = addon->active != NULL;
  if (!on) set_idle(addon, false);
  if (addon->is_watching == on) return;
  addon->is_watching = on;
  if (on) {
    uv_prepare_start(&addon->prepare, on_prepare);
    uv_check_start(&addon->check, on_check);
  } else {
    uv_prepare_stop(&addon->prepare);
    uv_check_stop(&addon->check);
  }
}

void loop_touch(link_handle *link) {
  addon *const addon = link->addon;
  link->is_touched = true;
  addon->fruitless = 0;
  if (!link->is_started || link->is_ended || link->is_shut) return;
  set_awake(link);
  /* Nothing polls for it any more: until it was drained and has ended, this alone keeps the loop going. */
  if (link->is_hung_up) set_idle(addon, true);
  if (link->is_active) return;
  link->is_active = true;
  link->previous_active = NULL;
  link->next_active = addon->active;
  if (addon->active != NULL) addon->active->previous_active = link;
  addon->active = link;
  watch(addon);
}

void loop_forget(link_handle *link) {
  addon *const addon = link->addon;
  if (!link->is_active) return;
  link->is_active = false;
  if (addon->next_to_look == link) addon->next_to_look = link->next_active;
  if (link->next_active != NULL) link->next_active->previous_active = link->previous_active;
  if (link->previous_active != NULL) link->previous_active->next_active = link->next_active;
  else addon->active = link->next_active;
}

static void on_closed(uv_handle_t *handle) { addon_handle_closed(handle->data); }

void loop_open(addon *addon) {
  uv_prepare_init(addon->uv, &addon->prepare);
  uv_check_init(addon->uv, &addon->check);
  uv_idle_init(addon->uv, &addon->idle);
  addon->prepare.data = addon->check.data = addon->idle.data = addon;
  uv_unref((uv_handle_t *)&addon->prepare);
  uv_unref((uv_handle_t *)&addon->check);
  /* The idle handle runs only while there is work: that keeps the process, as the last records of a peer that is gone do. */
  addon->handles += 3;
}

void loop_close(addon *addon) {
  uv_close((uv_handle_t *)&addon->prepare, on_closed);
  uv_close((uv_handle_t *)&addon->check, on_closed);
  uv_close((uv_handle_t *)&addon->idle, on_closed);
}
