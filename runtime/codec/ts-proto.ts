import type { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { BytesField, Codec } from "./codec.js";
import { CountingReader } from "./counting-reader.js";
import { DEFAULT_NESTING, isStackOverflow, nestedBeyondStack } from "./nesting.js";
import { privateCopy } from "./private-copy.js";
import { probeBytesFields } from "./probe-bytes-fields.js";
import { writeBytes } from "./spare-writer.js";

/** What ts-proto generates beside a message's type, as far as a codec needs it. */
export interface TsProtoMessageFns<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
  decode(input: Uint8Array, length?: number): T;
}

/**
 * The codec of a message that ts-proto generated. Messages are passed whole, as `Message.create` or
 * `Message.fromPartial` make them. `typeName` is the message's full protobuf name. The nesting of messages is limited in
 * what ts-proto 2.12.1 and later generate, if it imports the same copy of @bufbuild/protobuf as this package; from
 * others a message may be nested as deep as the stack reaches, or as deep as their own limit says.
 */
export function tsProto<T>(typeName: string, fns: TsProtoMessageFns<T>): Codec<T, T> {
  // The message that maxSize was last asked about, and its bytes, for the encodeInto that follows.
  let sized: T | undefined;
  let sizedBytes: Uint8Array | undefined;
  const write = (message: T, writer: BinaryWriter) => fns.encode(message, writer);
  let isCounting: boolean | undefined;
  let bytesFields: ReadonlyMap<number, BytesField> | undefined;

  const takeEncoded = (message: T): Uint8Array => {
    const encoded = sizedBytes !== undefined && sized === message ? sizedBytes : writeBytes(write, message);
    sized = undefined;
    sizedBytes = undefined;
    return encoded;
  };

  return {
    typeName,
    maxSize(message) {
      sizedBytes = writeBytes(write, message);
      sized = message;
      return sizedBytes.length;
    },
    encode: takeEncoded,
    encodeInto(message, bytes, offset) {
      const encoded = takeEncoded(message);
      bytes.set(encoded, offset);
      return offset + encoded.length;
    },
    decode(bytes, start, end, mayAlias, maxNesting = DEFAULT_NESTING) {
      isCounting ??= countsNesting(fns);
      const input = mayAlias ? bytes.subarray(start, end) : privateCopy(bytes, start, end);
      try {
        return isCounting ? read(fns, new CountingReader(input, typeName, maxNesting)) : fns.decode(input);
      } catch (error) {
        throw isStackOverflow(error) ? nestedBeyondStack(typeName, maxNesting, error) : error;
      }
    },
    bytesFields() {
      bytesFields ??= probeBytesFields(fns.decode(new Uint8Array(0)) as object, (message) =>
        fns.encode(message as T).finish(),
      );
      return bytesFields;
    },
  };
}

/** Whether the functions read with the reader that they are given, and count the messages within messages on it. */
function countsNesting(fns: TsProtoMessageFns<unknown>): boolean {
  const reader = new CountingReader(new Uint8Array(0), "", DEFAULT_NESTING);
  try {
    read(fns, reader);
  } catch {
    // They take none, or not this one: they get bytes.
  }
  return reader.isCounted;
}

/** Generated functions take readers too; their type names a class, of which each copy of its package has its own. */
function read<T>(fns: TsProtoMessageFns<T>, reader: CountingReader): T {
  return fns.decode(reader as unknown as Uint8Array);
}
