import { setMaxListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { failureOf } from "../../harness/failure.js";
import { makeStage } from "./stage.js";

describe("calls to a child that is not connected", () => {
  it("leave nothing behind when they are given up", async () => {
    setFlagsFromString("--expose_gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const restart = { initialDelayMs: 1_000_000, maxDelayMs: 1_000_000, jitter: 0 };
    const stage = await makeStage([{ endsAtMs: 10 }]);
    const child = await stage.spawned(stage.endpoint.spawn("plugin", { restart }));
    const echo = child.client(Echo);
    await stage.pass(20);
    const giveUp = async (calls: number): Promise<void> => {
      const stopped = new AbortController();
      setMaxListeners(0, stopped.signal);
      const failures = Array.from({ length: calls }, (_, index) =>
        failureOf(
          echo.say({ text: "late" }, index % 2 === 0 ? { timeoutMs: 5 } : { signal: stopped.signal }),
        ),
      );
      await stage.pass(10);
      stopped.abort();
      const codes = new Set((await Promise.all(failures)).map(({ code }) => code));
      expect([...codes]).toEqual(["DEADLINE_EXCEEDED", "CANCELLED"]);
    };
    const usedBytes = (): number => {
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    await giveUp(1_000);
    const before = usedBytes();
    for (let round = 0; round < 10; round++) await giveUp(2_000);
    expect((usedBytes() - before) / 20_000).toBeLessThan(100);
    await stage.endpoint.close();
  });
});
