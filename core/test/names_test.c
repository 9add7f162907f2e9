/* Names on disk: hashes, entries, claims by many processes, and what hostile directories hold. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "../include/protoipc.h"
#include "../src/names.h"
#include "../src/platform.h"
#include "../src/sha256.h"
#include "test.h"

static const uint64_t second = 1000000000u;
static char root[64];

static protoipc_names *open_names(void) {
  protoipc_names *names = NULL;
  if (root[0] == 0) {
    strcpy(root, "/tmp/protoipc-names-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
  }
  CHECK_EQUAL(protoipc_names_open(root, "d", &names), 0);
  return names;
}

static void remove_root(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", root);
  CHECK_EQUAL(system(command), 0);
}

static const char *in_market(const char *file) {
  static char path[2][160];
  static int turn;
  char *out = path[turn ^= 1];
  snprintf(out, sizeof path[0], "%s/d/market/%s", root, file);
  return out;
}

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  CHECK(file != NULL);
  CHECK(fputs(text, file) >= 0);
  CHECK_EQUAL(fclose(file), 0);
  CHECK_EQUAL(chmod(path, 0600), 0);
}

static void check_hash(const char *message, size_t bytes, const char *expected) {
  uint8_t digest[sha256_bytes];
  char text[2 * sha256_bytes + 1];
  sha256_digest(message, bytes, digest);
  sha256_hex(digest, sizeof digest, text);
  CHECK_TEXT(text, expected);
}

/* FIPS 180-4's examples, each length of padding by the million, and the specification's worked example. */
static void hashes_as_the_standard_says(void) {
  check_hash("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  check_hash("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  check_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
             "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  char *many = malloc(1000000);
  CHECK(many != NULL);
  memset(many, 'a', 1000000);
  check_hash(many, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  free(many);
  char worked[38];
  for (int i = 0; i < 32; i++) worked[i] = (char)i;
  memcpy(worked + 32, "market", 6);
  check_hash(worked, sizeof worked, "5565c536483ef4be26b52fb463373669da5058673cd2744c0ef4d1d455fb1c7e");
}

static int parse(const char *text) {
  protoipc_found found;
  memset(&found, 0, sizeof found);
  return names_parse_entry(text, strlen(text), "market", &found);
}

static void reads_entries_strictly(void) {
  const char *good =
      " {\"services\":[{\"name\":\"a\\u00e9\\n\",\"fingerprint\":\"\"}],\"name\":\"market\",\"pid\":47,\"x\":[1.5e-3,true,null,{}],"
      "\"startTime\":\"12\",\"incarnation\":\"00ff\",\"transports\":[\"shm\",\"../x\",\"unix\"],\"protocol\":1}\n";
  protoipc_found found;
  memset(&found, 0, sizeof found);
  CHECK_EQUAL(names_parse_entry(good, strlen(good), "market", &found), 0);
  CHECK_EQUAL(found.pid, 47);
  CHECK_EQUAL(found.protocol, 1);
  CHECK_EQUAL(found.transport_count, 2);
  CHECK_TEXT(found.transports[1], "unix");
  CHECK_TEXT(found.start_time, "12");
  CHECK_EQUAL(names_parse_entry(good, strlen(good), "other", &found), PROTOIPC_EDENIED);
  for (size_t i = 0; i + 1 < strlen(good); i++)
    CHECK_EQUAL(names_parse_entry(good, i, "market", &found), PROTOIPC_EDENIED);
#define REST "\"name\":\"market\",\"incarnation\":\"\",\"transports\":[],\"protocol\":1"
  CHECK_EQUAL(parse("{\"pid\":1," REST "}"), 0);
  CHECK_EQUAL(parse("{" REST "}"), PROTOIPC_EDENIED);
  CHECK_EQUAL(parse("{\"pid\":0," REST "}"), PROTOIPC_EDENIED);
  CHECK_EQUAL(parse("{\"pid\":-1," REST "}"), PROTOIPC_EDENIED);
  CHECK_EQUAL(parse("{\"pid\":99999999999," REST "}"), PROTOIPC_EDENIED);
  CHECK_EQUAL(parse("{\"pid\":\"1\"," REST "}"), PROTOIPC_EDENIED);
  CHECK_EQUAL(parse("{\"pid\":1," REST "} x"), PROTOIPC_EDENIED);
  CHECK_EQUAL(parse("{\"pid\":1," REST ",}"), PROTOIPC_EDENIED);
  CHECK_EQUAL(parse("{\"pid\":1,\"x\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]," REST "}"), PROTOIPC_EDENIED);
}

static void is_claimed_found_and_given_back(void) {
  protoipc_names *names = open_names();
  protoipc_claim *claim = NULL, *second_claim = NULL;
  protoipc_found found;
  const char *transports[] = {"shm", "unix"};
  CHECK_EQUAL(protoipc_names_find(names, "market", &found), PROTOIPC_ENOTFOUND);
  CHECK_EQUAL(protoipc_names_claim(names, "../x", NULL, second, &claim), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_names_claim(names, "market", "XY", second, &claim), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_names_claim(names, "market", "00ff", second, &claim), 0);
  CHECK_EQUAL(protoipc_claim_announce(claim, transports, 2), 0);
  CHECK_EQUAL(protoipc_names_find(names, "market", &found), 0);
  CHECK_EQUAL(found.pid, getpid());
  CHECK(found.start_time[0] != 0);
  CHECK_TEXT(found.incarnation, "00ff");
  CHECK_EQUAL(found.transport_count, 2);
  CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, second, &second_claim), getpid());
  CHECK_TEXT(protoipc_names_reason(names), "is taken by process");
  /* A child frees its copy and changes nothing. */
  const pid_t child = fork();
  if (child == 0) {
    CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, 0, &second_claim), PROTOIPC_EFORKED);
    CHECK_EQUAL(protoipc_claim_announce(claim, NULL, 0), PROTOIPC_EFORKED);
    protoipc_claim_close(claim);
    protoipc_names_close(names);
    exit(0);
  }
  CHECK_EQUAL(test_wait(child), 0);
  CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, 0, &second_claim), getpid());
  protoipc_claim_close(claim);
  CHECK_EQUAL(access(in_market("."), F_OK), -1);
  CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, 0, &second_claim), 0);
  protoipc_claim_close(second_claim);
  protoipc_names_close(names);
  remove_root();
}

/* Each holds the name for a moment, if it gets it, and looks that nobody has touched what is its own. */
static void contend(int rounds) {
  protoipc_names *names = open_names();
  int won = 0;
  while (won < rounds) {
    protoipc_claim *claim = NULL;
    struct stat before, after;
    protoipc_found found;
    const int result = protoipc_names_claim(names, "market", NULL, second, &claim);
    if (result > 0 || result == PROTOIPC_EINUSE) {
      platform_sleep(500000);
      continue;
    }
    if (result != 0) fprintf(stderr, "%s\n", protoipc_names_reason(names));
    CHECK_EQUAL(result, 0);
    won++;
    /* Made by whoever owns the name, removed by it: two owners at once would meet here. */
    const int alone = open(in_market("alone"), O_CREAT | O_EXCL | O_WRONLY, 0600);
    CHECK(alone >= 0);
    CHECK_EQUAL(stat(in_market("entry"), &before), 0);
    for (int i = 0; i < 20; i++) sched_yield();
    CHECK_EQUAL(stat(in_market("entry"), &after), 0);
    CHECK_EQUAL(before.st_ino, after.st_ino);
    CHECK_EQUAL(protoipc_names_find(names, "market", &found), 0);
    CHECK_EQUAL(found.pid, getpid());
    CHECK_EQUAL(access(in_market("secret"), F_OK), 0);
    close(alone);
    CHECK_EQUAL(unlink(in_market("alone")), 0);
    protoipc_claim_close(claim);
  }
  protoipc_names_close(names);
}

static void has_one_owner_however_many_want_it(void) {
  pid_t children[8];
  protoipc_names_close(open_names());
  for (int i = 0; i < 8; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      contend(150);
      exit(0);
    }
  }
  for (int i = 0; i < 8; i++) CHECK_EQUAL(test_wait(children[i]), 0);
  remove_root();
}

/* The lock's name as the specification says, for a connection to it. */
static int connect_to_lock(void) {
  struct sockaddr_un address;
  char message[38];
  uint8_t digest[sha256_bytes];
  const int file = open(in_market("secret"), O_RDONLY);
  CHECK(file >= 0);
  CHECK_EQUAL(read(file, message, 32), 32);
  close(file);
  memcpy(message + 32, "market", 6);
  sha256_digest(message, sizeof message, digest);
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path + 1, "protoipc-v1-", 12);
  sha256_hex(digest, sizeof digest, address.sun_path + 13);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(fd >= 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  CHECK_EQUAL(errno, ECONNREFUSED);
  close(fd);
  return -1;
}

static void is_free_when_its_owner_is_killed(void) {
  protoipc_names *names = open_names();
  for (int round = 0; round < 10; round++) {
    int told[2];
    char byte = 0;
    CHECK_EQUAL(pipe(told), 0);
    const pid_t owner = fork();
    if (owner == 0) {
      protoipc_names *own = open_names();
      protoipc_claim *claim = NULL;
      CHECK_EQUAL(protoipc_names_claim(own, "market", NULL, second, &claim), 0);
      CHECK_EQUAL(write(told[1], "x", 1), 1);
      for (;;) pause();
    }
    CHECK_EQUAL(read(told[0], &byte, 1), 1);
    close(told[0]), close(told[1]);
    protoipc_claim *claim = NULL;
    CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, second, &claim), owner);
    /* A connection that nobody accepts lives as long as its owner, and not longer. */
    const int presence = connect_to_lock();
    struct pollfd entry = {.fd = presence, .events = POLLIN};
    CHECK(presence >= 0);
    CHECK_EQUAL(poll(&entry, 1, 20), 0);
    CHECK_EQUAL(kill(owner, SIGKILL), 0);
    CHECK_EQUAL(poll(&entry, 1, 10000), 1);
    CHECK(read(presence, &byte, 1) <= 0);
    close(presence);
    CHECK_EQUAL(test_wait(owner), 128 + SIGKILL);
    CHECK_EQUAL(connect_to_lock(), -1);
  }
  protoipc_claim *claim = NULL;
  CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, second, &claim), 0);
  protoipc_claim_close(claim);
  protoipc_names_close(names);
  remove_root();
}

static void refuse(protoipc_names *names, const char *why) {
  protoipc_claim *claim = NULL;
  CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, 0, &claim), PROTOIPC_EDENIED);
  CHECK_TEXT(protoipc_names_reason(names), why);
}

static void refuses_what_is_not_safe_and_leaves_it(void) {
  protoipc_names *names = open_names();
  protoipc_claim *claim = NULL;
  protoipc_found found;
  char path[128];
  struct stat seen;
  snprintf(path, sizeof path, "%s/d", root);
  CHECK_EQUAL(mkdir(path, 0700), 0);
  CHECK_EQUAL(symlink("/tmp", strncat(path, "/market", 16)), 0);
  refuse(names, "market is a symbolic link");
  CHECK_EQUAL(protoipc_names_find(names, "market", &found), PROTOIPC_EDENIED);
  CHECK_EQUAL(unlink(path), 0);
  write_file(path, "");
  refuse(names, "market is no directory");
  CHECK_EQUAL(unlink(path), 0);
  CHECK_EQUAL(mkdir(path, 0700), 0);
  CHECK_EQUAL(chmod(path, 0750), 0);
  refuse(names, "market lets other users in");
  CHECK_EQUAL(chmod(path, 0700), 0);

  CHECK_EQUAL(mkfifo(in_market("secret"), 0600), 0);
  refuse(names, "secret is no regular file");
  CHECK_EQUAL(unlink(in_market("secret")), 0);
  CHECK_EQUAL(symlink("elsewhere", in_market("secret")), 0);
  refuse(names, "secret is a symbolic link");
  CHECK_EQUAL(lstat(in_market("secret"), &seen), 0);
  CHECK_EQUAL(unlink(in_market("secret")), 0);
  write_file(in_market("secret"), "short");
  refuse(names, "secret has not the 32 bytes");
  write_file(in_market("secret"), "a secret that is longer than thirty-two");
  refuse(names, "secret is larger");
  write_file(in_market("secret"), "0123456789abcdef0123456789abcdef");
  CHECK_EQUAL(chmod(in_market("secret"), 0622), 0);
  refuse(names, "secret can be written by other users");
  CHECK_EQUAL(chmod(in_market("secret"), 0600), 0);

  /* An entry matters to who looks, and to who loses. */
  const int held = open(in_market("secret"), O_RDONLY);
  CHECK_EQUAL(protoipc_lock(held), 0);
  CHECK_EQUAL(mkfifo(in_market("entry"), 0600), 0);
  refuse(names, "entry is no regular file");
  CHECK_EQUAL(protoipc_names_find(names, "market", &found), PROTOIPC_EDENIED);
  CHECK_EQUAL(unlink(in_market("entry")), 0);
  write_file(in_market("entry"), "garbage");
  refuse(names, "entry is no entry of this endpoint");
  CHECK_EQUAL(truncate(in_market("entry"), 262145), 0);
  refuse(names, "entry is larger");
  CHECK_EQUAL(unlink(in_market("entry")), 0);
  CHECK_EQUAL(symlink("notes", in_market("entry")), 0);
  refuse(names, "entry is a symbolic link");
  /* Held by one that says nothing: the time is over. */
  CHECK_EQUAL(unlink(in_market("entry")), 0);
  CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, 50000000, &claim), PROTOIPC_EINUSE);
  CHECK_TEXT(protoipc_names_reason(names), "does not say its pid");
  close(held);

  /* Nor does who has the name remove what no owner can have left. */
  CHECK_EQUAL(symlink("notes", in_market("entry")), 0);
  refuse(names, "entry is a symbolic link");
  CHECK_EQUAL(lstat(in_market("entry"), &seen), 0);
  CHECK_EQUAL(unlink(in_market("entry")), 0);
  CHECK_EQUAL(mkfifo(in_market("entry"), 0600), 0);
  refuse(names, "entry is no regular file");
  CHECK_EQUAL(lstat(in_market("entry"), &seen), 0);
  CHECK_EQUAL(unlink(in_market("entry")), 0);
  write_file(in_market("entry"), "garbage");

  /* What is not ours to remove stays; temporaries go. */
  write_file(in_market("notes"), "");
  write_file(in_market("entry~12345678"), "");
  CHECK_EQUAL(mkdir(in_market("pipe-1~ab"), 0700), 0);
  write_file(in_market("pipe-1~ab/in"), "");
  CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, second, &claim), 0);
  CHECK_EQUAL(access(in_market("entry~12345678"), F_OK), -1);
  CHECK_EQUAL(access(in_market("pipe-1~ab"), F_OK), -1);
  protoipc_claim_close(claim);
  CHECK_EQUAL(access(in_market("notes"), F_OK), 0);
  CHECK_EQUAL(access(in_market("secret"), F_OK), -1);
  protoipc_names_close(names);
  remove_root();
}

/* As one in another network namespace that has not locked the secret: nothing but its listeners tells of it. */
static void takes_no_name_of_an_owner_that_is_only_heard(void) {
  protoipc_names *names = open_names();
  protoipc_claim *claim = NULL;
  char path[128];
  snprintf(path, sizeof path, "%s/d/market", root);
  CHECK_EQUAL(protoipc_names_claim(names, "market", "00ff", second, &claim), 0);
  protoipc_claim_close(claim);
  CHECK_EQUAL(mkdir(path, 0700), 0);
  write_file(in_market("secret"), "0123456789abcdef0123456789abcdef");
  const char *entry = "{\"name\":\"market\",\"pid\":4194305,\"startTime\":\"5\",\"incarnation\":\"00\",\"protocol\":1,"
                      "\"transports\":[\"../market/unix\",\"unix\",\"pipe\"],\"services\":[],\"topics\":[]}";
  write_file(in_market("entry"), entry);

  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", in_market("unix"));
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_EQUAL(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
  CHECK_EQUAL(listen(listener, 1), 0);
  CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, 50000000, &claim), PROTOIPC_EINUSE);
  CHECK_TEXT(protoipc_names_reason(names), "taken by process 4194305 of another namespace");
  close(listener);

  CHECK_EQUAL(mkfifo(in_market("pipe"), 0600), 0);
  const int reader = open(in_market("pipe"), O_RDONLY | O_NONBLOCK);
  CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, 50000000, &claim), PROTOIPC_EINUSE);
  close(reader);

  /* Nobody listens any more: what stands there was left. */
  CHECK_EQUAL(protoipc_names_claim(names, "market", NULL, second, &claim), 0);
  protoipc_claim_close(claim);
  protoipc_names_close(names);
  remove_root();
}

static void chooses_the_root_by_the_environment(void) {
  protoipc_names *names = NULL;
  CHECK_EQUAL(protoipc_names_open("relative", NULL, &names), PROTOIPC_EINVAL);
  CHECK_EQUAL(protoipc_names_open("/x", "../d", &names), PROTOIPC_EINVAL);
  setenv("PROTOIPC_DIR", "/a/b/", 1);
  CHECK_EQUAL(protoipc_names_open(NULL, NULL, &names), 0);
  CHECK_EQUAL(strcmp(protoipc_names_root(names), "/a/b"), 0);
  protoipc_names_close(names);
  unsetenv("PROTOIPC_DIR");
  setenv("XDG_RUNTIME_DIR", "/run/x", 1);
  CHECK_EQUAL(protoipc_names_open(NULL, NULL, &names), 0);
  CHECK_EQUAL(strcmp(protoipc_names_root(names), "/run/x/protoipc"), 0);
  protoipc_names_close(names);
}

TEST_MAIN(TEST(hashes_as_the_standard_says), TEST(reads_entries_strictly), TEST(is_claimed_found_and_given_back),
          TEST(has_one_owner_however_many_want_it), TEST(is_free_when_its_owner_is_killed),
          TEST(refuses_what_is_not_safe_and_leaves_it), TEST(takes_no_name_of_an_owner_that_is_only_heard),
          TEST(chooses_the_root_by_the_environment))
