import { describe, expect, it } from "vitest";
import { ShmBlocks } from "../../transports/shm/blocks.js";
import { hubOf } from "../../transports/shm/hub.js";
import type { Lent } from "../../transports/transport.js";
import { numbered, send, until } from "../conformance/transport/recorder.js";
import { LIMITS } from "../conformance/transport/suite.js";
import { nativeThings } from "../harness/native-things.js";
import { shmBinding } from "../harness/shm.js";
import { echo, HAS_SHM, listeners, pair, sendBlock } from "./shm-stage.js";

const MIB = 1_048_576;

describe.runIf(HAS_SHM)("memory of a block", () => {
  it("that is lent cannot be taken along to another thread", async () => {
    const { dialled } = await pair();
    const block = dialled.link.blocks.allocate(100_000)!;
    const lent = dialled.link.blocks.lend(block);
    const { buffer } = lent.bytes;
    try {
      // Node 20 clones instead, newer versions throw.
      new Uint8Array(structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })).fill(1);
    } catch (error) {
      expect(error).toMatchObject({ name: "DataCloneError" });
    }
    expect(lent.bytes.length).toBe(100_000);
    dialled.link.blocks.release(block);
    expect(lent.bytes.length).toBe(0);
  });

  // Newer engines can move it to another buffer all the same.
  it.runIf("transfer" in ArrayBuffer.prototype)("that was moved is not used anew", async () => {
    const { dialled, accepted } = await pair();
    const move = (bytes: Uint8Array): Uint8Array => {
      const { buffer } = bytes as { buffer: { transfer?(): ArrayBuffer } };
      return new Uint8Array(buffer.transfer!());
    };
    const { blocks } = dialled.link;
    const block = blocks.allocate(100_000)!;
    const own = move(blocks.lend(block).bytes);
    own.fill(1);
    blocks.release(block);
    for (let i = 0; i < 50; i++) {
      const other = blocks.allocate(100_000)!;
      other.bytes.fill(9, other.start, other.end);
      blocks.release(other);
    }
    expect(own.every((byte) => byte === 1)).toBe(true);

    let theirs: Uint8Array | undefined;
    accepted.got.onBlock = (received) => {
      const lent = received!.borrow()!;
      theirs = move(lent.bytes);
      lent.end();
    };
    sendBlock(dialled.link, numbered(1, 10), new Uint8Array(100_000).fill(5));
    await until("it came", () => theirs !== undefined);
    accepted.link.close();
    await until("both ends", () => dialled.got.end !== undefined && accepted.got.end !== undefined);
    for (const listener of listeners.splice(0)) await listener.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(theirs!.every((byte) => byte === 5)).toBe(true);
  });

  it("is detached when its segment goes, so that the arena can have another", () => {
    const blocks = new ShmBlocks(hubOf(shmBinding()!), 24 * MIB);
    const before = nativeThings().maps;
    const kept = blocks.allocate(MIB)!;
    const first = blocks.allocate(12 * MIB)!;
    const { bytes } = first;
    expect(blocks.allocate(14 * MIB)).toBeUndefined();
    expect(bytes.length).toBeGreaterThan(0);
    blocks.release(first);
    const second = blocks.allocate(14 * MIB)!;
    expect(bytes.length).toBe(0);
    second.bytes.fill(1, second.start, second.end);
    kept.bytes.fill(2, kept.start, kept.end);
    expect(nativeThings().maps).toBe(before + 2);
    for (const block of [kept, second]) blocks.release(block);
    expect(nativeThings().maps).toBe(before);
  });

  it("that is larger than a peer may hold is not sent, and its slot takes another record", async () => {
    const { dialled, accepted } = await pair();
    const { link } = dialled;
    const block = link.blocks.allocate(130 * MIB)!;
    const slot = link.reserve(10)!;
    slot.bytes.set(numbered(7, 10), slot.start);
    expect(link.commitBlock(slot, 10, block, block.start, block.end)).toBe(false);
    link.commit(slot, 10);
    link.flush();
    await until("it came", () => accepted.got.records.length === 1);
    expect(accepted.got.records[0]).toEqual(numbered(7, 10));
    link.blocks.release(block);
  });

  it("that is given back wakes nobody, and is there again before the arena has to grow", async () => {
    const { dialled, accepted } = await pair({ waiting: "event" });
    const { blocks } = dialled.link;
    const lents: Lent[] = [];
    accepted.got.onBlock = (received) => void lents.push(received!.borrow()!);
    const most = blocks.allocate(100 * MIB)!;
    const slot = dialled.link.reserve(10)!;
    slot.bytes.set(numbered(1, 10), slot.start);
    expect(dialled.link.commitBlock(slot, 10, most, most.start, most.start + 1)).toBe(true);
    blocks.release(most);
    dialled.link.flush();
    await until("it came", () => lents.length === 1);
    // The whole block is held, whatever part of it was sent.
    expect(blocks.allocate(200 * MIB)).toBeUndefined();
    // Who got no memory wants to be woken, until it got some.
    const small = blocks.allocate(1_000)!;
    await new Promise((resolve) => setTimeout(resolve, 20));
    const before = dialled.link.readStats();
    lents[0]!.end();
    accepted.link.flush();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(dialled.link.readStats()).toEqual(before);
    expect(before.blocksHeldByPeer).toBe(1);
    blocks.release(blocks.allocate(200 * MIB)!);
    expect(dialled.link.readStats().blocksHeldByPeer).toBe(0);
    blocks.release(small);
  });

  it("that is borrowed ends with its link, though the peer still has its side", async () => {
    const { link, got, child } = await echo();
    const lents: (Lent | undefined)[] = [];
    got.onBlock = (block) => lents.push(block?.borrow());
    sendBlock(link, numbered(1, 10), new Uint8Array(100_000));
    await until("an echo", () => lents.length === 1);
    child.process.kill("SIGSTOP");
    link.close();
    expect(lents[0]?.bytes.length).toBe(100_000);
    await until("the end", () => got.end !== undefined);
    expect(lents[0]?.bytes.length).toBe(0);
  });

  it("goes with the last who uses it", async () => {
    const before = nativeThings();
    const { dialled, accepted } = await pair();
    const { blocks } = dialled.link;
    const kept = blocks.allocate(1_000_000)!;
    for (const { link } of [dialled, accepted]) link.close();
    for (const listener of listeners.splice(0)) await listener.close();
    await until("the links go", () => nativeThings().maps === before.maps + 1);
    kept.bytes.fill(3, kept.start, kept.end);
    blocks.release(kept);
    expect(kept.bytes.length).toBe(0);
    expect(nativeThings().maps).toBe(before.maps);
  });
});

describe.runIf(HAS_SHM)("a record that is larger than the ring takes", () => {
  it("waits while the peer holds all that it may, and nothing overtakes it", async () => {
    const { dialled, accepted } = await pair();
    const lents: (Lent | undefined)[] = [];
    accepted.got.onBlock = (block) => lents.push(block?.borrow());
    for (let i = 0; sendBlock(dialled.link, numbered(i, 10), new Uint8Array(4_096)); i++) {
      await until("it came", () => accepted.got.records.length === i + 1);
    }
    const held = accepted.got.records.length;
    send(dialled.link, numbered(1, 100_000));
    expect(dialled.link.reserve(1)).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(accepted.got.records.length).toBe(held);
    lents[0]?.end();
    await until("it came", () => accepted.got.records.length === held + 1);
    expect(Buffer.compare(accepted.got.records[held]!, numbered(1, 100_000))).toBe(0);
    await until("room", () => dialled.got.events.includes("writable"));
    send(dialled.link, Uint8Array.of(2));
    await until("the next", () => accepted.got.records.length === held + 2);

    // And a link that is closed waits for it, but not for ever.
    while (sendBlock(dialled.link, numbered(1, 10), new Uint8Array(4_096)));
    send(dialled.link, numbered(2, 100_000));
    dialled.link.close();
    await until("the end", () => dialled.got.end !== undefined);
    expect(dialled.got.end).toEqual({ kind: "local" });
  });

  it("above the receiver's limit ends the link, and the sender is told why", async () => {
    const closingRecord = (message: string): Uint8Array => new TextEncoder().encode(message);
    const { dialled, accepted } = await pair({ closingRecord }, { ...LIMITS, maxRecordBytes: 10_000 });
    send(dialled.link, numbered(1, 10_001));
    await until("both ends", () => dialled.got.end !== undefined && accepted.got.end !== undefined);
    const message = "a record of 10001 bytes is above the limit of 10000 bytes (maxRecordBytes)";
    expect(accepted.got.end).toEqual({ kind: "protocol", message });
    expect(dialled.got.records.map((record) => new TextDecoder().decode(record))).toEqual([message]);
    expect(dialled.got.end).toEqual({ kind: "peer" });
  });
});
