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

/** Throws where a field within the message, however deep, does not end within what it stands in. protobuf-es reads on there. */
export function checkEnds(desc: DescMessage, bytes: Uint8Array): void {
  for (const { number, bytes: raw } of rawFields(desc, bytes)) {
    const field = desc.fields.find((each) => each.number === number);
    if (field === undefined) continue;
    const reader = new BinaryReader(raw);
    const [, tagged] = reader.tag();
    const form = declared(field, tagged);
    if (form === WireType.StartGroup) {
      const content = raw.subarray(reader.pos);
      checkEnds(field.message!, content.subarray(0, groupEnd(field.message!, content, number)));
    } else if (form === WireType.LengthDelimited) {
      const content = reader.bytes();
      if (field.fieldKind === "map") checkEntry(field, content);
      else if (field.message !== undefined) checkEnds(field.message, content);
      else if (field.fieldKind === "list") checkPacked(field, content);
    }
  }
}

function groupEnd(desc: DescMessage, content: Uint8Array, number: number): number {
  const reader = new BinaryReader(content);
  for (let start = 0; ; start = reader.pos) {
    const [inner, innerType] = reader.tag();
    if (innerType === WireType.EndGroup && inner === number) return start;
    pass(reader, desc, inner, innerType, content.length);
  }
}

function checkEntry(field: DescField & { fieldKind: "map" }, content: Uint8Array): void {
  const reader = new BinaryReader(content);
  while (reader.pos < content.length) {
    const [number, tagged] = reader.tag();
    if (number === 2 && field.message !== undefined) {
      checkEnds(field.message, reader.bytes());
    } else {
      const scalar = number === 1 ? field.mapKey : (field.scalar ?? ScalarType.INT32);
      reader.skip(number > 2 ? tagged : wireTypeOf(scalar), number);
    }
  }
  if (reader.pos > content.length) throw new Error("cut off");
}

function checkPacked(field: DescField, content: Uint8Array): void {
  const scalar = field.scalar ?? ScalarType.INT32;
  if (scalar === ScalarType.STRING || scalar === ScalarType.BYTES) return;
  const reader = new BinaryReader(content);
  while (reader.pos < content.length) reader.skip(wireTypeOf(scalar));
  if (reader.pos > content.length) throw new Error("cut off");
}
