import { CHUNK_BYTES, releaseChunk, takeChunk } from "./chunk-pool.js";
import { varintSize, writePaddedVarint } from "./varint.js";

/** Room for one record; the writer's own, and reused. */
export interface MutableSlot {
  bytes: Uint8Array;
  start: number;
  end: number;
}

/** A piece of memory that records are laid out in, one after the other. */
interface Chunk {
  readonly bytes: Uint8Array;
  /** The end of what is committed. */
  used: number;
  /** The end of what was handed to `write`. */
  sent: number;
  /** The pieces handed to `write` that are not written yet. */
  writing: number;
}

/** A piece that was handed to `write`. */
interface Write {
  readonly chunk: Chunk;
  readonly bytes: number;
}

export interface RecordWriterOptions {
  /** How many bytes may wait, committed and not yet written, before `reserve` refuses. Above 0. */
  readonly sendBufferBytes: number;
  /**
   * Takes `bytes[start, end)`, to be written after what it took before; `written` is called when it was, and not from within
   * this. Called by `flush`, and by whatever commits as much as is worth a write.
   */
  readonly write: (bytes: Uint8Array, start: number, end: number) => void;
  /** `reserve` was refused, and half of what may wait is free again. Called from within `written`. */
  readonly onWritable: () => void;
}

/**
 * So much is written without waiting for `flush`: the peer reads it while the rest of the turn is laid out. What came at the
 * end of the turn instead would be more than a socket's buffer takes (about 200 KiB), and the system says that there is
 * room again only when three quarters of that are empty: both sides would wait for each other in turn.
 */
const EAGER_BYTES = CHUNK_BYTES / 2;
/** How many entries of written pieces are kept before they are cut off, so that this is done rarely. */
const MAX_DONE_WRITES = 256;
const NO_BYTES = new Uint8Array(0);
/** The longest length prefix of a record. */
const MAX_PREFIX_BYTES = 5;

/**
 * Lays records out for a byte stream, each behind its length prefix, in chunks that are reused once they are written.
 * The prefix is as wide as the reserved size needs, so that the record is encoded in its final place.
 */
export class RecordWriter {
  readonly #options: RecordWriterOptions;
  readonly #slot: MutableSlot = { bytes: NO_BYTES, start: 0, end: 0 };
  #prefixBytes = 0;
  #chunk: Chunk | undefined;
  /** What was handed to `write`, in order; those before `#oldestWrite` are written. */
  readonly #writes: Write[] = [];
  #oldestWrite = 0;
  #waitingBytes = 0;
  #refused = false;

  constructor(options: RecordWriterOptions) {
    this.#options = options;
  }

  /** The bytes committed and not yet written. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Room for a record of at most `maxBytes`, or `undefined` when `sendBufferBytes` or more are waiting. A record larger
   * than that is taken when less waits. The slot is reused: it is good until the next call.
   */
  reserve(maxBytes: number): Readonly<MutableSlot> | undefined {
    if (this.#waitingBytes >= this.#options.sendBufferBytes) {
      this.#refused = true;
      return undefined;
    }
    const prefixBytes = varintSize(maxBytes);
    const chunk = this.#chunkWithRoom(prefixBytes + maxBytes);
    this.#prefixBytes = prefixBytes;
    const slot = this.#slot;
    slot.bytes = chunk.bytes;
    slot.start = chunk.used + prefixBytes;
    slot.end = slot.start + maxBytes;
    return slot;
  }

  /** Takes the first `usedBytes` of the slot that was reserved last. Throws a `RangeError` when it has fewer. */
  commit(usedBytes: number): void {
    const { start, end } = this.#slot;
    const chunk = this.#chunk;
    if (chunk === undefined || chunk.bytes !== this.#slot.bytes || usedBytes > end - start) {
      throw new RangeError(`commit of ${usedBytes} bytes into a slot of ${end - start} bytes`);
    }
    writePaddedVarint(chunk.bytes, chunk.used, usedBytes, this.#prefixBytes);
    this.#waitingBytes += this.#prefixBytes + usedBytes;
    chunk.used = start + usedBytes;
    this.#slot.bytes = NO_BYTES;
    this.#writeEagerly(chunk);
  }

  /** How many bytes of records behind their prefixes `appendBatch` takes; 0 where `reserve` would refuse a record. */
  batchRoom(recordBytes: number): number {
    const left = this.#options.sendBufferBytes - this.#waitingBytes;
    if (left <= 0) {
      this.#refused = true;
      return 0;
    }
    return Math.max(left, MAX_PREFIX_BYTES + recordBytes);
  }

  /** Commits copies of records that stand behind their prefixes, in `bytes[0, end)`. A slot that is not committed is given up. */
  appendBatch(bytes: Uint8Array, end: number): void {
    this.#slot.bytes = NO_BYTES;
    const chunk = this.#chunkWithRoom(end);
    chunk.bytes.set(bytes.subarray(0, end), chunk.used);
    chunk.used += end;
    this.#waitingBytes += end;
    this.#writeEagerly(chunk);
  }

  /** Hands everything committed to `write`. A slot that is not committed is given up. */
  flush(): void {
    this.#slot.bytes = NO_BYTES;
    const chunk = this.#chunk;
    if (chunk === undefined) return;
    if (chunk.used > chunk.sent) this.#write(chunk);
    else this.#releaseIfDone(chunk);
  }

  /** The oldest piece that was handed to `write` is written: its memory is free. */
  written(): void {
    const done = this.#writes[this.#oldestWrite++];
    if (done === undefined) throw new RangeError("written was called more often than write");
    if (this.#oldestWrite === this.#writes.length || this.#oldestWrite === MAX_DONE_WRITES) {
      this.#writes.splice(0, this.#oldestWrite);
      this.#oldestWrite = 0;
    }
    this.#waitingBytes -= done.bytes;
    const { chunk } = done;
    chunk.writing--;
    this.#releaseIfDone(chunk);
    if (this.#refused && this.#waitingBytes <= this.#options.sendBufferBytes / 2) {
      this.#refused = false;
      this.#options.onWritable();
    }
  }

  #chunkWithRoom(bytes: number): Chunk {
    const chunk = this.#chunk;
    if (chunk !== undefined) {
      if (chunk.bytes.length - chunk.used >= bytes) return chunk;
      this.#slot.bytes = NO_BYTES;
      if (chunk.used > chunk.sent) this.#write(chunk);
      else this.#releaseIfDone(chunk);
    }
    this.#chunk = { bytes: takeChunk(bytes), used: 0, sent: 0, writing: 0 };
    return this.#chunk;
  }

  #writeEagerly(chunk: Chunk): void {
    if (chunk.used - chunk.sent >= EAGER_BYTES) this.#write(chunk);
  }

  #write(chunk: Chunk): void {
    const { sent, used } = chunk;
    chunk.sent = used;
    chunk.writing++;
    this.#writes.push({ chunk, bytes: used - sent });
    this.#options.write(chunk.bytes, sent, used);
  }

  #releaseIfDone(chunk: Chunk): void {
    if (chunk.writing > 0 || chunk.sent < chunk.used || chunk.bytes === this.#slot.bytes) return;
    if (chunk === this.#chunk) this.#chunk = undefined;
    releaseChunk(chunk.bytes);
  }
}
