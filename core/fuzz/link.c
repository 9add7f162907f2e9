/*
 * An attached link: records of every kind, blocks, give-backs, announcements, retirements and cursors are the input's,
 * and between them the calls of its user. Every payload that the user is told of is read to its last byte.
 */
#include "peer.h"

enum { most_operations = 512, most_kept = 8 };

typedef struct user {
  peer peer;
  uint64_t tail; /* of the peer's ring, as one that lies little has it */
  uint8_t *buffer;
  uint32_t buffer_bytes;
  protoipc_record kept[most_kept];
  uint32_t kept_count;
  protoipc_block block; /* of ours that was sent last */
  int is_lost;
} user;

static void note(user *self, int result) {
  peer_check(&self->peer, result);
  if (result < 0 && *protoipc_link_reason(self->peer.link) != 0) self->is_lost = 1;
}

static void read_all(const void *memory, uint64_t bytes) {
  const volatile uint8_t *at = memory;
  uint8_t sum = 0;
  for (uint64_t i = 0; i < bytes; i++) sum = (uint8_t)(sum + at[i]);
  (void)sum;
}

static void read_block(const user *self, const protoipc_record *record) {
  const void *data = NULL;
  MUST(protoipc_link_block_data(self->peer.link, record, &data) == 0);
  read_all(data, record->block_bytes);
}

static void receive(user *self) {
  protoipc_record records[4];
  const int count = protoipc_link_receive(self->peer.link, self->buffer, self->buffer_bytes, records, 4);
  note(self, count);
  for (int i = 0; i < count; i++) {
    MUST(records[i].offset <= self->buffer_bytes && records[i].bytes <= self->buffer_bytes - records[i].offset);
    MUST(records[i].bytes <= protoipc_link_max_receive_bytes(self->peer.link));
    read_all(self->buffer + records[i].offset, records[i].bytes);
    if (!records[i].has_block) continue;
    read_block(self, &records[i]);
    if (self->kept_count < most_kept) self->kept[self->kept_count++] = records[i];
  }
}

static void give_back(user *self, uint8_t which) {
  if (self->kept_count == 0) return;
  protoipc_record *record = &self->kept[which % self->kept_count];
  read_block(self, record);
  MUST(protoipc_link_give_back(self->peer.link, record->index, record->generation) == 0);
  *record = self->kept[--self->kept_count];
}

/* Lays bytes where the next record of the peer would stand. */
static void lay(user *self, const void *header, const void *body, uint32_t bytes) {
  uint8_t *ring = (uint8_t *)self->peer.own + SHM_RING_OFFSET;
  memcpy(ring + self->tail % peer_ring_bytes, header, sizeof(shm_record_header));
  for (uint32_t i = 0; i < bytes; i++)
    ring[(self->tail + sizeof(shm_record_header) + i) % peer_ring_bytes] = ((const uint8_t *)body)[i];
  self->tail += sizeof(shm_record_header) + (bytes + 7) / 8 * 8;
}

static void put_record(user *self, fuzz_input *input) {
  static uint8_t body[1024];
  const uint8_t kind = fuzz_take8(input);
  const uint32_t given = fuzz_take8(input) % 64;
  shm_record_header header = {.kind = 1 + kind % 5, .bytes = given + (kind >= 0xe0 ? fuzz_take16(input) % 900 : 0)};
  fuzz_take(input, body, given); /* the rest is as it was */
  if (header.kind == SHM_PAD) header.bytes = (uint32_t)fuzz_take_near(input, peer_ring_bytes - self->tail % peer_ring_bytes - 8);
  if (header.kind == SHM_FRAME_WITH_BLOCK) header.pad = fuzz_take8(input) % 9;
  lay(self, &header, body, header.kind == SHM_PAD ? 0 : header.bytes);
}

static void put_block(user *self, fuzz_input *input) {
  const shm_block_name name = {.index = fuzz_take8(input) % 4,
                               .generation = fuzz_take8(input) % 3,
                               .segment = fuzz_take8(input) % 4,
                               .offset = fuzz_take_near(input, peer_arena_bytes),
                               .bytes = fuzz_take_near(input, 64)};
  const shm_record_header header = {.kind = SHM_FRAME_WITH_BLOCK, .bytes = sizeof name};
  lay(self, &header, &name, sizeof name);
}

static void put_give_back(user *self, fuzz_input *input) {
  shm_give_back name = {.index = self->block.index, .generation = self->block.generation};
  const uint8_t how = fuzz_take8(input);
  if (how % 4 == 0) name.index = (uint32_t)fuzz_take_near(input, name.index);
  if (how % 4 == 1) name.generation = (uint32_t)fuzz_take_near(input, name.generation);
  const shm_record_header header = {.kind = SHM_GIVE_BACK, .bytes = sizeof name};
  lay(self, &header, &name, sizeof name);
}

static void announce(user *self, fuzz_input *input) {
  const uint8_t how = fuzz_take8(input);
  const shm_announce message = {
      .type = SHM_MSG_SEGMENT, .segment = how % 5, .bytes = how % 7 == 0 ? fuzz_take_near(input, peer_arena_bytes) : peer_arena_bytes};
  peer_send(&self->peer, &message, sizeof message, how % 11 == 0 ? fuzz_take8(input) : (uint8_t)(3 + how / 128));
}

static void send_block(user *self, fuzz_input *input) {
  protoipc_arena *arena = peer_have_files()->arena;
  protoipc_window window;
  protoipc_block block;
  const uint32_t head_bytes = fuzz_take8(input) % 64;
  const uint64_t bytes = 1 + fuzz_take16(input) % 9000;
  if (protoipc_arena_allocate(arena, bytes, &block) != 0) return;
  int result = protoipc_link_reserve(self->peer.link, head_bytes + PROTOIPC_BLOCK_ROOM, &window);
  note(self, result);
  if (result == 0) {
    result = protoipc_link_commit_block(self->peer.link, head_bytes, &block, 0, bytes);
    note(self, result);
    if (result == 0) self->block = block;
  }
  MUST(protoipc_arena_release(arena, &block) == 0);
}

/* What the peer does. */
static void attack(user *self, fuzz_input *input) {
  switch (fuzz_take8(input) % 9) {
    case 0:
      put_record(self, input);
      break;
    case 1:
    case 2:
      put_block(self, input);
      break;
    case 3:
      put_give_back(self, input);
      break;
    case 4:
      announce(self, input);
      break;
    case 5: {
      const shm_announce message = {.type = SHM_MSG_RETIRE, .segment = fuzz_take8(input) % 5};
      peer_send(&self->peer, &message, sizeof message, 0);
      break;
    }
    case 6:
      atomic_store(&self->peer.own->reader.head, fuzz_take_near(input, self->peer.link->writer.tail));
      break;
    case 7:
      atomic_store(&self->peer.own->sleeper.sleep, fuzz_take32(input));
      atomic_store(&self->peer.own->sleeper.space_wanted, fuzz_take_near(input, 0));
      break;
    default:
      if (fuzz_take8(input) == 0) shutdown(self->peer.fd, SHUT_WR);
      break;
  }
  const uint8_t lie = fuzz_take8(input);
  atomic_store(&self->peer.own->writer.tail, lie == 0 ? fuzz_take_near(input, self->tail) : self->tail);
}

/* What the library's user does. */
static void use(user *self, fuzz_input *input) {
  protoipc_link *link = self->peer.link;
  switch (fuzz_take8(input) % 8) {
    case 0:
    case 1:
      receive(self);
      break;
    case 2:
      note(self, protoipc_link_service(link));
      break;
    case 3:
      give_back(self, fuzz_take8(input));
      break;
    case 4:
      note(self, protoipc_link_flush(link));
      break;
    case 5:
      note(self, protoipc_link_send(link, self->buffer, fuzz_take16(input) % 600));
      break;
    case 6:
      send_block(self, input);
      break;
    default:
      if (protoipc_link_sleep(link) == 0) protoipc_link_wake(link);
      note(self, protoipc_link_wait(link, 0, 0));
      break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  fuzz_input input = {data, bytes};
  user self = {.peer = peer_open(fuzz_take8(&input))};
  peer_attach(&self.peer);
  self.buffer_bytes = 2 * protoipc_link_max_receive_bytes(self.peer.link);
  self.buffer = calloc(1, self.buffer_bytes);
  for (int i = 0; i < most_operations && input.left > 0 && !self.is_lost; i++) {
    attack(&self, &input);
    use(&self, &input);
  }
  /* What is held can be read to the end, also where the link was lost. */
  while (self.kept_count > 0) give_back(&self, 0);
  free(self.buffer);
  peer_close(&self.peer);
  return 0;
}
