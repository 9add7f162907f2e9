/* Names on disk: docs/spec/names-v1.md. */
#ifndef PROTOIPC_NAMES_H
#define PROTOIPC_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "../include/protoipc.h"

enum {
  names_path_room = 256,
  names_file_room = names_path_room + 32, /* of a file in an endpoint's directory */
  names_most_bytes = 64,                  /* of a name */
  names_most_entry_bytes = 262144
};

struct protoipc_names {
  const volatile uint32_t *guard;
  char root[names_path_room];
  const char *rule; /* that chose the root */
  char domain[names_path_room];
  char domain_name[names_most_bytes + 1];
  char reason[512];
};

/* Whether it may be part of a path. */
int names_is_name(const char *name);
/* The directory of an endpoint. */
int names_directory(protoipc_names *names, const char *name, char out[names_path_room]);
void names_file(const char *directory, const char *file, char out[names_file_room]);
/* Sets the reason; returns `code`. */
int names_fail(protoipc_names *names, int code, const char *path, const char *why);

/* What an entry says of a `name`d endpoint. PROTOIPC_EDENIED: the text is no entry of it. `directory` is left alone. */
int names_parse_entry(const char *text, size_t bytes, const char *name, protoipc_found *out);
/* Reads it. PROTOIPC_ENOTFOUND; PROTOIPC_EDENIED, with the reason set. */
int names_read_entry(protoipc_names *names, const char *directory, const char *name, protoipc_found *out);
/* Writes it, in place of the one before. The caller holds the claim. `found->directory` says where. */
int names_write_entry(const protoipc_found *found, const char *name);

#endif
