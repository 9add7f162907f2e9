const VARINT = 0;
const BIT64 = 1;
export const LENGTH_DELIMITED = 2;
const START_GROUP = 3;
const END_GROUP = 4;
const BIT32 = 5;

const MAX_VARINT_BYTES = 10;

/**
 * Walks the fields of an encoded message, those within other messages and groups left out. It reads tags and lengths byte
 * by byte, each once, and never the content: so the bytes may be memory that somebody else writes to meanwhile.
 */
export class TopLevelFields {
  /** The number of the field that `next` found. */
  number = 0;
  wireType = 0;
  /** The field is `bytes[start, end)`, its tag among them. */
  start = 0;
  end = 0;
  /** A length-delimited value is `bytes[valueStart, end)`. */
  valueStart = 0;
  readonly #bytes: Uint8Array;
  readonly #limit: number;
  #position: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#position = start;
    this.#limit = end;
  }

  /** Finds the next field; false at the end. Throws a `RangeError` for bytes that are no message. */
  next(): boolean {
    if (this.#position === this.#limit) return false;
    this.start = this.#position;
    this.#readTag();
    const { number, wireType } = this;
    if (wireType === START_GROUP) this.#passGroup();
    else this.#passValue();
    this.number = number;
    this.wireType = wireType;
    this.end = this.#position;
    return true;
  }

  #readTag(): void {
    const tag = this.#varint();
    this.number = Math.floor(tag / 8);
    this.wireType = tag % 8;
    if (this.number < 1 || this.number > 536_870_911) {
      throw new RangeError(`field number ${this.number} is not from 1 to 536870911`);
    }
  }

  #passValue(): void {
    switch (this.wireType) {
      case VARINT:
        this.#varint();
        return;
      case BIT64:
        this.#pass(8);
        return;
      case LENGTH_DELIMITED: {
        const length = this.#varint();
        this.valueStart = this.#position;
        this.#pass(length);
        return;
      }
      case BIT32:
        this.#pass(4);
        return;
      default:
        throw new RangeError(`field ${this.number}: wire type ${this.wireType} has no place here`);
    }
  }

  /** Groups end with a tag of their own number, and may hold others. No stack: their depth is the peer's to choose. */
  #passGroup(): void {
    for (let depth = 1; depth > 0; ) {
      this.#readTag();
      if (this.wireType === START_GROUP) depth++;
      else if (this.wireType === END_GROUP) depth--;
      else this.#passValue();
    }
  }

  #pass(count: number): void {
    if (count > this.#limit - this.#position) {
      throw new RangeError(`field ${this.number}: ${count} bytes are claimed, fewer are left`);
    }
    this.#position += count;
  }

  /** A varint; one above 2^53 is rounded. */
  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      if (this.#position === this.#limit) throw new RangeError("a number is cut off");
      const byte = this.#bytes[this.#position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new RangeError(`a number has more than ${MAX_VARINT_BYTES} bytes`);
  }
}
