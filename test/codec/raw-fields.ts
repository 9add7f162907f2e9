import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** A field of a message as it is encoded, its tag included. */
export interface RawField {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/**
 * The fields of an encoded message one by one, cut where a decoder that knows the type cuts: as declared, whatever the
 * tag says. Written anew for the tests, over protobuf-es's reader. Throws where it cannot be cut.
 */
export function rawFields(desc: DescMessage, bytes: Uint8Array): RawField[] {
  const reader = new BinaryReader(bytes);
  const fields: RawField[] = [];
  while (reader.pos < bytes.length) {
    const start = reader.pos;
    const [number, wireType] = reader.tag();
    pass(reader, desc, number, wireType, bytes.length);
    fields.push({ number, bytes: bytes.subarray(start, reader.pos) });
  }
  return fields;
}

export function join(fields: readonly RawField[]): Uint8Array {
  return Uint8Array.from(fields.flatMap(({ bytes }) => [...bytes]));
}

function pass(reader: BinaryReader, desc: DescMessage, number: number, tagged: WireType, end: number): void {
  const field = desc.fields.find((each) => each.number === number);
  const wireType = field === undefined ? tagged : declared(field, tagged);
  if (field !== undefined && wireType === WireType.StartGroup) {
    for (;;) {
      const [inner, innerType] = reader.tag();
      if (innerType === WireType.EndGroup) {
        if (inner !== number) throw new Error("another group ends");
        break;
      }
      pass(reader, field.message!, inner, innerType, end);
    }
  } else {
    reader.skip(wireType, number);
  }
  if (reader.pos > end) throw new Error("cut off");
}

function declared(field: DescField, tagged: WireType): WireType {
  if (field.fieldKind === "map") return WireType.LengthDelimited;
  if (field.message !== undefined) {
    const isGroup = "delimitedEncoding" in field && field.delimitedEncoding === true;
    return isGroup ? WireType.StartGroup : WireType.LengthDelimited;
  }
  const wireType = field.scalar === undefined ? WireType.Varint : wireTypeOf(field.scalar);
  const isPacked = field.fieldKind === "list" && tagged === WireType.LengthDelimited;
  return isPacked ? tagged : wireType;
}

function wireTypeOf(type: ScalarType): WireType {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}
