import { Code } from "../../bindings/node/binding.js";
import type { Lent, ReceivedBlock } from "../transport.js";
import { privateBytes } from "./blocks.js";
import type { Hub } from "./hub.js";

/** The payload of a record in a batch: good as long as the record is. */
export class ShmReceivedBlock implements ReceivedBlock {
  readonly length: number;
  readonly #hub: Hub;
  readonly #link: number;
  readonly #batch: number;
  readonly #record: number;
  #isBorrowed = false;
  #isOver = false;

  constructor(hub: Hub, link: number, batch: number, record: number, length: number) {
    this.#hub = hub;
    this.#link = link;
    this.#batch = batch;
    this.#record = record;
    this.length = length;
  }

  copy(): Uint8Array {
    this.#check();
    const to = privateBytes(this.length);
    const code = this.#hub.native.copyBlock(this.#link, this.#batch, this.#record, to);
    if (code !== Code.OK) throw new Error(`cannot read a block: ${this.#hub.binding.errorText(code)}`);
    return to;
  }

  borrow(): Lent | undefined {
    this.#check();
    if (this.#isBorrowed) throw new TypeError("the block is borrowed already");
    const { native, numbers } = this.#hub;
    const buffer = native.borrow(this.#link, this.#batch, this.#record);
    if (buffer === undefined) return undefined;
    this.#isBorrowed = true;
    const id = numbers[0]!;
    let isOver = false;
    return {
      bytes: new Uint8Array(buffer),
      end() {
        if (!isOver) native.windowEnd(id);
        isOver = true;
      },
    };
  }

  /** The record was delivered. */
  delivered(): void {
    this.#isOver = true;
    if (!this.#isBorrowed) this.#hub.native.giveBack(this.#link, this.#batch, this.#record);
  }

  #check(): void {
    if (this.#isOver) throw new TypeError("the block was given back when onRecord returned");
  }
}
