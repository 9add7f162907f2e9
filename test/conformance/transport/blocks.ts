import { describe, expect, it } from "vitest";
import type { Block, BlockStore, Lent, Link, LinkLimits } from "../../../transports/transport.js";
import { numbered, put, type Recorder, until } from "./recorder.js";

/** A connection of the suite. */
export interface BlockPair {
  readonly dialled: { readonly link: Link; readonly got: Recorder };
  readonly accepted: { readonly link: Link; readonly got: Recorder };
}

/** Bytes that differ from place to place. */
function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) + seed) & 0xff;
  return bytes;
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}

/** A block with the given content, its sizes as a codec would leave them. */
function blockOf(store: BlockStore, content: Uint8Array, spareBytes = 100): Block {
  const block = store.allocate(content.length + spareBytes);
  if (block === undefined) throw new Error(`the store has no room for ${content.length} bytes`);
  block.bytes.set(content, block.start);
  return store.trim(block, content.length);
}

/** Commits a record with a whole block, which is then released. False where the peer holds too many. */
function putBlock(link: Link, record: Uint8Array, block: Block): boolean {
  const slot = link.reserve(record.length);
  if (slot === undefined) throw new Error("the link is full");
  slot.bytes.set(record, slot.start);
  const isCommitted = link.commitBlock!(slot, record.length, block, block.start, block.end);
  if (isCommitted) link.blocks!.release(block);
  return isCommitted;
}

/** What links do that can send blocks. */
export function blockTests(connect: (limits?: Partial<LinkLimits>) => Promise<BlockPair>): void {
  async function blockPair(limits?: Partial<LinkLimits>) {
    const pair = await connect(limits);
    const { blocks } = pair.dialled.link;
    if (blocks === undefined) throw new Error("the link has no blocks");
    return { ...pair, blocks };
  }

  it("arrive with their records, in order, with content of every size", async () => {
    const { dialled, accepted, blocks } = await blockPair();
    const { minBytes } = blocks;
    const sizes = [minBytes, minBytes + 1, 100_000, 1_048_577, 6_291_456, 1, 4_096, 65_536];
    const copies: (Uint8Array | undefined)[] = [];
    accepted.got.onBlock = (block) => copies.push(block?.copy());
    for (const [i, size] of sizes.entries()) {
      put(dialled.link, numbered(2 * i, 50));
      expect(putBlock(dialled.link, numbered(2 * i + 1, 60), blockOf(blocks, pattern(size, i)))).toBe(true);
    }
    dialled.link.flush();
    await until("every record", () => accepted.got.records.length === 2 * sizes.length);
    for (const [i, size] of sizes.entries()) {
      expect(same(accepted.got.records[2 * i], numbered(2 * i, 50))).toBe(true);
      expect(copies[2 * i]).toBeUndefined();
      expect(same(accepted.got.records[2 * i + 1], numbered(2 * i + 1, 60))).toBe(true);
      expect(same(copies[2 * i + 1], pattern(size, i))).toBe(true);
    }
  });

  it("may be sent in part, more than once, and both ways", async () => {
    const { dialled, accepted, blocks } = await blockPair();
    const content = pattern(300_000, 1);
    const block = blockOf(blocks, content);
    const copies: Uint8Array[] = [];
    accepted.got.onBlock = (received) => copies.push(received!.copy());
    for (const [start, end] of [
      [0, 300_000],
      [1, 2],
      [100_000, 299_999],
    ] as const) {
      const slot = dialled.link.reserve(10)!;
      slot.bytes.fill(7, slot.start, slot.start + 10);
      const { start: first } = block;
      expect(dialled.link.commitBlock!(slot, 10, block, first + start, first + end)).toBe(true);
    }
    blocks.release(block);
    const back = pattern(200_000, 2);
    const answers: Uint8Array[] = [];
    dialled.got.onBlock = (received) => answers.push(received!.copy());
    putBlock(accepted.link, numbered(1, 10), blockOf(accepted.link.blocks!, back));
    dialled.link.flush();
    accepted.link.flush();
    await until("all came", () => copies.length === 3 && answers.length === 1);
    expect(same(copies[0], content)).toBe(true);
    expect(same(copies[1], content.slice(1, 2))).toBe(true);
    expect(same(copies[2], content.slice(100_000, 299_999))).toBe(true);
    expect(same(answers[0], back)).toBe(true);
  });

  it("are lent as arrays of their own, which are empty afterwards", async () => {
    const { dialled, accepted, blocks } = await blockPair();
    const content = pattern(100_000, 3);
    const block = blocks.allocate(150_000)!;
    const lent = blocks.lend(block);
    expect(lent.bytes.length).toBe(150_000);
    lent.bytes.set(content);
    lent.end();
    lent.end();
    expect(lent.bytes.length).toBe(0);
    const copies: Uint8Array[] = [];
    accepted.got.onBlock = (received) => copies.push(received!.copy());
    putBlock(dialled.link, numbered(1, 10), blocks.trim(block, 100_000));
    dialled.link.flush();
    await until("it came", () => copies.length === 1);
    expect(same(copies[0], content)).toBe(true);

    const given = blocks.allocate(100_000)!;
    const late = blocks.lend(given);
    blocks.release(given);
    expect(late.bytes.length).toBe(0);
  });

  it("can be borrowed past the record, and are taken back", async () => {
    const { dialled, accepted, blocks } = await blockPair();
    const lents: (Lent | undefined)[] = [];
    accepted.got.onBlock = (received) => lents.push(received!.borrow());
    for (let i = 0; i < 3; i++) {
      putBlock(dialled.link, numbered(i, 10), blockOf(blocks, pattern(100_000, i)));
    }
    dialled.link.flush();
    await until("three came", () => lents.length === 3);
    if (lents[0] === undefined) return;
    // Whoever sends meanwhile gets other memory.
    for (let i = 0; i < 20; i++) blocks.release(blockOf(blocks, pattern(100_000, 99)));
    for (const [i, lent] of lents.entries()) expect(same(lent!.bytes, pattern(100_000, i))).toBe(true);
    lents[1]!.end();
    lents[1]!.end();
    expect(lents.map((lent) => lent!.bytes.length)).toEqual([100_000, 0, 100_000]);
    accepted.link.close();
    await until("the end", () => accepted.got.end !== undefined);
    expect(lents.map((lent) => lent!.bytes.length)).toEqual([0, 0, 0]);
    lents[0].end();
  });

  it("that are borrowed can be read until the end has been reported, whoever ends the link", async () => {
    for (const closer of ["dialled", "accepted"] as const) {
      const { dialled, accepted, blocks } = await blockPair();
      const lents: (Lent | undefined)[] = [];
      accepted.got.onBlock = (received) => lents.push(received!.borrow());
      putBlock(dialled.link, numbered(1, 10), blockOf(blocks, pattern(100_000, 1)));
      dialled.link.flush();
      await until("it came", () => lents.length === 1);
      if (lents[0] === undefined) return;
      let atEnd: Uint8Array | undefined;
      accepted.got.onEnd = () => {
        atEnd = lents[0]!.bytes.slice();
      };
      (closer === "dialled" ? dialled : accepted).link.close();
      await until("the end", () => accepted.got.end !== undefined);
      expect(same(atEnd, pattern(100_000, 1))).toBe(true);
      expect(lents[0].bytes.length).toBe(0);
    }
  });

  it("that a peer holds are bounded; then the slot is good for a record, and room comes back", async () => {
    const { dialled, accepted, blocks } = await blockPair();
    const lents: Lent[] = [];
    accepted.got.onBlock = (received) => {
      const lent = received?.borrow();
      if (lent !== undefined) lents.push(lent);
    };
    const block = blockOf(blocks, pattern(100_000, 1));
    let held = 0;
    const send = (): boolean => {
      const slot = dialled.link.reserve(10);
      if (slot === undefined) return true;
      if (dialled.link.commitBlock!(slot, 10, block, block.start, block.end)) {
        held++;
        return true;
      }
      slot.bytes.fill(9, slot.start, slot.start + 10);
      dialled.link.commit(slot, 10);
      return false;
    };
    for (let i = 0; i < 100_000 && send(); i++) {
      dialled.link.flush();
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    dialled.link.flush();
    // Where nothing can be borrowed, nothing is held for long.
    if (accepted.got.records.length > 0 && lents.length === 0) return;
    await until("the plain record came", () => accepted.got.records.at(-1)?.[0] === 9);
    expect(accepted.got.records).toHaveLength(held + 1);
    expect(lents).toHaveLength(held);
    for (const lent of lents) lent.end();
    accepted.link.flush();
    const before = held;
    await until("there is room again", () => {
      send();
      dialled.link.flush();
      return held > before;
    });
    blocks.release(block);
  });

  it("that nobody gives back are the sender's again when the link ends", async () => {
    const largest = 4_000_000;
    // More than any store has room for, together.
    for (let round = 0; round < 100; round++) {
      const { dialled, accepted, blocks } = await blockPair();
      const kept: unknown[] = [];
      accepted.got.onBlock = (received) => kept.push(received!.borrow());
      putBlock(dialled.link, numbered(round, 10), blockOf(blocks, new Uint8Array(largest)));
      putBlock(dialled.link, numbered(round, 10), blockOf(blocks, new Uint8Array(largest)));
      dialled.link.flush();
      if (round % 2 === 0) await until("both came", () => kept.length === 2);
      (round % 4 < 2 ? dialled : accepted).link.close();
      await until("both ends", () => dialled.got.end !== undefined && accepted.got.end !== undefined);
    }
  }, 60_000);

  it("above the receiver's limit end the link with a reason", async () => {
    const { dialled, accepted, blocks } = await blockPair({ maxRecordBytes: 1_000_000 });
    putBlock(dialled.link, numbered(1, 10), blockOf(blocks, new Uint8Array(1_000_001)));
    dialled.link.flush();
    await until("the end", () => accepted.got.end !== undefined);
    expect(accepted.got.end).toMatchObject({
      kind: "protocol",
      message: expect.stringContaining("limit of 1000000 bytes"),
    });
    expect(accepted.got.records).toHaveLength(0);
  });

  describe("a link that is closed", () => {
    it("takes blocks, and does nothing with them", async () => {
      const { dialled, accepted, blocks } = await blockPair();
      const slot = dialled.link.reserve(10)!;
      const block = blockOf(blocks, pattern(100_000, 1));
      dialled.link.close();
      expect(dialled.link.commitBlock!(slot, 10, block, block.start, block.end)).toBe(true);
      blocks.release(block);
      await until("both ends", () => dialled.got.end !== undefined && accepted.got.end !== undefined);
      expect(accepted.got.records).toHaveLength(0);
    });
  });
}
