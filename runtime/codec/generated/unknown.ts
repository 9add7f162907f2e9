import type { UnknownField } from "@bufbuild/protobuf";
import { privateCopy } from "../private-copy.js";
import { cursor } from "./cursor.js";
import { overrun, readTag, readUint32, TooDeepError } from "./read.js";
import { writeInt32, writeVarint32 } from "./write.js";

const VARINT = 0;
const BIT64 = 1;
const LENGTH_DELIMITED = 2;
const START_GROUP = 3;
const END_GROUP = 4;
const BIT32 = 5;

/** The unknown fields of a message and one more: the one whose tag ends at `pos`. `depth`: the levels left for groups. */
export function addUnknown(
  fields: UnknownField[] | undefined,
  bytes: Uint8Array,
  pos: number,
  end: number,
  tag: number,
  depth: number,
): UnknownField[] {
  if (cursor.isPrivate) {
    const stop = skip(bytes, pos, end, tag, depth);
    return push(fields, tag, cursor.mayAlias ? bytes.subarray(pos, stop) : privateCopy(bytes, pos, stop));
  }
  // The tag itself may be cut off, and its last bytes others'.
  if (pos > end) throw overrun();
  // Where the field ends is found out in the copy: what a peer writes meanwhile cannot tell us two different things.
  const rest = privateCopy(bytes, pos, end);
  const data = rest.subarray(0, skip(rest, 0, rest.length, tag, depth));
  cursor.pos += pos;
  return push(fields, tag, data);
}

/** The unknown fields of a message and one more: a number that its closed enum does not have. */
export function addUnknownEnum(
  fields: UnknownField[] | undefined,
  tag: number,
  value: number,
): UnknownField[] {
  const data = new Uint8Array(10);
  return push(fields, tag, data.subarray(0, writeInt32(data, 0, value)));
}

function push(fields: UnknownField[] | undefined, tag: number, data: Uint8Array): UnknownField[] {
  const field = { no: tag >>> 3, wireType: tag & 7, data };
  if (fields === undefined) return [field];
  fields.push(field);
  return fields;
}

/** The position after the field whose tag ends at `pos`. */
export function skip(bytes: Uint8Array, pos: number, end: number, tag: number, depth: number): number {
  if (tag >>> 3 === 0) throw new Error("there is no field 0");
  switch (tag & 7) {
    case VARINT:
      while (pos < end && bytes[pos]! > 0x7f) pos++;
      pos++;
      break;
    case BIT64:
      pos += 8;
      break;
    case LENGTH_DELIMITED: {
      const length = readUint32(bytes, pos);
      pos = cursor.pos + length;
      break;
    }
    case START_GROUP:
      pos = skipGroup(bytes, pos, end, tag >>> 3, depth);
      break;
    case BIT32:
      pos += 4;
      break;
    default:
      throw new Error(`field ${tag >>> 3}: wire type ${tag & 7} has no place here`);
  }
  if (pos > end) throw overrun();
  cursor.pos = pos;
  return pos;
}

export function checkGroupEnd(tag: number, number: number): void {
  if (tag >>> 3 !== number) throw new Error(`a group of field ${number} ends as one of ${tag >>> 3}`);
}

/** The position after a group's end. */
function skipGroup(bytes: Uint8Array, pos: number, end: number, number: number, depth: number): number {
  if (depth < 1) throw new TooDeepError();
  while (pos < end) {
    let tag = bytes[pos++]!;
    if (tag > 0x7f || (tag & 6) === 6) {
      tag = readTag(bytes, pos, tag);
      pos = cursor.pos;
    }
    if ((tag & 7) === END_GROUP) {
      checkGroupEnd(tag, number);
      return pos;
    }
    pos = skip(bytes, pos, end, tag, depth - 1);
  }
  throw overrun();
}

export function boundOfUnknown(fields: readonly UnknownField[]): number {
  let bound = 0;
  for (const { data } of fields) bound += 5 + data.length;
  return bound;
}

export function writeUnknown(bytes: Uint8Array, pos: number, fields: readonly UnknownField[]): number {
  for (const { no, wireType, data } of fields) {
    pos = writeVarint32(bytes, pos, (no << 3) | wireType);
    bytes.set(data, pos);
    pos += data.length;
  }
  return pos;
}
