/* What one process must not get from another: the handles of its parent, links of other users, more than there is. */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/stat.h>

#include "processes.h"

static uint8_t buffer[1 << 16];

/* ---- Forks ---- */

static void use_as_child(peers *both, const protoipc_block *block) {
  protoipc_window window;
  protoipc_record record = {.has_block = 1};
  protoipc_link *other;
  protoipc_link *link = both->dialled;
  protoipc_link_stats stats = {.records_sent = 77};
  const uint32_t length = 1;
  const void *data;
  void *own = buffer;
  uint64_t own_bytes = 1;
  CHECK_EQUAL(protoipc_link_service(link), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_fd(link), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_death_fd(link), -1);
  CHECK_EQUAL(protoipc_link_reserve(link, 1, &window), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_commit(link, &length, 1), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_commit_block(link, 0, block, 0, 1), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_send(link, "x", 1), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_flush(link), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_receive(link, buffer, sizeof buffer, &record, 1), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_block_data(link, &record, &data), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_give_back(link, 0, 1), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_has_news(link), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_spin(link, 1), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_sleep(link), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_wait(link, 0, 1), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_linger(link), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_link_max_record_bytes(link), 0);
  CHECK_EQUAL(protoipc_link_max_receive_bytes(link), 0);
  CHECK_TEXT(protoipc_link_reason(link), "parent process");
  protoipc_link_wake(link);
  protoipc_link_shutdown(link);
  protoipc_link_read_stats(link, &stats);
  CHECK_EQUAL(stats.records_sent, 77);
  protoipc_link_own_segment(link, &own, &own_bytes);
  CHECK(own == NULL && own_bytes == 0);
  CHECK_EQUAL(protoipc_accept(both->listener, NULL, &other), PROTOIPC_EFORKED);
  CHECK_EQUAL(protoipc_listener_fd(both->listener), PROTOIPC_EFORKED);
  /* Something of the child's own, perhaps where the parent has a segment, must outlive the closing. */
  int fd;
  void *mine;
  CHECK_EQUAL(platform_segment_create(1 << 20, &fd, &mine), 0);
  protoipc_link_close(both->dialled);
  protoipc_link_close(both->accepted);
  protoipc_arena_close(both->arena);
  protoipc_listener_close(both->listener);
  memset(mine, 1, 1 << 20);
  /* And the child can have links of its own. */
  unlink(peers_path);
  peers own_links = peers_open(NULL, NULL);
  CHECK_EQUAL(protoipc_link_send(own_links.dialled, "x", 1), 0);
  peers_close(&own_links);
}

static void test_a_child_has_no_use_of_its_parents_handles(void) {
  peers both = peers_open(NULL, NULL);
  protoipc_block block = new_block(both.arena, 1000, 1);
  protoipc_record record;
  CHECK_EQUAL(send_block(both.dialled, 0, &block, 0, 1000), 0);
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    use_as_child(&both, &block);
    exit(0);
  }
  CHECK_EQUAL(test_wait(child), 0);
  /* The parent's links are as they were. */
  CHECK_EQUAL(protoipc_link_receive(both.accepted, buffer, sizeof buffer, &record, 1), 1);
  CHECK_EQUAL(record.has_block, 1);
  CHECK_EQUAL(protoipc_link_service(both.accepted), 0);
  CHECK_EQUAL(protoipc_link_service(both.dialled), 0);
  CHECK_EQUAL(protoipc_link_send(both.accepted, "x", 1), 0);
  CHECK_EQUAL(protoipc_link_receive(both.dialled, buffer, sizeof buffer, &record, 1), 1);
  /* A close of ours is seen by the peer although a child still has the socket. */
  const pid_t keeper = fork();
  if (keeper == 0) {
    alarm(100); /* which the parent's does not hand down */
    for (;;) pause();
  }
  protoipc_link_close(both.dialled);
  both.dialled = NULL;
  await_hang_up(both.accepted);
  CHECK(kill(keeper, SIGKILL) == 0);
  CHECK_EQUAL(test_wait(keeper), 128 + SIGKILL);
  peers_close(&both);
}

/* ---- Users ---- */

static void await_refusal(const char *part) {
  protoipc_link *link;
  CHECK(setgid(65534) == 0 && setuid(65534) == 0);
  CHECK_EQUAL(protoipc_dial(peers_path, &(protoipc_options){.any_uid = 1}, NULL, &link), 0);
  int found = 0;
  for (int i = 0; i < 5000 && found == 0; i++) {
    found = protoipc_link_service(link);
    usleep(1000);
  }
  CHECK_EQUAL(found, PROTOIPC_EDENIED);
  CHECK_TEXT(protoipc_link_reason(link), part);
  protoipc_link_close(link);
}

static void test_other_users_are_refused(void) {
  if (geteuid() != 0) {
    fprintf(stderr, "test_other_users_are_refused needs root: not run\n");
    return;
  }
  protoipc_link *link = NULL;
  protoipc_listener *listener = peers_listen(NULL);
  CHECK(chmod(peers_directory, 0755) == 0 && chmod(peers_path, 0777) == 0);
  pid_t child = fork();
  if (child == 0) {
    await_refusal("takes no links from user 65534");
    exit(0);
  }
  struct pollfd entry = {.fd = protoipc_listener_fd(listener), .events = POLLIN};
  CHECK(poll(&entry, 1, 10000) == 1);
  const int descriptors = peers_count_descriptors();
  CHECK_EQUAL(protoipc_accept(listener, NULL, &link), PROTOIPC_EDENIED);
  CHECK_EQUAL(peers_count_descriptors(), descriptors);
  CHECK_EQUAL(peers_count_maps(), 0);
  CHECK_EQUAL(test_wait(child), 0);
  protoipc_listener_close(listener);
  unlink(peers_path);

  /* Whom we would dial is looked at as well; and with any_uid nobody is. */
  for (uint32_t any = 0; any < 2; any++) {
    listener = peers_listen(&(protoipc_options){.any_uid = any});
    CHECK(chmod(peers_path, 0777) == 0);
    child = fork();
    if (child == 0) {
      CHECK(setgid(65534) == 0 && setuid(65534) == 0);
      const int result = protoipc_dial(peers_path, &(protoipc_options){.any_uid = any}, NULL, &link);
      CHECK_EQUAL(result, any ? 0 : PROTOIPC_EDENIED);
      protoipc_link_close(link);
      exit(0);
    }
    CHECK_EQUAL(test_wait(child), 0);
    CHECK_EQUAL(protoipc_accept(listener, NULL, &link), any ? 0 : PROTOIPC_EDENIED);
    if (any) {
      protoipc_peer peer;
      protoipc_link_peer(link, &peer);
      CHECK_EQUAL(peer.uid, 65534);
      CHECK_EQUAL(peer.pid, child);
      protoipc_link_close(link);
    }
    protoipc_listener_close(listener);
    unlink(peers_path);
  }
}

/* ---- Descriptors ---- */

static void test_no_descriptor_for_a_link(void) {
  protoipc_listener *listener = peers_listen(NULL);
  protoipc_link *links[4] = {NULL};
  struct rlimit limit, low;
  for (int i = 0; i < 4; i++) CHECK_EQUAL(protoipc_dial(peers_path, NULL, NULL, &links[i]), 0);
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const int next = dup(0);
  close(next);
  /* With none left, with one that is enough for the socket alone, and with two: but a link needs three for a moment. */
  for (int spare = 0; spare < 3; spare++) {
    protoipc_link *accepted = NULL;
    low = limit;
    low.rlim_cur = (rlim_t)(next + spare);
    CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    CHECK_EQUAL(protoipc_accept(listener, NULL, &accepted), PROTOIPC_EDESCRIPTORS);
    CHECK_EQUAL(protoipc_link_service(links[spare]), PROTOIPC_EDESCRIPTORS);
    CHECK_TEXT(protoipc_link_reason(links[spare]), "try again later");
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    const int again = dup(0);
    close(again);
    CHECK_EQUAL(again, next); /* nothing was kept */
  }
  protoipc_link *accepted = NULL;
  CHECK_EQUAL(protoipc_accept(listener, NULL, &accepted), 0);
  low.rlim_cur = (rlim_t)next;
  CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
  CHECK_EQUAL(protoipc_accept(listener, NULL, &accepted), PROTOIPC_EAGAIN); /* there is none to refuse */
  CHECK_EQUAL(protoipc_dial(peers_path, NULL, NULL, &links[0]), PROTOIPC_EDESCRIPTORS);
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  for (int i = 0; i < 4; i++) protoipc_link_close(links[i]);
  protoipc_link_close(accepted);
  protoipc_listener_close(listener);
}

TEST_MAIN(TEST(test_a_child_has_no_use_of_its_parents_handles), TEST(test_other_users_are_refused),
          TEST(test_no_descriptor_for_a_link))
