import type { JsonObject } from "@bufbuild/protobuf";
import type { Codec } from "../codec.js";
import {
  checkBool,
  checkDouble,
  checkFloat,
  checkInt32,
  checkInt64,
  checkInt64String,
  checkUint32,
  checkUint64,
  checkUint64String,
} from "../generated/check.js";
import { structFromJson } from "../generated/json-struct.js";
import { writeDoubles, writeFloats } from "../generated/packed.js";
import { unfit } from "../generated/unfit.js";
import {
  writeBool,
  writeBytes,
  writeDouble,
  writeFixed32,
  writeFixed64,
  writeFloat,
  writeInt32,
  writeInt64,
  writeSint32,
  writeSint64,
  writeVarint32,
} from "../generated/write.js";
import { sizeOfVarint32, sizeOfVarint64, utf8Size, writeUtf8 } from "./sizes.js";

/** How values of a type are checked, measured and written. */
export interface ValueKind<T> {
  readonly wireType: number;
  /** Throws for what is no such value. */
  check(value: T): void;
  /** How many bytes exactly a value takes that was checked. `write` follows for the same one, if there is room for it. */
  size(value: T): number;
  write(bytes: Uint8Array, pos: number, value: T): number;
  /** Writes many, where there is a faster way than one by one. */
  readonly writeAll?: (bytes: Uint8Array, pos: number, values: readonly T[]) => number;
}

const VARINT = 0;
const BIT64 = 1;
const LENGTH_DELIMITED = 2;
const BIT32 = 5;

const four = (): number => 4;
const eight = (): number => 8;
const zigzag64 = (value: bigint): bigint => (value << 1n) ^ (value >> 63n);

export const int32Kind: ValueKind<number> = {
  wireType: VARINT,
  check: checkInt32,
  size: (value) => (value < 0 ? 10 : sizeOfVarint32(value)),
  write: writeInt32,
};
export const uint32Kind: ValueKind<number> = {
  wireType: VARINT,
  check: checkUint32,
  size: sizeOfVarint32,
  write: writeVarint32,
};
export const sint32Kind: ValueKind<number> = {
  wireType: VARINT,
  check: checkInt32,
  size: (value) => sizeOfVarint32(((value << 1) ^ (value >> 31)) >>> 0),
  write: writeSint32,
};
export const fixed32Kind: ValueKind<number> = {
  wireType: BIT32,
  check: checkUint32,
  size: four,
  write: writeFixed32,
};
export const sfixed32Kind: ValueKind<number> = {
  wireType: BIT32,
  check: checkInt32,
  size: four,
  write: writeFixed32,
};
export const floatKind: ValueKind<number> = {
  wireType: BIT32,
  check: checkFloat,
  size: four,
  write: writeFloat,
  writeAll: writeFloats,
};
export const doubleKind: ValueKind<number> = {
  wireType: BIT64,
  check: checkDouble,
  size: eight,
  write: writeDouble,
  writeAll: writeDoubles,
};
export const int64Kind: ValueKind<bigint> = {
  wireType: VARINT,
  check: checkInt64,
  size: sizeOfVarint64,
  write: writeInt64,
};
export const uint64Kind: ValueKind<bigint> = {
  wireType: VARINT,
  check: checkUint64,
  size: sizeOfVarint64,
  write: writeInt64,
};
export const sint64Kind: ValueKind<bigint> = {
  wireType: VARINT,
  check: checkInt64,
  size: (value) => sizeOfVarint64(zigzag64(value)),
  write: writeSint64,
};
export const fixed64Kind: ValueKind<bigint> = {
  wireType: BIT64,
  check: checkUint64,
  size: eight,
  write: writeFixed64,
};
export const sfixed64Kind: ValueKind<bigint> = {
  wireType: BIT64,
  check: checkInt64,
  size: eight,
  write: writeFixed64,
};
export const boolKind: ValueKind<boolean> = {
  wireType: VARINT,
  check: checkBool,
  size: () => 1,
  write: writeBool,
};
export const stringKind: ValueKind<string> = {
  wireType: LENGTH_DELIMITED,
  check(value) {
    if (typeof value !== "string") unfit();
  },
  size(value) {
    const length = utf8Size(value);
    return sizeOfVarint32(length) + length;
  },
  write: writeUtf8,
};
export const bytesKind: ValueKind<Uint8Array> = {
  wireType: LENGTH_DELIMITED,
  check(value) {
    if (!(value instanceof Uint8Array)) unfit();
  },
  size: ({ length }) => sizeOfVarint32(length) + length,
  write: writeBytes,
};

/** Numbers of 64 bits that are strings (`jstype`). */
export function textKind(kind: ValueKind<bigint>): ValueKind<string> {
  const check = kind.check === checkInt64 ? checkInt64String : checkUint64String;
  return {
    wireType: kind.wireType,
    check,
    size: (value) => kind.size(BigInt(value)),
    write: (bytes, pos, value) => kind.write(bytes, pos, BigInt(value)),
  };
}

/** Values that stand in a message of their own, as its field 1 (google.protobuf.Int32Value and its like). */
export function wrapperKind<T>(kind: ValueKind<T>): ValueKind<T> {
  return {
    wireType: LENGTH_DELIMITED,
    check: kind.check,
    size(value) {
      const length = 1 + kind.size(value);
      return sizeOfVarint32(length) + length;
    },
    write(bytes, pos, value) {
      const start = writeVarint32(bytes, pos, 1 + kind.size(value));
      bytes[start] = (1 << 3) | kind.wireType;
      return kind.write(bytes, start + 1, value);
    },
  };
}

/** A google.protobuf.Struct, given as the JSON that it stands for. */
export function structKind(codec: Codec<unknown, unknown>): ValueKind<JsonObject> {
  let encoded = new Uint8Array(0);
  return {
    wireType: LENGTH_DELIMITED,
    check(value) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) unfit();
    },
    size(value) {
      encoded = Uint8Array.from(codec.encode!(structFromJson(value)));
      return sizeOfVarint32(encoded.length) + encoded.length;
    },
    write: (bytes, pos) => writeBytes(bytes, pos, encoded),
  };
}
