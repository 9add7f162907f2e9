const TWO_TO_31 = 2_147_483_648;
const MAX_VARINT_BYTES = 10;

/** A place in bytes that `readVarint` moves forward. Reused from call to call. */
export interface VarintCursor {
  offset: number;
}

/** How many bytes `writeVarint` takes for an integer from 0 to 2^53 - 1: from 1 to 8. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  let size = 5;
  for (let rest = Math.floor(value / 0x800000000); rest > 0; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** Writes an integer from 0 to 2^53 - 1 as a varint of the least width and returns the offset after it. */
export function writeVarint(bytes: Uint8Array, offset: number, value: number): number {
  // Bit operations see 32 bits only, so what is above them is shifted by division first.
  while (value >= TWO_TO_31) {
    bytes[offset++] = (value & 0x7f) | 0x80;
    value = Math.floor(value / 0x80);
  }
  while (value > 0x7f) {
    bytes[offset++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  bytes[offset++] = value;
  return offset;
}

/**
 * Writes an integer as a varint of exactly `width` bytes, padded with continuation bytes that add nothing, and returns
 * the offset after it. `width` is at least `varintSize(value)` and at most 10.
 */
export function writePaddedVarint(bytes: Uint8Array, offset: number, value: number, width: number): number {
  const last = offset + width - 1;
  while (offset < last) {
    bytes[offset++] = (value & 0x7f) | 0x80;
    value = value < TWO_TO_31 ? value >>> 7 : Math.floor(value / 0x80);
  }
  bytes[offset++] = value;
  return offset;
}

/**
 * Reads the varint at `cursor.offset`, which may be padded, and moves the cursor past it. Returns -1, with the cursor
 * where it was, when it does not end before `end` or has more than 10 bytes. A value above 2^53 - 1 comes back rounded
 * and still above it.
 */
export function readVarint(bytes: Uint8Array, cursor: VarintCursor, end: number): number {
  let offset = cursor.offset;
  const limit = Math.min(end, offset + MAX_VARINT_BYTES);
  let value = 0;
  let scale = 1;
  while (offset < limit) {
    const byte = bytes[offset++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      cursor.offset = offset;
      return value;
    }
    scale *= 0x80;
  }
  return -1;
}
