import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import type { BinaryWriter } from "@bufbuild/protobuf/wire";

// toBinary makes a BinaryWriter for each message, and with it memory off the JavaScript heap: for small messages that
// is most of what it costs. Writing to a writer that is used again takes a fraction. This is only done for messages
// without messages in them, which are the small ones, and for which there is little to get wrong.

/** Writes the fields of a message; throws where a value does not fit its field. */
export type FlatWriter = (message: Message, writer: BinaryWriter) => void;

type Values = Readonly<Record<string, unknown>>;
type FieldWriter = (values: Values, writer: BinaryWriter) => void;
type ValueWriter = (writer: BinaryWriter, value: unknown) => void;

// Values of google.protobuf.FeatureSet.FieldPresence, whose generated enum would bring descriptor.proto along.
const IMPLICIT = 2;
const LEGACY_REQUIRED = 3;

const VARINT = 0;
const BIT64 = 1;
const LENGTH_DELIMITED = 2;
const BIT32 = 5;

/** A writer that gives the bytes that toBinary gives, or `undefined` for a schema that is not flat. */
export function createFlatWriter(schema: DescMessage): FlatWriter | undefined {
  const fieldWriters: FieldWriter[] = [];
  for (const field of [...schema.fields].sort((a, b) => a.number - b.number)) {
    const fieldWriter = createFieldWriter(field);
    if (fieldWriter === undefined) return undefined;
    fieldWriters.push(fieldWriter);
  }
  return (message, writer) => {
    for (const write of fieldWriters) write(message, writer);
  };
}

function createFieldWriter(field: DescField): FieldWriter | undefined {
  if (field.oneof !== undefined) return undefined;
  const name = field.localName;
  if (field.fieldKind === "list" && field.listKind !== "message") {
    const type = field.listKind === "enum" ? ScalarType.INT32 : field.scalar;
    return createListWriter(name, field.number, type, field.packed);
  }
  if (field.fieldKind !== "scalar" && field.fieldKind !== "enum") return undefined;
  const type = field.fieldKind === "enum" ? ScalarType.INT32 : field.scalar;
  const tag = makeTag(field.number, wireTypeOf(type));
  const write = valueWriterOf(type);
  if (field.presence === IMPLICIT) {
    const isZero = zeroTestOf(type);
    return (values, writer) => {
      const value = values[name];
      if (!isZero(value)) write(writer.uint32(tag), value);
    };
  }
  const required = field.presence === LEGACY_REQUIRED;
  return (values, writer) => {
    const value = values[name];
    // The prototype of some messages holds the defaults of their fields.
    if (value !== undefined && Object.hasOwn(values, name)) write(writer.uint32(tag), value);
    else if (required) throw new Error(`required field ${name} is not set`);
  };
}

function createListWriter(name: string, number: number, type: ScalarType, packed: boolean): FieldWriter {
  const write = valueWriterOf(type);
  const tag = makeTag(number, packed ? LENGTH_DELIMITED : wireTypeOf(type));
  return (values, writer) => {
    const items = values[name];
    if (!Array.isArray(items)) throw new Error(`field ${name} is not an array`);
    if (!packed) {
      for (const item of items) write(writer.uint32(tag), item);
    } else if (items.length > 0) {
      writer.uint32(tag).fork();
      for (const item of items) write(writer, item);
      writer.join();
    }
  };
}

function makeTag(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}

function wireTypeOf(type: ScalarType): number {
  switch (type) {
    case ScalarType.BYTES:
    case ScalarType.STRING:
      return LENGTH_DELIMITED;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return BIT64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return BIT32;
    default:
      return VARINT;
  }
}

/** Whether a value is the zero value of its type, which a field without presence does not write. */
function zeroTestOf(type: ScalarType): (value: unknown) => boolean {
  switch (type) {
    case ScalarType.BYTES:
      return (value) => value instanceof Uint8Array && value.byteLength === 0;
    case ScalarType.STRING:
      return (value) => value === "";
    case ScalarType.BOOL:
      return (value) => value === false;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      // Minus zero is not the zero value.
      return (value) => Object.is(value, 0);
    default:
      // 64-bit integers are bigints, or strings where the schema says so.
      return (value) => value === 0 || value === 0n || value === "0";
  }
}

// BinaryWriter checks the values of numbers itself.
function valueWriterOf(type: ScalarType): ValueWriter {
  switch (type) {
    case ScalarType.BYTES:
      return (writer, value) => writer.bytes(value as Uint8Array);
    case ScalarType.STRING:
      return (writer, value) => writer.string(value as string);
    case ScalarType.BOOL:
      return (writer, value) => writer.bool(value as boolean);
    case ScalarType.DOUBLE:
      return (writer, value) => writer.double(value as number);
    case ScalarType.FLOAT:
      return (writer, value) => writer.float(value as number);
    case ScalarType.INT32:
      return (writer, value) => writer.int32(value as number);
    case ScalarType.UINT32:
      return (writer, value) => writer.uint32(value as number);
    case ScalarType.SINT32:
      return (writer, value) => writer.sint32(value as number);
    case ScalarType.FIXED32:
      return (writer, value) => writer.fixed32(value as number);
    case ScalarType.SFIXED32:
      return (writer, value) => writer.sfixed32(value as number);
    case ScalarType.INT64:
      return (writer, value) => writer.int64(value as bigint);
    case ScalarType.UINT64:
      return (writer, value) => writer.uint64(value as bigint);
    case ScalarType.SINT64:
      return (writer, value) => writer.sint64(value as bigint);
    case ScalarType.FIXED64:
      return (writer, value) => writer.fixed64(value as bigint);
    case ScalarType.SFIXED64:
      return (writer, value) => writer.sfixed64(value as bigint);
  }
}
