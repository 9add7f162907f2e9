/* The control socket: what may come on it, and when. */
#include <inttypes.h>
#include <string.h>

#include "link.h"
#include "weaken.h"

/* A message as it came. Whoever takes the descriptor leaves -1. */
typedef struct control_message {
  union {
    uint8_t type;
    shm_attach attach;
    shm_announce announce;
    shm_reject reject;
    uint8_t bytes[128]; /* more than any message has, so that a longer one is known by its size */
  } body;
  int bytes;
  int passed; /* a descriptor, or -1 */
} control_message;

typedef struct control_kind {
  const char *name;
  int bytes;
  int descriptors;
} control_kind;

static const control_kind control_kinds[] = {
    [SHM_MSG_DOORBELL] = {"doorbell", 1, 0},
    [SHM_MSG_ATTACH] = {"attach message", sizeof(shm_attach), 1},
    [SHM_MSG_SEGMENT] = {"announcement of a segment", sizeof(shm_announce), 1},
    [SHM_MSG_RETIRE] = {"retirement of a segment", sizeof(shm_announce), 0},
    [SHM_MSG_REJECT] = {"rejection", sizeof(shm_reject), 0},
};

/* Another layout version may have longer messages, but says so in the same place. */
static int control_is_other_version(const control_message *message) {
  const shm_attach *attach = &message->body.attach;
  return message->body.type == SHM_MSG_ATTACH && message->bytes >= 16 && attach->magic == SHM_MAGIC &&
         attach->layout_version != SHM_LAYOUT_VERSION;
}

static int control_check_shape(protoipc_link *link, const control_message *message) {
  const uint8_t type = message->body.type;
  if (message->bytes == 0) return link_fail(link, PROTOIPC_EPROTOCOL, "a control message is empty");
  if (type < SHM_MSG_DOORBELL || type > SHM_MSG_REJECT)
    return link_fail(link, PROTOIPC_EPROTOCOL,
                     "a control message is of the unknown type %u; layout version %u has 1 to %d",
                     type, SHM_LAYOUT_VERSION, SHM_MSG_REJECT);
  const control_kind *kind = &control_kinds[type];
  if (!link->attached && control_is_other_version(message)) return 0;
  if (message->bytes != kind->bytes && !SHM_WEAKENED(MESSAGE_SIZE))
    return link_fail(link, PROTOIPC_EPROTOCOL, "the peer's %s has %d bytes instead of %d", kind->name, message->bytes,
                     kind->bytes);
  if ((message->passed >= 0) != kind->descriptors && !SHM_WEAKENED(STRAY_DESCRIPTOR))
    return link_fail(link, PROTOIPC_EPROTOCOL, "the peer's %s came %s descriptor", kind->name,
                     kind->descriptors ? "without a" : "with a");
  if (!link->attached && type != SHM_MSG_ATTACH && type != SHM_MSG_REJECT)
    return link_fail(link, PROTOIPC_EPROTOCOL, "the peer's %s came before its attach message", kind->name);
  if (link->attached && type == SHM_MSG_ATTACH && !SHM_WEAKENED(SECOND_ATTACH))
    return link_fail(link, PROTOIPC_EPROTOCOL, "the peer sent a second attach message");
  return 0;
}

static int control_rejected(protoipc_link *link, const shm_reject *message) {
  switch (message->why) {
    case SHM_REJECT_VERSION:
      return link_fail(link, PROTOIPC_EVERSION, "the peer speaks the layout versions %" PRIu32 " to %" PRIu32
                       "; we speak version %u", message->min_layout_version, message->max_layout_version,
                       SHM_LAYOUT_VERSION);
    case SHM_REJECT_DENIED:
      return link_fail(link, PROTOIPC_EDENIED, "the peer takes no links from user %" PRIu32, platform_effective_uid());
    case SHM_REJECT_BUSY:
      return link_fail(link, PROTOIPC_EDESCRIPTORS,
                       "the peer has no descriptor or memory left for a link; try again later");
    case SHM_REJECT_SEGMENT:
      return link_fail(link, PROTOIPC_EPROTOCOL, "the peer refused our segment with a ring of %" PRIu32
                       " bytes; its limit may be lower", link->options.ring_bytes);
    default:
      return link_fail(link, PROTOIPC_EPROTOCOL,
                       "the peer rejected the link for the unknown reason %" PRIu32, message->why);
  }
}

static int control_is_zero(const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (bytes[i] != 0) return 0;
  return 1;
}

static int control_handle(protoipc_link *link, const control_message *message) {
  const int result = control_check_shape(link, message);
  if (result != 0) return result;
  switch (message->body.type) {
    case SHM_MSG_DOORBELL:
      link->doorbells_received++;
      link->found |= PROTOIPC_RUNG;
      return 0;
    case SHM_MSG_ATTACH:
      return link_attach(link, &message->body.attach, message->passed);
    default:
      break;
  }
  if (!control_is_zero(message->body.bytes + 1, 3))
    return link_fail(link, PROTOIPC_EPROTOCOL, "the reserved bytes of the peer's %s are not zero",
                     control_kinds[message->body.type].name);
  if (message->body.type == SHM_MSG_REJECT) return control_rejected(link, &message->body.reject);
  if (message->body.type == SHM_MSG_RETIRE) return link_retired(link, &message->body.announce);
  return link_announced(link, &message->body.announce, message->passed);
}

int link_take_message(protoipc_link *link) {
  control_message message;
  if (link->ended) return 0;
  int was_cut = 0, too_many = 0;
  memset(&message.body, 0, sizeof message.body);
  message.bytes = platform_receive(link->fd, &message.body, sizeof message.body, &message.passed, &was_cut, &too_many);
  if (message.bytes == PROTOIPC_EAGAIN) return 0;
  if (message.bytes == PROTOIPC_ECLOSED) {
    link->ended = 1;
    return 0;
  }
  if (message.bytes == PROTOIPC_EDESCRIPTORS)
    return link_fail(link, PROTOIPC_EDESCRIPTORS, "no descriptor is left here to take the peer's");
  if (message.bytes < 0) return link_fail(link, message.bytes, "the control socket cannot be read");
  int result = 0;
  if (too_many)
    result = link_fail(link, PROTOIPC_EPROTOCOL, "more than one descriptor came with a control message of type %u",
                       message.body.type);
  else if (was_cut)
    result = link_fail(link, PROTOIPC_EPROTOCOL, "a control message has more than %zu bytes", sizeof message.body);
  else
    result = control_handle(link, &message);
  if (!SHM_WEAKENED(STRAY_DESCRIPTOR)) platform_close(message.passed);
  link->unchecked++;
  return result != 0 ? result : 1;
}

enum { link_messages_per_service = 16 };

int link_service(protoipc_link *link) {
  const uint64_t rung = link->doorbells_received;
  int taken = 0;
  /* One doorbell is what mostly stands there: more is not looked for behind it, the descriptor stays readable. */
  for (int i = 0;
       SHM_WEAKENED(SERVICE_BOUND) || (i < link_messages_per_service && link->doorbells_received == rung); i++) {
    const int result = link_take_message(link);
    if (result < 0) return result;
    if (result == 0) break;
    taken = 1;
  }
  /* While messages come, the process is seldom looked at; but others can have the socket, and send without end. */
  if (!taken || link->unchecked >= link_messages_per_service) link_look_at_process(link);
  return 0;
}

int protoipc_link_service(protoipc_link *link) {
  int result = link_check(link);
  if (result != 0) return result;
  result = link_service(link);
  if (result != 0) return result;
  const uint32_t found = link->found | (link_is_hung_up(link) ? PROTOIPC_HUNG_UP : 0);
  link->found = 0;
  return (int)found;
}
