import type { Block, BlockStore, Lent } from "../transport.js";

/** What a store of memory blocks is made with. */
export interface MemoryBlockOptions {
  /** A payload of fewer bytes is not worth a block. From 1; 16,384 unless said. */
  readonly minBytes?: number | undefined;
  /** How many bytes all blocks may have together. 268,435,456 unless said. */
  readonly maxBytes?: number | undefined;
}

const MIN_BYTES = 16_384;
const MAX_BYTES = 268_435_456;

const NOTHING = new Uint8Array(0);

/** One block. Its memory is its own, and is never used for another. */
class MemoryBlock implements Block {
  readonly start = 0;
  bytes: Uint8Array;
  readonly store: MemoryBlocks;
  lent: Lent | undefined;
  /** Whether whoever allocated it has it still. */
  isOwned = true;
  /** How often peers hold it. */
  peerHolds = 0;

  constructor(bytes: Uint8Array, store: MemoryBlocks) {
    this.bytes = bytes;
    this.store = store;
  }

  get end(): number {
    return this.bytes.length;
  }
}

/**
 * Blocks in memory like any other. A block lives until its owner has released it and no peer holds it; then its memory is
 * detached, so that whoever uses it too late finds nothing there.
 */
export class MemoryBlocks implements BlockStore {
  readonly minBytes: number;
  readonly #maxBytes: number;
  #blocks = 0;
  #bytes = 0;

  constructor(options: MemoryBlockOptions = {}) {
    this.minBytes = options.minBytes ?? MIN_BYTES;
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
  }

  /** The blocks that somebody has. */
  get blocksInUse(): number {
    return this.#blocks;
  }

  /** The bytes of those. */
  get bytesInUse(): number {
    return this.#bytes;
  }

  allocate(maxBytes: number): Block | undefined {
    if (maxBytes > this.#maxBytes - this.#bytes) return undefined;
    this.#blocks++;
    this.#bytes += maxBytes;
    return new MemoryBlock(new Uint8Array(maxBytes), this);
  }

  trim(block: Block, usedBytes: number): Block {
    const own = this.#owned(block);
    if (usedBytes < 1 || usedBytes > own.bytes.length) {
      throw new RangeError(`a block of ${own.bytes.length} bytes is trimmed to ${usedBytes}`);
    }
    this.#bytes -= own.bytes.length - usedBytes;
    own.bytes = own.bytes.subarray(0, usedBytes);
    return own;
  }

  lend(block: Block): Lent {
    const own = this.#owned(block);
    if (own.lent !== undefined) throw new RangeError("a block is lent a second time");
    const { bytes } = own;
    let isLent = true;
    own.lent = {
      bytes,
      end() {
        if (!isLent) return;
        isLent = false;
        own.lent = undefined;
        own.bytes = detached(own.bytes);
      },
    };
    return own.lent;
  }

  release(block: Block): void {
    const own = this.#owned(block);
    own.isOwned = false;
    own.lent?.end();
    this.#freeUnused(own);
  }

  /** A peer holds the block from now on. */
  hold(block: Block): void {
    this.#owned(block).peerHolds++;
  }

  /** A peer gives back a block that it holds. */
  giveBack(block: Block): void {
    if (!(block instanceof MemoryBlock) || block.peerHolds < 1) {
      throw new RangeError("a block is given back more often than it was held");
    }
    block.peerHolds--;
    this.#freeUnused(block);
  }

  #freeUnused(block: MemoryBlock): void {
    if (block.isOwned || block.peerHolds > 0) return;
    const { bytes } = block;
    this.#blocks--;
    this.#bytes -= bytes.length;
    block.bytes = NOTHING;
    detached(bytes);
  }

  #owned(block: Block): MemoryBlock {
    if (block instanceof MemoryBlock && block.isOwned && block.store === this) return block;
    throw new RangeError("a block is used that was released, or is of another store");
  }
}

/** The same memory under another array. The one that was given, and every other one over it, reads as empty from now on. */
export function detached(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = bytes;
  return new Uint8Array(structuredClone(buffer, { transfer: [buffer as ArrayBuffer] }), byteOffset, length);
}
