import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { BytesField, Codec } from "../codec.js";
import { DEFAULT_NESTING, isStackOverflow, nestedBeyondStack, nestedTooDeep } from "../nesting.js";
import { privateCopy } from "../private-copy.js";
import { protobufEs } from "../protobuf-es.js";
import { cursor } from "./cursor.js";
import { TooDeepError, TwiceError } from "./read.js";

/** Messages of more bytes are copied before they are decoded, if they are not private: then native code may read them. */
const COPIED = 64;
/** Messages of more bytes are copied to memory of their own, of which their fields of bytes are views. */
const SHARED_COPY = 8_192;

/** The texts of messages up to so many bytes may be parts of one text. */
const IN_PARTS = 4_096;

const copy = new Uint8Array(SHARED_COPY);
/** Where messages are written whose size is not known well enough to make memory for them. */
const draft = new Uint8Array(8_192);

/** What generated code does with messages of a type. */
export interface GeneratedFunctions<Desc extends DescMessage> {
  /** An upper bound of what `write` writes. Throws for a message that `write` cannot take. */
  readonly measure: (message: MessageInitShape<Desc>) => number;
  readonly write: (message: MessageInitShape<Desc>, bytes: Uint8Array, pos: number) => number;
  readonly read: (bytes: Uint8Array, pos: number, end: number, depth: number) => MessageShape<Desc>;
}

/** The codec of generated code. What that does not take, protobuf-es takes or refuses, and says why. */
export function generatedCodec<Desc extends DescMessage>(
  schema: Desc,
  measure: GeneratedFunctions<Desc>["measure"],
  write: GeneratedFunctions<Desc>["write"],
  read: GeneratedFunctions<Desc>["read"],
): Codec<MessageInitShape<Desc>, MessageShape<Desc>> {
  let reflective: Codec<MessageInitShape<Desc>, MessageShape<Desc>> | undefined;
  // The message that was measured, which is checked with that, and its encoding where generated code did not take it.
  let measured: MessageInitShape<Desc> | undefined;
  let measuredBound = 0;
  let unfit: Uint8Array | undefined;

  const byReflection = (): Codec<MessageInitShape<Desc>, MessageShape<Desc>> => {
    reflective ??= protobufEs(schema);
    return reflective;
  };

  const maxSize = (message: MessageInitShape<Desc>): number => {
    unfit = undefined;
    measured = message;
    try {
      measuredBound = measure(message);
      if (measuredBound >= 0) return measuredBound;
    } catch {
      // Said below.
    }
    measured = undefined;
    const codec = byReflection();
    unfit = codec.encode!(message);
    measured = message;
    measuredBound = unfit.length;
    return measuredBound;
  };

  const encodeInto = (message: MessageInitShape<Desc>, bytes: Uint8Array, offset: number): number => {
    if (message !== measured) maxSize(message);
    measured = undefined;
    if (unfit === undefined) return write(message, bytes, offset);
    const encoded = unfit;
    unfit = undefined;
    bytes.set(encoded, offset);
    return offset + encoded.length;
  };

  return {
    typeName: schema.typeName,
    maxSize,
    encode(message) {
      if (message !== measured) maxSize(message);
      const isShort = measuredBound <= draft.length;
      const bytes = isShort ? draft : new Uint8Array(measuredBound);
      const end = encodeInto(message, bytes, 0);
      // What is kept should not keep much more than itself.
      return isShort || end < bytes.length / 2 ? bytes.slice(0, end) : bytes.subarray(0, end);
    },
    encodeInto,
    decode(bytes, start, end, mayAlias, maxNesting = DEFAULT_NESTING) {
      cursor.mayAlias = mayAlias;
      cursor.isPrivate = true;
      if (!mayAlias) {
        const length = end - start;
        if (length <= COPIED) {
          cursor.isPrivate = false;
        } else if (length <= SHARED_COPY) {
          copy.set(bytes.subarray(start, end));
          bytes = copy;
          start = 0;
          end = length;
        } else {
          bytes = bytes.slice(start, end);
          start = 0;
          end = length;
          cursor.mayAlias = true;
        }
      }
      // Whatever of a larger message is kept should not keep all of it.
      const hasParts = cursor.isPrivate && end - start <= IN_PARTS;
      cursor.start = hasParts ? start : 0;
      cursor.end = hasParts ? end : 0;
      cursor.whole = "";
      cursor.longTexts = 0;
      try {
        return read(bytes, start, end, maxNesting);
      } catch (error) {
        if (error instanceof TwiceError) {
          // Merging is as rare as it is intricate, and done level by level it would read what is nested once for each.
          const own = cursor.isPrivate ? bytes.subarray(start, end) : privateCopy(bytes, start, end);
          return byReflection().decode(own, 0, own.length, cursor.mayAlias || !cursor.isPrivate, maxNesting);
        }
        throw decodeError(error, schema.typeName, maxNesting);
      }
    },
    bytesFields(): ReadonlyMap<number, BytesField> {
      return byReflection().bytesFields!();
    },
  };
}

/** What a codec throws for an error of the functions that read. */
export function decodeError(error: unknown, typeName: string, maxNesting: number): unknown {
  if (error instanceof TooDeepError) return nestedTooDeep(typeName, maxNesting);
  return isStackOverflow(error) ? nestedBeyondStack(typeName, maxNesting, error) : error;
}
