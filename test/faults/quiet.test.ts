import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { nativeThings } from "../harness/native-things.js";
import { shmBinding } from "../harness/shm.js";
import { start, until } from "./stage.js";

/** After this V8 has done what it does with the memory of a program that rests. */
const WARM_UP_MS = 60_000;
const WATCHED_MS = 10_000;

/** How often the threads of a process have begun to run, by the kernel's count. */
function switches(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
    for (const [, count] of status.matchAll(/^(?:non)?voluntary_ctxt_switches:\s+(\d+)$/gm))
      sum += Number(count);
  }
  return sum;
}

function threads(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length;
}

describe.skipIf(shmBinding() === undefined)("a pair over shared memory", () => {
  it("wakes up for nothing when it has nothing to say", { timeout: 120_000 }, async () => {
    const server = await start("quiet-peer", ["server", "quiet"]);
    const client = await start("quiet-peer", ["client", "quiet"]);
    expect(await client.ask({ do: "call", count: 10_000 })).toEqual({ transport: "shm" });
    expect(await client.ask({ do: "subscribe", count: 10 })).toEqual({ subscribed: 10 });
    await server.ask({ do: "publish", count: 10 });
    await sleep(WARM_UP_MS);
    const before = { server: switches(server.pid), client: switches(client.pid) };
    await sleep(WATCHED_MS);
    expect({ server: switches(server.pid), client: switches(client.pid) }).toEqual(before);
    // And it is not that nothing works any more.
    await client.ask({ do: "call", count: 1 });
    expect(switches(server.pid)).toBeGreaterThan(before.server);
  });

  it("has as many descriptors, threads and segments with 1,000 topics as with one", {
    timeout: 60_000,
  }, async () => {
    const server = await start("quiet-peer", ["server", "many"]);
    const client = await start("quiet-peer", ["client", "many"]);
    await client.ask({ do: "subscribe", count: 1 });
    await server.ask({ do: "publish", count: 1 });
    const see = (pid: number): object => ({ ...nativeThings(pid), threads: threads(pid) });
    const before = { server: see(server.pid), client: see(client.pid) };
    expect(before.server).toMatchObject({ maps: expect.toSatisfy((maps: number) => maps > 0) });
    await client.ask({ do: "subscribe", count: 1_000 });
    // Two subscriptions have the first key.
    expect(await server.ask({ do: "publish", count: 1_000 })).toEqual({ sent: 1_001 });
    await until(
      () => client.ask<{ received: number }>({ do: "received" }),
      ({ received }) => received === 1_002,
      10_000,
    );
    expect({ server: see(server.pid), client: see(client.pid) }).toEqual(before);
  });
});
