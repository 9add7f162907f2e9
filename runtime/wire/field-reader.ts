import { WireError } from "./wire-error.js";

/** The wire types of protobuf that occur in version 3 messages. */
export const WireType = { VARINT: 0, I64: 1, BYTES: 2, I32: 5 } as const;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads the fields of one protobuf message in `bytes[position, end)`. Used in a loop: `next()`, then exactly one of the
 * reading methods or `skip()`. Every failure is a `WireError`.
 */
export class FieldReader {
  bytes: Uint8Array;
  position: number;
  end: number;
  /** The number of the field that `next` found. */
  field = 0;
  wireType = 0;
  /** The end of the value that `delimited` found; its start is `position` before the call that follows. */
  valueStart = 0;
  valueEnd = 0;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Makes the reader ready for another message. */
  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Reads the next tag; false at the end of the message. */
  next(): boolean {
    if (this.position >= this.end) return false;
    const tag = this.varint();
    const field = Math.floor(tag / 8);
    if (field < 1 || field > 536_870_911)
      throw new WireError(`field number ${field} is not from 1 to 536870911`);
    this.field = field;
    this.wireType = tag & 7;
    return true;
  }

  /** An unsigned varint up to 2^53 - 1. */
  varint(): number {
    const bytes = this.bytes;
    const end = this.end;
    let position = this.position;
    if (position < end) {
      const first = bytes[position]!;
      if (first < 0x80) {
        this.position = position + 1;
        return first;
      }
    }
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (position >= end) throw new WireError("a number is cut off");
      const byte = bytes[position++]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new WireError("a number is above 2^53 - 1");
        this.position = position;
        return value;
      }
    }
    throw new WireError("a number is longer than 10 bytes");
  }

  /** The value of a field that must be a varint. */
  number(): number {
    if (this.wireType !== WireType.VARINT) throw this.#wrongType("a number");
    return this.varint();
  }

  /** As `number`, for a field of 32 bits. */
  uint32(): number {
    const value = this.number();
    if (value > 0xffff_ffff) throw new WireError(`field ${this.field}: ${value} does not fit 32 bits`);
    return value;
  }

  /** Finds the value of a field that must be length-delimited: `bytes[valueStart, valueEnd)`. */
  delimited(): void {
    if (this.wireType !== WireType.BYTES) throw this.#wrongType("delimited by a length");
    const length = this.varint();
    const start = this.position;
    if (length > this.end - start) {
      throw new WireError(`field ${this.field}: ${length} bytes are claimed, ${this.end - start} are left`);
    }
    this.valueStart = start;
    this.valueEnd = start + length;
    this.position = this.valueEnd;
  }

  /** A string field. */
  string(): string {
    this.delimited();
    return readUtf8(this.bytes, this.valueStart, this.valueEnd);
  }

  /** A bytes field, copied. */
  copy(): Uint8Array {
    this.delimited();
    return this.bytes.slice(this.valueStart, this.valueEnd);
  }

  /** Passes over the value of a field that is not known. */
  skip(): void {
    switch (this.wireType) {
      case WireType.VARINT:
        this.#skipVarint();
        return;
      case WireType.I64:
        this.#advance(8);
        return;
      case WireType.BYTES:
        this.delimited();
        return;
      case WireType.I32:
        this.#advance(4);
        return;
      default:
        throw new WireError(`field ${this.field}: wire type ${this.wireType} is not in use`);
    }
  }

  #skipVarint(): void {
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) throw new WireError("a number is cut off");
      if (this.bytes[this.position++]! < 0x80) return;
    }
    throw new WireError("a number is longer than 10 bytes");
  }

  #advance(count: number): void {
    if (count > this.end - this.position) throw new WireError(`field ${this.field} is cut off`);
    this.position += count;
  }

  #wrongType(wanted: string): WireError {
    return new WireError(`field ${this.field}: wire type ${this.wireType}, but the field is ${wanted}`);
  }
}

/** Text of `bytes[start, end)`; a `WireError` where that is not UTF-8. */
export function readUtf8(bytes: Uint8Array, start: number, end: number): string {
  try {
    return utf8.decode(bytes.subarray(start, end));
  } catch {
    throw new WireError("a string is not valid UTF-8");
  }
}
