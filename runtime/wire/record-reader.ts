import { CHUNK_BYTES, releaseChunk, takeChunk } from "./chunk-pool.js";

const MAX_PREFIX_BYTES = 5;
const FIRST_BUFFER_BYTES = 1_024;
const KEPT_BUFFER_BYTES = 16_384;
const NO_BYTES = new Uint8Array(0);

/**
 * Cuts a byte stream into records. A record that lies whole in a chunk is handed out in place; one that is spread over
 * chunks is gathered in a buffer that grows with the bytes that have come, whatever the length prefix claims.
 */
export class RecordReader {
  readonly #maxRecordBytes: number;
  readonly #onRecord: (bytes: Uint8Array, start: number, end: number) => void;
  #stopped = false;
  /** The records begun so far: tells a record that is still incomplete from the next one that is. */
  #begun = 0;

  // The length prefix, as far as it has come.
  #prefixBytes = 0;
  #prefixValue = 0;
  #prefixScale = 1;
  // The record whose prefix is complete: its length, or -1 between records.
  #recordBytes = -1;
  #gathered: Uint8Array = NO_BYTES;
  #gatheredBytes = 0;

  /** `maxRecordBytes` is from 1 to 2^32. `onRecord` may call `stop`; the bytes are its own during the call only. */
  constructor(maxRecordBytes: number, onRecord: (bytes: Uint8Array, start: number, end: number) => void) {
    this.#maxRecordBytes = maxRecordBytes;
    this.#onRecord = onRecord;
  }

  /** The number of the record of which a part has come and a part has not, from 1; 0 between records. */
  get incompleteRecord(): number {
    return this.#prefixBytes > 0 || this.#recordBytes >= 0 ? this.#begun : 0;
  }

  /** No further record is handed out. */
  stop(): void {
    this.#stopped = true;
    this.#gathered = NO_BYTES;
  }

  /** Takes the next bytes of the stream. Returns what is wrong with them, after which nothing more is taken. */
  push(bytes: Uint8Array, start: number, end: number): string | undefined {
    let at = start;
    while (at < end && !this.#stopped) {
      if (this.#recordBytes < 0) {
        if (this.#prefixBytes === 0) this.#begun++;
        const byte = bytes[at++]!;
        // Not a shift: five bytes carry 35 bits.
        this.#prefixValue += (byte & 0x7f) * this.#prefixScale;
        if (this.#prefixValue > this.#maxRecordBytes) {
          const limit = `the limit of ${this.#maxRecordBytes} bytes (maxMessageBytes + maxHeaderBytes)`;
          return this.#fail(`a record of at least ${this.#prefixValue} bytes is above ${limit}`);
        }
        if (byte >= 0x80) {
          if (++this.#prefixBytes === MAX_PREFIX_BYTES) {
            return this.#fail(`a length prefix has more than the limit of ${MAX_PREFIX_BYTES} bytes`);
          }
          this.#prefixScale *= 0x80;
          continue;
        }
        this.#recordBytes = this.#prefixValue;
        this.#prefixBytes = 0;
        this.#prefixValue = 0;
        this.#prefixScale = 1;
      }
      at = this.#takeBody(bytes, at, end);
    }
    return undefined;
  }

  #takeBody(bytes: Uint8Array, at: number, end: number): number {
    const missing = this.#recordBytes - this.#gatheredBytes;
    const taken = Math.min(missing, end - at);
    if (this.#gatheredBytes === 0 && taken === missing) {
      this.#recordBytes = -1;
      this.#onRecord(bytes, at, at + taken);
      return at + taken;
    }
    this.#gather(bytes, at, at + taken);
    if (taken === missing) {
      const record = this.#gathered;
      const length = this.#gatheredBytes;
      this.#recordBytes = -1;
      this.#gatheredBytes = 0;
      if (record.length > KEPT_BUFFER_BYTES) this.#gathered = NO_BYTES;
      this.#onRecord(record, 0, length);
      releaseChunk(record);
    }
    return at + taken;
  }

  #gather(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.#gatheredBytes + end - start;
    if (needed > this.#gathered.length) {
      const grown = this.#roomFor(needed);
      grown.set(this.#gathered.subarray(0, this.#gatheredBytes));
      this.#gathered = grown;
    }
    this.#gathered.set(bytes.subarray(start, end), this.#gatheredBytes);
    this.#gatheredBytes = needed;
  }

  /** Chunks are for those who have sent a good part of one: a peer that dribbles holds no more than it has sent. */
  #roomFor(needed: number): Uint8Array {
    if (needed > KEPT_BUFFER_BYTES && this.#recordBytes <= CHUNK_BYTES) return takeChunk(this.#recordBytes);
    const doubled = Math.max(FIRST_BUFFER_BYTES, needed, 2 * this.#gathered.length);
    return new Uint8Array(Math.min(doubled, Math.max(FIRST_BUFFER_BYTES, this.#recordBytes)));
  }

  #fail(message: string): string {
    this.stop();
    return message;
  }
}
