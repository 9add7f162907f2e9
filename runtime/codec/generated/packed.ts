import { cursor } from "./cursor.js";
import { overrun, readDouble, readFloat, readLong32 } from "./read.js";
import { writeDouble, writeFloat, writeInt32, writeVarint32 } from "./write.js";

// Lists of the numbers that come in thousands. What is read or written in one loop needs no call for each value.

/** For fewer values making a view costs more than it saves. */
const FEW = 8;

/** The values of a packed field, added to those that came before. The cursor stands at `stop` afterwards. */
export function readDoubles(bytes: Uint8Array, pos: number, stop: number, list: number[]): void {
  if (stop - pos < 8 * FEW) {
    for (; stop - pos >= 8; pos += 8) list.push(readDouble(bytes, pos));
  } else {
    const view = new DataView(bytes.buffer, bytes.byteOffset, stop);
    let next = list.length;
    list.length += Math.floor((stop - pos) / 8);
    for (; stop - pos >= 8; pos += 8) list[next++] = view.getFloat64(pos, true);
  }
  if (pos !== stop) throw overrun();
  cursor.pos = stop;
}

export function readFloats(bytes: Uint8Array, pos: number, stop: number, list: number[]): void {
  if (stop - pos < 4 * FEW) {
    for (; stop - pos >= 4; pos += 4) list.push(readFloat(bytes, pos));
  } else {
    const view = new DataView(bytes.buffer, bytes.byteOffset, stop);
    let next = list.length;
    list.length += Math.floor((stop - pos) / 4);
    for (; stop - pos >= 4; pos += 4) list[next++] = view.getFloat32(pos, true);
  }
  if (pos !== stop) throw overrun();
  cursor.pos = stop;
}

export function readInt32s(bytes: Uint8Array, pos: number, stop: number, list: number[]): void {
  let next = list.length;
  while (pos < stop) {
    const byte = bytes[pos]!;
    if (byte < 0x80) {
      list[next++] = byte;
      pos++;
    } else {
      list[next++] = readLong32(bytes, pos + 1, byte);
      pos = cursor.pos;
    }
  }
  if (pos > stop) throw overrun();
  cursor.pos = pos;
}

export function readUint32s(bytes: Uint8Array, pos: number, stop: number, list: number[]): void {
  let next = list.length;
  while (pos < stop) {
    const byte = bytes[pos]!;
    if (byte < 0x80) {
      list[next++] = byte;
      pos++;
    } else {
      list[next++] = readLong32(bytes, pos + 1, byte) >>> 0;
      pos = cursor.pos;
    }
  }
  if (pos > stop) throw overrun();
  cursor.pos = pos;
}

/** The values of a packed field, without their length. */
export function writeDoubles(bytes: Uint8Array, pos: number, list: readonly number[]): number {
  const { length } = list;
  if (length < FEW) {
    for (let i = 0; i < length; i++) pos = writeDouble(bytes, pos, list[i]!);
    return pos;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, pos + 8 * length);
  for (let i = 0; i < length; i++, pos += 8) view.setFloat64(pos, list[i]!, true);
  return pos;
}

export function writeFloats(bytes: Uint8Array, pos: number, list: readonly number[]): number {
  const { length } = list;
  if (length < FEW) {
    for (let i = 0; i < length; i++) pos = writeFloat(bytes, pos, list[i]!);
    return pos;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, pos + 4 * length);
  for (let i = 0; i < length; i++, pos += 4) view.setFloat32(pos, list[i]!, true);
  return pos;
}

export function writeInt32s(bytes: Uint8Array, pos: number, list: readonly number[]): number {
  for (let i = 0; i < list.length; i++) {
    const value = list[i]!;
    if (value >>> 7 === 0) bytes[pos++] = value;
    else if (value >>> 14 === 0) {
      bytes[pos] = value | 0x80;
      bytes[pos + 1] = value >>> 7;
      pos += 2;
    } else pos = writeInt32(bytes, pos, value);
  }
  return pos;
}

export function writeUint32s(bytes: Uint8Array, pos: number, list: readonly number[]): number {
  for (let i = 0; i < list.length; i++) {
    const value = list[i]!;
    if (value >>> 7 === 0) bytes[pos++] = value;
    else if (value >>> 14 === 0) {
      bytes[pos] = value | 0x80;
      bytes[pos + 1] = value >>> 7;
      pos += 2;
    } else pos = writeVarint32(bytes, pos, value);
  }
  return pos;
}
