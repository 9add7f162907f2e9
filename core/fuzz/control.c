/*
 * A link from its first message on: the header of the peer's segment, and messages of any length and kind with any
 * descriptors, are the input's. Whatever comes, the link attaches, or ends with a reason, and leaves nothing open.
 */
#include "peer.h"

enum { most_messages = 64, largest_message = 160 };

static void spoil_header(shm_segment *own, fuzz_input *input) {
  uint8_t *header = (uint8_t *)&own->header;
  uint64_t *sizes[] = {&own->header.segment_bytes, &own->header.ring_offset, &own->header.ring_bytes};
  const uint8_t which = fuzz_take8(input) % 16;
  if (which < 3) *sizes[which] = fuzz_take_near(input, *sizes[which]);
  for (uint8_t count = fuzz_take8(input) % 4; count > 0; count--) {
    const uint8_t at = fuzz_take8(input) % sizeof own->header;
    header[at] = fuzz_take8(input);
  }
}

/* A message as it should be, of which some bytes are changed. */
static void send_spoilt(peer *self, fuzz_input *input) {
  uint8_t message[largest_message];
  uint8_t kind = fuzz_take8(input);
  size_t bytes = 16;
  memset(message, 0, sizeof message);
  message[0] = (uint8_t)(1 + kind % 5);
  if (message[0] == SHM_MSG_DOORBELL) bytes = 1;
  if (message[0] == SHM_MSG_ATTACH) {
    const shm_attach attach = segment_attach_message(peer_bytes);
    memcpy(message, &attach, bytes = sizeof attach);
  }
  if (message[0] == SHM_MSG_SEGMENT) {
    const shm_announce announce = {.type = SHM_MSG_SEGMENT, .segment = fuzz_take8(input) % 4, .bytes = peer_arena_bytes};
    memcpy(message, &announce, sizeof announce);
  }
  for (uint8_t count = fuzz_take8(input) % 4; count > 0; count--) {
    const uint8_t at = fuzz_take8(input) % largest_message;
    message[at] = fuzz_take8(input);
  }
  if (kind >= 0xc0) bytes = fuzz_take8(input) % (largest_message + 1);
  peer_send(self, message, bytes, fuzz_take8(input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  fuzz_input input = {data, bytes};
  peer self = peer_open(fuzz_take8(&input));
  spoil_header(self.own, &input);
  int found = 0;
  for (int i = 0; i < most_messages && input.left > 0 && found >= 0; i++) {
    send_spoilt(&self, &input);
    if (fuzz_take8(&input) % 4 == 0) continue;
    found = protoipc_link_service(self.link);
    peer_check(&self, found);
  }
  if (found >= 0) (void)protoipc_link_linger(self.link);
  peer_close(&self);
  return 0;
}
