import type { DescField, DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, isMessage, ScalarType, toBinary } from "@bufbuild/protobuf";
import type { Codec } from "./codec.js";
import { createFlatWriter } from "./flat-writer.js";
import { privateCopy } from "./private-copy.js";
import { writeBytes } from "./spare-writer.js";

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
    decode(bytes, start, end, mayAlias) {
      if (mayAlias || !aliasesOnlyUnknown) {
        // fromBinary makes `bytes` fields and unknown fields views of its input.
        const input = mayAlias ? bytes.subarray(start, end) : privateCopy(bytes, start, end);
        return fromBinary(schema, input);
      }
      const message = fromBinary(schema, bytes.subarray(start, end));
      if (message.$unknown !== undefined) {
        message.$unknown = message.$unknown.map((field) => ({
          ...field,
          data: privateCopy(field.data, 0, field.data.length),
        }));
      }
      return message;
    },
  };
}

/** Whether nothing in the decoded field can be a view of the input. */
function decodesToPrimitives(field: DescField): boolean {
  return field.message === undefined && field.scalar !== ScalarType.BYTES;
}
