import { RecordReader } from "../../runtime/wire/record-reader.js";
import { RecordWriter } from "../../runtime/wire/record-writer.js";
import { STREAM_BATCHES } from "../stream-batches.js";
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
} from "../transport.js";
import { ArrivedBlock } from "./arrived-block.js";
import type { MemoryBlocks } from "./memory-blocks.js";

/** What one end sends blocks with. */
export interface BlockSender {
  readonly blocks: MemoryBlocks;
  /** How many blocks the other end may hold. */
  readonly maxHeldBlocks: number;
}

/** Records, behind their lengths, on their way: in the sender's memory until the receiver has seen them. */
interface Batch {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Two links that are each other's peer. */
export function memoryLinkPair(
  location: string,
  left: { readonly limits: LinkLimits; readonly sender: BlockSender },
  right: { readonly limits: LinkLimits; readonly sender: BlockSender },
): [MemoryLink, MemoryLink] {
  const a = new MemoryLink(location, left.limits, left.sender);
  const b = new MemoryLink(location, right.limits, right.sender);
  a.connect(b);
  b.connect(a);
  return [a, b];
}

/** One end of a connection inside this process. */
export class MemoryLink implements Link {
  readonly info: LinkInfo;
  readonly peer: PeerCredentials = {
    pid: process.pid,
    uid: process.geteuid?.(),
    gid: process.getegid?.(),
    verifiedBy: "process",
  };
  readonly blocks: MemoryBlocks;
  readonly batches: BatchLayout = STREAM_BATCHES;
  readonly #maxHeldBlocks: number;
  readonly #maxRecordBytes: number;
  readonly #reader: RecordReader;
  readonly #writer: RecordWriter;
  /** The records that were committed here, and those that were delivered here: they tell which a block belongs to. */
  #committed = 0;
  #delivered = 0;
  /** The blocks that the other end holds. */
  #heldByOther = 0;
  /** The blocks that this end holds, in the order of their records. */
  readonly #held = new Set<ArrivedBlock>();
  /** Blocks that this end does not hold any more, which the other end learns with the next flush. */
  readonly #givingBack: Block[] = [];
  /** Those that are held whose records have not been delivered. */
  readonly #arriving: ArrivedBlock[] = [];
  #receiver: LinkReceiver | undefined;
  #other: MemoryLink | undefined;
  #arrived: Batch[] = [];
  #scheduled = false;
  #end: LinkEnd | undefined;
  /** The other end has closed: when what arrived is delivered, this one ends too. */
  #otherClosed = false;
  #reported = false;
  #isOver = false;

  constructor(location: string, limits: LinkLimits, sender: BlockSender) {
    this.info = { transport: "memory", location, reason: "", fragmentBytes: Number.POSITIVE_INFINITY };
    this.blocks = sender.blocks;
    this.#maxHeldBlocks = sender.maxHeldBlocks;
    this.#maxRecordBytes = limits.maxRecordBytes;
    this.#reader = new RecordReader(limits.maxRecordBytes, (bytes, start, end) => {
      this.#deliverRecord(bytes, start, end);
    });
    this.#writer = new RecordWriter({
      sendBufferBytes: limits.sendBufferBytes,
      write: (bytes, start, end) => this.#other?.arrive({ bytes, start, end }),
      onWritable: () => {
        if (this.#end === undefined) this.#receiver?.onWritable();
      },
    });
  }

  connect(other: MemoryLink): void {
    this.#other = other;
  }

  start(receiver: LinkReceiver): void {
    this.#receiver = receiver;
    this.#schedule();
  }

  reserve(maxBytes: number): Slot | undefined {
    return this.#end === undefined ? this.#writer.reserve(maxBytes) : undefined;
  }

  commit(_slot: Slot, usedBytes: number): void {
    if (this.#end !== undefined) return;
    this.#committed++;
    this.#writer.commit(usedBytes);
  }

  commitBlock(slot: Slot, usedBytes: number, block: Block, start: number, end: number): boolean {
    const other = this.#other;
    if (this.#end !== undefined || other === undefined) return true;
    if (this.#heldByOther >= this.#maxHeldBlocks) return false;
    this.#heldByOther++;
    this.blocks.hold(block);
    this.commit(slot, usedBytes);
    other.expect(this.#committed, block, start, end);
    return true;
  }

  batchRoom(maxBytes: number): number {
    return this.#end === undefined ? this.#writer.batchRoom(maxBytes) : 0;
  }

  commitBatch({ bytes, count, end }: RecordBatch): void {
    if (this.#end !== undefined) return;
    this.#committed += count;
    this.#writer.appendBatch(bytes, end);
  }

  flush(): void {
    if (this.#end !== undefined) return;
    this.#writer.flush();
    this.#tellGivenBack();
  }

  close(): void {
    this.#finish({ kind: "local" });
  }

  /** The other end has committed a record whose payload is in a block of its own. */
  expect(record: number, block: Block, start: number, end: number): void {
    const arrived = new ArrivedBlock(record, block, start, end, () => {
      this.#held.delete(arrived);
      this.#givingBack.push(block);
      if (this.#isOver) this.#tellGivenBack();
    });
    this.#held.add(arrived);
    if (this.#isOver) arrived.lost();
    else this.#arriving.push(arrived);
  }

  /** The other end gives a block back. */
  givenBack(block: Block): void {
    this.#heldByOther--;
    this.blocks.giveBack(block);
  }

  /** The other end has sent. */
  arrive(batch: Batch): void {
    this.#arrived.push(batch);
    this.#schedule();
  }

  /** The other end has seen the oldest batch that this one sent. */
  delivered(): void {
    this.#writer.written();
  }

  /** The other end sends nothing more. */
  otherClosed(): void {
    this.#otherClosed = true;
    this.#schedule();
  }

  #finish(end: LinkEnd): void {
    if (this.#end !== undefined) return;
    this.#writer.flush();
    this.#end = end;
    this.#reader.stop();
    this.#other?.otherClosed();
    if (this.#receiver === undefined) this.#giveBackAll();
    this.#schedule();
  }

  #deliverRecord(bytes: Uint8Array, start: number, end: number): void {
    this.#delivered++;
    const block = this.#arriving[0];
    if (block?.record !== this.#delivered) {
      this.#receiver?.onRecord(bytes, start, end);
      return;
    }
    this.#arriving.shift();
    if (block.length > this.#maxRecordBytes) {
      const limit = `the limit of ${this.#maxRecordBytes} bytes (maxMessageBytes + maxHeaderBytes)`;
      this.#finish({ kind: "protocol", message: `a block of ${block.length} bytes is above ${limit}` });
    } else {
      this.#receiver?.onRecord(bytes, start, end, block);
    }
    block.delivered();
  }

  /** Delivery is a task of its own, so that neither the sender nor the process's timers ever wait for it. */
  #schedule(): void {
    if (this.#scheduled || this.#receiver === undefined) return;
    this.#scheduled = true;
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    // What arrives from here on is for the next task.
    const batches = this.#arrived;
    this.#arrived = [];
    for (const { bytes, start, end } of batches) {
      const problem = this.#end === undefined ? this.#reader.push(bytes, start, end) : undefined;
      this.#other?.delivered();
      if (problem !== undefined) this.#finish({ kind: "protocol", message: problem });
    }
    // Whoever only receives flushes nothing.
    this.#tellGivenBack();
    if (this.#otherClosed && this.#arrived.length === 0 && this.#end === undefined) {
      this.#end = { kind: "peer" };
      this.#other?.otherClosed();
    }
    if (this.#end === undefined || this.#reported) return;
    this.#reported = true;
    this.#receiver?.onClose(this.#end);
    this.#giveBackAll();
  }

  /** Nobody looks at what came any more. */
  #giveBackAll(): void {
    this.#isOver = true;
    for (const block of this.#held) block.lost();
    this.#tellGivenBack();
  }

  #tellGivenBack(): void {
    for (const block of this.#givingBack.splice(0)) this.#other?.givenBack(block);
  }
}
