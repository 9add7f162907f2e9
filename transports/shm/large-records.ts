import { Code } from "../../bindings/node/binding.js";
import type { Slot } from "../transport.js";
import type { ShmBlock, ShmBlocks } from "./blocks.js";

/** How often a record that has no place yet is tried again. */
const RETRY_MS = 5;
/** How long `close` waits for it. */
const CLOSE_TIMEOUT_MS = 1_000;

export interface LargeRecordsOptions {
  readonly blocks: ShmBlocks;
  /** The largest record that the ring takes. */
  readonly maxBodyBytes: number;
  /** Commits a copy. 0, or an error: EAGAIN where there is no room yet, ENOMEM where there is no memory. */
  readonly send: (record: Uint8Array) => number;
  /** Commits a record that is in a block as a whole. 0, or an error: EAGAIN, ELIMIT, ENOMEM where that cannot be yet. */
  readonly sendBlock: (block: ShmBlock, usedBytes: number) => number;
  /** A record that waited was sent. */
  readonly onSent: () => void;
}

/**
 * Records that are larger than the ring takes, each in a block as a whole. They are rare: payloads go into blocks of
 * their own, or in parts; what is left is a frame with a very long head. One is on its way at a time.
 */
export class LargeRecords {
  readonly #options: LargeRecordsOptions;
  #reserved: ShmBlock | undefined;
  #waiting: { readonly block: ShmBlock; readonly usedBytes: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #giveUpAtMs = Number.POSITIVE_INFINITY;
  #onGivenUp: (() => void) | undefined;

  constructor(options: LargeRecordsOptions) {
    this.#options = options;
  }

  /** A slot is out. */
  get isReserved(): boolean {
    return this.#reserved !== undefined;
  }

  /** A record is committed and could not be sent yet: nothing may overtake it. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  /** Room for a record. `undefined` where the arena is full: `onSent` follows, when it may be asked again. */
  reserve(maxBytes: number): Slot | undefined {
    this.giveUp();
    const block = this.#options.blocks.allocate(maxBytes);
    if (block === undefined) this.#retryLater();
    this.#reserved = block;
    return block;
  }

  /** The slot that is out is not wanted. */
  giveUp(): void {
    if (this.#reserved === undefined) return;
    this.#options.blocks.release(this.#reserved);
    this.#reserved = undefined;
  }

  /** Takes the record in the slot that is out. */
  commit(usedBytes: number): void {
    const block = this.#reserved!;
    if (usedBytes > block.size) {
      throw new RangeError(`commit of ${usedBytes} bytes into a slot of ${block.size} bytes`);
    }
    this.#reserved = undefined;
    this.#waiting = { block, usedBytes };
    if (!this.#try()) this.#retryLater();
  }

  /** The link has ended: nothing is sent any more. */
  stop(): void {
    this.giveUp();
    clearTimeout(this.#timer);
    if (this.#waiting !== undefined) this.#options.blocks.release(this.#waiting.block);
    this.#waiting = undefined;
  }

  /** Waits for the record no longer than a second, and then calls back. `onSent` may come before. */
  hurry(onGivenUp: () => void): void {
    this.#giveUpAtMs = performance.now() + CLOSE_TIMEOUT_MS;
    this.#onGivenUp = onGivenUp;
  }

  /** False where it has to wait. */
  #try(): boolean {
    if (this.#waiting === undefined) return true;
    const { block, usedBytes } = this.#waiting;
    const { blocks, maxBodyBytes, send, sendBlock } = this.#options;
    const code =
      usedBytes > maxBodyBytes
        ? sendBlock(block, usedBytes)
        : send(block.bytes.subarray(block.start, block.start + usedBytes));
    if (code === Code.EAGAIN || code === Code.ELIMIT || code === Code.ENOMEM) return false;
    // Sent; or the link is at its end, which tells so itself.
    this.#waiting = undefined;
    blocks.release(block);
    return true;
  }

  #retryLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#try()) this.#options.onSent();
      else if (performance.now() < this.#giveUpAtMs) this.#retryLater();
      else this.#drop();
    }, RETRY_MS);
  }

  #drop(): void {
    this.#options.blocks.release(this.#waiting!.block);
    this.#waiting = undefined;
    this.#onGivenUp?.();
  }
}
