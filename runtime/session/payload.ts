import type { Block, BlockStore } from "../../transports/transport.js";
import type { Codec } from "../codec/codec.js";
import { MIN_SPARE_BYTES, releaseSpareBuffer, takeSpareBuffer } from "./spare-buffers.js";

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
    if (this.maxBytes >= MIN_SPARE_BYTES) return writeToSpare(this);
    if (codec.encode !== undefined) return new BytesPayload(codec.encode(this.#message));
    const bytes = new Uint8Array(this.maxBytes);
    return new BytesPayload(bytes, 0, codec.encodeInto(this.#message, bytes, 0));
  }
}

/**
 * A payload that is encoded already, in memory that nobody changes. Where that is a block or a spare buffer, those who keep
 * the payload count: each that was given a hold drops it once, and the last to do so gives the memory back.
 */
export class BytesPayload implements Payload {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** The block that the bytes stand in; `undefined`: memory like any other, which nobody needs to give back. */
  readonly block: Block | undefined;
  /** Whose block it is. */
  readonly store: BlockStore | undefined;
  #holds = 1;
  #isSpare = false;

  /** A payload in a spare buffer, which goes back when nobody keeps it any more. */
  static inSpare(buffer: Uint8Array, end: number): BytesPayload {
    const payload = new BytesPayload(buffer, 0, end);
    payload.#isSpare = true;
    return payload;
  }

  /** Whoever makes it has the first hold. */
  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length, block?: Block, store?: BlockStore) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.block = block;
    this.store = store;
  }

  get maxBytes(): number {
    return this.end - this.start;
  }

  /** One more keeps the payload. */
  hold(): this {
    if (this.#holds < 1) throw new RangeError("a payload that was given back is held again");
    this.#holds++;
    return this;
  }

  /** One fewer keeps the payload. */
  drop(): void {
    if (this.#holds < 1) throw new RangeError("a payload is dropped more often than it was held");
    if (--this.#holds > 0) return;
    if (this.block !== undefined) this.store!.release(this.block);
    else if (this.#isSpare) releaseSpareBuffer(this.bytes);
  }

  /** A part, to be sent at once: it holds nothing. */
  part(start: number, end: number): BytesPayload {
    return new BytesPayload(this.bytes, start, end);
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

/**
 * The payload encoded, to be sent later or to several: in a block of the store where it is large enough and there is
 * room, else in memory of its own. What is encoded already and found no room before, or belongs to another store, is copied
 * into a block: in parts it would be copied as well, and its receiver would have nothing to borrow. The caller has a hold.
 * Throws what the codec throws.
 */
export function keep(payload: Payload, store: BlockStore | undefined): BytesPayload {
  const isKept = payload instanceof BytesPayload;
  const isThere = isKept && payload.store === store;
  if (store !== undefined && !isThere && payload.maxBytes >= store.minBytes) {
    const block = store.allocate(payload.maxBytes);
    if (block !== undefined) return writeToBlock(payload, block, store);
  }
  if (isKept) return payload.hold();
  if (payload instanceof MessagePayload) return payload.detach();
  const bytes = new Uint8Array(payload.maxBytes);
  return new BytesPayload(bytes, 0, payload.writeInto(bytes, 0));
}

function writeToSpare(payload: Payload): BytesPayload {
  const buffer = takeSpareBuffer(payload.maxBytes);
  let end: number;
  try {
    end = payload.writeInto(buffer, 0);
  } catch (error) {
    releaseSpareBuffer(buffer);
    throw error;
  }
  if (end * 2 >= buffer.length) return BytesPayload.inSpare(buffer, end);
  // The bound was far too high: the payload may wait for long, and others in great number behind it.
  const bytes = buffer.slice(0, end);
  releaseSpareBuffer(buffer);
  return new BytesPayload(bytes);
}

function writeToBlock(payload: Payload, block: Block, store: BlockStore): BytesPayload {
  let end: number;
  try {
    end = payload.writeInto(block.bytes, block.start);
  } catch (error) {
    store.release(block);
    throw error;
  }
  return ofBlock(block, end - block.start, store);
}

/** The first `usedBytes` of a block as a payload; what is behind them is given back. The block is the payload's now. */
export function ofBlock(block: Block, usedBytes: number, store: BlockStore): BytesPayload {
  const isWhole = usedBytes === block.end - block.start;
  // A store has no empty blocks; an empty payload in one is no harm.
  const cut = isWhole ? block : store.trim(block, Math.max(1, usedBytes));
  return new BytesPayload(cut.bytes, cut.start, cut.start + usedBytes, cut, store);
}
