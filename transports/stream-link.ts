import type { Readable, Writable } from "node:stream";
import { continuesPreamble, describeMismatch, PREAMBLE } from "../runtime/wire/preamble.js";
import { RecordReader } from "../runtime/wire/record-reader.js";
import { RecordWriter } from "../runtime/wire/record-writer.js";
import type { SharedReads } from "./shared-reads.js";
import { STREAM_BATCHES } from "./stream-batches.js";
import { varintSize, writeVarint } from "../runtime/wire/varint.js";
import { stopWritingWhenBroken } from "./broken-pipe.js";
import type {
  BatchLayout,
  Link,
  LinkEnd,
  LinkInfo,
  LinkLimits,
  LinkReceiver,
  PeerCredentials,
  RecordBatch,
  Slot,
} from "./transport.js";

/** How long `close` waits for the peer to take what was committed, and how long a broken pipe is read on. */
const CLOSE_TIMEOUT_MS = 1_000;

// What the frame timer watches, where that is no record.
const NOTHING = 0;
const THE_PREAMBLE = -1;

export interface StreamLinkOptions {
  /** The bytes of the peer: paused, and such that its end does not end `outgoing`. */
  readonly incoming: Readable;
  /** By what the bytes of `incoming` come, where that is a socket made with it; else they come as `data` events. */
  readonly reads?: SharedReads | undefined;
  /** The bytes for the peer. May be the same object. */
  readonly outgoing: Writable;
  readonly info: LinkInfo;
  readonly peer: PeerCredentials;
  readonly limits: LinkLimits;
  /** How long the preamble may take, in milliseconds from 1 to `Infinity`; `limits.frameTimeoutMs` unless said. */
  readonly preambleTimeoutMs?: number | undefined;
  /** The record that tells the peer what is wrong with its bytes before the link ends. Without it, it is told nothing. */
  readonly closingRecord?: ((message: string) => Uint8Array) | undefined;
}

/** A link over a byte stream: the preamble each way, then records behind their lengths. */
export class StreamLink implements Link {
  readonly info: LinkInfo;
  readonly peer: PeerCredentials;
  readonly batches: BatchLayout = STREAM_BATCHES;
  readonly #options: StreamLinkOptions;
  readonly #reader: RecordReader;
  readonly #writer: RecordWriter;
  #receiver: LinkReceiver | undefined;
  #isIntroduced = false;
  /** Of the peer's preamble. */
  #preambleBytes = 0;
  #openStreams: number;
  /** Why the link ends or has ended. From here on nothing is delivered and nothing is committed. */
  #end: LinkEnd | undefined;
  #watched = NOTHING;
  #frameTimer: NodeJS.Timeout | undefined;
  #closeTimer: NodeJS.Timeout | undefined;

  constructor(options: StreamLinkOptions) {
    const { incoming, outgoing, limits } = options;
    this.info = options.info;
    this.peer = options.peer;
    this.#options = options;
    this.#reader = new RecordReader(limits.maxRecordBytes, (bytes, start, end) => {
      this.#receiver?.onRecord(bytes, start, end);
    });
    const onWritten = (): void => this.#writer.written();
    this.#writer = new RecordWriter({
      sendBufferBytes: limits.sendBufferBytes,
      write: (bytes, start, end) => {
        this.#introduce();
        outgoing.write(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start), onWritten);
      },
      onWritable: () => {
        if (this.#end === undefined) this.#receiver?.onWritable();
      },
    });
    const streams = new Set<Readable | Writable>([incoming, outgoing]);
    this.#openStreams = streams.size;
    for (const stream of streams) {
      stream.on("error", (error: NodeJS.ErrnoException) => this.#destroy(endOf(error)));
      stream.on("close", () => this.#onStreamClose());
    }
    incoming.on("end", () => this.#destroy({ kind: "peer" }));
    stopWritingWhenBroken(outgoing, () => this.#onBroken());
  }

  start(receiver: LinkReceiver): void {
    this.#receiver = receiver;
    const end = this.#end;
    if (end !== undefined) {
      if (this.#openStreams === 0) queueMicrotask(() => receiver.onClose(end));
      return;
    }
    const { incoming, reads } = this.#options;
    this.#introduce();
    this.#watch(THE_PREAMBLE);
    // Receivers see plain arrays: what a Buffer's slice gives would alias memory that is theirs during the call only.
    if (reads !== undefined) reads.onBytes = (bytes, end) => this.#onData(bytes, end);
    else {
      incoming.on("data", ({ buffer, byteOffset, length }: Buffer) => {
        this.#onData(new Uint8Array(buffer, byteOffset, length), length);
      });
    }
    incoming.resume();
  }

  reserve(maxBytes: number): Slot | undefined {
    return this.#end === undefined ? this.#writer.reserve(maxBytes) : undefined;
  }

  commit(_slot: Slot, usedBytes: number): void {
    if (this.#end === undefined) this.#writer.commit(usedBytes);
  }

  batchRoom(maxBytes: number): number {
    return this.#end === undefined ? this.#writer.batchRoom(maxBytes) : 0;
  }

  commitBatch({ bytes, end }: RecordBatch): void {
    if (this.#end === undefined) this.#writer.appendBatch(bytes, end);
  }

  flush(): void {
    if (this.#end === undefined) this.#writer.flush();
  }

  close(): void {
    this.#finish({ kind: "local" });
  }

  /** The preamble goes before all else, also before what is committed to a link that is not started yet. */
  #introduce(): void {
    if (this.#isIntroduced) return;
    this.#isIntroduced = true;
    const { outgoing } = this.#options;
    // Corked, so that it leaves together with the records of this turn.
    outgoing.cork();
    outgoing.write(PREAMBLE);
    process.nextTick(() => outgoing.uncork());
  }

  #onData(chunk: Uint8Array, end: number): void {
    if (this.#end !== undefined) return;
    let start = 0;
    if (this.#preambleBytes < PREAMBLE.length) {
      const known = this.#preambleBytes;
      start = Math.min(PREAMBLE.length - known, end);
      if (!continuesPreamble(chunk, 0, start, known)) {
        this.#reject(
          describeMismatch(Buffer.concat([PREAMBLE.subarray(0, known), chunk.subarray(0, start)])),
        );
        return;
      }
      this.#preambleBytes += start;
    }
    const problem = this.#reader.push(chunk, start, end);
    if (problem !== undefined) this.#reject(problem);
    else if (this.#preambleBytes === PREAMBLE.length) this.#watch(this.#reader.incompleteRecord);
  }

  /** Times what is incomplete: each record, and the preamble, from its beginning. */
  #watch(what: number): void {
    if (what === this.#watched || this.#end !== undefined) return;
    this.#watched = what;
    clearTimeout(this.#frameTimer);
    if (what === NOTHING) return;
    const { limits, preambleTimeoutMs = limits.frameTimeoutMs } = this.#options;
    const timeoutMs = what === THE_PREAMBLE ? preambleTimeoutMs : limits.frameTimeoutMs;
    if (timeoutMs === Number.POSITIVE_INFINITY) return;
    // The verdict waits for one round of reading: after this process stood still, the rest is there but not read.
    const onTimeout = (): void => {
      setImmediate(() => {
        if (this.#watched !== what) return;
        const name = what === THE_PREAMBLE ? "the preamble" : "a record";
        this.#reject(`${name} was not whole within the limit of ${timeoutMs} ms (frameTimeoutMs)`);
      });
    };
    this.#frameTimer = setTimeout(onTimeout, timeoutMs).unref();
  }

  #reject(message: string): void {
    this.#finish({ kind: "protocol", message });
  }

  /** Sends what is committed, then ends. */
  #finish(end: LinkEnd): void {
    if (this.#end !== undefined) return;
    this.#settle(end);
    const { outgoing, closingRecord } = this.#options;
    if (this.#receiver === undefined) {
      this.#destroy(end);
      return;
    }
    this.#writer.flush();
    if (end.kind === "protocol" && closingRecord !== undefined)
      outgoing.write(framed(closingRecord(end.message)));
    const destroy = (): void => this.#destroy(end);
    clearTimeout(this.#closeTimer);
    this.#closeTimer = setTimeout(destroy, CLOSE_TIMEOUT_MS).unref();
    outgoing.end(destroy);
  }

  /** The peer takes nothing more. What it has sent is still to be read, up to its end. */
  #onBroken(): void {
    if (this.#closeTimer !== undefined) return;
    this.#closeTimer = setTimeout(() => this.#destroy({ kind: "peer" }), CLOSE_TIMEOUT_MS).unref();
  }

  #settle(end: LinkEnd): void {
    if (this.#end !== undefined) return;
    this.#watch(NOTHING);
    this.#end = end;
    this.#reader.stop();
  }

  #destroy(end: LinkEnd): void {
    this.#settle(end);
    clearTimeout(this.#closeTimer);
    this.#options.incoming.destroy();
    this.#options.outgoing.destroy();
  }

  #onStreamClose(): void {
    const end: LinkEnd = this.#end ?? { kind: "peer" };
    this.#destroy(end);
    if (--this.#openStreams === 0) this.#receiver?.onClose(end);
  }
}

function endOf(error: NodeJS.ErrnoException): LinkEnd {
  // "EOF" is what a write into a pipe gets on Windows when the other end is gone.
  return error.code === "ECONNRESET" || error.code === "EPIPE" || error.code === "EOF"
    ? { kind: "peer" }
    : { kind: "io", cause: error };
}

function framed(record: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(varintSize(record.length) + record.length);
  bytes.set(record, writeVarint(bytes, 0, record.length));
  return bytes;
}
