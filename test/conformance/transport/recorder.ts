import type { Link, LinkEnd, LinkReceiver, ReceivedBlock } from "../../../transports/transport.js";

/** A receiver that keeps what it gets, and what happened in which order. */
export interface Recorder extends LinkReceiver {
  readonly records: Uint8Array[];
  readonly events: ("record" | "writable" | "close")[];
  end: LinkEnd | undefined;
  /** Called after each record was kept. */
  onEach: (record: Uint8Array, count: number) => void;
  /** Called with the block of each record, `undefined` where it has none. */
  onBlock: (block: ReceivedBlock | undefined) => void;
  /** Called when the end is reported. */
  onEnd: () => void;
}

export function recorder(): Recorder {
  const self: Recorder = {
    records: [],
    events: [],
    end: undefined,
    onEach: () => {},
    onBlock: () => {},
    onEnd: () => {},
    onRecord(bytes, start, end, block) {
      const record = bytes.slice(start, end);
      self.records.push(record);
      self.events.push("record");
      self.onBlock(block);
      self.onEach(record, self.records.length);
    },
    onWritable() {
      self.events.push("writable");
    },
    onClose(end) {
      self.end = end;
      self.events.push("close");
      self.onEnd();
    },
  };
  return self;
}

/** Commits one record. False when the link is full. */
export function put(link: Link, record: Uint8Array, reservedBytes: number = record.length): boolean {
  const slot = link.reserve(reservedBytes);
  if (slot === undefined) return false;
  slot.bytes.set(record, slot.start);
  link.commit(slot, record.length);
  return true;
}

/** Sends one record now. */
export function send(link: Link, record: Uint8Array): void {
  if (!put(link, record)) throw new Error("the link is full");
  link.flush();
}

/** A record that can be told from any other of a test. */
export function numbered(number: number, length: number): Uint8Array {
  const record = new Uint8Array(length).fill(number & 0xff);
  if (length >= 4) new DataView(record.buffer).setUint32(0, number);
  return record;
}

/** Waits until `condition` holds; after 10 s throws with `what` did not happen. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`this did not happen within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
