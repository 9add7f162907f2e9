/* The entry: one JSON object, written, and read strictly within bounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "platform.h"
#include "sha256.h"
#include "weaken.h"

enum { names_most_depth = 16, names_text_room = 128 };

typedef struct names_reader {
  const char *at;
  const char *end;
} names_reader;

/* Skips white space; the next character, 0 at the end. */
static char names_peek(names_reader *reader) {
  while (reader->at < reader->end &&
         (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r'))
    reader->at++;
  return reader->at < reader->end ? *reader->at : 0;
}

static int names_take(names_reader *reader, char expected) {
  if (names_peek(reader) != expected) return 0;
  reader->at++;
  return 1;
}

/* The value of 4 hexadecimal digits, or -1. */
static int names_hex4(names_reader *reader) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    const char c = reader->at < reader->end ? *reader->at++ : 0;
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

/*
 * A string, of which `room` - 1 bytes are kept; *is_cut where there was more. Escapes of what is not ASCII stand as "?":
 * nothing that we compare has them.
 */
static int names_string(names_reader *reader, char *out, size_t room, int *is_cut) {
  size_t length = 0;
  *is_cut = 0;
  if (!names_take(reader, '"')) return 0;
  while (reader->at < reader->end) {
    char c = *reader->at++;
    if (c == '"') {
      out[length] = 0;
      return 1;
    }
    if ((unsigned char)c < 0x20) return 0;
    if (c == '\\') {
      static const char escapes[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
      const char kind = reader->at < reader->end ? *reader->at++ : 0;
      const char *known = kind == 0 ? NULL : strchr(escapes, kind);
      if (kind == 'u') {
        const int value = names_hex4(reader);
        if (value < 0) return 0;
        c = value > 0 && value < 0x80 ? (char)value : '?';
      } else if (known != NULL) {
        c = values[known - escapes];
      } else {
        return 0;
      }
    }
    if (length + 1 < room || SHM_WEAKENED(ENTRY_ROOM)) out[length++] = c;
    else *is_cut = 1;
  }
  return 0;
}

static int names_digits(names_reader *reader) {
  const char *begin = reader->at;
  while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') reader->at++;
  return reader->at > begin;
}

static int names_skip_number(names_reader *reader) {
  if (names_peek(reader) == '-') reader->at++;
  if (reader->at < reader->end && *reader->at == '0') reader->at++;
  else if (!names_digits(reader)) return 0;
  if (reader->at < reader->end && *reader->at == '.') {
    reader->at++;
    if (!names_digits(reader)) return 0;
  }
  if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
    reader->at++;
    if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-')) reader->at++;
    if (!names_digits(reader)) return 0;
  }
  return 1;
}

static int names_skip_word(names_reader *reader, const char *word) {
  const size_t length = strlen(word);
  if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0) return 0;
  reader->at += length;
  return 1;
}

/* Any value, of any member that we do not need. */
static int names_skip(names_reader *reader, int depth) {
  char text[2];
  int is_cut;
  const char first = names_peek(reader);
  if (first == '"') return names_string(reader, text, sizeof text, &is_cut);
  if (first == 't') return names_skip_word(reader, "true");
  if (first == 'f') return names_skip_word(reader, "false");
  if (first == 'n') return names_skip_word(reader, "null");
  if (first != '{' && first != '[') return names_skip_number(reader);
  if (depth >= names_most_depth) return 0;
  reader->at++;
  const char last = first == '{' ? '}' : ']';
  if (names_take(reader, last)) return 1;
  do {
    if (first == '{' && (!names_string(reader, text, sizeof text, &is_cut) || !names_take(reader, ':'))) return 0;
    if (!names_skip(reader, depth + 1)) return 0;
  } while (names_take(reader, ','));
  return names_take(reader, last);
}

/* A whole number from 0 to INT32_MAX, written as such. */
static int names_number(names_reader *reader, uint32_t *out) {
  uint64_t value = 0;
  (void)names_peek(reader);
  const char *begin = reader->at;
  if (!names_skip_number(reader)) return 0;
  for (const char *at = begin; at < reader->at; at++) {
    if (*at < '0' || *at > '9') return 0;
    value = value * 10 + (uint64_t)(*at - '0');
    if (value > INT32_MAX) return 0;
  }
  *out = (uint32_t)value;
  return 1;
}

static int names_transports(names_reader *reader, protoipc_found *out) {
  char text[names_text_room];
  int is_cut;
  out->transport_count = 0;
  if (!names_take(reader, '[')) return 0;
  if (names_take(reader, ']')) return 1;
  do {
    if (!names_string(reader, text, sizeof text, &is_cut)) return 0;
    /* It becomes part of a path. */
    if (is_cut || !names_is_name(text) || strlen(text) >= sizeof out->transports[0]) continue;
    if (out->transport_count == PROTOIPC_MAX_TRANSPORTS) continue;
    memcpy(out->transports[out->transport_count++], text, strlen(text) + 1);
  } while (names_take(reader, ','));
  return names_take(reader, ']');
}

/* A string that must fit. */
static int names_text(names_reader *reader, char *out, size_t room) {
  int is_cut;
  return names_string(reader, out, room, &is_cut) && !is_cut;
}

/* One member; *seen gets a bit for each that must be there. */
static int names_member(names_reader *reader, const char *name, protoipc_found *out, unsigned *seen) {
  char key[32], text[names_text_room];
  int is_cut;
  uint32_t number = 0;
  if (!names_string(reader, key, sizeof key, &is_cut) || !names_take(reader, ':')) return 0;
  if (is_cut) return names_skip(reader, 1);
  if (strcmp(key, "name") == 0) {
    *seen |= 1;
    return names_text(reader, text, sizeof text) && strcmp(text, name) == 0;
  }
  if (strcmp(key, "pid") == 0) {
    *seen |= 2;
    if (!names_number(reader, &number) || number == 0) return 0;
    out->pid = (int32_t)number;
    return 1;
  }
  if (strcmp(key, "incarnation") == 0) {
    *seen |= 4;
    return names_text(reader, out->incarnation, sizeof out->incarnation);
  }
  if (strcmp(key, "protocol") == 0) {
    *seen |= 8;
    return names_number(reader, &out->protocol);
  }
  if (strcmp(key, "transports") == 0) {
    *seen |= 16;
    return names_transports(reader, out);
  }
  if (strcmp(key, "startTime") == 0) return names_text(reader, out->start_time, sizeof out->start_time);
  return names_skip(reader, 1);
}

int names_parse_entry(const char *text, size_t bytes, const char *name, protoipc_found *out) {
  names_reader reader = {text, text + bytes};
  protoipc_found found = *out;
  unsigned seen = 0;
  if (!names_take(&reader, '{')) return PROTOIPC_EDENIED;
  do {
    if (!names_member(&reader, name, &found, &seen)) return PROTOIPC_EDENIED;
  } while (names_take(&reader, ','));
  if (!names_take(&reader, '}') || names_peek(&reader) != 0 || reader.at != reader.end) return PROTOIPC_EDENIED;
  if (seen != 31) return PROTOIPC_EDENIED;
  *out = found;
  return 0;
}

int names_read_entry(protoipc_names *names, const char *directory, const char *name, protoipc_found *out) {
  char path[names_file_room];
  const char *why = NULL;
  size_t bytes = 0;
  names_file(directory, "entry", path);
  char *text = malloc(names_most_entry_bytes);
  if (text == NULL) return PROTOIPC_ENOMEM;
  int result = platform_read_own(path, text, names_most_entry_bytes, &bytes, &why);
  if (result == 0) {
    why = "is no entry of this endpoint";
    result = names_parse_entry(text, bytes, name, out);
  }
  free(text);
  return result == 0 || result == PROTOIPC_ENOTFOUND ? result : names_fail(names, result, path, why);
}

int names_write_entry(const protoipc_found *found, const char *name) {
  char text[2048], transports[PROTOIPC_MAX_TRANSPORTS * 40] = "", path[names_file_room], temporary[names_file_room];
  uint8_t random[4];
  char digits[9], file[32];
  size_t length = 0;
  /* All of these were checked to have no character that JSON would write otherwise. */
  for (uint32_t i = 0; i < found->transport_count; i++)
    length += (size_t)snprintf(transports + length, sizeof transports - length, "%s\"%s\"", i > 0 ? "," : "",
                               found->transports[i]);
  const int bytes = snprintf(text, sizeof text,
                             "{\"name\":\"%s\",\"pid\":%d,\"startTime\":\"%s\",\"incarnation\":\"%s\","
                             "\"implementation\":\"c/%d.%d.%d\",\"transports\":[%s],\"services\":[],\"topics\":[],"
                             "\"protocol\":%u}\n",
                             name, (int)found->pid, found->start_time, found->incarnation, PROTOIPC_VERSION_MAJOR,
                             PROTOIPC_VERSION_MINOR, PROTOIPC_VERSION_PATCH, transports, (unsigned)found->protocol);
  if (bytes < 0 || (size_t)bytes >= sizeof text) return PROTOIPC_ETOOLARGE;
  int result = platform_random(random, sizeof random);
  if (result != 0) return result;
  sha256_hex(random, sizeof random, digits);
  (void)snprintf(file, sizeof file, "entry~%s", digits);
  names_file(found->directory, file, temporary);
  names_file(found->directory, "entry", path);
  result = platform_write_new(temporary, text, (size_t)bytes);
  if (result != 0) return result;
  result = platform_rename(temporary, path);
  if (result != 0) (void)platform_remove(temporary);
  return result;
}
