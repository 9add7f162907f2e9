import { describe, expect, it } from "vitest";
import { Echo, type EchoClient } from "../../gen/test/v1/echo_protoipc.js";
import { ENDLESS } from "../programs/fault-handlers.js";
import { openHere, start, until } from "./stage.js";

const AT_A_TIME = 50;
const WINDOWS = 7;
const WINDOW_MS = 500;
const MOST_TRIES = 3;

/** The 99th percentile of the time of calls, in milliseconds, with 50 of them in flight at a time. */
async function window(client: EchoClient): Promise<number> {
  const times: number[] = [];
  const endMs = performance.now() + WINDOW_MS;
  const caller = async (): Promise<void> => {
    for (let now = performance.now(); now < endMs; ) {
      await client.say({ text: "hello" });
      const after = performance.now();
      times.push(after - now);
      now = after;
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, caller));
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)]!;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** How many times as long calls take while a stream on their link stands still, by the medians of several windows. */
async function besideAStalledStream(client: EchoClient): Promise<number> {
  const without: number[] = [];
  const beside: number[] = [];
  for (let i = 0; i < WINDOWS; i++) {
    without.push(await window(client));
    const stalled = client.count({ text: ENDLESS, number: 300_000 })[Symbol.asyncIterator]();
    expect(await stalled.next()).toMatchObject({ done: false });
    beside.push(await window(client));
    await stalled.return?.();
  }
  console.log(
    `p99 without ${median(without).toFixed(2)} ms, beside a stalled stream ${median(beside).toFixed(2)} ms`,
  );
  return median(beside) / median(without);
}

describe("a server stream whose reader stands still", () => {
  it("leaves the 99th percentile of 50 calls at a time on the same link within twice its value", async () => {
    const server = await start("fault-server", [{ name: "server" }]);
    const endpoint = await openHere();
    const client = endpoint.client(Echo, "server");
    await window(client);
    // What else the machine does can triple a percentile for some seconds; what the stream does, it does every time.
    let tries = 0;
    let ratio = Number.POSITIVE_INFINITY;
    while (ratio >= 2 && tries++ < MOST_TRIES) ratio = await besideAStalledStream(client);
    expect(ratio).toBeLessThan(2);
    // The stream sent no more than its credit, and each that was left has ended at the server.
    expect(endpoint.connectedPeers.length).toBe(1);
    await until(
      () => server.ask<{ tally: { running: number; left: Record<string, number> } }>({ do: "report" }),
      ({ tally }) => tally.running === 0 && tally.left[`count ${ENDLESS}`] === WINDOWS * tries,
      5_000,
    );
  });
});
