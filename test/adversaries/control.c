/* The control socket: messages that are cut, repeated, without end, or never there, and descriptors where none belong. */
#include "hostile.h"

enum { ring_bytes = 4096 };

/* Messages that are shorter or longer than theirs, empty, or of no known kind. */
static void malformed(const char *path, hostile_tally *tally) {
  static const struct {
    uint8_t type;
    uint16_t bytes;
  } messages[] = {
      {SHM_MSG_DOORBELL, 100}, {SHM_MSG_DOORBELL, 2},   {SHM_MSG_DOORBELL, 0}, {SHM_MSG_SEGMENT, 8}, {SHM_MSG_SEGMENT, 17},
      {SHM_MSG_RETIRE, 1},     {SHM_MSG_RETIRE, 15},    {SHM_MSG_REJECT, 3},   {SHM_MSG_REJECT, 16}, {0, 1},
      {6, 1},                  {255, 64},               {SHM_MSG_ATTACH, 63},  {SHM_MSG_ATTACH, 65}, {SHM_MSG_DOORBELL, 200},
      {SHM_MSG_RETIRE, 16},    {SHM_MSG_RETIRE, 60000}, {SHM_MSG_SEGMENT, 16}, {SHM_MSG_ATTACH, 8},  {SHM_MSG_ATTACH, 16},
  };
  static uint8_t message[60000];
  for (uint32_t i = 0; i < 2 * sizeof messages / sizeof messages[0] && i < hostile_variants; i++) {
    const uint32_t kind = i % (sizeof messages / sizeof messages[0]);
    const int before_attach = i != kind;
    if (before_attach && messages[kind].type == SHM_MSG_ATTACH && messages[kind].bytes == sizeof(shm_attach)) continue;
    hostile self = before_attach ? hostile_open(path, ring_bytes, HOSTILE_SEALS) : hostile_attach(path, ring_bytes);
    memset(message, 0, sizeof message);
    message[0] = messages[kind].type;
    hostile_send(self.fd, message, messages[kind].bytes, -1);
    hostile_finish(&self, tally);
  }
}

/* A second segment for the same link. The first would be left behind, mapped. */
static void second_attach(const char *path, hostile_tally *tally) {
  hostile self = hostile_attach(path, ring_bytes);
  const shm_attach message = hostile_attach_message(self.own_bytes);
  for (int i = 0; i < 50; i++) hostile_send(self.fd, &message, sizeof message, self.own_fd);
  hostile_finish(&self, tally);
}

/* Connects and says nothing, more often than the victim has descriptors. */
static void silent(const char *path, hostile_tally *tally) {
  int fds[400];
  for (int i = 0; i < 400; i++) {
    fds[i] = hostile_try_socket(path);
    tally->links += fds[i] >= 0;
    if (i == 150) { /* from here on somebody else may come */
      puts("{\"begun\":true}");
      fflush(stdout);
    }
  }
  const uint64_t until = traffic_now_ns() + (uint64_t)hostile_patience_ms * 1000000;
  for (int i = 0; i < 400; i++) {
    if (fds[i] < 0) continue;
    const uint64_t now = traffic_now_ns();
    tally->ended += (uint32_t)hostile_is_ended(fds[i], now < until ? (int)((until - now) / 1000000) : 0);
    close(fds[i]);
  }
}

/* ---- Descriptors ---- */

/* More than one in a message: whoever takes the first leaves the others open, for ever. */
static void several(const char *path, hostile_tally *tally) {
  static int fds[253];
  const int counts[] = {2, 3, 253};
  for (int i = 0; i < 253; i++) fds[i] = 0;
  for (uint32_t i = 0; i < 60; i++) {
    const int count = hostile_variants == 1 ? 2 : counts[i % 3];
    hostile self = hostile_open(path, ring_bytes, HOSTILE_SEALS);
    const shm_attach attach = hostile_attach_message(self.own_bytes);
    const shm_announce announce = {.type = SHM_MSG_SEGMENT, .bytes = self.own_bytes};
    for (int j = 0; j < count; j++) fds[j] = self.own_fd;
    if (i / 3 % 2 == 0 || hostile_variants == 1) {
      hostile_send_all(self.fd, &attach, sizeof attach, fds, count, 0);
    } else {
      hostile_send(self.fd, &attach, sizeof attach, self.own_fd);
      hostile_send_all(self.fd, &announce, sizeof announce, fds, count, 0);
    }
    hostile_finish(&self, tally);
  }
}

/* Thousands of messages with 253 descriptors each, as fast as the socket takes them. */
static void flood(const char *path, hostile_tally *tally) {
  static int fds[253];
  for (int link = 0; link < 8; link++) {
    hostile self = hostile_attach(path, ring_bytes);
    const shm_announce announce = {.type = SHM_MSG_SEGMENT, .bytes = self.own_bytes};
    for (int j = 0; j < 253; j++) fds[j] = self.own_fd;
    for (int i = 0; i < 4000; i++) {
      const int error = hostile_send_all(self.fd, &announce, sizeof announce, fds, 253, MSG_DONTWAIT);
      if (error == EPIPE || error == ECONNRESET) break;
    }
    hostile_finish(&self, tally);
  }
}

/* Messages that have none, with one. Whoever does not expect it does not close it. */
static void stray(const char *path, hostile_tally *tally) {
  const uint8_t doorbell = SHM_MSG_DOORBELL;
  const shm_announce retirement = {.type = SHM_MSG_RETIRE};
  for (int i = 0; i < 8; i++) {
    hostile self = hostile_attach(path, ring_bytes);
    for (int j = 0; j < 40; j++) {
      const int error = i % 2 == 0 ? hostile_send(self.fd, &doorbell, 1, self.own_fd)
                                   : hostile_send(self.fd, &retirement, sizeof retirement, self.own_fd);
      if (error != 0) break;
    }
    hostile_finish(&self, tally);
    if (hostile_variants == 1) break;
  }
  /* And the other way round: none where one belongs. */
  for (int i = 0; i < 2 && hostile_variants > 1; i++) {
    hostile self = i == 0 ? hostile_open(path, ring_bytes, HOSTILE_SEALS) : hostile_attach(path, ring_bytes);
    const shm_attach attach = hostile_attach_message(self.own_bytes);
    const shm_announce announce = {.type = SHM_MSG_SEGMENT, .bytes = self.own_bytes};
    if (i == 0) hostile_send(self.fd, &attach, sizeof attach, -1);
    else hostile_send(self.fd, &announce, sizeof announce, -1);
    hostile_finish(&self, tally);
  }
}

HOSTILE_MAIN({"malformed", malformed}, {"second-attach", second_attach}, {"silent", silent}, {"several", several},
             {"flood", flood}, {"stray", stray})
