import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { IpcError } from "../../index.js";
import { WAIT } from "../programs/fault-handlers.js";
import { openHere, start, until } from "./stage.js";

interface Report {
  readonly tally: {
    readonly started: number;
    readonly running: number;
    readonly mostRunning: number;
    readonly aborted: Record<string, number>;
  };
  readonly rejected: readonly unknown[];
  readonly disconnected: number;
}

const MAX_CALLS = 16;
const CALLS = 5_000;
const AT_A_TIME = 50;

describe("handlers that ignore their signal", () => {
  it("keep their slots until they return, however fast calls are made and cancelled", {
    timeout: 60_000,
  }, async () => {
    const server = await start("fault-server", [{ name: "server", limits: { maxCalls: MAX_CALLS } }]);
    const client = (await openHere()).client(Echo, "server");
    const outcomes: Record<string, number> = {};
    let made = 0;
    const hurry = async (): Promise<void> => {
      while (made++ < CALLS) {
        const cancel = new AbortController();
        const call = client.say({ text: WAIT, number: 10 }, { signal: cancel.signal });
        const settled = call.then(
          () => "answered",
          (error: unknown) => IpcError.from(error).code,
        );
        await sleep(made % 3);
        cancel.abort();
        const outcome = await settled;
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, hurry));
    const { tally, rejected, disconnected } = await until(
      () => server.ask<Report>({ do: "report" }),
      (seen) => seen.tally.running === 0,
      10_000,
    );
    expect((outcomes["CANCELLED"] ?? 0) + (outcomes["answered"] ?? 0)).toBe(CALLS);
    expect(outcomes["CANCELLED"]).toBeGreaterThan(CALLS / 2);
    expect(tally.mostRunning).toBe(MAX_CALLS);
    expect(tally.started).toBeGreaterThan(MAX_CALLS * 5);
    expect(tally.aborted[`say ${WAIT}`]).toBeGreaterThan(MAX_CALLS * 4);
    expect({ rejected, disconnected }).toEqual({ rejected: [], disconnected: 0 });
    // Every slot is free again.
    const together = Array.from({ length: MAX_CALLS }, () =>
      client.say({ text: "after" }, { timeoutMs: 5_000 }),
    );
    expect((await Promise.all(together)).length).toBe(MAX_CALLS);
  });
});
