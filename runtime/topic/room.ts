import type { Block, BlockStore, Lent } from "../../transports/transport.js";
import { BytesPayload, ofBlock } from "../session/payload.js";

/** Memory that a publication is written into while a user has it: a block of a store, or memory like any other. */
export interface Room {
  /** What the user has. Empty after `takeBack` and `release`. */
  readonly bytes: Uint8Array;
  /** Takes the memory away from the user, to be finished: `bytes[start]` is its first byte. */
  takeBack(): { readonly bytes: Uint8Array; readonly start: number };
  /** The first `usedBytes` of what was taken back. The caller has a hold; the room is over. */
  payload(usedBytes: number): BytesPayload;
  /** Gives it up. */
  release(): void;
}

/** Room for so many bytes, of the store where they are worth a block and it has one. */
export function lendRoom(maxBytes: number, store: BlockStore | undefined): Room {
  if (store !== undefined && maxBytes >= store.minBytes) {
    const block = store.allocate(maxBytes);
    if (block !== undefined) return new BlockRoom(block, store);
  }
  return new HeapRoom(maxBytes);
}

class BlockRoom implements Room {
  readonly #block: Block;
  readonly #store: BlockStore;
  readonly #lent: Lent;

  constructor(block: Block, store: BlockStore) {
    this.#block = block;
    this.#store = store;
    this.#lent = store.lend(block);
  }

  get bytes(): Uint8Array {
    return this.#lent.bytes;
  }

  takeBack(): Block {
    this.#lent.end();
    return this.#block;
  }

  payload(usedBytes: number): BytesPayload {
    return ofBlock(this.#block, usedBytes, this.#store);
  }

  release(): void {
    this.#store.release(this.#block);
  }
}

class HeapRoom implements Room {
  readonly bytes: Uint8Array;
  #taken = new Uint8Array(0);

  constructor(maxBytes: number) {
    this.bytes = new Uint8Array(maxBytes);
  }

  takeBack(): { readonly bytes: Uint8Array; readonly start: number } {
    const buffer = this.bytes.buffer as ArrayBuffer;
    // The memory moves to another array, and the user's is empty.
    this.#taken = new Uint8Array(structuredClone(buffer, { transfer: [buffer] }));
    return { bytes: this.#taken, start: 0 };
  }

  payload(usedBytes: number): BytesPayload {
    return new BytesPayload(this.#taken, 0, usedBytes);
  }

  release(): void {
    this.takeBack();
    this.#taken = new Uint8Array(0);
  }
}
