/** Records that go without a codec: words made of the record's number. */

export const RECORD_BYTES = 64;
const WORDS = RECORD_BYTES / 4;
/** Words at a time: half of the time otherwise goes into the loop, and a record has little to spare. */
const UNROLLED = 4;

/** Writes or reads records in one memory. One for each memory: a new view costs more than to fill a record. */
export class RecordMemory {
  #bytes: Uint8Array | undefined;
  #byteOffset = 0;
  #words: Int32Array = new Int32Array(0);

  /** Writes every byte of record `number` at `start`. Throws where that is not at a multiple of four bytes. */
  write(bytes: Uint8Array, start: number, number: number): void {
    const index = this.#indexOf(bytes, start);
    const words = this.#words;
    for (let i = 0; i < WORDS; i += UNROLLED) {
      const at = index + i;
      const word = number + i;
      words[at] = word;
      words[at + 1] = word + 1;
      words[at + 2] = word + 2;
      words[at + 3] = word + 3;
    }
  }

  /** Reads every byte. Throws unless `bytes[start, end)` is what `write` writes for this number. */
  check(bytes: Uint8Array, start: number, end: number, number: number): void {
    if (end - start !== RECORD_BYTES)
      throw new Error(`record ${number} arrived with ${end - start} bytes instead of ${RECORD_BYTES}`);
    const index = this.#indexOf(bytes, start);
    const words = this.#words;
    let wrong = 0;
    for (let i = 0; i < WORDS; i += UNROLLED) {
      const at = index + i;
      const word = number + i;
      wrong |= words[at]! ^ word;
      wrong |= words[at + 1]! ^ (word + 1);
      wrong |= words[at + 2]! ^ (word + 2);
      wrong |= words[at + 3]! ^ (word + 3);
    }
    if (wrong !== 0) throw new Error(`record ${number} arrived changed`);
  }

  #indexOf(bytes: Uint8Array, start: number): number {
    if (bytes !== this.#bytes) this.#use(bytes);
    const offset = this.#byteOffset + start;
    if ((offset & 3) !== 0) throw new Error(`a record stands at byte ${offset}, not at a multiple of 4`);
    return offset >> 2;
  }

  #use(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#byteOffset = bytes.byteOffset;
    this.#words = new Int32Array(bytes.buffer, 0, bytes.buffer.byteLength >> 2);
  }
}

/** The first eight bytes of a record of `wake-up`: when it was sent, in nanoseconds of the machine's clock. */
export function writeSentAt(bytes: Uint8Array, start: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setBigInt64(start, process.hrtime.bigint(), true);
}

/** How long ago that was, in microseconds. `receivedAt` is `process.hrtime.bigint()`: one clock for all processes. */
export function latencyUs(bytes: Uint8Array, start: number, receivedAt: bigint): number {
  const sentAt = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(start, true);
  return Number(receivedAt - sentAt) / 1_000;
}
