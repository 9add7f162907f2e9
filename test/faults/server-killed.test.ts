import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { IpcError } from "../../index.js";
import { HANG } from "../programs/fault-handlers.js";
import { endpointPath, openHere, start, until, RAW_TRANSPORT } from "./stage.js";

interface Report {
  readonly tally: { readonly running: number };
}

describe("a server that is killed", () => {
  it("settles every call in flight once, within a second, and says which may have been executed", async () => {
    const server = await start("fault-server", [{ name: "server" }]);
    const endpoint = await openHere();
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", onUnhandled);
    const disconnected: string[] = [];
    endpoint.on("peerDisconnected", (_peer, { code }) => disconnected.push(code));
    await endpoint.connect("server");
    const client = endpoint.client(Echo, "server");
    const { maxCalls } = endpoint.limits;
    const count = maxCalls + 476;
    const settled: { index: number; code: string; maybeExecuted: boolean; atMs: number }[] = [];
    for (let index = 0; index < count; index++) {
      const settle = (error: unknown): void => {
        const { code, maybeExecuted } = IpcError.from(error);
        settled.push({ index, code, maybeExecuted, atMs: performance.now() });
      };
      client.say({ text: HANG, number: index }).then(() => settle(new Error("answered")), settle);
    }
    await until(
      () => server.ask<Report>({ do: "report" }),
      ({ tally }) => tally.running === maxCalls,
      10_000,
    );
    expect(settled).toEqual([]);

    const killedAtMs = performance.now();
    server.process.kill("SIGKILL");
    await until(
      () => settled.length,
      (length) => length >= count,
      10_000,
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    process.off("unhandledRejection", onUnhandled);

    settled.sort((a, b) => a.index - b.index);
    expect(settled.map(({ index }) => index)).toEqual(Array.from({ length: count }, (_value, i) => i));
    expect(new Set(settled.map(({ code }) => code))).toEqual(new Set(["UNAVAILABLE"]));
    expect(settled.map(({ maybeExecuted }) => maybeExecuted)).toEqual(
      settled.map(({ index }) => index < maxCalls),
    );
    expect(Math.max(...settled.map(({ atMs }) => atMs)) - killedAtMs).toBeLessThan(1_000);
    expect(unhandled).toEqual([]);
    expect(disconnected).toEqual(["UNAVAILABLE"]);
    await expect(client.say({ text: "late" })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      maybeExecuted: false,
    });
  });

  it("ends its streams and subscriptions with UNAVAILABLE, after what it had sent", async () => {
    const server = await start("fault-server", [{ name: "server" }]);
    const endpoint = await openHere();
    const client = endpoint.client(Echo, "server");
    const subscription = endpoint.subscribe(Echo.keyed, {}, { from: "server" });
    await subscription.ready();
    const responses = client.count({ text: HANG })[Symbol.asyncIterator]();
    expect(await responses.next()).toMatchObject({ done: false });
    await server.ask({ do: "publish", count: 3, bytes: 10 });
    await until(
      () => subscription.received,
      (received) => received === 3,
      10_000,
    );
    const ended = expect(responses.next()).rejects.toMatchObject({
      code: "UNAVAILABLE",
      maybeExecuted: true,
    });
    await server.kill("SIGKILL");
    await ended;
    const numbers: number[] = [];
    const read = async (): Promise<void> => {
      for await (const { message } of subscription) numbers.push(message.number);
    };
    await expect(read()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(numbers).toEqual([0, 1, 2]);
  });

  it("leaves a name that its successor takes without any cleanup, and that clients find again", {
    timeout: 90_000,
  }, async () => {
    const endpoint = await openHere();
    const client = endpoint.client(Echo, "server");
    for (let round = 0; round < 20; round++) {
      const server = await start("fault-server", [{ name: "server" }]);
      expect(await client.say({ text: "who" }, { timeoutMs: 10_000 })).toMatchObject({ number: server.pid });
      await server.kill("SIGKILL");
      await until(
        () => endpoint.connectedPeers.length,
        (peers) => peers === 0,
        10_000,
      );
    }
    const left = (await readdir(endpointPath("server"))).sort();
    const entry = await readFile(join(endpointPath("server"), "entry"), "utf8");
    const { transports } = JSON.parse(entry) as { readonly transports: readonly string[] };
    expect(transports).toContain(RAW_TRANSPORT);
    expect(left).toEqual(["entry", "secret", ...transports].sort());
  });
});
