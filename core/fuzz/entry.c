/* The text of an entry, as a directory may hold it: what is read from it is bounded, and safe to be part of a path. */
#include "../src/names.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  protoipc_found found, before;
  memset(&found, 0, sizeof found);
  memset(found.directory, 'd', sizeof found.directory - 1);
  before = found;
  /* Its own memory, so that the byte behind its end is nobody's. */
  char *text = malloc(bytes == 0 ? 1 : bytes);
  MUST(text != NULL);
  if (bytes > 0) memcpy(text, data, bytes);
  const int result = names_parse_entry(text, bytes, "market", &found);
  free(text);
  MUST(result == 0 || result == PROTOIPC_EDENIED);
  MUST(memcmp(found.directory, before.directory, sizeof found.directory) == 0);
  if (result != 0) {
    MUST(memcmp(&found, &before, sizeof found) == 0);
    return 0;
  }
  MUST(found.pid > 0);
  MUST(found.transport_count <= PROTOIPC_MAX_TRANSPORTS);
  for (uint32_t i = 0; i < found.transport_count; i++) MUST(names_is_name(found.transports[i]));
  MUST(memchr(found.incarnation, 0, sizeof found.incarnation) != NULL);
  MUST(memchr(found.start_time, 0, sizeof found.start_time) != NULL);
  return 0;
}
