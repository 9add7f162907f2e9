import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { failureOf } from "../../harness/failure.js";
import { EVEN, spawned, startTimes } from "./stage.js";

describe("a child that is started again", () => {
  it("waits longer each time, up to the longest pause", async () => {
    const { stage, told } = await spawned([{ endsAtMs: 10 }], { restart: { ...EVEN, maxRestarts: 20 } });
    await stage.pass(6_000);
    const pauses = startTimes(stage).map((timeMs, index, all) => timeMs - (all[index - 1] ?? 0) - 10);
    expect(pauses.slice(1, 8)).toEqual([100, 200, 400, 800, 1_000, 1_000, 1_000]);
    expect(told.slice(0, 3)).toEqual([
      "10: 5000 ended with 1, again in 100 ms, waiting",
      "111: connected to 5001, connected",
      "120: 5001 ended with 1, again in 200 ms, waiting",
    ]);
  });

  it("begins with the first pause again when it has run for long", async () => {
    const short = { endsAtMs: 10 };
    const { stage } = await spawned([short, short, short, { endsAtMs: 5_000 }, short], {
      restart: { ...EVEN, windowMs: 4_000 },
    });
    await stage.pass(6_500);
    // Pauses of 100, 200 and 400 ms; then, after 5 s, of 100 and 200 ms.
    expect(startTimes(stage)).toEqual([0, 110, 320, 730, 5_830, 6_040, 6_450]);
  });

  it("keeps its host running while it waits, and only then", async () => {
    const { stage, child } = await spawned([{ endsAtMs: 10 }, {}], { restart: EVEN });
    expect(stage.holds()).toBe(0);
    await stage.pass(50);
    expect(stage.holds()).toBe(1);
    await stage.pass(100);
    expect([child.state, stage.holds()]).toEqual(["connected", 0]);
  });

  it("is given up when it ends too often within the window, and not when that is over", async () => {
    const { stage, child, told } = await spawned([{ endsAtMs: 10 }], {
      restart: { ...EVEN, factor: 1, maxRestarts: 3, windowMs: 1_000 },
    });
    await stage.pass(60_000);
    expect(startTimes(stage)).toEqual([0, 110, 220, 330]);
    expect(told.slice(-2)).toEqual([
      "340: 5003 ended with 1, again in undefined ms, ended",
      "340: UNAVAILABLE: given up after 3 restarts: plugin ended with code 1, ended",
    ]);
    expect((await failureOf(child.client(Echo).say({ text: "late" }))).message).toContain("given up after 3");

    const slow = await spawned([{ endsAtMs: 300 }], {
      restart: { ...EVEN, factor: 1, maxRestarts: 3, windowMs: 1_000 },
    });
    await slow.stage.pass(60_000);
    expect(slow.child.restarts).toBeGreaterThan(140);
  });

  it("tells the end of each process once, also of one that was never connected", async () => {
    const { stage, child, told } = await spawned(
      [
        { endsAtMs: 10 },
        { introducesAtMs: "never", endsAtMs: 5, code: 9, writes: ["cannot begin"] },
        { introducesAtMs: "never", endsAtMs: 5, code: 9 },
        {},
      ],
      { restart: EVEN },
    );
    const reply = child.client(Echo).say({ text: "hang" });
    const failure = failureOf(reply);
    await stage.pass(1_000);
    expect(told).toEqual([
      "10: 5000 ended with 1, again in 100 ms, waiting",
      "115: 5001 ended with 9, again in 200 ms, waiting",
      "320: 5002 ended with 9, again in 400 ms, waiting",
      "721: connected to 5003, connected",
    ]);
    expect(child.restarts).toBe(3);
    expect((await failure).code).toBe("UNAVAILABLE");
  });

  it("is told of when it cannot be started again, which is no end of a process", async () => {
    const { stage, child, told } = await spawned([{ endsAtMs: 10 }, { cannotStart: new Error("no room") }], {
      restart: { ...EVEN, maxRestarts: 2 },
    });
    await stage.pass(1_000);
    expect(told).toEqual([
      "10: 5000 ended with 1, again in 100 ms, waiting",
      "310: UNAVAILABLE: given up after 2 restarts: no room, ended",
    ]);
    await child.close();
  });

  it("keeps calls that wait, and gives them to whoever comes", async () => {
    const { stage, child } = await spawned([{ endsAtMs: 10 }, { endsAtMs: 1 }, {}], { restart: EVEN });
    await stage.pass(20);
    const reply = child.client(Echo).say({ text: "there" }, { timeoutMs: 1_000 });
    await stage.pass(1_000);
    expect(await reply).toMatchObject({ text: "there", number: 5_002 });
  });
});
