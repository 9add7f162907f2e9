import { RecordReader } from "../../runtime/wire/record-reader.js";
import { RecordWriter } from "../../runtime/wire/record-writer.js";
import type {
  Link,
  LinkEnd,
  LinkInfo,
  LinkLimits,
  LinkReceiver,
  PeerCredentials,
  Slot,
} from "../transport.js";

/** Records, behind their lengths, on their way: in the sender's memory until the receiver has seen them. */
interface Batch {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Two links that are each other's peer. */
export function memoryLinkPair(
  location: string,
  left: LinkLimits,
  right: LinkLimits,
): [MemoryLink, MemoryLink] {
  const a = new MemoryLink(location, left);
  const b = new MemoryLink(location, right);
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
  readonly #reader: RecordReader;
  readonly #writer: RecordWriter;
  #receiver: LinkReceiver | undefined;
  #other: MemoryLink | undefined;
  #arrived: Batch[] = [];
  #scheduled = false;
  #end: LinkEnd | undefined;
  /** The other end has closed: when what arrived is delivered, this one ends too. */
  #otherClosed = false;
  #reported = false;

  constructor(location: string, limits: LinkLimits) {
    this.info = { transport: "memory", location, reason: "", fragmentBytes: Number.POSITIVE_INFINITY };
    this.#reader = new RecordReader(limits.maxRecordBytes, (bytes, start, end) => {
      this.#receiver?.onRecord(bytes, start, end);
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
    if (this.#end === undefined) this.#writer.commit(usedBytes);
  }

  flush(): void {
    if (this.#end === undefined) this.#writer.flush();
  }

  close(): void {
    this.#finish({ kind: "local" });
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
    this.#schedule();
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
    if (this.#otherClosed && this.#arrived.length === 0 && this.#end === undefined) {
      this.#end = { kind: "peer" };
      this.#other?.otherClosed();
    }
    if (this.#end === undefined || this.#reported) return;
    this.#reported = true;
    this.#receiver?.onClose(this.#end);
  }
}
