/* SHA-256 (FIPS 180-4), of short messages: the name of a lock is a hash. */
#ifndef PROTOIPC_SHA256_H
#define PROTOIPC_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { sha256_bytes = 32 };

void sha256_digest(const void *message, size_t bytes, uint8_t out[sha256_bytes]);
/* Lower-case hexadecimal with a final zero: 2 * bytes + 1 characters. */
void sha256_hex(const uint8_t *digest, size_t bytes, char *out);

#endif
