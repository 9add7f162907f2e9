import type { DescField, DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, isMessage, ScalarType, toBinary } from "@bufbuild/protobuf";
import type { BytesField, Codec } from "./codec.js";
import { createFlatWriter } from "./flat-writer.js";
import { DEFAULT_NESTING, isStackOverflow, nestedBeyondStack, nestedTooDeep } from "./nesting.js";
import { privateCopy } from "./private-copy.js";
import { writeBytes } from "./spare-writer.js";

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
  // The message that maxSize was last asked about, and its bytes, for the encodeInto that follows.
  let sized: MessageInitShape<Desc> | undefined;
  let sizedBytes: Uint8Array | undefined;
  const writeFlat = createFlatWriter(schema);
  let bytesFields: ReadonlyMap<number, BytesField> | undefined;
  const aliasesOnlyUnknown = schema.fields.every(decodesToPrimitives);

  const encode = (message: MessageInitShape<Desc>): Uint8Array => {
    // toBinary refuses a message of another type, where create would take it for an init object without known fields.
    const whole = isMessage(message) ? (message as MessageShape<Desc>) : create(schema, message);
    if (writeFlat !== undefined && whole.$typeName === schema.typeName && whole.$unknown === undefined) {
      try {
        return writeBytes(writeFlat, whole);
      } catch {
        // toBinary fails too, and says which field is wrong.
      }
    }
    return toBinary(schema, whole);
  };

  const takeEncoded = (message: MessageInitShape<Desc>): Uint8Array => {
    const encoded = sizedBytes !== undefined && sized === message ? sizedBytes : encode(message);
    sized = undefined;
    sizedBytes = undefined;
    return encoded;
  };

  return {
    typeName: schema.typeName,
    maxSize(message) {
      sizedBytes = encode(message);
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
