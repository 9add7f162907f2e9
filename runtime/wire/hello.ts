import { FieldReader } from "./field-reader.js";
import { MessageBuilder } from "./field-writer.js";
import { WireError } from "./wire-error.js";

/** protoipc.v1.Limits, with the defaults in place of what was absent. */
export interface WireLimits {
  readonly maxMessageBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxMetadataBytes: number;
  readonly maxCalls: number;
  readonly callBytes: number;
  readonly initialMessages: number;
  readonly initialBytes: number;
  readonly oneWayMessages: number;
  readonly oneWayBytes: number;
  readonly maxKeys: number;
  readonly maxMethods: number;
  readonly maxNesting: number;
}

/** What a Hello means where it is silent. */
export const DEFAULT_WIRE_LIMITS: WireLimits = {
  maxMessageBytes: 4_194_304,
  maxHeaderBytes: 65_536,
  maxMetadataBytes: 8_192,
  maxCalls: 1_024,
  callBytes: 4_194_304,
  initialMessages: 16,
  initialBytes: 16_384,
  oneWayMessages: 1_024,
  oneWayBytes: 1_048_576,
  maxKeys: 65_536,
  maxMethods: 4_096,
  maxNesting: 100,
};

/** In the order of their numbers in protoipc.v1.Limits. */
const LIMIT_FIELDS = Object.keys(DEFAULT_WIRE_LIMITS) as (keyof WireLimits)[];

/** protoipc.v1.Hello. */
export interface WireHello {
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly features: number;
  readonly limits: WireLimits;
  readonly name: string;
  readonly implementation: string;
  readonly incarnation: Uint8Array;
  readonly clock: { readonly bootId: string; readonly timeNamespace: number };
  readonly pid: number;
}

/** Names and implementations are at most this long. */
export const MAX_NAME_BYTES = 64;
const MAX_BOOT_ID_BYTES = 64;
const MAX_INCARNATION_BYTES = 16;

/** The Hello as a protobuf message. */
export function encodeHello(hello: WireHello): Uint8Array {
  const limits = new MessageBuilder();
  LIMIT_FIELDS.forEach((name, index) => {
    limits.number(index + 1, hello.limits[name]);
  });
  const clock = new MessageBuilder().string(1, hello.clock.bootId).number(2, hello.clock.timeNamespace);
  const builder = new MessageBuilder()
    .number(1, hello.minVersion)
    .number(2, hello.maxVersion)
    .number(3, hello.features)
    .bytes(4, limits.finish())
    .string(5, hello.name)
    .string(6, hello.implementation);
  if (hello.incarnation.length > 0) builder.bytes(7, hello.incarnation);
  if (hello.clock.bootId !== "") builder.bytes(8, clock.finish());
  return builder.number(9, hello.pid).finish();
}

/** Reads a Hello. Throws `WireError`. */
export function decodeHello(bytes: Uint8Array, start: number, end: number): WireHello {
  const reader = new FieldReader(bytes, start, end);
  let minVersion = 0;
  let maxVersion = 0;
  let features = 0;
  let limits = DEFAULT_WIRE_LIMITS;
  let name = "";
  let implementation = "";
  let incarnation = new Uint8Array(0);
  let clock = { bootId: "", timeNamespace: 0 };
  let pid = 0;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        minVersion = reader.uint32();
        break;
      case 2:
        maxVersion = reader.uint32();
        break;
      case 3:
        features = reader.number();
        break;
      case 4:
        reader.delimited();
        limits = decodeLimits(bytes, reader.valueStart, reader.valueEnd);
        break;
      case 5:
        name = shortString(reader, "name", MAX_NAME_BYTES);
        break;
      case 6:
        implementation = shortString(reader, "implementation", MAX_NAME_BYTES);
        break;
      case 7:
        reader.delimited();
        checkLength("incarnation", reader.valueEnd - reader.valueStart, MAX_INCARNATION_BYTES);
        incarnation = bytes.slice(reader.valueStart, reader.valueEnd);
        break;
      case 8:
        reader.delimited();
        clock = decodeClock(bytes, reader.valueStart, reader.valueEnd);
        break;
      case 9:
        pid = reader.uint32();
        break;
      default:
        reader.skip();
    }
  }
  return { minVersion, maxVersion, features, limits, name, implementation, incarnation, clock, pid };
}

function decodeLimits(bytes: Uint8Array, start: number, end: number): WireLimits {
  const reader = new FieldReader(bytes, start, end);
  const limits = { ...DEFAULT_WIRE_LIMITS };
  while (reader.next()) {
    const name = LIMIT_FIELDS[reader.field - 1];
    if (name === undefined) {
      reader.skip();
      continue;
    }
    const value = reader.number();
    if (value > 0) limits[name] = value;
  }
  return limits;
}

function decodeClock(
  bytes: Uint8Array,
  start: number,
  end: number,
): { bootId: string; timeNamespace: number } {
  const reader = new FieldReader(bytes, start, end);
  const clock = { bootId: "", timeNamespace: 0 };
  while (reader.next()) {
    if (reader.field === 1) clock.bootId = shortString(reader, "boot_id", MAX_BOOT_ID_BYTES);
    else if (reader.field === 2) clock.timeNamespace = reader.number();
    else reader.skip();
  }
  return clock;
}

function shortString(reader: FieldReader, what: string, limit: number): string {
  const text = reader.string();
  checkLength(what, reader.valueEnd - reader.valueStart, limit);
  return text;
}

function checkLength(what: string, length: number, limit: number): void {
  if (length > limit) throw new WireError(`Hello.${what} has ${length} bytes; the limit is ${limit}`);
}
