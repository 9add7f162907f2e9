import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import type { EndpointChange, FoundEndpoint } from "../../index.js";
import { failureOf } from "../harness/failure.js";
import { endpointPath, openFiles, openHere, start, until, RAW_TRANSPORT } from "./stage.js";

const SERVICE = "test.v1.Echo";
const TOPIC = "test.v1.Echo/Keyed";

/** What a domain has left, without what is hidden. */
async function left(): Promise<string[]> {
  return readdir(dirname(endpointPath("any")));
}

describe("endpoints of other processes", () => {
  it("are found with what they offer, named or not, and not when they are closed or dead", async () => {
    const [market, nameless, dying] = await Promise.all([
      start("found-endpoint", ["market"]),
      start("found-endpoint", []),
      start("found-endpoint", ["dying"]),
    ]);
    await dying.kill("SIGKILL");
    const endpoint = await openHere();
    const found = [...(await endpoint.peers())].sort((a, b) => b.name.localeCompare(a.name));
    expect(found.map(({ name, pid }) => [name, pid])).toEqual([
      ["market", market.pid],
      ["", nameless.pid],
    ]);
    for (const { address, services, topics, transports, implementation, startTime } of found) {
      expect(services.map(({ name }) => name)).toEqual([SERVICE]);
      expect(topics.map(({ name }) => name)).toEqual([TOPIC]);
      expect(transports).toContain(RAW_TRANSPORT);
      expect(implementation).toMatch(/^typescript\//);
      expect(startTime).toMatch(process.platform === "linux" ? /^\d+$/ : /^$/);
      const reply = await endpoint.client(Echo, address).say({ text: "who" });
      expect([market.pid, nameless.pid]).toContain(reply.number);
    }
    // What the dead one left was removed by who looked.
    expect(await left()).not.toContain("dying");
    await nameless.ask({ do: "close" });
    expect((await endpoint.peers()).map(({ name }) => name)).toEqual(["market"]);
    await market.kill("SIGKILL");
    expect(await endpoint.peers()).toEqual([]);
    expect(await left()).toEqual([]);
  });

  it("are told of as they come, change and go, also when they are killed", async () => {
    const endpoint = await openHere({ name: "watcher" });
    const seen: string[] = [];
    const latest = new Map<string, FoundEndpoint>();
    const changes = endpoint.watch();
    const read = async (): Promise<void> => {
      for await (const { kind, endpoint: found } of changes as AsyncIterable<EndpointChange>) {
        seen.push(`${kind} ${found.name}`);
        latest.set(found.name, found);
      }
    };
    const reading = read();
    const market = await start("found-endpoint", ["market"]);
    const complete = (): boolean => latest.get("market")?.topics.length === 1;
    await until(complete, Boolean, 5_000);
    expect(seen[0]).toBe("appeared market");
    const killedAtMs = performance.now();
    market.process.kill("SIGKILL");
    await until(
      () => seen.at(-1),
      (last) => last === "gone market",
      5_000,
    );
    expect(performance.now() - killedAtMs).toBeLessThan(1_000);
    await until(left, (names) => !names.includes("market"), 5_000);

    // Its successor is another one, at once.
    const successor = await start("found-endpoint", ["market"]);
    await until(
      () => latest.get("market")?.pid,
      (pid) => pid === successor.pid,
      5_000,
    );
    const other = await openHere({ name: "other" });
    await until(() => latest.has("other"), Boolean, 5_000);
    const publisher = await other.publisher(Echo.plain);
    await until(
      () => latest.get("other")?.topics.length,
      (count) => count === 1,
      5_000,
    );
    await publisher.close();
    await until(
      () => latest.get("other")?.topics.length,
      (count) => count === 0,
      5_000,
    );
    await other.close();
    await until(
      () => seen.at(-1),
      (last) => last === "gone other",
      5_000,
    );
    await endpoint.close();
    await reading;
  });

  it("cost their watchers no descriptor when they are gone", async () => {
    const endpoint = await openHere();
    const changes = endpoint.watch();
    const reading = (async () => {
      for await (const change of changes) void change;
    })();
    // There the watch of the domain counts as one, and takes a moment to begin.
    if (process.platform === "win32")
      await until(
        () => openFiles(),
        (count) => count > 0,
        5_000,
      );
    const before = await openFiles();
    for (let round = 0; round < 5; round++) {
      const child = await start("found-endpoint", round % 2 === 0 ? ["market"] : []);
      await child.kill("SIGKILL");
    }
    await until(left, (names) => names.length === 0, 5_000);
    await until(
      () => openFiles(),
      (count) => count <= before,
      5_000,
    );
    await endpoint.close();
    await reading;
  });

  it("are found beside what cannot be used, which is told of and left as it is", async () => {
    const endpoint = await openHere();
    await (await openHere({ name: "probe" })).close();
    await mkdir(endpointPath("open"), { mode: 0o755 });
    await mkdir(endpointPath("garbage"), { mode: 0o700 });
    await writeFile(join(endpointPath("garbage"), "entry"), "no JSON", { mode: 0o600 });
    await writeFile(endpointPath("file"), "");
    const refused: string[] = [];
    endpoint.on("endpointRefused", (name, { code }) => refused.push(`${name} ${code}`));
    const market = await start("found-endpoint", ["market"]);
    expect((await endpoint.peers()).map(({ pid }) => pid)).toEqual([market.pid]);
    expect(refused.sort()).toEqual([
      "file PERMISSION_DENIED",
      "garbage PERMISSION_DENIED",
      "open PERMISSION_DENIED",
    ]);
    expect((await left()).sort()).toEqual(["file", "garbage", "market", "open"]);
  });

  it("serve clients that have no address: one of them, and another one when that is gone", async () => {
    const endpoint = await openHere();
    const client = endpoint.client(Echo, undefined, { reconnect: { maxDelayMs: 50 } });
    const nobody = await failureOf(endpoint.client(Echo).say({ text: "who" }));
    expect(nobody.code).toBe("UNAVAILABLE");
    expect(nobody.message).toContain("nobody serves test.v1.Echo in domain default");
    const waiting = client.say({ text: "who" });
    const first = await start("found-endpoint", []);
    expect((await waiting).number).toBe(first.pid);
    const second = await start("found-endpoint", ["second"]);
    const pids: number[] = [];
    // The one that was there first stays the one, until it is killed under load.
    for (let call = 0; call < 300; call++) {
      if (call === 100) first.process.kill("SIGKILL");
      const reply = client.say({ text: "who" }, { timeoutMs: 10_000 });
      await reply.then(
        ({ number }) => pids.push(number),
        // Not repeated: it may have been executed.
        (error: unknown) => expect(error).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true }),
      );
    }
    expect(pids.slice(0, 100)).toEqual(Array.from({ length: 100 }, () => first.pid));
    expect(pids.length).toBeGreaterThanOrEqual(299);
    expect(pids.at(-1)).toBe(second.pid);
    // Its own services come last.
    endpoint.serve(Echo, { say: () => ({ number: 1 }) });
    expect((await endpoint.client(Echo).say({ text: "who" })).number).toBe(second.pid);
    await second.kill("SIGKILL");
    expect((await client.say({ text: "who" }, { timeoutMs: 5_000 })).number).toBe(1);
  });

  it("have their directory removed also where they died before they said anything", async () => {
    const market = await start("found-endpoint", ["market"]);
    await market.kill("SIGKILL");
    // As a process leaves it that is killed between its claim and its entry.
    await rm(join(endpointPath("market"), "entry"));
    // And before its secret.
    await mkdir(endpointPath("empty"), { mode: 0o700 });
    const endpoint = await openHere();
    const changes = endpoint.watch();
    await until(left, (names) => names.length === 0, 10_000);
    await changes[Symbol.asyncDispose]();
  });

  it("stay out of sight where they are not to be discovered", async () => {
    const hidden = await openHere({ discoverable: false });
    hidden.serve(Echo, {});
    await hidden.publisher(Echo.plain);
    const named = await openHere({ name: "named", discoverable: false });
    named.serve(Echo, {});
    const endpoint = await openHere();
    expect((await endpoint.peers()).map(({ name, services }) => [name, services])).toEqual([["named", []]]);
    expect(hidden.addresses).toEqual([]);
  });
});
