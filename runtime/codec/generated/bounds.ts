import {
  checkBool,
  checkDouble,
  checkFloat,
  checkInt32,
  checkInt64,
  checkUint32,
  checkUint64,
} from "./check.js";
import { unfit } from "./unfit.js";

// How many bytes at most a value takes. Lists are checked on the way.

/** The most that a length takes. */
const LENGTH = 5;
/** From here on it pays to count what a text takes instead of reserving three bytes for each unit of UTF-16. */
const COUNTED = 1_024;

/** With its length. 0 where it is not set. */
export function boundOfString(value: string | undefined): number {
  if (value === undefined) return 0;
  if (typeof value !== "string") unfit();
  return LENGTH + (value.length < COUNTED ? 3 * value.length : utf8Length(value));
}

function utf8Length(value: string): number {
  let length = value.length;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    // Half a surrogate pair counts two bytes, and one alone is written as three.
    if (unit > 0x7f) length += unit > 0x7ff ? 2 : 1;
  }
  return length;
}

/** With its length. 0 where it is not set. */
export function boundOfBytes(value: Uint8Array | undefined): number {
  if (value === undefined) return 0;
  if (!(value instanceof Uint8Array)) unfit();
  return LENGTH + value.length;
}

export function boundOfStrings(list: readonly string[]): number {
  let bound = 0;
  for (let i = 0; i < list.length; i++) bound += boundOfString(given(list[i]));
  return bound;
}

export function boundOfByteArrays(list: readonly Uint8Array[]): number {
  let bound = 0;
  for (let i = 0; i < list.length; i++) bound += boundOfBytes(given(list[i]));
  return bound;
}

/** Ends the encoding where a value is missing that must be there. */
export function given<T>(value: T | undefined): T {
  if (value === undefined) unfit();
  return value;
}

// Lists of numbers: what their values take, exactly.

export function sizeOfInt32s(list: readonly number[]): number {
  let size = 0;
  for (let i = 0; i < list.length; i++) {
    const value = given(list[i]);
    checkInt32(value);
    size += value < 0 ? 10 : sizeOfVarint32(value);
  }
  return size;
}

export function sizeOfUint32s(list: readonly number[]): number {
  let size = 0;
  for (let i = 0; i < list.length; i++) {
    const value = given(list[i]);
    checkUint32(value);
    size += sizeOfVarint32(value);
  }
  return size;
}

export function sizeOfSint32s(list: readonly number[]): number {
  let size = 0;
  for (let i = 0; i < list.length; i++) {
    const value = given(list[i]);
    checkInt32(value);
    size += sizeOfVarint32(((value << 1) ^ (value >> 31)) >>> 0);
  }
  return size;
}

function sizeOfVarint32(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

export function sizeOfBools(list: readonly boolean[]): number {
  for (let i = 0; i < list.length; i++) checkBool(given(list[i]));
  return list.length;
}

export function sizeOfDoubles(list: readonly number[]): number {
  for (let i = 0; i < list.length; i++) checkDouble(given(list[i]));
  return 8 * list.length;
}

export function sizeOfFloats(list: readonly number[]): number {
  for (let i = 0; i < list.length; i++) checkFloat(given(list[i]));
  return 4 * list.length;
}

export function sizeOfFixed32s(list: readonly number[]): number {
  for (let i = 0; i < list.length; i++) checkUint32(given(list[i]));
  return 4 * list.length;
}

export function sizeOfSfixed32s(list: readonly number[]): number {
  for (let i = 0; i < list.length; i++) checkInt32(given(list[i]));
  return 4 * list.length;
}

/** As varints of at most ten bytes, or as eight bytes each: no more than ten anyway. */
export function boundOfInt64s(list: readonly bigint[]): number {
  for (let i = 0; i < list.length; i++) checkInt64(given(list[i]));
  return 10 * list.length;
}

export function boundOfUint64s(list: readonly bigint[]): number {
  for (let i = 0; i < list.length; i++) checkUint64(given(list[i]));
  return 10 * list.length;
}
