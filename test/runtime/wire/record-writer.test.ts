import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHUNK_BYTES } from "../../../runtime/wire/chunk-pool.js";
import { RecordReader } from "../../../runtime/wire/record-reader.js";
import { RecordWriter } from "../../../runtime/wire/record-writer.js";

/** A writer whose writes are held back until `settle`, and are read only then, as a kernel may. */
function heldBack(sendBufferBytes: number) {
  const pending: { bytes: Uint8Array; start: number; end: number }[] = [];
  const received: Uint8Array[] = [];
  const reader = new RecordReader(2 ** 28, (bytes, start, end) => received.push(bytes.slice(start, end)));
  let writable = 0;
  const writer = new RecordWriter({
    sendBufferBytes,
    write: (bytes, start, end) => pending.push({ bytes, start, end }),
    onWritable: () => writable++,
  });
  return {
    writer,
    received,
    pending,
    writableCalls: () => writable,
    put(record: Uint8Array, reserved = record.length): boolean {
      const slot = writer.reserve(reserved);
      if (slot === undefined) return false;
      expect(slot.end - slot.start).toBe(reserved);
      slot.bytes.set(record, slot.start);
      writer.commit(record.length);
      return true;
    },
    settle(count = pending.length): void {
      for (const { bytes, start, end } of pending.splice(0, count)) {
        expect(reader.push(bytes, start, end)).toBeUndefined();
        writer.written();
      }
    },
  };
}

const MANY = 2 ** 30;

describe("RecordWriter", () => {
  it("writes what was committed, in order, whatever is flushed, settled and reserved in excess", () => {
    const step = fc.record({
      length: fc.oneof(fc.nat(100), fc.nat(40_000), fc.constantFrom(CHUNK_BYTES - 3, CHUNK_BYTES, 300_000)),
      excess: fc.oneof(fc.constant(0), fc.nat(20_000)),
      abandon: fc.boolean(),
      flush: fc.boolean(),
      settle: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const link = heldBack(MANY);
        const sent: Uint8Array[] = [];
        for (const [i, { length, excess, abandon, flush, settle }] of steps.entries()) {
          if (abandon) link.writer.reserve(length);
          const record = new Uint8Array(length).fill(i + 1);
          expect(link.put(record, length + excess)).toBe(true);
          sent.push(record);
          if (flush) link.writer.flush();
          link.settle(Math.min(settle, link.pending.length));
        }
        link.writer.flush();
        link.settle();
        expect(link.received.length).toBe(sent.length);
        expect(link.received.every((record, i) => Buffer.compare(record, sent[i]!) === 0)).toBe(true);
        expect(link.writer.waitingBytes).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it("hands a turn's records over in one write", () => {
    const link = heldBack(MANY);
    for (let i = 0; i < 100; i++) link.put(Uint8Array.of(i));
    expect(link.pending.length).toBe(0);
    link.writer.flush();
    expect(link.pending.length).toBe(1);
  });

  it("hands over what is worth a write at once, the rest with the flush", () => {
    const link = heldBack(MANY);
    const most = CHUNK_BYTES / 2 - 10;
    link.put(new Uint8Array(most));
    expect(link.pending.length).toBe(0);
    link.put(new Uint8Array(10));
    expect(link.pending.length).toBe(1);
    // The rest of a piece that the next record does not fit into.
    link.put(new Uint8Array(most));
    link.put(new Uint8Array(100));
    expect(link.pending.length).toBe(2);
    link.writer.flush();
    expect(link.pending.length).toBe(3);
    link.settle();
    expect(link.received.map(({ length }) => length)).toEqual([most, 10, most, 100]);
  });

  it("refuses when so many bytes wait, takes one of any size before, and calls when half is free", () => {
    const link = heldBack(1_000);
    expect(link.put(new Uint8Array(5_000))).toBe(true);
    expect(link.put(new Uint8Array(1))).toBe(false);
    link.writer.flush();
    expect(link.put(new Uint8Array(1))).toBe(false);
    expect(link.writableCalls()).toBe(0);
    link.settle();
    expect(link.writableCalls()).toBe(1);

    for (let i = 0; i < 4; i++) {
      expect(link.put(new Uint8Array(248))).toBe(true);
      link.writer.flush();
    }
    expect(link.put(new Uint8Array(1))).toBe(false);
    link.settle(1);
    expect(link.writableCalls()).toBe(1);
    link.settle(1);
    expect(link.writableCalls()).toBe(2);
    link.settle();
    expect(link.writableCalls()).toBe(2);
  });

  it("uses the same memory again once it is written, and not before", () => {
    const link = heldBack(MANY);
    link.put(Uint8Array.of(1));
    link.writer.flush();
    const first = link.pending[0]?.bytes;
    link.put(Uint8Array.of(2));
    link.writer.flush();
    expect(link.pending[1]?.bytes).toBe(first);
    expect(link.pending[1]?.start).toBe(link.pending[0]?.end);
    link.settle();
    link.put(Uint8Array.of(3));
    link.writer.flush();
    expect(link.pending[0]?.bytes).toBe(first);
    expect(link.pending[0]?.start).toBe(0);
    link.settle();
    expect(link.received).toEqual([Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)]);
  });

  it("holds no more entries of what was written than it must", () => {
    const link = heldBack(MANY);
    link.put(Uint8Array.of(0));
    link.writer.flush();
    for (let i = 1; i < 2_000; i++) {
      link.put(Uint8Array.of(i & 0xff));
      link.writer.flush();
      link.settle(1);
    }
    link.settle();
    expect(link.received.length).toBe(2_000);
    expect(link.received.every((record, i) => record[0] === (i & 0xff))).toBe(true);
  });

  it("throws at a commit that does not fit its slot", () => {
    const { writer } = heldBack(MANY);
    expect(() => writer.commit(0)).toThrow(RangeError);
    writer.reserve(10);
    expect(() => writer.commit(11)).toThrow("commit of 11 bytes into a slot of 10 bytes");
    writer.flush();
    expect(() => writer.commit(1)).toThrow(RangeError);
    writer.reserve(10);
    writer.commit(10);
    expect(() => writer.commit(10)).toThrow(RangeError);
  });
});
