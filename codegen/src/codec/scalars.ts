import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";

/** What generated code does with values of a type: the functions of the runtime that it calls, by name. */
export interface ValueKind {
  readonly wireType: number;
  /** The most bytes that a value takes. `undefined`: the function for bounds says it. */
  readonly maxBytes: number | undefined;
  /** Checks a value, which may be `undefined`; where `maxBytes` is `undefined` it returns the bound. */
  readonly check: string;
  /** Checks the values of a list, and returns how many bytes at most they take. `undefined`: one by one. */
  readonly checkList: string | undefined;
  readonly write: string;
  /** Whether reading takes the end of the message: what has a length does. */
  readonly read: string;
  readonly hasLength: boolean;
  /** Whether a packed list has functions of its own: those of a value with an `s`. Integers and floating point have. */
  readonly hasPacked: boolean;
  /** The zero value, as code. */
  readonly zero: string;
}

const VARINT = 0;
const BIT64 = 1;
export const LENGTH_DELIMITED = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
const BIT32 = 5;

function number32(
  wireType: number,
  maxBytes: number,
  check: string,
  checkList: string,
  write: string,
  read: string,
): ValueKind {
  const hasPacked = /^read(Int32|Uint32|Double|Float)$/.test(read);
  return { wireType, maxBytes, check, checkList, write, read, hasLength: false, hasPacked, zero: "0" };
}

function number64(wireType: number, sign: "Int" | "Uint", write: string, read: string): ValueKind {
  return {
    wireType,
    maxBytes: wireType === BIT64 ? 8 : 10,
    check: `check${sign}64`,
    checkList: `boundOf${sign}64s`,
    write,
    read,
    hasLength: false,
    hasPacked: false,
    zero: "0n",
  };
}

const INT32 = number32(VARINT, 10, "checkInt32", "sizeOfInt32s", "writeInt32", "readInt32");

const KINDS: Readonly<Record<ScalarType, ValueKind>> = {
  [ScalarType.INT32]: INT32,
  [ScalarType.UINT32]: number32(VARINT, 5, "checkUint32", "sizeOfUint32s", "writeVarint32", "readUint32"),
  [ScalarType.SINT32]: number32(VARINT, 5, "checkInt32", "sizeOfSint32s", "writeSint32", "readSint32"),
  [ScalarType.FIXED32]: number32(BIT32, 4, "checkUint32", "sizeOfFixed32s", "writeFixed32", "readFixed32"),
  [ScalarType.SFIXED32]: number32(BIT32, 4, "checkInt32", "sizeOfSfixed32s", "writeFixed32", "readSfixed32"),
  [ScalarType.FLOAT]: number32(BIT32, 4, "checkFloat", "sizeOfFloats", "writeFloat", "readFloat"),
  [ScalarType.DOUBLE]: number32(BIT64, 8, "checkDouble", "sizeOfDoubles", "writeDouble", "readDouble"),
  [ScalarType.INT64]: number64(VARINT, "Int", "writeInt64", "readInt64"),
  [ScalarType.UINT64]: number64(VARINT, "Uint", "writeInt64", "readUint64"),
  [ScalarType.SINT64]: number64(VARINT, "Int", "writeSint64", "readSint64"),
  [ScalarType.FIXED64]: number64(BIT64, "Uint", "writeFixed64", "readFixed64"),
  [ScalarType.SFIXED64]: number64(BIT64, "Int", "writeFixed64", "readSfixed64"),
  [ScalarType.BOOL]: {
    ...number32(VARINT, 1, "checkBool", "sizeOfBools", "writeBool", "readBool"),
    zero: "false",
  },
  [ScalarType.STRING]: {
    wireType: LENGTH_DELIMITED,
    maxBytes: undefined,
    check: "boundOfString",
    checkList: "boundOfStrings",
    write: "writeString",
    read: "readString",
    hasLength: true,
    hasPacked: false,
    zero: '""',
  },
  [ScalarType.BYTES]: {
    wireType: LENGTH_DELIMITED,
    maxBytes: undefined,
    check: "boundOfBytes",
    checkList: "boundOfByteArrays",
    write: "writeBytes",
    read: "readBytes",
    hasLength: true,
    hasPacked: false,
    zero: "new Uint8Array(0)",
  },
};

/** How values of a field that are no messages are treated; for a map, its values. */
export function valueKind(field: DescField): ValueKind {
  if (field.scalar === undefined) return INT32;
  const kind = scalarKind(field.scalar, field.utf8Validation);
  if (!isLongString(field)) return kind;
  // The check of 64 bits has a twin for strings.
  return { ...kind, check: `${kind.check}String`, checkList: undefined, zero: '"0"' };
}

/** How the keys of a map are treated. */
export function keyKind(field: DescField & { readonly fieldKind: "map" }): ValueKind {
  return scalarKind(field.mapKey, field.utf8Validation);
}

function scalarKind(type: ScalarType, isStrict: boolean): ValueKind {
  const kind = KINDS[type];
  return type === ScalarType.STRING && !isStrict ? { ...kind, read: "readLooseString" } : kind;
}

/** Whether a field of 64 bits holds strings (`jstype = JS_STRING`). */
export function isLongString(field: DescField): boolean {
  return "longAsString" in field && field.longAsString === true;
}

/** The functions that read and write a packed list of a kind that has them. */
export function packedFunctions({ read }: ValueKind): { readonly read: string; readonly write: string } {
  return { read: `${read}s`, write: `${read.replace("read", "write")}s` };
}

/** The bytes of a tag. */
export function tagBytes(number: number, wireType: number): number[] {
  const bytes: number[] = [];
  let rest = ((number << 3) | wireType) >>> 0;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

/** How a field holds a message: as it is, as the value that its wrapper has, or as JSON. */
export type MessageForm = "message" | "wrapper" | "json";

export function messageForm(field: DescField, message: DescMessage): MessageForm {
  if (message.typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value") {
    return "json";
  }
  return field.fieldKind === "message" && field.oneof === undefined && isWrapperDesc(message)
    ? "wrapper"
    : "message";
}
