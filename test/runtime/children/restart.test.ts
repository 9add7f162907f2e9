import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import type { Child, SpawnOptions } from "../../../index.js";
import { failureOf } from "../../harness/failure.js";
import { type Behaviour, makeStage, type Stage } from "./stage.js";

/** A child in virtual time, and what it tells from then on. */
async function spawned(
  behaviours: readonly Behaviour[],
  options: SpawnOptions,
): Promise<{ stage: Stage; child: Child; told: string[] }> {
  const stage = await makeStage(behaviours);
  const child = await stage.spawned(stage.endpoint.spawn("plugin", options));
  const told: string[] = [];
  const tell = (text: string): void =>
    void told.push(`${Math.round(stage.nowMs())}: ${text}, ${child.state}`);
  child.on("connected", () => tell(`connected to ${child.pid}`));
  child.on("exit", ({ pid, code, signal, restartInMs }) =>
    tell(`${pid} ended with ${code ?? signal}, again in ${restartInMs} ms`),
  );
  child.on("failed", ({ message }) => tell(message));
  return { stage, child, told };
}

function startTimes({ started }: Stage): number[] {
  return started.map(({ atMs }) => Math.round(atMs));
}

const EVEN = { initialDelayMs: 100, maxDelayMs: 1_000, jitter: 0 };

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

describe("listeners that are there before the process", () => {
  const listening = (told: string[]): SpawnOptions["on"] => ({
    connected: () => told.push("connected"),
    exit: ({ pid, code, restartInMs }) => told.push(`${pid} ended with ${code}, again in ${restartInMs} ms`),
    stderr: (line) => told.push(line),
    failed: undefined,
  });

  it("hear all, from its first words on", async () => {
    const told: string[] = [];
    const stage = await makeStage([{ writes: ["one", "two"], endsAtMs: 10 }, { introducesAtMs: "never" }]);
    const child = await stage.spawned(stage.endpoint.spawn("plugin", { restart: EVEN, on: listening(told) }));
    expect(told).toEqual(["one", "two", "connected"]);
    await stage.pass(50);
    expect(told.slice(3)).toEqual(["5000 ended with 1, again in 100 ms"]);
    await child.close();
  });

  it("hear of the end of one that is never connected, before spawn rejects", async () => {
    const told: string[] = [];
    const stage = await makeStage([{ writes: ["oh"], introducesAtMs: "never", endsAtMs: 5 }]);
    const spawning = stage.endpoint.spawn("plugin", { restart: EVEN, on: listening(told) });
    const failure = failureOf(spawning).then(({ code }) => told.push(code));
    await stage.pass(10);
    await failure;
    expect(told).toEqual(["oh", "5000 ended with 1, again in undefined ms", "UNAVAILABLE"]);
  });
});

describe("closing a child", () => {
  it("that introduces itself ends it at once, and it is not told that it is connected", async () => {
    const { stage, child, told } = await spawned([{ endsAtMs: 10 }, { introducesAtMs: 500 }], {
      restart: EVEN,
    });
    await stage.pass(200);
    expect([child.state, child.pid]).toEqual(["starting", 5_001]);
    const call = failureOf(child.client(Echo).say({ text: "late" }));
    const closed = child.close();
    expect(child.state).toBe("ending");
    await stage.pass(1);
    await closed;
    expect((await call).message).toBe("UNAVAILABLE: plugin is closed");
    await stage.pass(5_000);
    expect(told.map((text) => text.replace(/^\d+: /, ""))).toEqual([
      "5000 ended with 1, again in 100 ms, waiting",
      "5001 ended with SIGTERM, again in undefined ms, ended",
    ]);
    expect(stage.started).toHaveLength(2);
  });

  it("that is just starting ends what has started", async () => {
    const stage = await makeStage([{ introducesAtMs: 50 }]);
    const spawning = failureOf(stage.endpoint.spawn("plugin"));
    const closed = stage.endpoint.close();
    await stage.pass(100);
    await closed;
    expect((await spawning).message).toBe("UNAVAILABLE: plugin is closed");
    expect(stage.started.map(({ endedAtMs }) => endedAtMs !== undefined)).toEqual([true]);
  });

  it("that waits to be started again is all there is to do", async () => {
    const { stage, child, told } = await spawned([{ endsAtMs: 10 }], { restart: EVEN });
    await stage.pass(50);
    child.on("exit", () => told.push("never"));
    await child.close();
    await stage.pass(5_000);
    expect(child.state).toBe("ended");
    expect(told).toHaveLength(1);
    expect(stage.started).toHaveLength(1);
  });

  it("in the moment in which it is told to end leaves it ended", async () => {
    const { stage, child, told } = await spawned([{ endsAtMs: 10 }], { restart: EVEN });
    child.on("exit", () => void child.close());
    await stage.pass(5_000);
    expect(told).toHaveLength(1);
    expect([child.state, stage.started.length]).toEqual(["ended", 1]);
  });

  it("lets calls finish, then closes the link, asks, and kills", async () => {
    const { stage, child } = await spawned([{ ignoresLink: true, ignoresSigterm: true }], {
      killTimeoutMs: 100,
    });
    const call = failureOf(child.client(Echo).say({ text: "hang" }));
    await stage.pass(1);
    const beganAtMs = stage.nowMs();
    const closed = child.close();
    await stage.pass(1_000);
    await closed;
    expect((await call).message).toBe("UNAVAILABLE: plugin is closed");
    const sent = stage.started[0]!.signals.map(({ signal, atMs }) => [signal, Math.round(atMs - beganAtMs)]);
    expect(sent).toEqual([
      ["SIGTERM", 200],
      ["SIGKILL", 300],
    ]);
  });
});

describe("a child whose signal aborts", () => {
  it("is not started where it has done so already", async () => {
    const stage = await makeStage([{}]);
    const failure = await failureOf(stage.endpoint.spawn("plugin", { signal: AbortSignal.abort() }));
    expect(failure.message).toBe("CANCELLED: the signal has aborted already");
    expect(stage.started).toEqual([]);
  });

  it("ends before it is connected, and then spawn rejects", async () => {
    const stage = await makeStage([{ introducesAtMs: "never", ignoresLink: true, ignoresSigterm: true }]);
    const stopped = new AbortController();
    const spawning = stage.endpoint.spawn("plugin", {
      signal: stopped.signal,
      killTimeoutMs: 50,
      restart: true,
    });
    const failure = failureOf(spawning).then(({ message }) => [
      message,
      stage.started[0]!.endedAtMs !== undefined,
    ]);
    await stage.pass(10);
    stopped.abort();
    await stage.pass(1_000);
    expect(await failure).toEqual(["CANCELLED: plugin is ended by its signal", true]);
    expect(stage.started).toHaveLength(1);
  });

  it("ends with its calls, however long they would last, and is not started again", async () => {
    const stopped = new AbortController();
    const { stage, child, told } = await spawned([{ ignoresLink: true }], {
      restart: EVEN,
      signal: stopped.signal,
    });
    const call = failureOf(child.client(Echo).say({ text: "hang" }));
    await stage.pass(10);
    const closed = child.close();
    await stage.pass(10);
    // It waits no longer for the call.
    stopped.abort();
    expect(child.state).toBe("ending");
    await stage.pass(1);
    expect(await call).toMatchObject({ code: "CANCELLED", maybeExecuted: true });
    await stage.pass(10_000);
    await closed;
    expect(told.map((text) => text.replace(/^\d+: /, ""))).toEqual([
      "5000 ended with SIGTERM, again in undefined ms, ended",
    ]);
  });

  it("ends while it waits to be started again, and while it is", async () => {
    for (const passMs of [50, 150]) {
      const stopped = new AbortController();
      const { stage, child } = await spawned([{ endsAtMs: 10 }, { introducesAtMs: 500 }], {
        restart: EVEN,
        signal: stopped.signal,
      });
      await stage.pass(passMs);
      const call = failureOf(child.client(Echo).say({ text: "late" }));
      stopped.abort(new DOMException("too late", "TimeoutError"));
      await stage.pass(1);
      expect((await call).message).toBe("DEADLINE_EXCEEDED: plugin is ended by its signal");
      expect(child.state).toBe("ended");
      await stage.pass(5_000);
      expect(stage.started.every(({ endedAtMs }) => endedAtMs !== undefined)).toBe(true);
      await child.close();
    }
  });

  it("leaves no listener on its signal", async () => {
    const stopped = new AbortController();
    const { stage, child } = await spawned([{ endsAtMs: 10 }], { signal: stopped.signal });
    expect(getEventListeners(stopped.signal, "abort")).toHaveLength(1);
    await stage.pass(100);
    expect(child.state).toBe("ended");
    expect(getEventListeners(stopped.signal, "abort")).toEqual([]);
    stopped.abort();
    expect((await failureOf(child.client(Echo).say({}))).message).toBe(
      "UNAVAILABLE: plugin ended with code 1",
    );
  });
});
