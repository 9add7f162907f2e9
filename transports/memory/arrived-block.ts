import type { Block, Lent, ReceivedBlock } from "../transport.js";
import { detached } from "./memory-blocks.js";

/** A payload that the other end has sent in a block, which is held until it is delivered and, if borrowed, ended. */
export class ArrivedBlock implements ReceivedBlock {
  /** Which of all records on the link it is the payload of, from 1. */
  readonly record: number;
  readonly length: number;
  readonly #block: Block;
  readonly #start: number;
  readonly #giveBack: (arrived: ArrivedBlock) => void;
  #lent: Lent | undefined;
  #isHeld = true;

  constructor(
    record: number,
    block: Block,
    start: number,
    end: number,
    giveBack: (arrived: ArrivedBlock) => void,
  ) {
    this.record = record;
    this.length = end - start;
    this.#block = block;
    this.#start = start;
    this.#giveBack = giveBack;
  }

  copy(): Uint8Array {
    return this.#block.bytes.slice(this.#start, this.#start + this.length);
  }

  /**
   * A copy too: the sender's memory cannot be taken away from one of those who read it and not from the others. It holds
   * the block nevertheless, so that it costs the sender what it would cost on other transports.
   */
  borrow(): Lent {
    if (this.#lent !== undefined) return this.#lent;
    const bytes = this.copy();
    this.#lent = {
      bytes,
      end: () => {
        if (!this.#isHeld) return;
        detached(bytes);
        this.#end();
      },
    };
    return this.#lent;
  }

  /** The receiver has seen it. */
  delivered(): void {
    if (this.#lent === undefined) this.#end();
  }

  /** The link is gone. */
  lost(): void {
    this.#lent?.end();
    this.#end();
  }

  #end(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#giveBack(this);
  }
}
