/* The claim: the secret, the locks, the entry, and giving it back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "platform.h"
#include "sha256.h"
#include "weaken.h"

enum { names_secret_bytes = 32, names_pause_ns = 10000000 };

struct protoipc_claim {
  const volatile uint32_t *guard;
  int name_fd; /* the abstract socket */
  int file_fd; /* the secret, locked */
  int elsewhere; /* the pid of an owner that only lives in another network namespace; 0: there was none */
  char name[names_most_bytes + 1];
  protoipc_found self; /* what the entry says */
};

static int names_read_secret(protoipc_names *names, const char *directory, uint8_t secret[names_secret_bytes]) {
  char path[names_file_room];
  const char *why = NULL;
  size_t bytes = 0;
  names_file(directory, "secret", path);
  const int result = platform_read_own(path, secret, names_secret_bytes, &bytes, &why);
  if (result == PROTOIPC_ENOTFOUND) return result;
  if (result != 0) return names_fail(names, result, path, why);
  return bytes == names_secret_bytes ? 0 : names_fail(names, PROTOIPC_EDENIED, path, "has not the 32 bytes of a secret");
}

/* A path that nobody else uses, of a file that becomes `file`. */
static int names_temporary(const char *directory, const char *file, char out[names_file_room]) {
  uint8_t random[4];
  char digits[9], name[32];
  const int result = platform_random(random, sizeof random);
  if (result != 0) return result;
  sha256_hex(random, sizeof random, digits);
  (void)snprintf(name, sizeof name, "%s~%s", file, digits);
  names_file(directory, name, out);
  return 0;
}

/* PROTOIPC_ENOTFOUND: another process is just removing the directory. */
static int names_agree(protoipc_names *names, const char *directory, uint8_t secret[names_secret_bytes]) {
  char path[names_file_room], temporary[names_file_room];
  int result = names_read_secret(names, directory, secret);
  if (result != PROTOIPC_ENOTFOUND) return result;
  names_file(directory, "secret", path);
  result = names_temporary(directory, "secret", temporary);
  if (result == 0) result = platform_random(secret, names_secret_bytes);
  if (result == 0) result = platform_write_new(temporary, secret, names_secret_bytes);
  if (result != 0) return result == PROTOIPC_ENOTFOUND ? result : names_fail(names, result, directory, NULL);
  result = platform_link_file(temporary, path);
  (void)platform_remove(temporary);
  if (result != 0 && result != PROTOIPC_EINUSE)
    return result == PROTOIPC_ENOTFOUND ? result : names_fail(names, result, path, NULL);
  return names_read_secret(names, directory, secret);
}

static void names_unlock(protoipc_claim *claim) {
  platform_let_file(claim->file_fd);
  platform_close(claim->name_fd);
  claim->file_fd = claim->name_fd = -1;
}

/* PROTOIPC_EINUSE and PROTOIPC_ENOTFOUND: somebody has it, or is changing the directory. */
static int names_lock(protoipc_names *names, protoipc_claim *claim) {
  char path[names_file_room], lock[sizeof "protoipc-v1-" + 2 * sha256_bytes] = "protoipc-v1-";
  uint8_t message[names_secret_bytes + names_most_bytes], digest[sha256_bytes], current[names_secret_bytes];
  const char *directory = claim->self.directory;
  const size_t name_bytes = strlen(claim->name);
  int result = names_agree(names, directory, message);
  if (result != 0) return result;
  memcpy(message + names_secret_bytes, claim->name, name_bytes);
  sha256_digest(message, names_secret_bytes + name_bytes, digest);
  sha256_hex(digest, sizeof digest, lock + strlen(lock));
  result = platform_hold_name(lock, strlen(lock), &claim->name_fd);
  if (result != 0) return result == PROTOIPC_EINUSE ? result : names_fail(names, result, directory, "cannot be locked");
  names_file(directory, "secret", path);
  result = platform_hold_file(path, &claim->file_fd);
  if (result != 0 && result != PROTOIPC_EINUSE && result != PROTOIPC_ENOTFOUND)
    (void)names_fail(names, result, path, "cannot be locked");
  /* Only now: the owner before may have removed the secret until it let go of either lock. */
  if (result == 0 && !SHM_WEAKENED(SECRET_READ_AGAIN)) {
    result = names_read_secret(names, directory, current);
    if (result == 0 && memcmp(current, message, sizeof current) != 0) result = PROTOIPC_ENOTFOUND;
  }
  if (result != 0) names_unlock(claim);
  return result;
}

static int names_ensure(protoipc_names *names, const char *path) {
  const char *why = NULL;
  int result = platform_check_directory(path, 1, &why);
  if (result == PROTOIPC_ENOTFOUND) {
    result = platform_make_directory(path);
    if (result == 0) result = platform_check_directory(path, 1, &why);
  }
  return result == 0 || result == PROTOIPC_ENOTFOUND ? result : names_fail(names, result, path, why);
}

/*
 * The pid of an owner that gives a sign of life though its lock is free here: an abstract socket is seen in its own
 * network namespace alone, and an owner without native code has not locked the secret. 0: there is none.
 */
static int names_elsewhere(protoipc_names *names, const protoipc_claim *claim) {
  protoipc_found found;
  char path[names_file_room], start_time[sizeof found.start_time];
  memset(&found, 0, sizeof found);
  /* What is no entry is looked at by who takes the name. */
  if (names_read_entry(names, claim->self.directory, claim->name, &found) != 0) return 0;
  const int is_there = found.start_time[0] != 0 && platform_process_start(found.pid, start_time, sizeof start_time) == 0;
  if (is_there && strcmp(start_time, found.start_time) == 0 && platform_is_in_other_network(found.pid)) return found.pid;
  for (uint32_t i = 0; i < found.transport_count; i++) {
    const char *transport = found.transports[i];
    /* Its writer's word: only a file of this directory is looked at. */
    if (transport[strspn(transport, "abcdefghijklmnopqrstuvwxyz")] != 0) continue;
    names_file(claim->self.directory, transport, path);
    if (platform_knock(path)) return found.pid;
  }
  return 0;
}

static int names_attempt(protoipc_names *names, protoipc_claim *claim) {
  char path[names_file_room];
  int result = names_ensure(names, names->root);
  if (result == 0) result = names_ensure(names, names->domain);
  if (result == 0) result = names_ensure(names, claim->self.directory);
  if (result == 0) result = names_lock(names, claim);
  if (result != 0) return result;
  claim->elsewhere = names_elsewhere(names, claim);
  if (claim->elsewhere != 0) {
    names_unlock(claim);
    return PROTOIPC_EINUSE;
  }
  names_file(claim->self.directory, "entry", path);
  /* An owner before has left a file, if anything; what is none was put there by somebody else, and stays. */
  const char *why = NULL;
  result = platform_check_own(path, &why);
  if (result != 0 && result != PROTOIPC_ENOTFOUND) {
    names_unlock(claim);
    return names_fail(names, result, path, why);
  }
  result = platform_remove(path);
  if (result == 0) result = platform_remove_temporaries(claim->self.directory);
  if (result == 0) result = names_write_entry(&claim->self, claim->name);
  if (result != 0) {
    names_unlock(claim);
    return names_fail(names, result == PROTOIPC_ENOTFOUND ? PROTOIPC_ESYSTEM : result, path, "cannot be written");
  }
  return 0;
}

/* The pid of a living owner, 0 where none is told. */
static int names_owner(protoipc_names *names, const protoipc_claim *claim) {
  protoipc_found found;
  char start_time[sizeof found.start_time];
  memset(&found, 0, sizeof found);
  int result = names_read_entry(names, claim->self.directory, claim->name, &found);
  if (result == PROTOIPC_ENOTFOUND) return 0;
  if (result != 0) return result;
  if (platform_process_start(found.pid, start_time, sizeof start_time) != 0) return 0;
  const int is_other = start_time[0] != 0 && found.start_time[0] != 0 && strcmp(start_time, found.start_time) != 0;
  return is_other ? 0 : found.pid;
}

static int names_claim_until(protoipc_names *names, protoipc_claim *claim, uint64_t timeout_ns) {
  const uint64_t began = platform_now_ns();
  for (;;) {
    int result = names_attempt(names, claim);
    if (result != PROTOIPC_EINUSE && result != PROTOIPC_ENOTFOUND) return result;
    result = names_owner(names, claim);
    if (result < 0) return result;
    const uint64_t since = platform_now_ns() - began;
    if (result == 0 && since < timeout_ns) {
      uint8_t random = 0;
      (void)platform_random(&random, sizeof random);
      const uint64_t pause = names_pause_ns / 2 + (uint64_t)random * (names_pause_ns / 256);
      platform_sleep(pause < timeout_ns - since ? pause : timeout_ns - since);
      continue;
    }
    char owner[64] = "a process that does not say its pid";
    if (claim->elsewhere != 0)
      (void)snprintf(owner, sizeof owner, "process %d of another namespace", claim->elsewhere);
    if (result > 0) (void)snprintf(owner, sizeof owner, "process %d", result);
    (void)snprintf(names->reason, sizeof names->reason,
                   "the endpoint name %s in domain %s is taken by %s; its directory is %s", claim->name,
                   names->domain_name, owner, claim->self.directory);
    return result > 0 ? result : PROTOIPC_EINUSE;
  }
}

static int names_set_incarnation(protoipc_claim *claim, const char *given) {
  uint8_t random[16];
  if (given != NULL) {
    const size_t length = strlen(given);
    if (length >= sizeof claim->self.incarnation || strspn(given, "0123456789abcdef") != length) return PROTOIPC_EINVAL;
    memcpy(claim->self.incarnation, given, length);
    return 0;
  }
  const int result = platform_random(random, sizeof random);
  if (result == 0) sha256_hex(random, sizeof random, claim->self.incarnation);
  return result;
}

int protoipc_names_claim(protoipc_names *names, const char *name, const char *incarnation, uint64_t timeout_ns,
                         protoipc_claim **out) {
  if (names == NULL || out == NULL) return PROTOIPC_EINVAL;
  if (platform_is_forked(names->guard)) return PROTOIPC_EFORKED;
  protoipc_claim *claim = calloc(1, sizeof *claim);
  if (claim == NULL) return PROTOIPC_ENOMEM;
  claim->name_fd = claim->file_fd = -1;
  claim->self.pid = platform_own_pid();
  claim->self.protocol = 1;
  int result = names_directory(names, name, claim->self.directory);
  if (result == 0) {
    memcpy(claim->name, name, strlen(name));
    result = names_set_incarnation(claim, incarnation);
  }
  if (result == 0) result = platform_process_start(claim->self.pid, claim->self.start_time, sizeof claim->self.start_time);
  if (result == 0) result = platform_fork_guard(&claim->guard);
  if (result == 0) result = names_claim_until(names, claim, timeout_ns);
  if (result != 0) {
    if (claim->guard != NULL) platform_fork_guard_free(claim->guard);
    free(claim);
    return result;
  }
  names->reason[0] = 0;
  *out = claim;
  return 0;
}

const char *protoipc_claim_directory(const protoipc_claim *claim) {
  return claim == NULL || platform_is_forked(claim->guard) ? "" : claim->self.directory;
}

int protoipc_claim_announce(protoipc_claim *claim, const char *const *transports, uint32_t count) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  if (claim == NULL || (transports == NULL && count > 0) || count > PROTOIPC_MAX_TRANSPORTS) return PROTOIPC_EINVAL;
  if (platform_is_forked(claim->guard)) return PROTOIPC_EFORKED;
  protoipc_found next = claim->self;
  memset(next.transports, 0, sizeof next.transports);
  next.transport_count = count;
  for (uint32_t i = 0; i < count; i++) {
    const size_t length = transports[i] == NULL ? 0 : strlen(transports[i]);
    if (length == 0 || length >= sizeof next.transports[i] || strspn(transports[i], allowed) != length)
      return PROTOIPC_EINVAL;
    memcpy(next.transports[i], transports[i], length);
  }
  const int result = names_write_entry(&next, claim->name);
  if (result == 0) claim->self = next;
  return result;
}

void protoipc_claim_close(protoipc_claim *claim) {
  char path[names_file_room];
  if (claim == NULL) return;
  if (!platform_is_forked(claim->guard)) {
    names_file(claim->self.directory, "entry", path);
    (void)platform_remove(path);
    (void)platform_remove_temporaries(claim->self.directory);
    names_file(claim->self.directory, "secret", path);
    (void)platform_remove(path);
    /* From here on another process may have the name; an empty directory is nobody's. */
    platform_remove_directory(claim->self.directory);
    names_unlock(claim);
  } else {
    /* Only the child's descriptors: to unlock the file would unlock the parent's, too. */
    platform_close(claim->file_fd);
    platform_close(claim->name_fd);
  }
  platform_fork_guard_free(claim->guard);
  free(claim);
}
