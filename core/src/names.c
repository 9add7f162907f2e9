/* The root, the domain, directories, and looking an endpoint up. */
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform.h"

int names_is_name(const char *name) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (name == NULL || name[0] == '.' || name[0] == 0) return 0;
  const size_t length = strspn(name, allowed);
  return name[length] == 0 && length <= names_most_bytes;
}

int names_fail(protoipc_names *names, int code, const char *path, const char *why) {
  (void)snprintf(names->reason, sizeof names->reason, "%s %s", path, why == NULL ? protoipc_strerror(code) : why);
  return code;
}

void names_file(const char *directory, const char *file, char out[names_file_room]) {
  (void)snprintf(out, names_file_room, "%s/%s", directory, file);
}

/* Joins two parts where they fit. */
static int names_join(char out[names_path_room], const char *above, const char *below) {
  const int length = snprintf(out, names_path_room, "%s%s%s", above, *below ? "/" : "", below);
  return length < 0 || length >= names_path_room ? PROTOIPC_ETOOLARGE : 0;
}

static int names_choose_root(protoipc_names *names, const char *given) {
  char user[64];
  int result;
  names->rule = "the program";
  if (given == NULL || *given == 0) {
    given = getenv("PROTOIPC_DIR");
    names->rule = "PROTOIPC_DIR";
  }
  if (given != NULL && *given != 0) {
    if (*given != '/') return PROTOIPC_EINVAL;
    result = names_join(names->root, given, "");
    for (size_t end = strlen(names->root); end > 1 && names->root[end - 1] == '/'; end--) names->root[end - 1] = 0;
    return result;
  }
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  names->rule = "XDG_RUNTIME_DIR";
  if (runtime != NULL && *runtime == '/') return names_join(names->root, runtime, "protoipc");
  names->rule = "/run/user";
  (void)snprintf(user, sizeof user, "/run/user/%u", (unsigned)platform_effective_uid());
  if (platform_is_own_directory(user)) return names_join(names->root, user, "protoipc");
  names->rule = "/tmp";
  (void)snprintf(user, sizeof user, "/tmp/protoipc-%u", (unsigned)platform_effective_uid());
  return names_join(names->root, user, "");
}

int protoipc_names_open(const char *root, const char *domain, protoipc_names **out) {
  if (out == NULL) return PROTOIPC_EINVAL;
  if (domain == NULL) domain = getenv("PROTOIPC_DOMAIN");
  if (domain == NULL || *domain == 0) domain = "default";
  if (!names_is_name(domain)) return PROTOIPC_EINVAL;
  protoipc_names *names = calloc(1, sizeof *names);
  if (names == NULL) return PROTOIPC_ENOMEM;
  memcpy(names->domain_name, domain, strlen(domain));
  int result = names_choose_root(names, root);
  if (result == 0) result = names_join(names->domain, names->root, domain);
  if (result == 0) result = platform_fork_guard(&names->guard);
  if (result != 0) {
    free(names);
    return result;
  }
  *out = names;
  return 0;
}

void protoipc_names_close(protoipc_names *names) {
  if (names == NULL) return;
  platform_fork_guard_free(names->guard);
  free(names);
}

const char *protoipc_names_root(const protoipc_names *names) { return names == NULL ? "" : names->root; }

const char *protoipc_names_reason(const protoipc_names *names) { return names == NULL ? "" : names->reason; }

int names_directory(protoipc_names *names, const char *name, char out[names_path_room]) {
  names->reason[0] = 0;
  if (!names_is_name(name)) return names_fail(names, PROTOIPC_EINVAL, "the name", "is no endpoint's name");
  const int result = names_join(out, names->domain, name);
  return result == 0 ? 0 : names_fail(names, result, names->domain, "is too long a path for names in it");
}

int protoipc_names_find(protoipc_names *names, const char *name, protoipc_found *out) {
  protoipc_found found;
  const char *why = NULL;
  if (names == NULL || out == NULL) return PROTOIPC_EINVAL;
  if (platform_is_forked(names->guard)) return PROTOIPC_EFORKED;
  memset(&found, 0, sizeof found);
  int result = names_directory(names, name, found.directory);
  if (result != 0) return result;
  const char *paths[] = {names->root, names->domain, found.directory};
  for (int i = 0; i < 3; i++) {
    result = platform_check_directory(paths[i], 1, &why);
    if (result == PROTOIPC_ENOTFOUND) break;
    if (result != 0) return names_fail(names, result, paths[i], why);
  }
  if (result == 0) result = names_read_entry(names, found.directory, name, &found);
  if (result == PROTOIPC_ENOTFOUND)
    (void)snprintf(names->reason, sizeof names->reason, "no endpoint %s in domain %s (the root %s was chosen by %s)", name,
                   names->domain_name, names->root, names->rule);
  if (result == 0) *out = found;
  return result;
}
