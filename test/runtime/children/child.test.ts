import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import type { IpcError, SpawnOptions } from "../../../index.js";
import { failureOf } from "../../harness/failure.js";
import { EVEN, makeStage, spawned } from "./stage.js";

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

  it("fails the calls that wait, however long its end takes", async () => {
    const stubborn = { introducesAtMs: "never", ignoresLink: true, ignoresSigterm: true } as const;
    const { stage, child } = await spawned([{ endsAtMs: 10 }, stubborn], { restart: EVEN });
    await stage.pass(200);
    const call = failureOf(child.client(Echo).say({ text: "late" })).then(({ message }) => [
      message,
      child.state,
    ]);
    const closed = child.close();
    await stage.pass(5_000);
    await closed;
    expect(await call).toEqual(["UNAVAILABLE: plugin is closed", "ending"]);
  });

  it("in the moment in which it is connected is never told of that", async () => {
    const { stage, child, told } = await spawned([{ endsAtMs: 10 }, {}], { restart: EVEN });
    stage.endpoint.on("peerConnected", () => void child.close());
    await stage.pass(5_000);
    expect(told.map((text) => text.replace(/^\d+: /, ""))).toEqual([
      "5000 ended with 1, again in 100 ms, waiting",
      "5001 ended with SIGTERM, again in undefined ms, ended",
    ]);
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
    expect(failure.message).toBe("CANCELLED: plugin is ended by its signal");
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

  it("ends when there is a process, where there is none yet", async () => {
    const stage = await makeStage([{}]);
    const stopped = new AbortController();
    const failure = failureOf(stage.endpoint.spawn("plugin", { signal: stopped.signal }));
    stopped.abort();
    await stage.pass(10);
    expect((await failure).message).toBe("CANCELLED: plugin is ended by its signal");
    expect(stage.started.map(({ endedAtMs }) => endedAtMs !== undefined)).toEqual([true]);
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

describe("the errors of a child", () => {
  it("tell its command and its words to whoever has started it, and to nobody else", async () => {
    const words = ["secret"];
    const dying = { writes: words, endsAtMs: 10 };
    const stage = await makeStage([{ ...dying, introducesAtMs: "never" }, dying, dying, dying, {}]);
    const { endpoint } = stage;
    const errors: IpcError[] = [];
    const failing = failureOf(endpoint.spawn("plugin"));
    await stage.pass(20);
    errors.push(await failing);
    const once = await stage.spawned(endpoint.spawn("plugin"));
    const hanging = failureOf(once.client(Echo).say({ text: "hang" }));
    await stage.pass(20);
    errors.push(await hanging, await failureOf(once.client(Echo).say({})));
    const twice = await stage.spawned(endpoint.spawn("plugin", { restart: { ...EVEN, maxRestarts: 1 } }));
    await stage.pass(1_000);
    errors.push(await failureOf(twice.client(Echo).say({})));
    const signal = AbortSignal.abort();
    errors.push(await failureOf(endpoint.spawn("plugin", { signal })));
    const closed = await stage.spawned(endpoint.spawn("plugin"));
    void closed.close();
    errors.push(await failureOf(closed.client(Echo).say({})));
    for (const { rawMessage, peerMessage } of errors) {
      expect(rawMessage).toContain("plugin");
      expect(peerMessage).toBe("a process that this endpoint has started is not there");
    }
    expect(errors.filter(({ rawMessage }) => rawMessage.includes("secret"))).toHaveLength(4);
  });
});
