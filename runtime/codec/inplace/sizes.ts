import { writeVarint32 } from "../generated/write.js";

// What values take, exactly: a writer either has that much room or writes nothing.

/** Longer texts are written by native code. */
const SHORT_TEXT = 40;

const encoder = new TextEncoder();

/** For a number from 0 to 2^32 - 1. */
export function sizeOfVarint32(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

export function sizeOfVarint64(value: bigint): number {
  let size = 1;
  for (let rest = BigInt.asUintN(64, value); rest > 0x7fn; rest >>= 7n) size++;
  return size;
}

/** The bytes of a text. Half a surrogate pair that stands alone is written as U+FFFD. */
export function utf8Size(value: string): number {
  let size = value.length;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit <= 0x7f) continue;
    size += unit > 0x7ff ? 2 : 1;
    // Both halves of a pair are four bytes together.
    if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(value.charCodeAt(i + 1))) i++;
  }
  return size;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

/** Writes a text with its length, and returns the position after it. */
export function writeUtf8(bytes: Uint8Array, pos: number, value: string): number {
  const size = utf8Size(value);
  pos = writeVarint32(bytes, pos, size);
  if (size === value.length && size <= SHORT_TEXT) {
    for (let i = 0; i < size; i++) bytes[pos + i] = value.charCodeAt(i);
  } else {
    encoder.encodeInto(value, bytes.subarray(pos, pos + size));
  }
  return pos + size;
}
