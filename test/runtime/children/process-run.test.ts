import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { failureOf } from "../../harness/failure.js";
import { EVEN, makeStage, spawned } from "./stage.js";

describe("a child whose link ends while it lives", () => {
  it("gets time to end, and is started again when it has", async () => {
    const { stage, child, told } = await spawned(
      [{ losesLinkAtMs: 10, ignoresLink: true, endsAtMs: 500 }, {}],
      {
        restart: EVEN,
      },
    );
    const failure = failureOf(child.client(Echo).say({ text: "hang" }));
    await stage.pass(11);
    expect(child.state).toBe("ending");
    expect([child.peer, child.pid]).toEqual([undefined, 5_000]);
    expect(await failure).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true });
    const later = child.client(Echo).say({ text: "later" });
    await stage.pass(1_000);
    expect(stage.started[0]!.signals).toEqual([]);
    expect(told).toEqual([
      "500: 5000 ended with 1, again in 100 ms, waiting",
      "601: connected to 5001, connected",
    ]);
    expect((await later).number).toBe(5_001);
  });

  it("is made to end, by force at last", async () => {
    const { stage, told } = await spawned(
      [
        { losesLinkAtMs: 10, ignoresLink: true },
        { losesLinkAtMs: 10, ignoresLink: true, ignoresSigterm: true },
        {},
      ],
      { restart: EVEN, killTimeoutMs: 300 },
    );
    await stage.pass(2_000);
    expect(told.map((text) => text.replace(/^\d+: /, ""))).toEqual([
      "5000 ended with SIGTERM, again in 100 ms, waiting",
      "connected to 5001, connected",
      "5001 ended with SIGKILL, again in 200 ms, waiting",
      "connected to 5002, connected",
    ]);
    const signals = stage.started.map(({ atMs, signals: sent }) =>
      sent.map(({ signal, atMs: sentMs }) => `${signal} after ${Math.round(sentMs - atMs)} ms`),
    );
    expect(signals).toEqual([["SIGTERM after 310 ms"], ["SIGTERM after 310 ms", "SIGKILL after 610 ms"], []]);
  });

  it("fails its later calls with why it was ended", async () => {
    const { stage, child } = await spawned([{ losesLinkAtMs: 10, ignoresLink: true, writes: ["oh"] }], {});
    await stage.pass(20);
    const late = failureOf(child.client(Echo).say({ text: "late" }));
    await stage.pass(5_000);
    expect((await late).rawMessage).toBe(
      "plugin was ended by SIGTERM, as its link had ended: the peer closed the link or died; its last words: oh",
    );
    expect(child.state).toBe("ended");
  });
});

describe("a process that has introduced itself", () => {
  it("may live as long as it likes", async () => {
    const { stage, child, told } = await spawned([{}], { connectTimeoutMs: 50 });
    await stage.pass(100_000);
    expect([child.state, told]).toEqual(["connected", []]);
  });
});

describe("a process that does not introduce itself", () => {
  it("is made to end, and spawn rejects when it has", async () => {
    const stage = await makeStage([
      { introducesAtMs: "never", ignoresLink: true, ignoresSigterm: true, writes: ["hm"] },
    ]);
    const failure = failureOf(stage.endpoint.spawn("plugin", { connectTimeoutMs: 500, killTimeoutMs: 50 }));
    await stage.pass(1_000);
    expect((await failure).message).toBe(
      "DEADLINE_EXCEEDED: plugin has not introduced itself within 500 ms (connectTimeoutMs); its last words: hm",
    );
    expect(stage.started[0]!.signals.map(({ signal }) => signal)).toEqual(["SIGTERM", "SIGKILL"]);
    expect(Math.round(stage.started[0]!.endedAtMs!)).toBe(550);
    expect(stage.started).toHaveLength(1);
  });

  it("gets time to say why, where its link has ended", async () => {
    const stage = await makeStage([
      { introducesAtMs: "never", losesLinkAtMs: 5, ignoresLink: true, endsAtMs: 90, code: 4 },
    ]);
    const failure = failureOf(stage.endpoint.spawn("plugin", { restart: true }));
    await stage.pass(1_000);
    expect((await failure).message).toBe("UNAVAILABLE: plugin ended with code 4");
    expect(stage.started).toHaveLength(1);
  });
});
