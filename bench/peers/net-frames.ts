import type { Socket } from "node:net";

/** Length of what follows it, kind and number: four bytes, one byte, four bytes, little-endian. */
const HEADER_BYTES = 9;
const LENGTH_BYTES = 4;
/** What one write takes at most, unless a single message is larger. */
const BATCH_BYTES = 65_536;
/** Payloads from here on are handed to the socket as they are: copying them costs more than a second buffer. */
const LARGE_BYTES = 16_384;

export type FrameHandler = (kind: number, number: number, payload: Buffer) => void;

/** Length-prefixed frames over a socket. All frames of one turn of the event loop leave in one write. */
export class FrameSocket {
  readonly #socket: Socket;
  readonly #onFrame: FrameHandler;
  #batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  #used = 0;
  #flushScheduled = false;
  /** A frame of which a part has arrived, or a part of its header. */
  #partial: Buffer | undefined;
  #partialUsed = 0;

  constructor(socket: Socket, onFrame: FrameHandler) {
    this.#socket = socket;
    this.#onFrame = onFrame;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    // A socket whose peer is gone: the program is over.
    socket.on("error", () => socket.destroy());
  }

  /** Takes the frame. The payload must not change until it is written. */
  send(kind: number, number: number, payload: Uint8Array): void {
    const large = payload.length >= LARGE_BYTES;
    const bytes = HEADER_BYTES + (large ? 0 : payload.length);
    if (this.#used + bytes > BATCH_BYTES) this.#flush();
    const batch = this.#batch;
    const start = this.#used;
    batch.writeUInt32LE(HEADER_BYTES - LENGTH_BYTES + payload.length, start);
    batch[start + LENGTH_BYTES] = kind;
    batch.writeUInt32LE(number, start + LENGTH_BYTES + 1);
    this.#used += bytes;
    if (large) {
      this.#socket.cork();
      this.#flush();
      this.#socket.write(payload);
      this.#socket.uncork();
      return;
    }
    batch.set(payload, start + HEADER_BYTES);
    if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      // Runs after all promises that this turn has resolved, so that what they send is in the batch.
      process.nextTick(() => {
        this.#flushScheduled = false;
        this.#flush();
      });
    }
  }

  /** Resolves when there is room again; `undefined` where there is. */
  room(): Promise<void> | undefined {
    if (!this.#socket.writableNeedDrain) return undefined;
    return new Promise((resolve) => this.#socket.once("drain", resolve));
  }

  #flush(): void {
    if (this.#used === 0) return;
    this.#socket.write(this.#batch.subarray(0, this.#used));
    // With nothing left to write the kernel has the bytes, and the buffer is free.
    if (this.#socket.writableLength > 0) this.#batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
    this.#used = 0;
  }

  #read(chunk: Buffer): void {
    let start = 0;
    if (this.#partial !== undefined) {
      if (this.#partial.length < HEADER_BYTES) {
        chunk = Buffer.concat([this.#partial, chunk]);
      } else {
        start = chunk.copy(this.#partial, this.#partialUsed);
        this.#partialUsed += start;
        if (this.#partialUsed < this.#partial.length) return;
        this.#deliver(this.#partial, 0, this.#partial.length);
      }
      this.#partial = undefined;
    }
    while (chunk.length - start >= HEADER_BYTES) {
      const end = start + LENGTH_BYTES + chunk.readUInt32LE(start);
      if (end > chunk.length) {
        this.#partial = Buffer.allocUnsafe(end - start);
        this.#partialUsed = chunk.copy(this.#partial, 0, start);
        return;
      }
      this.#deliver(chunk, start, end);
      start = end;
    }
    if (start < chunk.length) this.#partial = chunk.subarray(start);
  }

  #deliver(bytes: Buffer, start: number, end: number): void {
    const kind = bytes[start + LENGTH_BYTES] ?? 0;
    const number = bytes.readUInt32LE(start + LENGTH_BYTES + 1);
    this.#onFrame(kind, number, bytes.subarray(start + HEADER_BYTES, end));
  }
}
