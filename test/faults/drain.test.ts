import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { IpcError } from "../../index.js";
import { HANG, WAIT } from "../programs/fault-handlers.js";
import { type Child, openHere, rawSocket, start, until } from "./stage.js";

interface Report {
  readonly tally: { readonly running: number };
}

async function running(server: Child, count: number): Promise<void> {
  await until(
    () => server.ask<Report>({ do: "report" }),
    ({ tally }) => tally.running === count,
    10_000,
  );
}

describe("a server that is told to end (SIGTERM)", () => {
  it("finishes the calls in flight, and refuses later ones, which were not executed", async () => {
    const server = await start("fault-server", [{ name: "server" }]);
    const endpoint = await openHere();
    const client = endpoint.client(Echo, "server");
    const calls = Array.from({ length: 100 }, (_value, number) =>
      client.say({ text: WAIT, number: 800 + number }),
    );
    await running(server, 100);
    const exited = once(server.process, "exit");
    const settled: string[] = [];
    for (const call of calls)
      call.then(
        () => settled.push("well"),
        () => settled.push("not well"),
      );
    await server.kill("SIGTERM");
    // Calls go through until the server's word is here; from then on they fail at once, and none is left in doubt.
    const refusal = await until(
      () => client.say({ text: "late" }).catch((error: unknown) => IpcError.from(error)),
      (outcome) => outcome instanceof IpcError,
      5_000,
    );
    expect(refusal).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: false });
    expect(settled).toEqual([]);
    await expect(client.say({ text: "later" })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      maybeExecuted: false,
    });
    await Promise.all(calls);
    expect(settled).toEqual(calls.map(() => "well"));
    expect(await exited).toEqual([0, null]);
  });

  it("sends what waits for its subscribers before it ends", async () => {
    const server = await start("fault-server", [{ name: "server" }]);
    const subscriber = await start("fault-subscriber", ["server", "keyed"]);
    await subscriber.kill("SIGSTOP");
    const { queued } = await server.ask<{ queued: number }>({ do: "publish", count: 40, bytes: 40_000 });
    expect(queued).toBeGreaterThan(10);
    const exited = once(server.process, "exit");
    await server.kill("SIGTERM");
    await subscriber.kill("SIGCONT");
    const seen = await until(
      () => subscriber.ask<{ outcome: string | null; received: number; lost: number; inOrder: boolean }>({}),
      ({ outcome }) => outcome !== null,
      10_000,
    );
    expect(seen).toMatchObject({ outcome: "well", received: 40, lost: 0, inOrder: true });
    expect(await exited).toEqual([0, null]);
  });

  it("accepts no call while it still waits for a subscriber", async () => {
    const server = await start("fault-server", [{ name: "server" }]);
    const client = (await openHere()).client(Echo, "server");
    await client.say({ text: "before" });
    const subscriber = await start("fault-subscriber", ["server", "keyed"]);
    await subscriber.kill("SIGSTOP");
    await server.ask({ do: "publish", count: 60, bytes: 40_000 });
    await server.kill("SIGTERM");
    const startMs = performance.now();
    const refusal = await until(
      () =>
        client.say({ text: "late" }, { timeoutMs: 1_000 }).catch((error: unknown) => IpcError.from(error)),
      (outcome) => outcome instanceof IpcError,
      10_000,
    );
    expect(refusal).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: false });
    // Long before the drain timeout of 5,000 ms.
    expect(performance.now() - startMs).toBeLessThan(2_500);
    await subscriber.kill("SIGCONT");
    await once(server.process, "exit");
  });

  it("ends with UNAVAILABLE what takes longer than drainTimeoutMs", async () => {
    const server = await start("fault-server", [{ name: "server", drainTimeoutMs: 500 }]);
    const client = (await openHere()).client(Echo, "server");
    const silent = await rawSocket("server");
    const outcomes = Promise.allSettled([
      client.say({ text: HANG }),
      client.say({ text: WAIT, number: 60_000 }),
      client.say({ text: WAIT, number: 300 }),
    ]);
    await running(server, 3);
    const startMs = performance.now();
    await server.kill("SIGTERM");
    expect(await once(server.process, "exit")).toEqual([0, null]);
    expect(performance.now() - startMs).toBeGreaterThan(450);
    expect(performance.now() - startMs).toBeLessThan(5_000);
    const [hang, long, short] = await outcomes;
    for (const late of [hang, long]) {
      expect(late).toMatchObject({
        status: "rejected",
        reason: { code: "UNAVAILABLE", maybeExecuted: true },
      });
    }
    expect(short).toMatchObject({ status: "fulfilled" });
    silent.destroy();
  });

  it("does not wait for connections that never introduced themselves", async () => {
    const server = await start("fault-server", [{ name: "server", drainTimeoutMs: 20_000 }]);
    const silent = await rawSocket("server");
    const closed = once(silent.resume(), "end");
    await server.kill("SIGTERM");
    await Promise.all([closed, once(server.process, "exit")]);
  });
});
