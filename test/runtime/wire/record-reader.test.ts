import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordReader } from "../../../runtime/wire/record-reader.js";
import { varintSize, writePaddedVarint } from "../../../runtime/wire/varint.js";

const MAX_RECORD_BYTES = 70_000;

function framed(records: readonly Uint8Array[], padding: number): Uint8Array {
  const bytes: number[] = [];
  for (const record of records) {
    const width = Math.min(5, varintSize(record.length) + padding);
    const prefix = new Uint8Array(width);
    writePaddedVarint(prefix, 0, record.length, width);
    bytes.push(...prefix, ...record);
  }
  return Uint8Array.from(bytes);
}

interface Outcome {
  readonly records: Uint8Array[];
  readonly problem: string | undefined;
  readonly reader: RecordReader;
}

/** Feeds the stream cut at the given places, each part at an offset of an array that is overwritten afterwards. */
function feed(stream: Uint8Array, cuts: readonly number[], maxRecordBytes = MAX_RECORD_BYTES): Outcome {
  const records: Uint8Array[] = [];
  const reader = new RecordReader(maxRecordBytes, (bytes, start, end) =>
    records.push(bytes.slice(start, end)),
  );
  const places = [...new Set([0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length])];
  places.sort((a, b) => a - b);
  for (let i = 1; i < places.length; i++) {
    const part = stream.subarray(places[i - 1], places[i]);
    const chunk = new Uint8Array(part.length + 5);
    chunk.set(part, 3);
    const problem = reader.push(chunk, 3, 3 + part.length);
    chunk.fill(0xaa);
    if (problem !== undefined) return { records, problem, reader };
  }
  return { records, problem: undefined, reader };
}

describe("RecordReader", () => {
  it("gives equal records for any split of any list of records", () => {
    const record = fc.oneof(
      fc.uint8Array({ maxLength: 3 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1_000, max: 3_000 }).map((length) => new Uint8Array(length).fill(length)),
    );
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 8 }),
        fc.nat(4),
        fc.array(fc.nat(30_000), { maxLength: 20 }),
        (records, padding, cuts) => {
          const outcome = feed(framed(records, padding), cuts);
          expect(outcome.problem).toBeUndefined();
          expect(outcome.records).toEqual(records);
          expect(outcome.reader.incompleteRecord).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("gives the records when each byte comes alone", () => {
    const records = [
      new Uint8Array(0),
      new Uint8Array(200).fill(1),
      new Uint8Array(0),
      new Uint8Array(5_000).fill(2),
    ];
    const stream = framed(records, 1);
    expect(feed(stream, [...stream.keys()]).records).toEqual(records);
  });

  it("reports at most one problem, and throws at nothing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat(400)), (stream, cuts) => {
        const whole = feed(stream, [], 100);
        const parts = feed(stream, cuts, 100);
        expect(parts.records).toEqual(whole.records);
        expect(parts.problem).toBe(whole.problem);
        expect(parts.reader.push(Uint8Array.of(0), 0, 1)).toBeUndefined();
      }),
    );
  });

  it("hands out a record that lies whole in a chunk without copying it", () => {
    const stream = framed([Uint8Array.of(1, 2, 3)], 0);
    let seen: Uint8Array | undefined;
    new RecordReader(10, (bytes) => {
      seen = bytes;
    }).push(stream, 0, stream.length);
    expect(seen).toBe(stream);
  });

  it("refuses a length above the limit on the byte that shows it", () => {
    const at = feed(Uint8Array.of(0x80, 0x01, ...new Uint8Array(128)), [], 128);
    expect(at.records[0]?.length).toBe(128);
    const above = feed(Uint8Array.of(0x81, 0x01), [], 128);
    expect(above.problem).toBe(
      "a record of at least 129 bytes is above the limit of 128 bytes (maxMessageBytes + maxHeaderBytes)",
    );
    // Four bytes of a length that is far above: the last one is not needed.
    const far = feed(Uint8Array.of(0xff, 0xff), [], 128);
    expect(far.problem).toBe(
      "a record of at least 16383 bytes is above the limit of 128 bytes (maxMessageBytes + maxHeaderBytes)",
    );
    const largest = feed(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), [], 2 ** 32);
    expect(largest.problem).toBeUndefined();
    expect(largest.reader.incompleteRecord).toBe(1);
  });

  it("refuses a prefix of more than five bytes on the fifth", () => {
    expect(feed(Uint8Array.of(0x81, 0x80, 0x80, 0x80, 0x00, 0x07), []).records).toEqual([Uint8Array.of(7)]);
    expect(feed(Uint8Array.of(0x81, 0x80, 0x80, 0x80, 0x80), []).problem).toBe(
      "a length prefix has more than the limit of 5 bytes",
    );
  });

  it("allocates as bytes arrive, not as the prefix claims", () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers: RecordReader[] = [];
    for (let i = 0; i < 64; i++) {
      const reader = new RecordReader(2 ** 28, () => {});
      reader.push(Uint8Array.of(0xff, 0xff, 0xff, 0x7f, 1, 2, 3), 0, 7);
      readers.push(reader);
    }
    expect(readers[63]?.incompleteRecord).toBe(1);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_048_576);
  });

  it("counts records, so that one incomplete record is told from the next", () => {
    const reader = new RecordReader(100, () => {});
    expect(reader.incompleteRecord).toBe(0);
    reader.push(Uint8Array.of(2, 7), 0, 2);
    expect(reader.incompleteRecord).toBe(1);
    reader.push(Uint8Array.of(7, 2), 0, 2);
    expect(reader.incompleteRecord).toBe(2);
    reader.push(Uint8Array.of(7, 7), 0, 2);
    expect(reader.incompleteRecord).toBe(0);
  });

  it("hands out nothing after stop, even from within a record", () => {
    const seen: number[] = [];
    const reader = new RecordReader(100, (bytes, start) => {
      seen.push(bytes[start]!);
      if (seen.length === 2) reader.stop();
    });
    reader.push(Uint8Array.of(1, 1, 1, 2, 1, 3), 0, 6);
    reader.push(Uint8Array.of(1, 4), 0, 2);
    expect(seen).toEqual([1, 2]);
  });
});
