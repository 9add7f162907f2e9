/* Waking and not waking: storms, sleepers that never hear, words that mean nothing, a wake-up that never comes. */
#include "hostile.h"

enum { ring_bytes = 64 << 10 };

static void *ring_without_end(void *argument) {
  const hostile *self = argument;
  const uint8_t doorbell = SHM_MSG_DOORBELL;
  const uint64_t until = traffic_now_ns() + UINT64_C(1200000000);
  uint64_t sent = 0;
  for (uint64_t i = 0; i % 256 != 0 || traffic_now_ns() < until; i++) {
    const int error = hostile_send_all(self->fd, &doorbell, 1, NULL, 0, 0);
    if (error == EPIPE || error == ECONNRESET) break;
    sent += error == 0;
  }
  return (void *)(uintptr_t)sent;
}

/* Doorbells as fast as the socket takes them. */
static void storm(const char *path, hostile_tally *tally) {
  hostile self = hostile_attach(path, ring_bytes);
  hostile_say(&self, TRAFFIC_ECHO, 100);
  hostile_publish(&self);
  const uint64_t start = traffic_now_ns();
  const uint64_t sent = (uint64_t)(uintptr_t)ring_without_end(&self);
  printf("{\"doorbells\":%llu,\"perSecond\":%llu}\n", TRAFFIC_NUMBER(sent),
         TRAFFIC_NUMBER(sent * 1000000000 / (traffic_now_ns() - start)));
  tally->links++;
  tally->ended += (uint32_t)hostile_is_ended(self.fd, 0);
  hostile_close(&self);
}

/* When an attack by words ends: it takes some hundred doorbells to fill a socket. */
static uint64_t end_of_words_ns(void) {
  return traffic_now_ns() + (hostile_variants == 1 ? (uint64_t)hostile_patience_ms * 1000000 : UINT64_C(900000000));
}

/* A victim that does not answer any more is left as it is for a while: that is what others then suffer from. */
static void stay_if_unanswered(hostile *self, int is_answered) {
  const uint64_t until = traffic_now_ns() + (uint64_t)hostile_patience_ms * 1000000;
  while (!is_answered && traffic_now_ns() < until && !hostile_is_hung_up(self->fd)) usleep(1000);
}

/* Says without end that it sleeps, each time anew, and reads no doorbell: the victim's are to fill the socket. */
static void deaf(const char *path, hostile_tally *tally) {
  static uint8_t body[1 << 20];
  hostile self = hostile_attach(path, ring_bytes);
  const uint64_t until = end_of_words_ns();
  uint64_t answers = 0;
  int is_answered = 1;
  for (uint32_t sleep = 1; is_answered && traffic_now_ns() < until; sleep++) {
    uint32_t bytes = 0;
    atomic_store(&self.own->sleeper.sleep, sleep << 2 | SHM_SLEEPS_ON_SOCKET);
    hostile_say(&self, TRAFFIC_ECHO, 64);
    hostile_publish(&self);
    is_answered = hostile_take(&self, body, &bytes, 500) != 0;
    answers += (uint64_t)is_answered;
  }
  stay_if_unanswered(&self, is_answered);
  printf("{\"answers\":%llu}\n", TRAFFIC_NUMBER(answers));
  tally->links++;
  hostile_close(&self);
}

/* Sleep and bell words that are anything, all the time, with traffic. */
static void flip_words(hostile_flipper *self, uint64_t turn) {
  shm_segment *own = self->at;
  uint64_t state = turn;
  atomic_store(&own->sleeper.sleep, (uint32_t)traffic_random(&state));
  atomic_store(&own->sleeper.space_wanted, traffic_random(&state));
  atomic_store(&own->bell.bell, (uint32_t)traffic_random(&state));
}

static void wild_words(const char *path, hostile_tally *tally) {
  static uint8_t body[1 << 20];
  hostile self = hostile_attach(path, ring_bytes);
  hostile_flipper flipper = {.flip = flip_words, .at = self.own};
  const uint64_t until = end_of_words_ns();
  int is_answered = 1;
  hostile_start(&flipper);
  while (is_answered && traffic_now_ns() < until) {
    uint32_t bytes = 0;
    hostile_say(&self, TRAFFIC_ECHO, 64);
    hostile_publish(&self);
    is_answered = hostile_take(&self, body, &bytes, 500) != 0;
  }
  stay_if_unanswered(&self, is_answered);
  hostile_stop(&flipper);
  tally->links++;
  tally->ended += (uint32_t)hostile_is_ended(self.fd, 0);
  hostile_close(&self);
}

/* Commits, and does not wake: how late does a blocking receiver see it? */
static void withheld(const char *path, hostile_tally *tally) {
  static uint8_t body[128];
  hostile self = hostile_attach(path, ring_bytes);
  for (int i = 0; i < 3; i++) {
    usleep(50000); /* asleep by now */
    hostile_lay(&self, SHM_FRAME, 0, body, traffic_lay(body, ++self.serial, TRAFFIC_ECHO, sizeof body, traffic_now_ns()));
    atomic_store(&self.own->writer.tail, self.tail);
  }
  usleep(300000);
  tally->links++;
  hostile_close(&self);
}

HOSTILE_MAIN({"storm", storm}, {"deaf", deaf}, {"wild-words", wild_words}, {"withheld", withheld})
