import { varintSize, writeVarint } from "./varint.js";

/** The tags of a frame's fields: one byte each, field number and wire type. */
export const Tag = {
  KIND: 0x08,
  STREAM_ID: 0x10,
  FLAGS: 0x18,
  METHOD_ID: 0x20,
  METHOD: 0x2a,
  TIME_US: 0x30,
  TIMEOUT_US: 0x38,
  MESSAGES: 0x40,
  BYTES: 0x48,
  KEY_ID: 0x50,
  SEQ: 0x58,
  LOST: 0x60,
  STATUS: 0x6a,
  METADATA: 0x72,
  PAYLOAD: 0x7a,
} as const;

const utf8 = new TextEncoder();

/** UTF-8 bytes of a text. */
export function encodeUtf8(text: string): Uint8Array {
  return utf8.encode(text);
}

/** Writes a varint field with a one-byte tag; nothing where the value is 0. */
export function writeNumber(bytes: Uint8Array, offset: number, tag: number, value: number): number {
  if (value === 0) return offset;
  bytes[offset++] = tag;
  if (value < 0x80) {
    bytes[offset++] = value;
    return offset;
  }
  return writeVarint(bytes, offset, value);
}

/** Writes a bytes field with a one-byte tag. */
export function writeBytes(bytes: Uint8Array, offset: number, tag: number, value: Uint8Array): number {
  bytes[offset++] = tag;
  offset = writeVarint(bytes, offset, value.length);
  bytes.set(value, offset);
  return offset + value.length;
}

/** The size of a bytes field with a one-byte tag. */
export function bytesFieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** Puts parts of a message together; for messages that are written rarely. */
export class MessageBuilder {
  readonly #parts: Uint8Array[] = [];
  #size = 0;

  /** A varint field; nothing where the value is 0. Field numbers up to 15. */
  number(field: number, value: number): this {
    if (value === 0) return this;
    const part = new Uint8Array(1 + varintSize(value));
    writeNumber(part, 0, field << 3, value);
    return this.#push(part);
  }

  /** A bytes field, also where it is empty. Field numbers up to 15. */
  bytes(field: number, value: Uint8Array): this {
    const part = new Uint8Array(bytesFieldSize(value.length));
    writeBytes(part, 0, (field << 3) | 2, value);
    return this.#push(part);
  }

  /** A string field; nothing where it is empty. Field numbers up to 15. */
  string(field: number, value: string): this {
    return value === "" ? this : this.bytes(field, encodeUtf8(value));
  }

  /** The message. */
  finish(): Uint8Array {
    const message = new Uint8Array(this.#size);
    let offset = 0;
    for (const part of this.#parts) {
      message.set(part, offset);
      offset += part.length;
    }
    return message;
  }

  #push(part: Uint8Array): this {
    this.#parts.push(part);
    this.#size += part.length;
    return this;
  }
}
