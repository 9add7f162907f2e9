import { expect, it } from "vitest";
import type { BatchLayout, Link, LinkLimits, RecordBatch } from "../../../transports/transport.js";
import { numbered, put, type Recorder, until } from "./recorder.js";

/** A connection of the suite. */
export interface BatchPair {
  readonly maxRecordBytes: number;
  readonly dialled: { readonly link: Link; readonly got: Recorder };
  readonly accepted: { readonly link: Link; readonly got: Recorder };
}

/** Lays records out one behind the other. */
function laid(layout: BatchLayout, records: readonly Uint8Array[]): RecordBatch {
  const { headerBytes, alignBytes, maxRecords } = layout;
  if (records.length > maxRecords) throw new RangeError(`${records.length} records; at most ${maxRecords}`);
  const lengths = Uint32Array.from(records, ({ length }) => length);
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + headerBytes + length + alignBytes, 0));
  // Whatever stood there before is no part of any record.
  bytes.fill(0xee);
  let end = 0;
  for (const record of records) {
    layout.writeHeader(bytes, end, record.length);
    bytes.set(record, end + headerBytes);
    end = (end + headerBytes + record.length + alignBytes - 1) & -alignBytes;
  }
  return { bytes, lengths, count: records.length, end };
}

/** What links do that take batches of records. */
export function batchTests(connect: (limits?: Partial<LinkLimits>) => Promise<BatchPair>): void {
  it("in batches arrive as they do one by one, between others, while there is room", async () => {
    const { dialled, accepted, maxRecordBytes } = await connect();
    const { link, got } = dialled;
    const layout = link.batches!;
    const lengths = [0, 1, 7, 8, 9, 64, 127, 128, 1_000, 5_000].filter((length) => length <= maxRecordBytes);
    const sent: Uint8Array[] = [];
    const make = (): Uint8Array => {
      const record = numbered(sent.length, lengths[sent.length % lengths.length]!);
      sent.push(record);
      return record;
    };
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < round % 3; i++) {
        const record = make();
        while (!put(link, record)) await writable(link, got);
      }
      let room = link.batchRoom!(5_000);
      while (room === 0) {
        await writable(link, got);
        room = link.batchRoom!(5_000);
      }
      // As many as there is room for; the most that there may be in some rounds.
      const records: Uint8Array[] = [];
      let left = room;
      while (records.length < layout.maxRecords && records.length < 1 + round * 5) {
        const next = lengths[sent.length % lengths.length]!;
        left -= layout.headerBytes + next + layout.alignBytes;
        if (left < 0) break;
        records.push(make());
      }
      link.commitBatch!(laid(layout, records));
      if (round % 4 === 0) link.flush();
    }
    link.flush();
    await until("every record", () => accepted.got.records.length === sent.length);
    for (const [i, record] of accepted.got.records.entries()) {
      expect(Buffer.compare(record, sent[i]!), `record ${i}`).toBe(0);
    }
  });

  it("in batches find no room in a link that is full, which tells when it has some", async () => {
    const { dialled, accepted } = await connect({ sendBufferBytes: 65_536 });
    const { link, got } = dialled;
    let sent = 0;
    let room = link.batchRoom!(1_000);
    for (; room > 0 && sent < 100_000; room = link.batchRoom!(1_000)) {
      link.commitBatch!(laid(link.batches!, [numbered(sent++, 1_000)]));
    }
    expect(room).toBe(0);
    await writable(link, got);
    expect(link.batchRoom!(1_000)).toBeGreaterThan(1_000);
    await until("every record", () => accepted.got.records.length === sent);
  });

  it("in a batch are not sent by a link that is closed", async () => {
    const { dialled, accepted } = await connect();
    expect(dialled.link.batchRoom!(10)).toBeGreaterThan(10);
    dialled.link.commitBatch!(laid(dialled.link.batches!, [numbered(1, 10)]));
    dialled.link.close();
    expect(dialled.link.batchRoom!(10)).toBe(0);
    dialled.link.commitBatch!(laid(dialled.link.batches!, [numbered(2, 10)]));
    await until("the end", () => accepted.got.end !== undefined);
    expect(accepted.got.records.map((record) => record[3])).toEqual([1]);
  });
}

async function writable(link: Link, got: Recorder): Promise<void> {
  link.flush();
  const seen = got.events.length;
  await until("the link is writable again", () => got.events.slice(seen).includes("writable"));
}
