/*
 * A peer that breaks rules on the control socket: each breach is met with an error that names what is wrong, and nothing
 * of what the peer sent is kept.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "peers.h"

/* ---- Attaching ---- */

static void attach_fails(const shm_attach *message, size_t bytes, int code, const char *part, uint32_t why) {
  raw_peer raw = open_raw(NULL);
  raw_send(&raw, message, bytes, raw.segment_fd);
  check_fails(&raw, code, part);
  CHECK_EQUAL(raw_rejected_why(&raw), why);
  check_nothing_is_left(&raw);
}

static void test_attach_message(void) {
  const raw_peer sizes = {.bytes = SHM_RING_OFFSET + RAW_RING_BYTES};
  const shm_attach good = raw_attach_message(&sizes);
  union {
    shm_attach message;
    uint8_t bytes[100];
  } bad = {.message = good};
  bad.message.layout_version = 2;
  attach_fails(&bad.message, 64, PROTOIPC_EVERSION, "layout version 2; we speak version 1", SHM_REJECT_VERSION);
  attach_fails(&bad.message, 100, PROTOIPC_EVERSION, "layout version 2; we speak version 1", SHM_REJECT_VERSION);
  bad.message = good;
  bad.message.features = 4;
  attach_fails(&bad.message, 64, PROTOIPC_EVERSION, "features 0x4", SHM_REJECT_VERSION);
  bad.message = good;
  bad.message.magic++;
  attach_fails(&bad.message, 64, PROTOIPC_EPROTOCOL, "magic number", SHM_REJECT_SEGMENT);
  bad.message = good;
  bad.message.segment_bytes += 4096;
  attach_fails(&bad.message, 64, PROTOIPC_EPROTOCOL, "says 12288 bytes; the segment has 8192", SHM_REJECT_SEGMENT);
  bad.message = good;
  bad.message.reserved1 = 1;
  attach_fails(&bad.message, 64, PROTOIPC_EPROTOCOL, "reserved bytes are not all zero", SHM_REJECT_SEGMENT);
  bad.message = good;
  bad.message.reserved[31] = 1;
  attach_fails(&bad.message, 64, PROTOIPC_EPROTOCOL, "reserved bytes are not all zero", SHM_REJECT_SEGMENT);
  bad.message = good;
  bad.message.reserved0[2] = 1;
  attach_fails(&bad.message, 64, PROTOIPC_EPROTOCOL, "reserved bytes are not all zero", SHM_REJECT_SEGMENT);
  attach_fails(&good, 63, PROTOIPC_EPROTOCOL, "attach message has 63 bytes instead of 64", 0);
  attach_fails(&good, 1, PROTOIPC_EPROTOCOL, "attach message has 1 bytes instead of 64", 0);
}

static void test_header(void) {
  const struct {
    size_t offset;
    uint64_t value;
    int code;
    const char *part;
  } cases[] = {
      {0, 1, PROTOIPC_EPROTOCOL, "the peer's segment begins with the magic number"},
      {8, 3, PROTOIPC_EVERSION, "layout version 3; we speak version 1"},
      {8, UINT64_C(0x100000001), PROTOIPC_EVERSION, "features 0x1"},
      {16, 4096, PROTOIPC_EPROTOCOL, "says 4096 bytes; it has 8192"},
      {24, 0, PROTOIPC_EPROTOCOL, "ring begins at 0 instead of 4096"},
      {24, UINT64_MAX, PROTOIPC_EPROTOCOL, "ring begins at"},
      {32, 0, PROTOIPC_EPROTOCOL, "ring has 0 bytes"},
      {32, 4104, PROTOIPC_EPROTOCOL, "4104 bytes, which is no power of two"},
      {32, 8192, PROTOIPC_EPROTOCOL, "ring of 8192 bytes at 4096 is not its segment of 8192"},
      {32, UINT64_C(1) << 63, PROTOIPC_EPROTOCOL, "4096 to 67108864 are accepted"},
      {120, 1, PROTOIPC_EPROTOCOL, "reserved bytes of the header"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    raw_peer raw = open_raw(NULL);
    const shm_attach message = raw_attach_message(&raw);
    memcpy((uint8_t *)&raw.own->header + cases[i].offset, &cases[i].value, sizeof cases[i].value);
    raw_send(&raw, &message, sizeof message, raw.segment_fd);
    check_fails(&raw, cases[i].code, cases[i].part);
    CHECK_EQUAL(raw_rejected_why(&raw), cases[i].code == PROTOIPC_EVERSION ? SHM_REJECT_VERSION : SHM_REJECT_SEGMENT);
    check_nothing_is_left(&raw);
  }
}

static void test_segment_without_seals(void) {
  raw_peer raw = open_raw(NULL);
  const shm_attach message = raw_attach_message(&raw);
  const int fd = memfd_create("protoipc", MFD_ALLOW_SEALING);
  CHECK(ftruncate(fd, (off_t)raw.bytes) == 0 && pwrite(fd, raw.own, 4096, 0) == 4096);
  raw_send(&raw, &message, sizeof message, fd);
  close(fd);
  check_fails(&raw, PROTOIPC_EPROTOCOL, "lacks the seal F_SEAL_SHRINK");
  CHECK_EQUAL(raw_rejected_why(&raw), SHM_REJECT_SEGMENT);
  check_nothing_is_left(&raw);
}

static void test_segment_too_small(void) {
  raw_peer raw = open_raw(NULL);
  shm_attach message = raw_attach_message(&raw);
  int fd;
  void *data;
  CHECK_EQUAL(platform_segment_create(4096, &fd, &data), 0);
  message.segment_bytes = 4096;
  raw_send(&raw, &message, sizeof message, fd);
  platform_unmap(data, 4096);
  close(fd);
  check_fails(&raw, PROTOIPC_EPROTOCOL, "4096 bytes; it needs at least 8192");
  check_nothing_is_left(&raw);
}

static void test_rejections(void) {
  const struct {
    uint32_t why;
    int code;
    const char *part;
  } cases[] = {
      {SHM_REJECT_VERSION, PROTOIPC_EVERSION, "versions 7 to 9; we speak version 1"},
      {SHM_REJECT_DENIED, PROTOIPC_EDENIED, "takes no links from user"},
      {SHM_REJECT_BUSY, PROTOIPC_EDESCRIPTORS, "try again later"},
      {SHM_REJECT_SEGMENT, PROTOIPC_EPROTOCOL, "refused our segment"},
      {77, PROTOIPC_EPROTOCOL, "unknown reason 77"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (int attached = 0; attached < 2; attached++) {
      raw_peer raw = open_raw(NULL);
      const shm_reject message = {
          .type = SHM_MSG_REJECT, .why = cases[i].why, .min_layout_version = 7, .max_layout_version = 9};
      if (attached) raw_attach(&raw);
      raw_send(&raw, &message, sizeof message, -1);
      platform_close(raw.fd); /* that it has gone does not hide why */
      raw.fd = -1;
      check_fails(&raw, cases[i].code, cases[i].part);
      check_nothing_is_left(&raw);
    }
}

/* ---- The control socket ---- */

static void control_fails(int attached, const void *message, size_t bytes, int with_descriptor, const char *part) {
  raw_peer raw = open_raw(NULL);
  if (attached) raw_attach(&raw);
  raw_send(&raw, message, bytes, with_descriptor ? raw.segment_fd : -1);
  check_fails(&raw, PROTOIPC_EPROTOCOL, part);
  check_nothing_is_left(&raw);
}

static void test_control_messages(void) {
  const raw_peer sizes = {.bytes = SHM_RING_OFFSET + RAW_RING_BYTES};
  const shm_attach attach = raw_attach_message(&sizes);
  const shm_announce announce = {.type = SHM_MSG_SEGMENT, .bytes = sizes.bytes};
  const shm_announce retire = {.type = SHM_MSG_RETIRE};
  const shm_announce sized = {.type = SHM_MSG_RETIRE, .bytes = 8192};
  const shm_announce dirty = {.type = SHM_MSG_SEGMENT, .reserved0 = {1}, .bytes = sizes.bytes};
  uint8_t bytes[4096] = {SHM_MSG_DOORBELL};
  control_fails(1, &attach, sizeof attach, 1, "second attach message");
  control_fails(0, bytes, 1, 0, "doorbell came before its attach message");
  control_fails(0, &announce, sizeof announce, 1, "announcement of a segment came before its attach message");
  control_fails(0, &attach, sizeof attach, 0, "attach message came without a descriptor");
  control_fails(1, &announce, sizeof announce, 0, "announcement of a segment came without a descriptor");
  control_fails(1, &announce, 15, 1, "announcement of a segment has 15 bytes instead of 16");
  control_fails(1, &dirty, sizeof dirty, 1, "reserved bytes");
  control_fails(1, bytes, 2, 0, "doorbell has 2 bytes instead of 1");
  control_fails(1, bytes, 1, 1, "doorbell came with a descriptor");
  control_fails(1, bytes, 0, 0, "a control message is empty");
  control_fails(1, bytes, 0, 1, "a control message is empty");
  control_fails(1, bytes, 129, 0, "more than 128 bytes");
  control_fails(1, bytes, 4096, 1, "more than 128 bytes");
  control_fails(1, &retire, sizeof retire, 0, "retired segment 0, which it has not announced");
  control_fails(1, &retire, sizeof retire, 1, "retirement of a segment came with a descriptor");
  control_fails(1, &sized, sizeof sized, 0, "says 8192 bytes instead of 0");
  for (int type = 0; type < 256; type = type == 0 ? 6 : type + 83) {
    bytes[0] = (uint8_t)type;
    control_fails(1, bytes, 1, 0, "unknown type");
    control_fails(0, bytes, 64, 1, "unknown type");
  }
}

/* More descriptors than belong there, up to what the kernel allows in one message. */
static void test_descriptor_flood(void) {
  for (int count = 2; count <= 253; count = count < 4 ? count + 1 : count + 249) {
    union {
      struct cmsghdr header;
      char room[CMSG_SPACE(253 * sizeof(int))];
    } control;
    raw_peer raw = open_raw(NULL);
    shm_attach message = raw_attach_message(&raw);
    struct iovec part = {&message, sizeof message};
    struct msghdr envelope = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    memset(&control, 0, sizeof control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    for (int i = 0; i < count; i++)
      memcpy(CMSG_DATA(&control.header) + (size_t)i * sizeof(int), &raw.segment_fd, sizeof(int));
    CHECK(sendmsg(raw.fd, &envelope, 0) == sizeof message);
    check_fails(&raw, PROTOIPC_EPROTOCOL, "more than one descriptor came with a control message of type 2");
    check_nothing_is_left(&raw);
  }
}

/* Our own table is full: that is no fault of the peer's, and the link ends all the same. */
static void test_no_descriptor_left_for_the_peers(void) {
  struct rlimit limit, low;
  raw_peer raw = open_raw(NULL);
  const shm_attach message = raw_attach_message(&raw);
  raw_send(&raw, &message, sizeof message, raw.segment_fd);
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const int next = dup(0);
  close(next);
  low = limit;
  low.rlim_cur = (rlim_t)next;
  CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
  check_fails(&raw, PROTOIPC_EDESCRIPTORS, "no descriptor is left here");
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  check_nothing_is_left(&raw);
}

/* Doorbells without end neither keep us busy for long nor hide the end. */
static void test_doorbell_flood(void) {
  raw_peer raw = open_raw(NULL);
  const uint8_t doorbell = SHM_MSG_DOORBELL;
  raw_attach(&raw);
  int sent = 0;
  while (platform_send(raw.fd, &doorbell, 1, -1) == 0) sent++;
  for (int i = 0; i < sent; i++) CHECK_EQUAL(protoipc_link_service(raw.victim), PROTOIPC_RUNG);
  CHECK_EQUAL(protoipc_link_service(raw.victim), 0);
  while (platform_send(raw.fd, &doorbell, 1, -1) == 0) continue;
  platform_close(raw.fd);
  raw.fd = -1;
  int found = 0;
  for (int i = 0; i < sent + 2 && (found & PROTOIPC_HUNG_UP) == 0; i++) found = protoipc_link_service(raw.victim);
  CHECK_EQUAL(found & PROTOIPC_HUNG_UP, PROTOIPC_HUNG_UP);
  check_nothing_is_left(&raw);
}

TEST_MAIN(TEST(test_attach_message), TEST(test_header), TEST(test_segment_without_seals),
          TEST(test_segment_too_small), TEST(test_rejections), TEST(test_control_messages),
          TEST(test_descriptor_flood), TEST(test_no_descriptor_left_for_the_peers), TEST(test_doorbell_flood))
