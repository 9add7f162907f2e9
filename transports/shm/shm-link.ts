import {
  CONTROL_COUNT,
  CONTROL_END,
  CONTROL_LENGTHS,
  CONTROL_NEXT,
  CONTROL_WORDS,
  Code,
  RECORD_ALIGN_BYTES,
  RECORD_BLOCK_BYTES,
  RECORD_BYTES,
  RECORD_HAS_BLOCK,
  RECORD_HEADER_BYTES,
  RECORD_OFFSET,
  RECORD_WORDS,
} from "../../bindings/node/binding.js";
import type {
  BatchLayout,
  Block,
  Link,
  LinkEnd,
  LinkInfo,
  LinkReceiver,
  PeerCredentials,
  RecordBatch,
  Slot,
} from "../transport.js";
import { kernelCredentials } from "../vouch.js";
import type { ShmBlocks } from "./blocks.js";
import type { Batch, Hub, LinkEvents } from "./hub.js";
import { LargeRecords } from "./large-records.js";
import { ShmReceivedBlock } from "./received-block.js";

/**
 * Room for a frame's head beside a part of a payload: 128 bytes for its numbers, the rest for a method's name and a few
 * pairs of metadata. What has a longer head goes into a block as a whole.
 */
const HEAD_BYTES = 1_024;
/** How long the thread is blocked at a time, so that a worker can be terminated meanwhile. */
const SLICE_MS = 50;
const MOST_LAID = CONTROL_WORDS - CONTROL_LENGTHS;
/**
 * As records stand in a ring; the addon writes their headers there. Half of what may be laid, so that what is laid need not
 * be committed before each batch.
 */
const BATCHES: BatchLayout = {
  maxRecords: MOST_LAID >> 1,
  headerBytes: RECORD_HEADER_BYTES,
  alignBytes: RECORD_ALIGN_BYTES,
  writeHeader(bytes, at) {
    for (let i = at; i < at + RECORD_HEADER_BYTES; i++) bytes[i] = 0;
  },
};
const FORBIDDEN = "this platform forbids external memory, so payloads are copied once more";

/** Counts of a link, from its beginning; what is held is as it is now. */
export interface ShmLinkStats {
  readonly recordsSent: number;
  readonly recordsReceived: number;
  /** System calls made to wake the peer. */
  readonly doorbellsSent: number;
  readonly doorbellsReceived: number;
  readonly blocksHeldByPeer: number;
  readonly bytesHeldByPeer: number;
  readonly blocksHeldByUs: number;
  /** Segments of the peer's arena that are mapped here. */
  readonly segmentsMapped: number;
}

interface ShmSlot extends Slot {
  bytes: Uint8Array;
  start: number;
  end: number;
}

export interface ShmLinkOptions {
  readonly hub: Hub;
  /** Of an attached link. */
  readonly id: number;
  readonly location: string;
  readonly blocks: ShmBlocks;
  readonly maxRecordBytes: number;
  readonly closingRecord: ((message: string) => Uint8Array) | undefined;
}

function alignRecord(bytes: number): number {
  return (bytes + RECORD_ALIGN_BYTES - 1) & -RECORD_ALIGN_BYTES;
}

/** A link over two rings, one in each side's memory: records are laid where the peer reads them. */
export class ShmLink implements Link, LinkEvents {
  readonly info: LinkInfo;
  readonly peer: PeerCredentials;
  readonly blocks: ShmBlocks;
  readonly batches: BatchLayout = BATCHES;
  readonly #options: ShmLinkOptions;
  readonly #hub: Hub;
  readonly #id: number;
  readonly #control = new Uint32Array(new ArrayBuffer(4 * CONTROL_WORDS));
  /** Our segment, or what it becomes. */
  readonly #bytes: Uint8Array;
  readonly #slot: ShmSlot;
  readonly #maxBodyBytes: number;
  /** Records that are larger than the ring takes. */
  readonly #large: LargeRecords;
  #receiver: LinkReceiver | undefined;
  #end: LinkEnd | undefined;
  #isReported = false;
  #isReleased = false;
  /** Something was committed since the last flush. */
  #isDirty = false;
  // What is being delivered: records of a batch, from `#next` on.
  #batch: Batch | undefined;
  #batchIndex = 0;
  #next = 0;
  #count = 0;
  #isDelivering = false;

  constructor(options: ShmLinkOptions) {
    const { hub, id, blocks } = options;
    const { native, numbers } = hub;
    this.#options = options;
    this.#hub = hub;
    this.#id = id;
    native.linkFacts(id);
    this.peer = kernelCredentials([numbers[0]!, numbers[1]!, numbers[2]!]);
    this.#maxBodyBytes = numbers[3]!;
    hub.makeRoom(numbers[4]!);
    this.#bytes = this.#setUp(numbers[5]!);
    this.#slot = { bytes: this.#bytes, start: 0, end: -1 };
    this.blocks = blocks;
    this.info = {
      transport: "shm",
      location: options.location,
      reason: hub.isCopied ? FORBIDDEN : "",
      fragmentBytes: this.#maxBodyBytes - HEAD_BYTES,
    };
    this.#large = new LargeRecords({
      blocks,
      maxBodyBytes: this.#maxBodyBytes,
      send: (bytes) => native.send(id, bytes),
      sendBlock: (block, usedBytes) => {
        blocks.publish(block);
        const { index, generation, segment, offset, size } = block;
        return native.commitBlock(id, 0, 0, index, generation, segment, offset, size, 0, usedBytes);
      },
      onSent: () => {
        native.flush(id);
        if (this.#end === undefined) this.#receiver?.onWritable();
        else this.#shutdown();
      },
    });
    blocks.retain();
    hub.setLink(id, this);
  }

  #setUp(segmentBytes: number): Uint8Array {
    const { native } = this.#hub;
    const shown = this.#hub.isCopied ? undefined : native.linkSetUp(this.#id, this.#control, undefined);
    if (shown !== undefined) return new Uint8Array(shown);
    this.#hub.isCopied = true;
    const mirror = new Uint8Array(new ArrayBuffer(segmentBytes));
    native.linkSetUp(this.#id, this.#control, mirror);
    return mirror;
  }

  start(receiver: LinkReceiver): void {
    this.#receiver = receiver;
    const end = this.#end;
    if (end === undefined) this.#hub.native.linkStart(this.#id);
    else queueMicrotask(() => this.#report(end));
  }

  // ---- Sending ----

  reserve(maxBytes: number): Slot | undefined {
    if (this.#end !== undefined || this.#large.isWaiting) return undefined;
    const slot = this.#slot;
    if (maxBytes > this.#maxBodyBytes) return this.#large.reserve(maxBytes);
    this.#large.giveUp();
    const control = this.#control;
    let start = control[CONTROL_NEXT]! + RECORD_HEADER_BYTES;
    if (start + maxBytes > control[CONTROL_END]! || control[CONTROL_COUNT]! >= MOST_LAID) {
      slot.end = -1;
      if (this.#hub.native.reserve(this.#id, maxBytes) !== Code.OK) return undefined;
      start = control[CONTROL_NEXT]! + RECORD_HEADER_BYTES;
    }
    slot.start = start;
    slot.end = start + maxBytes;
    return slot;
  }

  commit(_slot: Slot, usedBytes: number): void {
    if (this.#end !== undefined) return;
    this.#isDirty = true;
    if (this.#large.isReserved) {
      this.#large.commit(usedBytes);
      return;
    }
    const slot = this.#slot;
    if (usedBytes > slot.end - slot.start) {
      throw new RangeError(`commit of ${usedBytes} bytes into a slot of ${slot.end - slot.start} bytes`);
    }
    slot.end = -1;
    const control = this.#control;
    const count = control[CONTROL_COUNT]!;
    control[CONTROL_LENGTHS + count] = usedBytes;
    control[CONTROL_COUNT] = count + 1;
    control[CONTROL_NEXT] = slot.start + alignRecord(usedBytes);
  }

  batchRoom(maxBytes: number): number {
    if (this.#end !== undefined || this.#large.isWaiting || maxBytes > this.#maxBodyBytes) return 0;
    this.#large.giveUp();
    this.#slot.end = -1;
    const control = this.#control;
    const isEnough =
      control[CONTROL_NEXT]! + RECORD_HEADER_BYTES + alignRecord(maxBytes) <= control[CONTROL_END]! &&
      control[CONTROL_COUNT]! + BATCHES.maxRecords <= MOST_LAID;
    if (!isEnough && this.#hub.native.reserve(this.#id, maxBytes) !== Code.OK) return 0;
    return control[CONTROL_END]! - control[CONTROL_NEXT]!;
  }

  commitBatch({ bytes, lengths, count, end }: RecordBatch): void {
    if (this.#end !== undefined) return;
    this.#isDirty = true;
    const control = this.#control;
    const next = control[CONTROL_NEXT]!;
    const laid = control[CONTROL_COUNT]!;
    const room = control[CONTROL_END]! - next;
    if (end > room || laid + count > MOST_LAID) {
      const most = `${MOST_LAID - laid} of ${room} bytes in all`;
      throw new RangeError(`a batch of ${count} records and ${end} bytes where there is room for ${most}`);
    }
    this.#bytes.set(bytes.subarray(0, end), next);
    for (let i = 0; i < count; i++) control[CONTROL_LENGTHS + laid + i] = lengths[i]!;
    control[CONTROL_COUNT] = laid + count;
    control[CONTROL_NEXT] = next + end;
  }

  commitBlock(_slot: Slot, usedBytes: number, block: Block, start: number, end: number): boolean {
    if (this.#end !== undefined) return true;
    const own = this.blocks.own(block);
    const slot = this.#slot;
    // A head that needs a block of its own, or a payload of nothing, is not worth a case of its own.
    if (this.#large.isReserved || end === start) return false;
    if (usedBytes > slot.end - slot.start) {
      throw new RangeError(`commit of ${usedBytes} bytes into a slot of ${slot.end - slot.start} bytes`);
    }
    this.blocks.publish(own);
    const { index, generation, segment, offset, size } = own;
    const code = this.#hub.native.commitBlock(
      this.#id,
      usedBytes,
      slot.end - slot.start,
      index,
      generation,
      segment,
      offset,
      size,
      start - own.start,
      end - start,
    );
    this.#isDirty = true;
    // Where the link has ended, which tells so itself, nothing else can be committed either.
    if (code !== Code.OK) return false;
    slot.end = -1;
    return true;
  }

  flush(): void {
    this.#slot.end = -1;
    if (!this.#isDirty || this.#end !== undefined) return;
    this.#isDirty = false;
    this.#hub.native.flush(this.#id);
  }

  close(): void {
    this.#finish({ kind: "local" });
  }

  // ---- Receiving ----

  receiveBlocking(timeoutMs: number): boolean {
    if (this.#end !== undefined || this.#receiver === undefined) return false;
    if (this.#isDelivering) throw new TypeError("receiveBlocking within onRecord of the same link");
    const hub = this.#hub;
    const depth = hub.depth;
    const batch = hub.batch(depth);
    this.#isDirty = false;
    for (let leftMs = timeoutMs; ; leftMs -= SLICE_MS) {
      const count = hub.native.receive(this.#id, Math.max(0, Math.min(leftMs, SLICE_MS)), depth);
      if (count < 0) {
        this.onEnded(count);
        return true;
      }
      const isWritable = hub.numbers[0] === 1;
      if (count > 0) this.#deliverAll(batch, depth, count);
      if (isWritable) this.onWritable();
      if (count > 0 || isWritable) return true;
      if (leftMs <= SLICE_MS) return false;
    }
  }

  onRecords(count: number): void {
    this.#deliver(this.#hub.batch(0), 0, count);
  }

  onResume(): void {
    this.#deliverRest();
  }

  /** Here nobody would call again for the records behind one that the receiver threw at. */
  #deliverAll(batch: Batch, index: number, count: number): void {
    try {
      this.#deliver(batch, index, count);
    } finally {
      if (this.#next < this.#count && this.#end === undefined) this.#deliverRest();
    }
  }

  #deliver(batch: Batch, index: number, count: number): void {
    this.#batch = batch;
    this.#batchIndex = index;
    this.#next = 0;
    this.#count = count;
    this.#deliverRest();
  }

  #deliverRest(): void {
    const hub = this.#hub;
    const receiver = this.#receiver!;
    const { bytes, records } = this.#batch!;
    const { maxRecordBytes } = this.#options;
    hub.depth++;
    this.#isDelivering = true;
    try {
      while (this.#next < this.#count && this.#end === undefined) {
        const index = this.#next++;
        const at = index * RECORD_WORDS;
        const start = records[at + RECORD_OFFSET]!;
        const length = records[at + RECORD_BYTES]!;
        if (records[at + RECORD_HAS_BLOCK] !== 0) this.#deliverBlock(index, start, length);
        else if (length <= maxRecordBytes) receiver.onRecord(bytes, start, start + length);
        else this.#reject(length);
      }
    } finally {
      this.#isDelivering = false;
      hub.depth--;
    }
  }

  #deliverBlock(index: number, start: number, length: number): void {
    const { bytes, records } = this.#batch!;
    const at = index * RECORD_WORDS + RECORD_BLOCK_BYTES;
    const blockBytes = records[at]! + records[at + 1]! * 2 ** 32;
    const block = new ShmReceivedBlock(this.#hub, this.#id, this.#batchIndex, index, blockBytes);
    const recordBytes = length + blockBytes;
    try {
      if (recordBytes > this.#options.maxRecordBytes) {
        this.#reject(recordBytes);
      } else if (length === 0) {
        // No frame is empty: this one stands in the block as a whole.
        const whole = block.copy();
        this.#receiver!.onRecord(whole, 0, whole.length);
      } else {
        this.#receiver!.onRecord(bytes, start, start + length, block);
      }
    } finally {
      block.delivered();
    }
  }

  onAttached(): void {}

  onWritable(): void {
    if (this.#end === undefined && !this.#large.isWaiting) this.#receiver?.onWritable();
  }

  /** All zero when the link has ended. */
  readStats(): ShmLinkStats {
    const { native, numbers } = this.#hub;
    if (native.linkStats(this.#id) !== Code.OK) numbers.fill(0);
    return {
      recordsSent: numbers[0]!,
      recordsReceived: numbers[1]!,
      doorbellsSent: numbers[2]!,
      doorbellsReceived: numbers[3]!,
      blocksHeldByPeer: numbers[4]!,
      bytesHeldByPeer: numbers[5]!,
      blocksHeldByUs: numbers[6]!,
      segmentsMapped: numbers[7]!,
    };
  }

  // ---- The end ----

  onEnded(code: number): void {
    if (this.#end !== undefined) return;
    const end = this.#endOf(code);
    this.#end = end;
    this.#large.stop();
    this.#report(end);
  }

  #endOf(code: number): LinkEnd {
    if (code === Code.ECLOSED) return { kind: "peer" };
    const { native, binding } = this.#hub;
    const reason = native.linkReason(this.#id) || binding.errorText(code);
    return code === Code.EPROTOCOL
      ? { kind: "protocol", message: reason }
      : { kind: "io", cause: new Error(reason) };
  }

  #reject(recordBytes: number): void {
    const limit = this.#options.maxRecordBytes;
    const message = `a record of ${recordBytes} bytes is above the limit of ${limit} bytes (maxRecordBytes)`;
    const record = this.#options.closingRecord?.(message);
    if (record !== undefined) this.#hub.native.send(this.#id, record);
    this.#finish({ kind: "protocol", message });
  }

  #finish(end: LinkEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#large.giveUp();
    if (this.#large.isWaiting) this.#large.hurry(() => this.#shutdown());
    else this.#shutdown();
  }

  #shutdown(): void {
    this.#hub.native.linkShutdown(this.#id);
    setImmediate(() => this.#report(this.#end!));
  }

  /** Told once, to a receiver that may come late; what is borrowed is detached after that. */
  #report(end: LinkEnd): void {
    if (this.#receiver !== undefined && !this.#isReported) {
      this.#isReported = true;
      this.#receiver.onClose(end);
    }
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#hub.setLink(this.#id, undefined);
    this.#hub.native.linkClose(this.#id);
    this.blocks.drop();
  }
}
