import { Code } from "../../bindings/node/binding.js";
import type { Block, BlockStore, Lent } from "../transport.js";
import type { Hub } from "./hub.js";

/** Below this, copying into the ring and out of it is faster than naming a block and giving it back. */
const MIN_BYTES = 16_384;
/** What all blocks of an endpoint may take; peers map no more by default. */
const MAX_ARENA_BYTES = 268_435_456;

/** Memory of the arena that this process holds. */
export class ShmBlock implements Block {
  readonly store: ShmBlocks;
  readonly index: number;
  readonly generation: number;
  readonly segment: number;
  /** Where it begins in the segment. */
  readonly offset: number;
  /** What it may have: as allocated or trimmed. */
  size: number;
  bytes: Uint8Array;
  start: number;
  /** The bytes are private memory, to be copied into the arena before they are sent. */
  readonly isCopied: boolean;
  isFilled = false;
  lent: ShmLent | undefined;
  /** What was lent has been moved to another buffer: the addon releases the block when that is gone. */
  isMoved = false;
  isReleased = false;

  constructor(store: ShmBlocks, numbers: Float64Array, size: number) {
    this.store = store;
    this.index = numbers[0]!;
    this.generation = numbers[1]!;
    this.segment = numbers[2]!;
    this.offset = numbers[3]!;
    this.size = size;
    const segment = store.segmentBytes(this.segment);
    this.isCopied = segment === undefined;
    this.bytes = segment ?? privateBytes(size);
    this.start = this.isCopied ? 0 : this.offset;
  }

  get end(): number {
    return this.start + this.size;
  }
}

/** A block as a user has it. */
class ShmLent implements Lent {
  readonly bytes: Uint8Array;
  readonly #end: () => void;
  #isOver = false;

  constructor(bytes: Uint8Array, end: () => void) {
    this.bytes = bytes;
    this.#end = end;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#end();
  }
}

/** The arena of a transport. There is one as long as anybody uses it: a link, a listener, a block. */
export class ShmBlocks implements BlockStore {
  readonly minBytes: number = MIN_BYTES;
  readonly #hub: Hub;
  readonly #maxArenaBytes: number;
  #arena = 0;
  #users = 0;
  readonly #segments: Uint8Array[] = [];

  constructor(hub: Hub, maxArenaBytes: number = MAX_ARENA_BYTES) {
    this.#hub = hub;
    this.#maxArenaBytes = maxArenaBytes;
  }

  /** The arena's id; `drop` has to follow. Throws where the system has no memory. */
  retain(): number {
    if (this.#users === 0) {
      const { native, binding } = this.#hub;
      const arena = native.arenaOpen(this.#maxArenaBytes);
      if (arena < 0) throw new Error(`cannot make an arena: ${binding.errorText(arena)}`);
      this.#arena = arena;
    }
    this.#users++;
    return this.#arena;
  }

  drop(): void {
    if (--this.#users > 0) return;
    this.#segments.length = 0;
    this.#hub.native.arenaClose(this.#arena);
  }

  allocate(maxBytes: number): ShmBlock | undefined {
    const size = Math.max(1, maxBytes);
    const arena = this.retain();
    const { native, numbers } = this.#hub;
    if (native.arenaAllocate(arena, size) === Code.OK) return new ShmBlock(this, numbers, size);
    this.drop();
    return undefined;
  }

  trim(block: Block, usedBytes: number): ShmBlock {
    const own = this.own(block);
    own.lent?.end();
    const { index, generation, segment, offset, size } = own;
    const used = Math.max(1, usedBytes);
    // Where it fails, a peer holds the block already: then it only keeps more memory than it needs.
    this.#hub.native.arenaTrim(this.#arena, index, generation, segment, offset, size, used);
    own.size = usedBytes;
    return own;
  }

  lend(block: Block): Lent {
    const own = this.own(block);
    own.lent?.end();
    own.lent = own.isCopied ? this.#lendPrivate(own) : this.#lendShared(own);
    return own.lent;
  }

  release(block: Block): void {
    const own = this.own(block);
    own.lent?.end();
    own.isReleased = true;
    const { index, generation, segment, offset, size } = own;
    if (!own.isMoved) {
      this.#hub.native.arenaRelease(this.#arena, index, generation, segment, offset, size);
    }
    this.drop();
  }

  /** Before it is sent: what is private is copied to where peers can read it. */
  publish(block: ShmBlock): void {
    block.lent?.end();
    if (!block.isCopied || block.isFilled) return;
    block.isFilled = true;
    const { index, generation, segment, offset, size, bytes } = block;
    const from = bytes.subarray(0, size);
    this.#hub.native.arenaFill(this.#arena, index, generation, segment, offset, size, from);
  }

  /** The block as this store made it. Throws for one of another store, and for one that was released. */
  own(block: Block): ShmBlock {
    if (!(block instanceof ShmBlock) || block.store !== this) {
      throw new TypeError("the block is of another transport");
    }
    if (block.isReleased) throw new TypeError("the block was released");
    return block;
  }

  /** All of a segment; `undefined` where external memory is forbidden. */
  segmentBytes(segment: number): Uint8Array | undefined {
    const known = this.#segments[segment];
    if (known !== undefined) return known;
    const hub = this.#hub;
    const buffer = hub.isCopied ? undefined : hub.native.arenaSegment(this.#arena, segment);
    if (buffer === undefined) return undefined;
    const bytes = new Uint8Array(buffer);
    this.#segments[segment] = bytes;
    return bytes;
  }

  #lendShared(block: ShmBlock): ShmLent {
    const { native, numbers } = this.#hub;
    const { index, generation, segment, offset, size } = block;
    const buffer = native.arenaLend(this.#arena, index, generation, segment, offset, size);
    if (buffer === undefined) throw new Error("there is no memory to lend a block");
    const id = numbers[0]!;
    return new ShmLent(new Uint8Array(buffer), () => {
      block.lent = undefined;
      if (native.windowEnd(id) !== 0) block.isMoved = true;
    });
  }

  /** The user's array is the block's own memory, which moves to another buffer at the end. */
  #lendPrivate(block: ShmBlock): ShmLent {
    const bytes = block.bytes.subarray(0, block.size);
    return new ShmLent(bytes, () => {
      block.lent = undefined;
      const { buffer } = bytes;
      block.bytes = new Uint8Array(structuredClone(buffer, { transfer: [buffer as ArrayBuffer] }));
    });
  }
}

/**
 * From here on memory that is not cleared is faster to fill, though it takes longer to make: on the machine measured,
 * cleared and filled against not cleared and filled, 64 KiB took 4.5 and 5.4 us, 1 MiB 140 and 129, 16 MiB 2,600 and
 * 1,370. What takes the time in both is that the system gives pages one by one.
 */
const UNCLEARED_FROM_BYTES = 1_048_576;

/** Memory that nobody else has; its content is undefined. */
export function privateBytes(size: number): Uint8Array {
  if (size < UNCLEARED_FROM_BYTES) return new Uint8Array(size);
  const { buffer } = Buffer.allocUnsafeSlow(size);
  return new Uint8Array(buffer, 0, size);
}
