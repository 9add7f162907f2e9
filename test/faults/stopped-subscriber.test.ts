import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type Child, residentBytes, start, until } from "./stage.js";

interface Report {
  readonly keys: Record<string, { received: number; lost: number; wrong: number }>;
  readonly received: number;
  readonly lost: number;
  readonly timeMs: number;
}

const report = (subscriber: Child): Promise<Report> => subscriber.ask<Report>({ do: "report" });

/** Messages a second that a subscriber received in a window. */
async function rate(subscriber: Child, windowMs: number): Promise<number> {
  const before = await report(subscriber);
  await sleep(windowMs);
  const after = await report(subscriber);
  return ((after.received - before.received) * 1_000) / (after.timeMs - before.timeMs);
}

describe("a subscriber that stands still for five seconds", () => {
  it.each([["keyed"], ["dropNewest"]])(
    "takes nothing from the others (%s)",
    { timeout: 60_000 },
    async (topic) => {
      const publisher = await start("fault-publisher", [{ name: "publisher" }]);
      // The first in the publisher's list: what it holds up would be held up for those behind it.
      const stopped = await start("fault-subscriber", ["publisher", topic]);
      const others = [
        await start("fault-subscriber", ["publisher", topic]),
        await start("fault-subscriber", ["publisher", topic]),
      ];
      await publisher.ask({ do: "subscribers", topic, count: 3 });
      await publisher.ask({ do: "pace", topic, perTick: 5, tickMs: 10, bytes: 8_192 });
      await sleep(500);
      const before = await Promise.all(others.map((other) => rate(other, 3_000)));
      const residentBefore = await residentBytes(publisher);
      await stopped.kill("SIGSTOP");
      const during = await Promise.all(others.map((other) => rate(other, 5_000)));
      const residentDuring = await residentBytes(publisher);
      await stopped.kill("SIGCONT");
      const sent = await publisher.ask<Record<string, number>>({ do: "rest" });
      console.log(`messages a second before ${before.map(Math.round)}, during ${during.map(Math.round)}`);
      others.forEach((_other, i) => {
        expect(during[i]! / before[i]!).toBeGreaterThan(0.8);
        expect(during[i]! / before[i]!).toBeLessThan(1.2);
      });
      // 2,500 messages of 8 KiB did not reach the one that stands still; they are not kept for it either.
      expect(residentDuring - residentBefore).toBeLessThan(24 * 1024 * 1024);
      // What comes last finds room, and so tells of what was lost before it.
      await until(
        () => report(stopped),
        ({ received, lost }) => received + lost === sent["key 0"],
        10_000,
      );
      await publisher.ask({ do: "flood", topic, count: 1, perTurn: 1, keys: 1, bytes: 1 });
      const count = sent["key 0"]! + 1;
      const end = await until(
        () => report(stopped),
        ({ keys }) => keys["key 0"]!.received + keys["key 0"]!.lost === count,
        10_000,
      );
      expect(end.keys["key 0"]!.wrong).toBe(0);
      expect(end.keys["key 0"]!.lost).toBeGreaterThan(0);
      // A busy machine may make these late too; then what they lost is counted as well.
      for (const other of others) {
        await until(
          () => report(other),
          ({ received, lost }) => received + lost === count,
          10_000,
        );
      }
    },
  );
});
