import { cursor, scratchBytes, scratchView } from "./cursor.js";

// Each reads a value at `pos`, every byte once, and leaves the position after it in the cursor. A number that is cut off
// leaves a position behind the end of its message, which the message's decoder finds; what has a length checks it first.

/** Thrown where messages or groups are nested deeper than they may be. */
export class TooDeepError extends Error {}

/** The error for what is nested deeper than it may be. */
export function tooDeep(): TooDeepError {
  return new TooDeepError("nested too deep");
}

/** Thrown where a message comes twice for one field, so that the two are to be merged. */
export class TwiceError extends Error {}

/** The error for a message that comes twice for one field. */
export function twice(): TwiceError {
  return new TwiceError("a message comes twice for one field");
}

/** The error for a field that does not end within its message. */
export function overrun(): RangeError {
  return new RangeError("a field ends behind the end of its message");
}

/** A tag whose first byte is read already, and is not all of it, or none that there is. */
export function readTag(bytes: Uint8Array, pos: number, first: number): number {
  let tag = first & 0x7f;
  let byte = first;
  let size = 1;
  while (byte > 0x7f) {
    byte = bytes[pos++]!;
    // Bits above the 32nd are none that a tag has.
    if (size > 4 || (size === 4 && byte > 0x0f)) throw new Error("a tag is above 2^32 - 1");
    tag |= (byte & 0x7f) << (7 * size++);
  }
  tag >>>= 0;
  if (tag >>> 3 === 0 || (tag & 7) > 5) {
    throw new Error(`there is no field ${tag >>> 3} of wire type ${tag & 7}`);
  }
  cursor.pos = pos;
  return tag;
}

/** The lower 32 bits of a varint. */
export function readUint32(bytes: Uint8Array, pos: number): number {
  const byte = bytes[pos]!;
  if (byte < 0x80) {
    cursor.pos = pos + 1;
    return byte;
  }
  return readLong32(bytes, pos + 1, byte) >>> 0;
}

export function readInt32(bytes: Uint8Array, pos: number): number {
  const byte = bytes[pos]!;
  if (byte < 0x80) {
    cursor.pos = pos + 1;
    return byte;
  }
  return readLong32(bytes, pos + 1, byte);
}

export function readSint32(bytes: Uint8Array, pos: number): number {
  const number = readUint32(bytes, pos);
  return (number >>> 1) ^ -(number & 1);
}

/** The lower 32 bits of a varint of two bytes or more, of which the first is read. */
export function readLong32(bytes: Uint8Array, pos: number, first: number): number {
  let byte = bytes[pos++]!;
  let result = (first & 0x7f) | ((byte & 0x7f) << 7);
  if (byte > 0x7f) {
    byte = bytes[pos++]!;
    result |= (byte & 0x7f) << 14;
    if (byte > 0x7f) {
      byte = bytes[pos++]!;
      result |= (byte & 0x7f) << 21;
      if (byte > 0x7f) {
        byte = bytes[pos++]!;
        result |= byte << 28;
        for (let size = 5; byte > 0x7f; size++) {
          if (size === 10) throw tooLong();
          byte = bytes[pos++]!;
        }
      }
    }
  }
  cursor.pos = pos;
  return result;
}

function tooLong(): Error {
  return new Error("a number has more than 10 bytes");
}

/** What a varint of 64 bits has above its lower 32, after `readLow`. */
let high = 0;

/** The lower 32 bits of a varint of 64 bits. */
function readLow(bytes: Uint8Array, pos: number): number {
  let low = 0;
  high = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = bytes[pos++]!;
    low |= (byte & 0x7f) << shift;
    if (!(byte > 0x7f)) {
      cursor.pos = pos;
      return low;
    }
  }
  const middle = bytes[pos++]!;
  low |= (middle & 0x0f) << 28;
  high = (middle & 0x70) >> 4;
  if (middle > 0x7f) {
    let byte = middle;
    for (let shift = 3; byte > 0x7f; shift += 7) {
      if (shift > 31) throw tooLong();
      byte = bytes[pos++]!;
      high |= (byte & 0x7f) << shift;
    }
  }
  cursor.pos = pos;
  return low;
}

export function readBool(bytes: Uint8Array, pos: number): boolean {
  let byte = bytes[pos++]!;
  let any = byte & 0x7f;
  for (let size = 1; byte > 0x7f; size++) {
    if (size === 10) throw tooLong();
    byte = bytes[pos++]!;
    // Of the tenth byte only one bit is within 64.
    any |= byte & (size === 9 ? 1 : 0x7f);
  }
  cursor.pos = pos;
  return any !== 0;
}

export function readInt64(bytes: Uint8Array, pos: number): bigint {
  return signed(readLow(bytes, pos), high);
}

export function readUint64(bytes: Uint8Array, pos: number): bigint {
  return unsigned(readLow(bytes, pos), high);
}

export function readSint64(bytes: Uint8Array, pos: number): bigint {
  const low = readLow(bytes, pos);
  const sign = -(low & 1);
  return signed(((low >>> 1) | (high << 31)) ^ sign, (high >>> 1) ^ sign);
}

function signed(lowWord: number, highWord: number): bigint {
  scratchView.setInt32(0, lowWord, true);
  scratchView.setInt32(4, highWord, true);
  return scratchView.getBigInt64(0, true);
}

function unsigned(lowWord: number, highWord: number): bigint {
  scratchView.setInt32(0, lowWord, true);
  scratchView.setInt32(4, highWord, true);
  return scratchView.getBigUint64(0, true);
}

export function readSfixed32(bytes: Uint8Array, pos: number): number {
  cursor.pos = pos + 4;
  return bytes[pos]! | (bytes[pos + 1]! << 8) | (bytes[pos + 2]! << 16) | (bytes[pos + 3]! << 24);
}

export function readFixed32(bytes: Uint8Array, pos: number): number {
  return readSfixed32(bytes, pos) >>> 0;
}

export function readSfixed64(bytes: Uint8Array, pos: number): bigint {
  const low = readSfixed32(bytes, pos);
  return signed(low, readSfixed32(bytes, pos + 4));
}

export function readFixed64(bytes: Uint8Array, pos: number): bigint {
  const low = readSfixed32(bytes, pos);
  return unsigned(low, readSfixed32(bytes, pos + 4));
}

export function readFloat(bytes: Uint8Array, pos: number): number {
  scratchView.setInt32(0, readSfixed32(bytes, pos), true);
  return scratchView.getFloat32(0, true);
}

export function readDouble(bytes: Uint8Array, pos: number): number {
  scratchBytes[0] = bytes[pos]!;
  scratchBytes[1] = bytes[pos + 1]!;
  scratchBytes[2] = bytes[pos + 2]!;
  scratchBytes[3] = bytes[pos + 3]!;
  scratchBytes[4] = bytes[pos + 4]!;
  scratchBytes[5] = bytes[pos + 5]!;
  scratchBytes[6] = bytes[pos + 6]!;
  scratchBytes[7] = bytes[pos + 7]!;
  cursor.pos = pos + 8;
  return scratchView.getFloat64(0, true);
}

/** Reads a length. Returns where what has it ends; the cursor stands where it begins. */
export function readEnd(bytes: Uint8Array, pos: number, end: number): number {
  const length = readUint32(bytes, pos);
  const stop = cursor.pos + length;
  if (stop > end) throw overrun();
  return stop;
}
