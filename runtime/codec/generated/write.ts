import { scratchBytes, scratchView } from "./cursor.js";

// Each writes a value at `pos` and returns the position after it. Nothing is checked: the values are known to be good, and
// the room to be there.

/** The largest length that a varint of one byte holds. */
const ONE_BYTE = 0x7f;
/** Longer texts are written by native code; shorter ones are written before native code is reached. */
const SHORT_TEXT = 40;
/** Longer bytes are copied by native code. */
const SHORT_BYTES = 24;

/** A number from 0 to 2^32 - 1; a negative one counts as what its 32 bits say without a sign. */
export function writeVarint32(bytes: Uint8Array, pos: number, value: number): number {
  while (value > ONE_BYTE || value < 0) {
    bytes[pos++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  bytes[pos++] = value;
  return pos;
}

/** Negative numbers take ten bytes, as if they had 64 bits. */
export function writeInt32(bytes: Uint8Array, pos: number, value: number): number {
  if (value >= 0) return writeVarint32(bytes, pos, value);
  for (let i = 0; i < 9; i++) {
    bytes[pos++] = (value & 0x7f) | 0x80;
    value >>= 7;
  }
  bytes[pos++] = 1;
  return pos;
}

export function writeSint32(bytes: Uint8Array, pos: number, value: number): number {
  return writeVarint32(bytes, pos, (value << 1) ^ (value >> 31));
}

export function writeBool(bytes: Uint8Array, pos: number, value: boolean): number {
  bytes[pos] = value ? 1 : 0;
  return pos + 1;
}

const words = new Int32Array(2);
const long = new BigInt64Array(words.buffer);
/** Where the lower half of a number of 64 bits stands. */
const LOW = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 1;
const HIGH = 1 - LOW;

/** Signed or not, the bits are the same. */
export function writeInt64(bytes: Uint8Array, pos: number, value: bigint): number {
  long[0] = value;
  return writeVarint64(bytes, pos, words[LOW]!, words[HIGH]!);
}

export function writeSint64(bytes: Uint8Array, pos: number, value: bigint): number {
  long[0] = value;
  const low = words[LOW]!;
  const high = words[HIGH]!;
  const sign = high >> 31;
  return writeVarint64(bytes, pos, (low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
}

function writeVarint64(bytes: Uint8Array, pos: number, low: number, high: number): number {
  while (high !== 0) {
    bytes[pos++] = (low & 0x7f) | 0x80;
    low = (low >>> 7) | (high << 25);
    high >>>= 7;
  }
  return writeVarint32(bytes, pos, low);
}

/** Signed or not, the bits are the same. */
export function writeFixed32(bytes: Uint8Array, pos: number, value: number): number {
  bytes[pos] = value;
  bytes[pos + 1] = value >>> 8;
  bytes[pos + 2] = value >>> 16;
  bytes[pos + 3] = value >>> 24;
  return pos + 4;
}

/** Signed or not, the bits are the same. */
export function writeFixed64(bytes: Uint8Array, pos: number, value: bigint): number {
  long[0] = value;
  return writeFixed32(bytes, writeFixed32(bytes, pos, words[LOW]!), words[HIGH]!);
}

export function writeFloat(bytes: Uint8Array, pos: number, value: number): number {
  scratchView.setFloat32(0, value, true);
  bytes[pos] = scratchBytes[0]!;
  bytes[pos + 1] = scratchBytes[1]!;
  bytes[pos + 2] = scratchBytes[2]!;
  bytes[pos + 3] = scratchBytes[3]!;
  return pos + 4;
}

export function writeDouble(bytes: Uint8Array, pos: number, value: number): number {
  scratchView.setFloat64(0, value, true);
  bytes[pos] = scratchBytes[0]!;
  bytes[pos + 1] = scratchBytes[1]!;
  bytes[pos + 2] = scratchBytes[2]!;
  bytes[pos + 3] = scratchBytes[3]!;
  bytes[pos + 4] = scratchBytes[4]!;
  bytes[pos + 5] = scratchBytes[5]!;
  bytes[pos + 6] = scratchBytes[6]!;
  bytes[pos + 7] = scratchBytes[7]!;
  return pos + 8;
}

/** With its length. */
export function writeString(bytes: Uint8Array, pos: number, value: string): number {
  const { length } = value;
  if (length > SHORT_TEXT) return writeNatively(bytes, pos, value);
  let end = pos + 1;
  for (let i = 0; i < length; i++) {
    const unit = value.charCodeAt(i);
    if (unit > 0x7f) return writeNatively(bytes, pos, value);
    bytes[end++] = unit;
  }
  bytes[pos] = length;
  return end;
}

const encoder = new TextEncoder();

/** The length is guessed to be that of a text without other characters than ASCII's. */
function writeNatively(bytes: Uint8Array, pos: number, value: string): number {
  const width = value.length < 0x80 ? 1 : value.length < 0x4000 ? 2 : value.length < 0x20_0000 ? 3 : 5;
  const { written } = encoder.encodeInto(value, bytes.subarray(pos + width));
  return sealWide(bytes, pos, pos + width, pos + width + written);
}

/** With its length. */
export function writeBytes(bytes: Uint8Array, pos: number, value: Uint8Array): number {
  const { length } = value;
  pos = writeVarint32(bytes, pos, length);
  if (length > SHORT_BYTES) bytes.set(value, pos);
  else for (let i = 0; i < length; i++) bytes[pos + i] = value[i]!;
  return pos + length;
}

/** Puts the length at `pos` of what was written behind one byte left free for it, and ends at `end`. */
export function seal(bytes: Uint8Array, pos: number, end: number): number {
  const length = end - pos - 1;
  if (length > ONE_BYTE) return sealWide(bytes, pos, pos + 1, end);
  bytes[pos] = length;
  return end;
}

/** As `seal`, with what was written standing from `start` on. It moves where the length needs more or less room. */
export function sealWide(bytes: Uint8Array, pos: number, start: number, end: number): number {
  const length = end - start;
  const moved =
    pos + (length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5);
  if (moved !== start) bytes.copyWithin(moved, start, end);
  writeVarint32(bytes, pos, length);
  return moved + length;
}
