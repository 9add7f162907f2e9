/** The numbers of wire.proto's enums, as the frame code uses them. A test holds them to the generated ones. */

/** protoipc.v1.Kind. Kinds from 64 up are skipped when unknown. */
export const Kind = {
  HELLO: 1,
  METHOD: 2,
  OPEN: 3,
  DATA: 4,
  HEADERS: 5,
  END: 6,
  CANCEL: 7,
  CREDIT: 8,
  KEY: 9,
  LOST: 10,
  DRAIN: 11,
  CLOSE: 12,
} as const;

/** The first kind that a receiver skips when it does not know it. */
export const FIRST_OPTIONAL_KIND = 64;

/** protoipc.v1.Flag. */
export const Flag = { LAST: 1, MORE: 2, ONE_WAY: 4, NOT_STARTED: 8 } as const;

/** protoipc.v1.Feature. */
export const Feature = { FRAGMENTS: 1, METHOD_IDS: 2 } as const;

/** The longest name of a method, and the longest key of a topic, in bytes: receivers keep many of them. */
export const MAX_METHOD_BYTES = 1_024;
export const MAX_KEY_BYTES = 1_024;

/** The protocol version that this code speaks. */
export const PROTOCOL_VERSION = 1;
