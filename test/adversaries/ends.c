/* Ends: at every point of a link's life, by a close or by a kill, and by somebody who should not be there at all. */
#include "hostile.h"

enum { ring_bytes = 64 << 10, committed_records = 40, closing_links = 25 };

/* What was committed before the end is there to be received. */
static void closing(const char *path, hostile_tally *tally) {
  uint32_t committed = 0;
  for (int i = 0; i < closing_links; i++) {
    hostile self = hostile_attach(path, ring_bytes);
    if (i % 2 == 1) hostile_is_ended(self.fd, 5); /* attached by then, or not */
    for (int j = 0; j < committed_records; j++) hostile_say(&self, TRAFFIC_ECHO, 200);
    atomic_store(&self.own->writer.tail, self.tail);
    committed += committed_records;
    tally->links++;
    hostile_close(&self);
  }
  printf("{\"committed\":%u}\n", committed);
}

/* Lives up to a point, then ends. */
static void live(const char *path, uint32_t point, int by_kill) {
  shm_block_name name;
  hostile self = hostile_open(path, ring_bytes, HOSTILE_SEALS);
  const shm_attach message = hostile_attach_message(self.own_bytes);
  const shm_block_name block = {.index = 1, .generation = 1, .bytes = 64};
  do {
    if (point == 0) break;
    hostile_send(self.fd, &message, sizeof message, self.own_fd);
    if (point == 1 || !hostile_meet(&self) || point == 2) break;
    hostile_say(&self, TRAFFIC_PUBLISH, 64);
    if (point == 3) break;
    hostile_publish(&self);
    if (point == 4 || !hostile_take_publication(&self, &name, 500) || point == 5) break; /* holds a block of the victim's */
    const int fd = hostile_memfd(4096, HOSTILE_SEALS, NULL);
    hostile_announce(&self, 0, 4096, fd);
    close(fd);
    if (point == 6) break;
    hostile_say_block(&self, &block);
    hostile_publish(&self);
    if (point == 7) break; /* the victim holds a block of ours */
    hostile_give_back(&self, name.index, name.generation);
    if (point == 8) break;
    hostile_publish(&self);
    hostile_say(&self, TRAFFIC_PUBLISH, 64);
    hostile_publish(&self);
    if (point == 9) break;
    hostile_is_ended(self.fd, 30);
    if (point == 10) break;
    shutdown(self.fd, SHUT_WR);
    hostile_is_ended(self.fd, 30);
  } while (0);
  if (by_kill) kill(getpid(), SIGKILL);
  hostile_close(&self);
}

static void anywhere(const char *path, hostile_tally *tally) {
  for (uint32_t i = 0; i < 96; i++) {
    const pid_t child = fork();
    if (child == 0) {
      live(path, i % 12, i / 12 % 2 == 0);
      _exit(0);
    }
    waitpid(child, NULL, 0);
    tally->links++;
  }
  usleep(200000);
}

/* Dies while a child has the socket: the end of the file does not come, the end of the process does. */
static void forked(const char *path, hostile_tally *tally) {
  pid_t keeper = 0;
  int pair[2];
  if (pipe(pair) != 0) hostile_die("pipe");
  const pid_t child = fork();
  if (child == 0) {
    hostile self = hostile_attach(path, ring_bytes);
    hostile_say(&self, TRAFFIC_PUBLISH, 64);
    hostile_publish(&self);
    hostile_is_ended(self.fd, 200);
    keeper = fork();
    if (keeper == 0) {
      sleep(20);
      _exit(0);
    }
    if (write(pair[1], &keeper, sizeof keeper) < 0) _exit(1);
    kill(getpid(), SIGKILL);
  }
  waitpid(child, NULL, 0);
  const uint64_t died_ns = traffic_now_ns();
  if (read(pair[0], &keeper, sizeof keeper) != sizeof keeper) hostile_die("the keeper");
  tally->links++;
  usleep(1500000);
  printf("{\"diedAtMs\":%llu,\"letGoAtMs\":%llu}\n", TRAFFIC_NUMBER(died_ns / 1000000),
         TRAFFIC_NUMBER(traffic_now_ns() / 1000000));
  kill(keeper, SIGKILL);
  usleep(300000); /* until the victim has seen the end of the socket, if it had not seen the death */
}

/* A process of another user, who can reach the socket. */
static void stranger(const char *path, hostile_tally *tally) {
  const int own_fd = hostile_memfd(SHM_RING_OFFSET + ring_bytes, HOSTILE_SEALS, NULL);
  if (setgid(65534) != 0 || setuid(65534) != 0) hostile_die("setuid");
  const int fd = hostile_socket(path);
  const shm_attach message = hostile_attach_message(SHM_RING_OFFSET + ring_bytes);
  shm_reject answer = {0};
  int passed = -1;
  hostile_send(fd, &message, sizeof message, own_fd);
  for (int i = 0; i < 25 && hostile_receive(fd, &answer, sizeof answer, &passed) < 0; i++) continue;
  printf("{\"gotSegment\":%d,\"rejectedWhy\":%u}\n", passed >= 0, answer.type == SHM_MSG_REJECT ? answer.why : 0);
  tally->links++;
  tally->ended += (uint32_t)hostile_is_ended(fd, passed >= 0 ? 200 : hostile_patience_ms);
}

/* ---- Everything at once ---- */

static void scramble(hostile_flipper *self, uint64_t turn) {
  hostile *link = self->at;
  uint64_t state = turn ^ self->values[0];
  const uint64_t value = traffic_random(&state), place = traffic_random(&state);
  uint64_t *words = (uint64_t *)link->own;
  const uint64_t count = link->own_bytes / 8;
  /* Mostly small numbers in the ring, at times a cursor, at times anything anywhere. */
  if (turn % 64 == 0) words[place % count] = value;
  else if (turn % 16 == 0) words[offsetof(shm_segment, writer) / 8] = value % (2 * link->ring_bytes) & ~UINT64_C(7);
  else if (turn % 16 == 1) words[offsetof(shm_segment, reader) / 8] = value % (2 * link->ring_bytes) & ~UINT64_C(7);
  else words[SHM_RING_OFFSET / 8 + place % 64] = value % 20000 | (1 + value % 4) << 32;
}

static void chaos(const char *path, hostile_tally *tally) {
  const uint64_t until = hostile_race_end_ns(1500);
  for (uint64_t seed = 1; traffic_now_ns() < until; seed++) {
    hostile self = hostile_attach(path, ring_bytes);
    hostile_flipper flipper = {.flip = scramble, .at = &self, .values = {seed << 32, 0}};
    for (int i = 0; i < 8; i++) hostile_say(&self, TRAFFIC_ECHO, 200);
    hostile_publish(&self);
    hostile_start(&flipper);
    hostile_is_ended(self.fd, 20);
    hostile_stop(&flipper);
    tally->links++;
    tally->ended += (uint32_t)hostile_is_hung_up(self.fd);
    hostile_close(&self);
  }
}

HOSTILE_MAIN({"closing", closing}, {"anywhere", anywhere}, {"forked", forked}, {"stranger", stranger}, {"chaos", chaos})
