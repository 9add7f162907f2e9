/* A link that the victim serves: it answers what comes, checks it, holds some blocks for a while, and counts. */
#ifndef ADVERSARIES_SERVED_H
#define ADVERSARIES_SERVED_H

#include "../../core/include/protoipc.h"
#include "../../core/src/weaken.h"
#include "traffic.h"

enum {
  served_queue_bytes = 1 << 20, /* answers that wait for room in the ring */
  served_batch = 16,              /* records taken at once */
  served_kept = 8,                /* blocks held before the oldest is given back */
  served_answer_bytes = 8 << 10   /* the most that goes into our ring in one record */
};

/* What is told of a link, and in sum of those of a side. */
typedef struct served_account {
  uint64_t received, wrong, blocks, published;
  uint64_t longest_receive_us, longest_service_us; /* of this thread's CPU time, in one call */
  uint64_t most_messages;                          /* of the control socket, in one call */
  uint64_t latest_us;                              /* from a record's stamp until it was received */
  uint64_t most_mapped_bytes;
} served_account;

typedef struct served {
  protoipc_link *link;
  int is_hostile;
  int attached;
  uint64_t since_ns;
  uint64_t serial; /* of the record before */
  uint8_t *buffer; /* of exactly what the library asks for, twice */
  uint32_t buffer_bytes;
  uint8_t *queue; /* bodies, each behind its length */
  uint32_t queue_from, queue_to;
  protoipc_record kept[served_kept];
  uint64_t kept_serials[served_kept];
  uint32_t kept_count;
  uint64_t segments;
  served_account account;
} served;

static inline served served_open(protoipc_link *link, int is_hostile) {
  return (served){.link = link, .is_hostile = is_hostile, .since_ns = traffic_now_ns(),
                  .queue = malloc(served_queue_bytes)};
}

static inline void served_close(served *self) {
  protoipc_link_close(self->link);
  free(self->buffer);
  free(self->queue);
}

static inline void served_most(uint64_t *most, uint64_t value) {
  if (value > *most) *most = value;
}

static inline void served_note(served_account *account) {
  uint64_t bytes = 0;
  traffic_count_maps(&bytes);
  served_most(&account->most_mapped_bytes, bytes);
}

static inline void served_add(served_account *sum, const served_account *one) {
  sum->received += one->received;
  sum->wrong += one->wrong;
  sum->blocks += one->blocks;
  sum->published += one->published;
  served_most(&sum->longest_receive_us, one->longest_receive_us);
  served_most(&sum->longest_service_us, one->longest_service_us);
  served_most(&sum->most_messages, one->most_messages);
  served_most(&sum->latest_us, one->latest_us);
  served_most(&sum->most_mapped_bytes, one->most_mapped_bytes);
}

static inline void served_print(const served_account *sum) {
  printf("\"received\":%llu,\"wrong\":%llu,\"blocks\":%llu,\"published\":%llu,\"longestReceiveUs\":%llu,"
         "\"longestServiceUs\":%llu,\"mostMessages\":%llu,\"latestUs\":%llu,\"mostMappedBytes\":%llu",
         TRAFFIC_NUMBER(sum->received), TRAFFIC_NUMBER(sum->wrong), TRAFFIC_NUMBER(sum->blocks),
         TRAFFIC_NUMBER(sum->published), TRAFFIC_NUMBER(sum->longest_receive_us),
         TRAFFIC_NUMBER(sum->longest_service_us), TRAFFIC_NUMBER(sum->most_messages), TRAFFIC_NUMBER(sum->latest_us),
         TRAFFIC_NUMBER(sum->most_mapped_bytes));
}

/* ---- Answers ---- */

static inline uint32_t served_queued(const served *self) { return self->queue_to - self->queue_from; }

/* 1: so many answers wait that nothing more is taken from this peer. The library leaves this to whoever queues. */
static inline int served_is_blocked(const served *self) {
  if (SHM_WEAKENED(QUEUE_BOUND)) return 0;
  return served_queued(self) > served_queue_bytes - served_batch * (served_answer_bytes + sizeof(uint32_t));
}

static inline void served_answer(served *self, const uint8_t *body, uint32_t bytes) {
  if (bytes > served_answer_bytes) return;
  if (self->queue_from != 0) {
    memmove(self->queue, self->queue + self->queue_from, served_queued(self));
    self->queue_to -= self->queue_from;
    self->queue_from = 0;
  }
  memcpy(self->queue + self->queue_to, &bytes, sizeof bytes);
  memcpy(self->queue + self->queue_to + sizeof bytes, body, bytes);
  self->queue_to += (uint32_t)sizeof bytes + bytes;
}

/* Lays as many answers into a window as it has room for. Returns how many. */
static inline uint32_t served_lay(served *self, const protoipc_window *window, uint32_t *lengths, uint32_t most) {
  uint32_t count = 0, used = 0;
  uint64_t own_bytes = 0;
  void *own = NULL;
  protoipc_link_own_segment(self->link, &own, &own_bytes);
  if (window->bytes > own_bytes - window->offset) self->account.wrong++; /* and yet it is filled, as a user would */
  while (count < most && self->queue_from < self->queue_to) {
    uint32_t bytes = 0;
    memcpy(&bytes, self->queue + self->queue_from, sizeof bytes);
    const uint32_t record = PROTOIPC_RECORD_HEADER + (bytes + 7) / 8 * 8;
    if (record > window->bytes - used) break;
    memcpy((uint8_t *)own + window->offset + used + PROTOIPC_RECORD_HEADER, self->queue + self->queue_from + sizeof bytes,
           bytes);
    used += record;
    lengths[count++] = bytes;
    self->queue_from += (uint32_t)sizeof bytes + bytes;
  }
  return count;
}

/* 0: what could be sent is sent, or why not. Windows are filled: a window that is too large is written beyond. */
static inline int served_send(served *self) {
  while (served_queued(self) > 0) {
    protoipc_window window;
    uint32_t first = 0, lengths[1024];
    memcpy(&first, self->queue + self->queue_from, sizeof first);
    int result = protoipc_link_reserve(self->link, first, &window);
    if (result == PROTOIPC_EAGAIN) return 0;
    if (result == PROTOIPC_ECLOSED) self->queue_from = self->queue_to; /* nobody is left to hear it */
    if (result != 0) return result == PROTOIPC_ECLOSED ? 0 : result;
    const uint32_t count = served_lay(self, &window, lengths, sizeof lengths / sizeof lengths[0]);
    result = protoipc_link_commit(self->link, lengths, count);
    if (result != 0) return result == PROTOIPC_ECLOSED ? 0 : result;
  }
  return 0;
}

static inline void served_publish(served *self, const protoipc_block *block, uint64_t serial, uint32_t bytes) {
  const traffic_head head = {.serial = serial, .what = TRAFFIC_PUBLICATION, .bytes = bytes};
  protoipc_window window;
  uint64_t own_bytes = 0;
  void *own = NULL;
  if (protoipc_link_reserve(self->link, sizeof head + PROTOIPC_BLOCK_ROOM, &window) != 0) return;
  protoipc_link_own_segment(self->link, &own, &own_bytes);
  memcpy((uint8_t *)own + window.offset + PROTOIPC_RECORD_HEADER, &head, sizeof head);
  if (protoipc_link_commit_block(self->link, sizeof head, block, 0, bytes) == 0) self->account.published++;
  (void)protoipc_link_flush(self->link);
}

/* ---- Blocks of the peer ---- */

/* Reads the whole payload. It is the peer's memory: it may change, but it must be there. */
static inline void served_look(served *self, const protoipc_record *record, uint64_t serial) {
  const void *data = NULL;
  if (protoipc_link_block_data(self->link, record, &data) != 0 || !traffic_is_filled(data, serial, record->block_bytes))
    self->account.wrong++;
}

/* Keeps the newest blocks, looks at the oldest once more and gives it back. */
static inline void served_keep(served *self, const protoipc_record *record, uint64_t serial) {
  self->account.blocks++;
  served_look(self, record, serial);
  if (self->kept_count == served_kept) {
    served_look(self, &self->kept[0], self->kept_serials[0]);
    if (protoipc_link_give_back(self->link, self->kept[0].index, self->kept[0].generation) != 0) self->account.wrong++;
    self->kept_count--;
    memmove(self->kept, self->kept + 1, self->kept_count * sizeof self->kept[0]);
    memmove(self->kept_serials, self->kept_serials + 1, self->kept_count * sizeof self->kept_serials[0]);
  }
  self->kept[self->kept_count] = *record;
  self->kept_serials[self->kept_count++] = serial;
}

/* ---- What comes ---- */

static inline void served_take(served *self, const protoipc_record *record, uint32_t *publications) {
  uint8_t *body = self->buffer + record->offset;
  traffic_head head;
  self->account.received++;
  if (!traffic_read(body, record->bytes, (int)record->has_block, &head) || head.serial != self->serial + 1) {
    self->account.wrong++;
    if (record->has_block) served_keep(self, record, 0);
    return;
  }
  self->serial = head.serial;
  if (head.stamp_ns != 0) served_most(&self->account.latest_us, (traffic_now_ns() - head.stamp_ns) / 1000);
  if (record->has_block) served_keep(self, record, head.serial);
  if (head.what == TRAFFIC_PUBLISH) *publications += 1;
  if (head.what == TRAFFIC_NOTE) return;
  head.what = TRAFFIC_REPLY;
  if (record->has_block) head.bytes = 0;
  memcpy(body, &head, sizeof head);
  served_answer(self, body, (uint32_t)sizeof head + head.bytes);
}

static inline int served_receive(served *self, uint32_t *publications) {
  protoipc_record records[served_batch];
  if (served_is_blocked(self)) return 0;
  const uint64_t start = traffic_clock_ns(CLOCK_THREAD_CPUTIME_ID);
  const int count = protoipc_link_receive(self->link, self->buffer, self->buffer_bytes, records, served_batch);
  served_most(&self->account.longest_receive_us, (traffic_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / 1000);
  for (int i = 0; i < count; i++) served_take(self, &records[i], publications);
  return count < 0 ? count : 0;
}

static inline int served_service(served *self) {
  protoipc_link_stats before, after;
  protoipc_link_read_stats(self->link, &before);
  const uint64_t start = traffic_clock_ns(CLOCK_THREAD_CPUTIME_ID);
  const int found = protoipc_link_service(self->link);
  served_most(&self->account.longest_service_us, (traffic_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / 1000);
  protoipc_link_read_stats(self->link, &after);
  served_most(&self->account.most_messages, after.doorbells_received - before.doorbells_received);
  if (after.segments_mapped > self->segments) {
    self->segments = after.segments_mapped;
    served_note(&self->account);
  }
  if (found < 0) return found;
  if (found & PROTOIPC_ATTACHED) {
    self->attached = 1;
    self->buffer_bytes = 2 * protoipc_link_max_receive_bytes(self->link);
    self->buffer = malloc(self->buffer_bytes);
  }
  return !self->attached && (found & PROTOIPC_HUNG_UP) ? PROTOIPC_ECLOSED : 0;
}

/* Serves the link once. 0, or why it has ended; `publications` are asked for. */
static inline int served_step(served *self, uint32_t *publications) {
  int result = served_service(self);
  if (result == 0 && self->attached) result = served_receive(self, publications);
  if (result == 0 && self->attached) result = served_send(self);
  if (result == 0 && self->attached && (result = protoipc_link_flush(self->link)) > 0) result = 0;
  return result;
}

#endif
