import type { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Codec } from "./codec.js";
import { privateCopy } from "./private-copy.js";
import { writeBytes } from "./spare-writer.js";

/** What ts-proto generates beside a message's type, as far as a codec needs it. */
export interface TsProtoMessageFns<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
  decode(input: Uint8Array, length?: number): T;
}

/**
 * The codec of a message that ts-proto generated. Messages are passed whole, as `Message.create` or
 * `Message.fromPartial` make them. `typeName` is the message's full protobuf name.
 */
export function tsProto<T>(typeName: string, fns: TsProtoMessageFns<T>): Codec<T, T> {
  // The message that maxSize was last asked about, and its bytes, for the encodeInto that follows.
  let sized: T | undefined;
  let sizedBytes: Uint8Array | undefined;
  const write = (message: T, writer: BinaryWriter) => fns.encode(message, writer);

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
    decode(bytes, start, end, mayAlias) {
      return fns.decode(mayAlias ? bytes.subarray(start, end) : privateCopy(bytes, start, end));
    },
  };
}
