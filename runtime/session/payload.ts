import type { Codec } from "../codec/codec.js";

/** The payload of a frame that is about to be written. */
export interface Payload {
  /** An upper bound of what `writeInto` writes. */
  readonly maxBytes: number;
  /** Writes the payload and returns the offset after it. */
  writeInto(bytes: Uint8Array, offset: number): number;
}

/** A message that is encoded right where it goes. Used at once: the message may change after the call. */
export class MessagePayload implements Payload {
  #codec: Codec<unknown, unknown> | undefined;
  #message: unknown;
  maxBytes = 0;

  /** Takes the next message. Throws what the codec throws for a message that it cannot encode. */
  set(codec: Codec<unknown, unknown>, message: unknown): this {
    this.maxBytes = codec.maxSize(message);
    this.#codec = codec;
    this.#message = message;
    return this;
  }

  writeInto(bytes: Uint8Array, offset: number): number {
    return this.#codec!.encodeInto(this.#message, bytes, offset);
  }

  /** The message in memory of its own. */
  detach(): BytesPayload {
    const codec = this.#codec!;
    if (codec.encode !== undefined) return new BytesPayload(codec.encode(this.#message));
    const bytes = new Uint8Array(this.maxBytes);
    return new BytesPayload(bytes, 0, codec.encodeInto(this.#message, bytes, 0));
  }
}

/** A payload that is encoded already, in memory that nobody changes. */
export class BytesPayload implements Payload {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  get maxBytes(): number {
    return this.end - this.start;
  }

  writeInto(bytes: Uint8Array, offset: number): number {
    bytes.set(
      this.start === 0 && this.end === this.bytes.length
        ? this.bytes
        : this.bytes.subarray(this.start, this.end),
      offset,
    );
    return offset + this.end - this.start;
  }
}

/** The payload in memory of its own, to be sent later. */
export function detach(payload: Payload): BytesPayload {
  if (payload instanceof BytesPayload) return payload;
  if (payload instanceof MessagePayload) return payload.detach();
  const bytes = new Uint8Array(payload.maxBytes);
  return new BytesPayload(bytes, 0, payload.writeInto(bytes, 0));
}
