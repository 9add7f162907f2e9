import { RecordReader } from "../../runtime/wire/record-reader.js";
import { RecordWriter } from "../../runtime/wire/record-writer.js";
import { STREAM_BATCHES } from "../../transports/stream-batches.js";
import { varintSize, writeVarint } from "../../runtime/wire/varint.js";
import { ArrivedBlock } from "../../transports/memory/arrived-block.js";
import type { MemoryBlocks } from "../../transports/memory/memory-blocks.js";
import type {
  BatchLayout,
  Block,
  Link,
  LinkEnd,
  LinkInfo,
  LinkLimits,
  LinkReceiver,
  PeerCredentials,
  RecordBatch,
  Slot,
} from "../../transports/transport.js";
import type { Random } from "./random.js";
import { Violation, type World } from "./world.js";

/** What goes wrong with the bytes of one direction of a link. */
export interface Faults {
  /** How long a piece takes at most. */
  readonly maxDelayMs: number;
  /** How probable it is that only a part of what is under way arrives at once. */
  readonly splitChance: number;
  /** The byte from which on nothing moves for `stallMs`. */
  readonly stallAtByte: number;
  readonly stallMs: number;
  /** The byte before which both ends lose each other. */
  readonly cutAtByte: number;
  /** The byte that arrives with other bits, and which. */
  readonly corruptAtByte: number;
  readonly corruptMask: number;
}

/** Whoever watches the records of one end. */
export interface LinkObserver {
  /** The end hands over a record. */
  onCommit(record: Uint8Array): void;
  /** The end is about to take a record. */
  onDeliver(record: Uint8Array): void;
  onStart(receiver: LinkReceiver): void;
  onEnd(end: LinkEnd): void;
}

/** A run in which one event asks so often for room that there is not would never end. */
const MAX_REFUSALS = 10_000;
const CLOSE_TIMEOUT_MS = 1_000;
const PAYLOAD_TAG = 0x7a;
const CREDENTIALS: PeerCredentials = { pid: 4_242, uid: 1_000, gid: 1_000, verifiedBy: "process" };

/** The blocks that payloads are sent in, and how many of them the other end of a link may hold. */
export interface SimBlocks {
  readonly store: MemoryBlocks;
  readonly maxHeldBlocks: number;
}

/** One end of a connection in virtual time, over which real records go behind real length prefixes. */
export class SimLink implements Link {
  readonly info: LinkInfo;
  readonly peer: PeerCredentials = CREDENTIALS;
  readonly batches: BatchLayout = STREAM_BATCHES;
  /** Whether a byte on its way to this end was changed. */
  isCorrupted = false;
  readonly #world: World;
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #name: string;
  readonly #observer: LinkObserver;
  readonly #reader: RecordReader;
  readonly #writer: RecordWriter;
  #other: SimLink | undefined;
  #receiver: LinkReceiver | undefined;
  #slot: Slot | undefined;
  /** What `batchRoom` told, while that holds. */
  #roomBytes = 0;
  /** The pieces on their way to the other end, the first of them from `#headAt` on. */
  #flight: Uint8Array[] = [];
  #headAt = 0;
  #isMoving = false;
  #sentBytes = 0;
  #arrivedBytes = 0;
  #hasStalled = false;
  #end: LinkEnd | undefined;
  #isFinished = false;
  #refusals = 0;
  #refusedAtEvent = -1;
  readonly blocks: MemoryBlocks | undefined;
  readonly #maxHeldBlocks: number;
  /** The records that were committed here, and those that were delivered here: they tell which a block belongs to. */
  #committed = 0;
  #delivered = 0;
  #heldByOther = 0;
  readonly #held = new Set<ArrivedBlock>();

  constructor(
    world: World,
    random: Random,
    name: string,
    limits: LinkLimits,
    fragmentBytes: number,
    faults: Faults,
    blocks: SimBlocks | undefined,
    observer: LinkObserver,
  ) {
    this.info = { transport: "sim", location: `sim:${name}`, reason: "", fragmentBytes };
    this.#world = world;
    this.#random = random;
    this.#name = name;
    this.#faults = faults;
    this.blocks = blocks?.store;
    this.#maxHeldBlocks = blocks?.maxHeldBlocks ?? 0;
    this.#observer = observer;
    this.#reader = new RecordReader(limits.maxRecordBytes, (bytes, start, end) =>
      this.#deliver(bytes, start, end),
    );
    this.#writer = new RecordWriter({
      sendBufferBytes: limits.sendBufferBytes,
      write: (bytes, start, end) => this.#send(bytes.slice(start, end)),
      onWritable: () => {
        if (this.#end === undefined) this.#receiver?.onWritable();
      },
    });
  }

  connect(other: SimLink): void {
    this.#other = other;
  }

  start(receiver: LinkReceiver): void {
    this.#receiver = receiver;
    this.#observer.onStart(receiver);
  }

  reserve(maxBytes: number): Slot | undefined {
    this.#roomBytes = 0;
    const slot = this.#end === undefined ? this.#writer.reserve(maxBytes) : undefined;
    this.#slot = slot;
    if (slot === undefined) this.#countRefusal();
    return slot;
  }

  commit(slot: Slot, usedBytes: number): void {
    if (slot !== this.#slot) throw new Violation("commit of a slot that is not the one reserved last");
    this.#slot = undefined;
    if (this.#end !== undefined) return;
    this.#committed++;
    this.#observer.onCommit(slot.bytes.slice(slot.start, slot.start + usedBytes));
    this.#writer.commit(usedBytes);
  }

  commitBlock(slot: Slot, usedBytes: number, block: Block, start: number, end: number): boolean {
    const store = this.blocks;
    const other = this.#other;
    if (store === undefined || other === undefined) throw new Violation("a block on a link that has none");
    if (slot !== this.#slot) throw new Violation("commit of a slot that is not the one reserved last");
    if (end - start < store.minBytes) throw new Violation(`a block for a payload of ${end - start} bytes`);
    if (this.#end !== undefined) return true;
    if (this.#heldByOther >= this.#maxHeldBlocks) return false;
    this.#slot = undefined;
    this.#committed++;
    const head = slot.bytes.subarray(slot.start, slot.start + usedBytes);
    this.#observer.onCommit(withPayload(head, block.bytes.subarray(start, end)));
    this.#writer.commit(usedBytes);
    this.#heldByOther++;
    store.hold(block);
    const arrived = new ArrivedBlock(this.#committed, block, start, end, () => {
      other.#held.delete(arrived);
      this.#heldByOther--;
      store.giveBack(block);
    });
    other.#held.add(arrived);
    if (other.#isFinished) arrived.lost();
    return true;
  }

  batchRoom(maxBytes: number): number {
    this.#slot = undefined;
    this.#roomBytes = this.#end === undefined ? this.#writer.batchRoom(maxBytes) : 0;
    if (this.#roomBytes === 0) this.#countRefusal();
    return this.#roomBytes;
  }

  commitBatch({ bytes, lengths, count, end }: RecordBatch): void {
    if (end > this.#roomBytes) {
      throw new Violation(`a batch of ${end} bytes where there was room for ${this.#roomBytes}`);
    }
    this.#roomBytes = 0;
    if (this.#end !== undefined) return;
    const { headerBytes } = this.batches;
    for (let i = 0, at = 0; i < count; i++) {
      const start = at + headerBytes;
      at = start + lengths[i]!;
      this.#committed++;
      this.#observer.onCommit(bytes.slice(start, at));
    }
    this.#writer.appendBatch(bytes, end);
  }

  flush(): void {
    this.#roomBytes = 0;
    if (this.#end === undefined) this.#writer.flush();
  }

  close(): void {
    if (this.#end !== undefined) return;
    this.#writer.flush();
    this.#end = { kind: "local" };
    this.#reader.stop();
    if (this.#flight.length === 0) this.#finish();
    else this.#world.after(CLOSE_TIMEOUT_MS, () => this.#finish());
  }

  /** The link is torn in two. */
  cut(): void {
    this.#world.log(`${this.#name} is cut`);
    this.#settle({ kind: "peer" });
    const other = this.#other;
    if (other !== undefined) other.#settle({ kind: "io", cause: new Error("the link was cut") });
  }

  #send(piece: Uint8Array): void {
    if (this.#isFinished) return;
    const { corruptAtByte, corruptMask } = this.#faults;
    const index = corruptAtByte - this.#sentBytes;
    if (index >= 0 && index < piece.length) {
      piece[index] = piece[index]! ^ corruptMask;
      if (this.#other !== undefined) this.#other.isCorrupted = true;
      this.#world.log(`${this.#name} corrupts byte ${corruptAtByte}`);
    }
    this.#sentBytes += piece.length;
    this.#flight.push(piece);
    this.#move();
  }

  /** The next piece, or a part of it, arrives after a while. */
  #move(): void {
    if (this.#isMoving) return;
    this.#isMoving = true;
    const { maxDelayMs, stallAtByte, stallMs } = this.#faults;
    let delayMs = maxDelayMs === 0 ? 0 : this.#random.int(0, maxDelayMs * 1_000) / 1_000;
    if (!this.#hasStalled && this.#arrivedBytes >= stallAtByte) {
      this.#hasStalled = true;
      delayMs += stallMs;
      this.#world.log(`${this.#name} stalls for ${stallMs} ms`);
    }
    this.#world.after(delayMs, () => {
      this.#isMoving = false;
      if (!this.#isFinished) this.#arrive();
    });
  }

  #arrive(): void {
    const other = this.#other;
    if (other === undefined || (other.#receiver === undefined && other.#end === undefined)) {
      this.#move();
      return;
    }
    const piece = this.#flight[0]!;
    const { splitChance, cutAtByte } = this.#faults;
    const rest = piece.length - this.#headAt;
    let size = this.#random.chance(splitChance) ? this.#random.int(1, rest) : rest;
    size = Math.min(size, Math.max(0, cutAtByte - this.#arrivedBytes));
    const part = piece.slice(this.#headAt, this.#headAt + size);
    this.#headAt += size;
    this.#arrivedBytes += size;
    const isWhole = this.#headAt === piece.length;
    if (isWhole) {
      this.#flight.shift();
      this.#headAt = 0;
    }
    if (size > 0) other.#receive(part);
    if (this.#arrivedBytes >= cutAtByte && !this.#isFinished) {
      this.cut();
      return;
    }
    if (this.#flight.length > 0) this.#move();
    if (isWhole) this.#writer.written();
    if (this.#end !== undefined && this.#flight.length === 0) this.#finish();
  }

  #receive(part: Uint8Array): void {
    if (this.#end !== undefined) return;
    const problem = this.#reader.push(part, 0, part.length);
    // Whoever kept a view of what was its own during the call only, sees this.
    part.fill(0xaa);
    if (problem !== undefined) this.#settle({ kind: "protocol", message: problem });
  }

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    if (this.#end !== undefined) return;
    const record = ++this.#delivered;
    const block = [...this.#held].find((held) => held.record === record);
    if (block === undefined) {
      this.#observer.onDeliver(bytes.slice(start, end));
      this.#receiver?.onRecord(bytes, start, end);
    } else {
      this.#observer.onDeliver(withPayload(bytes.subarray(start, end), block.copy()));
      this.#receiver?.onRecord(bytes, start, end, block);
      block.delivered();
    }
  }

  #settle(end: LinkEnd): void {
    if (this.#end === undefined) {
      this.#end = end;
      this.#reader.stop();
    }
    this.#finish();
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#flight = [];
    const end = this.#end!;
    this.#world.after(0, () => {
      this.#world.log(`${this.#name} ends: ${end.kind}`);
      this.#observer.onEnd(end);
      this.#receiver?.onClose(end);
      for (const block of this.#held) block.lost();
      const other = this.#other;
      if (other !== undefined) other.#otherFinished();
    });
  }

  /** The other end is gone, and all that it had sent is here. */
  #otherFinished(): void {
    if (!this.#isFinished) this.#settle({ kind: "peer" });
  }

  #countRefusal(): void {
    const { events } = this.#world;
    if (events !== this.#refusedAtEvent) {
      this.#refusedAtEvent = events;
      this.#refusals = 0;
    }
    if (++this.#refusals > MAX_REFUSALS) {
      throw new Violation(
        `${this.#name} was asked ${MAX_REFUSALS} times in one event for room that there is not`,
      );
    }
  }
}

/** The frame as it would be with its payload in it. */
function withPayload(head: Uint8Array, payload: Uint8Array): Uint8Array {
  const payloadStart = head.length + 1 + varintSize(payload.length);
  const frame = new Uint8Array(payloadStart + payload.length);
  frame.set(head);
  frame[head.length] = PAYLOAD_TAG;
  writeVarint(frame, head.length + 1, payload.length);
  frame.set(payload, payloadStart);
  return frame;
}
