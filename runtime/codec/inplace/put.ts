import { IpcError } from "../../error.js";
import { writePaddedVarint } from "../../wire/varint.js";
import { given } from "../generated/bounds.js";
import { writeVarint32 } from "../generated/write.js";
import { sizeOfVarint32 } from "./sizes.js";
import type { ValueKind } from "./value-kinds.js";
import { markSet, type MessageWriter, notAValue, roomFor, turnOf } from "./writer.js";

// What the setters of writers do. `name` and `number` are those of the field. What a field takes is known before the first
// byte of it is written.

const LENGTH_DELIMITED = 2;

export function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}

export function checkValue<T>(writer: MessageWriter, name: string, kind: ValueKind<T>, value: T): void {
  try {
    kind.check(given(value));
  } catch (cause) {
    throw notAValue(writer, name, value, cause);
  }
}

/** Writes a value, of a singular field or one more of a repeated field. */
export function putValue<T>(
  writer: MessageWriter,
  name: string,
  number: number,
  kind: ValueKind<T>,
  value: T,
): void {
  turnOf(writer);
  checkValue(writer, name, kind, value);
  const tag = tagOf(number, kind.wireType);
  const page = roomFor(writer, name, sizeOfVarint32(tag) + kind.size(value));
  page.pos = kind.write(page.bytes, writeVarint32(page.bytes, page.pos, tag), value);
  markSet(writer, name);
}

/** Writes values of a repeated field, packed. */
export function putPacked<T>(
  writer: MessageWriter,
  name: string,
  number: number,
  kind: ValueKind<T>,
  values: Iterable<T>,
): void {
  turnOf(writer);
  const list: readonly T[] = Array.isArray(values) ? values : Array.from(values);
  let size = 0;
  for (let i = 0; i < list.length; i++) {
    checkValue(writer, name, kind, list[i]!);
    size += kind.size(list[i]!);
  }
  if (size === 0) return;
  const tag = tagOf(number, LENGTH_DELIMITED);
  const page = roomFor(writer, name, sizeOfVarint32(tag) + sizeOfVarint32(size) + size);
  const { bytes } = page;
  let pos = writeVarint32(bytes, writeVarint32(bytes, page.pos, tag), size);
  if (kind.writeAll !== undefined) pos = kind.writeAll(bytes, pos, list);
  else for (let i = 0; i < list.length; i++) pos = kind.write(bytes, pos, list[i]!);
  page.pos = pos;
}

/** Makes room for the content of a field of bytes, which the caller fills. */
export function reserveBytes(
  writer: MessageWriter,
  name: string,
  number: number,
  byteCount: number,
): Uint8Array {
  turnOf(writer);
  checkByteCount(writer, name, byteCount, Number.MAX_SAFE_INTEGER);
  const tag = tagOf(number, LENGTH_DELIMITED);
  const lengthBytes = byteCount < 0x1_0000_0000 ? sizeOfVarint32(byteCount) : 5;
  const page = roomFor(writer, name, sizeOfVarint32(tag) + lengthBytes + byteCount);
  const lengthPos = writeVarint32(page.bytes, page.pos, tag);
  const start = writeVarint32(page.bytes, lengthPos, byteCount);
  const end = start + byteCount;
  page.pos = end;
  page.reserved = { writer, number, lengthPos, lengthBytes, end };
  markSet(writer, name);
  return page.bytes.subarray(start, end);
}

/** Keeps the first `byteCount` bytes of what was reserved last for the field, if nothing was written after it. */
export function trimBytes(writer: MessageWriter, name: string, number: number, byteCount: number): void {
  const page = turnOf(writer);
  const { reserved } = page;
  if (
    reserved === undefined ||
    reserved.writer !== writer ||
    reserved.number !== number ||
    reserved.end !== page.pos
  ) {
    throw new IpcError("FAILED_PRECONDITION", `${name} is not what was reserved last`);
  }
  const { lengthPos, lengthBytes } = reserved;
  const start = lengthPos + lengthBytes;
  checkByteCount(writer, name, byteCount, page.pos - start);
  writePaddedVarint(page.bytes, lengthPos, byteCount, lengthBytes);
  page.pos = start + byteCount;
  page.reserved = { ...reserved, end: page.pos };
}

function checkByteCount(writer: MessageWriter, name: string, byteCount: number, most: number): void {
  if (Number.isInteger(byteCount) && byteCount >= 0 && byteCount <= most) return;
  throw notAValue(
    writer,
    name,
    byteCount,
    new RangeError(`a count of bytes is a whole number up to ${most}`),
  );
}
