import { describe, expect, it } from "vitest";
import { numbered, put, send, until } from "../conformance/transport/recorder.js";
import { echo, HAS_SHM } from "./shm-stage.js";

describe.runIf(HAS_SHM)("a thread that waits for records", () => {
  it("gets them within its call, in order, and nothing else runs meanwhile", async () => {
    const { link, got } = await echo();
    let timers = 0;
    const timer = setInterval(() => timers++, 1);
    for (let i = 0; i < 500; i++) {
      send(link, numbered(i, 300));
      while (got.records.length === i) expect(link.receiveBlocking(5_000)).toBe(true);
    }
    expect(timers).toBe(0);
    clearInterval(timer);
    expect(got.records.every((record, i) => Buffer.compare(record, numbered(i, 300)) === 0)).toBe(true);
    expect(link.receiveBlocking(0)).toBe(false);
    expect(link.receiveBlocking(120)).toBe(false);
    // And the event loop goes on with what comes after.
    send(link, numbered(500, 300));
    await until("an echo", () => got.records.length === 501);
  });

  it("sends what was committed before it waits", async () => {
    const { link, got } = await echo();
    put(link, numbered(1, 300));
    expect(link.receiveBlocking(5_000)).toBe(true);
    expect(got.records.length).toBe(1);
    put(link, numbered(2, 300));
    put(link, numbered(3, 300));
    while (got.records.length < 3) expect(link.receiveBlocking(5_000)).toBe(true);
  });

  it("hears of the end, after all that came before it", async () => {
    const { link, got, child } = await echo();
    for (let i = 0; i < 50; i++) put(link, numbered(i, 10));
    link.flush();
    await until("all is echoed", () => link.readStats().recordsReceived === 50);
    child.process.kill("SIGKILL");
    while (got.end === undefined) expect(link.receiveBlocking(5_000)).toBe(true);
    expect(got.end).toEqual({ kind: "peer" });
    expect(link.receiveBlocking(5_000)).toBe(false);
  });

  it("hears that there is room again", async () => {
    const { link, got, child } = await echo();
    child.process.kill("SIGSTOP");
    let sent = 0;
    while (put(link, numbered(sent, 5_000))) sent++;
    link.flush();
    setTimeout(() => {}, 0);
    child.process.kill("SIGCONT");
    while (!got.events.includes("writable")) expect(link.receiveBlocking(5_000)).toBe(true);
    expect(put(link, numbered(0, 5_000))).toBe(true);
  });

  it("may wait on another link from within a record, and not on the same one", async () => {
    const first = await echo();
    const second = await echo();
    const inner: Uint8Array[] = [];
    let refusal: unknown;
    first.got.onEach = (record, count) => {
      if (count > 100) return;
      send(second.link, record);
      while (second.got.records.length < count) second.link.receiveBlocking(5_000);
      inner.push(second.got.records[count - 1]!);
      try {
        if (count === 1) first.link.receiveBlocking(0);
      } catch (error) {
        refusal = error;
      }
    };
    for (let i = 0; i < 100; i++) put(first.link, numbered(i, 200));
    first.link.flush();
    await until("every record", () => first.got.records.length === 100);
    for (const [i, record] of first.got.records.entries()) {
      expect(Buffer.compare(record, numbered(i, 200))).toBe(0);
      expect(Buffer.compare(inner[i]!, record)).toBe(0);
    }
    expect(refusal).toBeInstanceOf(TypeError);
  });
});
