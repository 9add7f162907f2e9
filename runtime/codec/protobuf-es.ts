import type { DescField, DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, isMessage, ScalarType, toBinary } from "@bufbuild/protobuf";
import type { BytesField, Codec } from "./codec.js";
import { createFlatWriter } from "./flat-writer.js";
import { DEFAULT_NESTING, isStackOverflow, nestedBeyondStack, nestedTooDeep } from "./nesting.js";
import { privateCopy } from "./private-copy.js";
import { writeParts } from "./spare-writer.js";

// The value of google.protobuf.FeatureSet.FieldPresence, whose generated enum would bring descriptor.proto along.
const LEGACY_REQUIRED = 3;

const codecs = new WeakMap<DescMessage, Codec<unknown, unknown>>();

/** The codec of a message that protoc-gen-es generated. The same schema gives the same codec. */
export function protobufEs<Desc extends DescMessage>(
  schema: Desc,
): Codec<MessageInitShape<Desc>, MessageShape<Desc>> {
  type SchemaCodec = Codec<MessageInitShape<Desc>, MessageShape<Desc>>;
  const known = codecs.get(schema) as SchemaCodec | undefined;
  if (known !== undefined) return known;
  const codec: SchemaCodec = createCodec(schema);
  codecs.set(schema, codec);
  return codec;
}

function createCodec<Desc extends DescMessage>(
  schema: Desc,
): Codec<MessageInitShape<Desc>, MessageShape<Desc>> {
  // The message that maxSize was last asked about, and its encoding, for the encodeInto that follows.
  let sized: MessageInitShape<Desc> | undefined;
  let sizedParts: Encoded | undefined;
  const writeFlat = createFlatWriter(schema);
  let bytesFields: ReadonlyMap<number, BytesField> | undefined;
  const aliasesOnlyUnknown = schema.fields.every(decodesToPrimitives);

  const encode = (message: MessageInitShape<Desc>): Encoded => {
    // toBinary refuses a message of another type, where create would take it for an init object without known fields.
    const whole = isMessage(message) ? (message as MessageShape<Desc>) : create(schema, message);
    if (writeFlat !== undefined && whole.$typeName === schema.typeName && whole.$unknown === undefined) {
      try {
        return writeParts(writeFlat, whole);
      } catch {
        // toBinary fails too, and says which field is wrong.
      }
    }
    return toBinary(schema, whole);
  };

  const takeEncoded = (message: MessageInitShape<Desc>): Encoded => {
    const encoded = sizedParts !== undefined && sized === message ? sizedParts : encode(message);
    sized = undefined;
    sizedParts = undefined;
    return encoded;
  };

  return {
    typeName: schema.typeName,
    maxSize(message) {
      sizedParts = encode(message);
      sized = message;
      return sizeOf(sizedParts);
    },
    encode(message) {
      const encoded = takeEncoded(message);
      if (encoded instanceof Uint8Array) return encoded;
      const bytes = new Uint8Array(sizeOf(encoded));
      writeInto(encoded, bytes, 0);
      return bytes;
    },
    encodeInto(message, bytes, offset) {
      return writeInto(takeEncoded(message), bytes, offset);
    },
    decode(bytes, start, end, mayAlias, maxNesting = DEFAULT_NESTING) {
      if (mayAlias || !aliasesOnlyUnknown) {
        // fromBinary makes `bytes` fields and unknown fields views of its input.
        const input = mayAlias ? bytes.subarray(start, end) : privateCopy(bytes, start, end);
        return read(schema, input, maxNesting);
      }
      const message = read(schema, bytes.subarray(start, end), maxNesting);
      if (message.$unknown !== undefined) {
        message.$unknown = message.$unknown.map((field) => ({
          ...field,
          data: privateCopy(field.data, 0, field.data.length),
        }));
      }
      return message;
    },
    bytesFields() {
      bytesFields ??= new Map(
        schema.fields
          .filter(isSingularBytes)
          .map(({ number, localName }) => [number, { name: localName, unset: undefined }]),
      );
      return bytesFields;
    },
  };
}

/** An encoding, or its parts, of which some are the message's own memory. */
type Encoded = Uint8Array | readonly Uint8Array[];

function sizeOf(encoded: Encoded): number {
  if (encoded instanceof Uint8Array) return encoded.length;
  let size = 0;
  for (const part of encoded) size += part.length;
  return size;
}

/** Returns the offset after the last byte. */
function writeInto(encoded: Encoded, bytes: Uint8Array, offset: number): number {
  if (encoded instanceof Uint8Array) {
    bytes.set(encoded, offset);
    return offset + encoded.length;
  }
  let end = offset;
  for (const part of encoded) {
    bytes.set(part, end);
    end += part.length;
  }
  return end;
}

function isSingularBytes(field: DescField): boolean {
  const { fieldKind, scalar, oneof, presence } = field;
  const isBytes = fieldKind === "scalar" && scalar === ScalarType.BYTES;
  return isBytes && oneof === undefined && presence !== LEGACY_REQUIRED;
}

function read<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
  maxNesting: number,
): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes, { recursionLimit: maxNesting });
  } catch (error) {
    if (isStackOverflow(error)) throw nestedBeyondStack(schema.typeName, maxNesting, error);
    // The library has no code for it. Another text would make it an error like any other.
    const isTooDeep = error instanceof Error && error.message.includes("maximum recursion depth");
    throw isTooDeep ? nestedTooDeep(schema.typeName, maxNesting, error) : error;
  }
}

/** Whether nothing in the decoded field can be a view of the input. */
function decodesToPrimitives(field: DescField): boolean {
  return field.message === undefined && field.scalar !== ScalarType.BYTES;
}
