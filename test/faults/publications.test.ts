import { describe, expect, it } from "vitest";
import { type Child, start, until } from "./stage.js";

interface Report {
  readonly keys: Record<string, { received: number; lost: number; lastSeq: number; wrong: number }>;
  readonly received: number;
  readonly lost: number;
  readonly read: number;
  readonly inOrder: boolean;
  readonly outcome: string | null;
}

const report = (subscriber: Child): Promise<Report> => subscriber.ask<Report>({ do: "report" });

describe("a blocking topic of depth 64, between processes", () => {
  it.each([
    ["one after the other", false],
    ["all at once", true],
  ])("delivers 10,000 messages published right after ready, %s, in order", async (_how, together) => {
    const publisher = await start("fault-publisher", [{ name: "publisher" }]);
    const published = publisher.ask({ do: "block", subscribers: 2, count: 10_000, together });
    const subscribers = [
      await start("fault-subscriber", ["publisher", "blocking"]),
      await start("fault-subscriber", ["publisher", "blocking"]),
    ];
    expect(await published).toEqual({ published: 10_000 });
    for (const subscriber of subscribers) {
      const seen = await until(
        () => report(subscriber),
        ({ read }) => read >= 10_000,
        20_000,
      );
      expect(seen).toMatchObject({ read: 10_000, received: 10_000, lost: 0, inOrder: true, outcome: null });
      expect(seen.keys).toEqual({ a: { received: 10_000, lost: 0, lastSeq: 10_000, wrong: 0 } });
    }
  });
});

describe.each([["keyed" as const], ["dropNewest" as const]])("a dropping topic (%s)", (topic) => {
  const flood = { do: "flood", topic, count: 6_000, perTurn: 500, keys: 3, bytes: 2_000 };
  const last = { do: "flood", topic, count: 3, perTurn: 1, keys: 3, bytes: 10 };

  async function checkLosses(subscriber: Child, sent: Record<string, number>): Promise<void> {
    const seen = await until(
      () => report(subscriber),
      ({ keys, read, received }) =>
        read === received && Object.keys(sent).every((key) => keys[key]?.lastSeq === sent[key]),
      20_000,
    );
    let lost = 0;
    for (const [key, seq] of Object.entries(sent)) {
      const counts = seen.keys[key]!;
      expect(counts.received + counts.lost, key).toBe(seq);
      expect(counts.wrong, key).toBe(0);
      lost += counts.lost;
    }
    expect(seen.lost).toBe(lost);
    expect(lost).toBeGreaterThan(0);
  }

  it("loses no count for a subscriber that is slow: per key, received and lost are what was sent", async () => {
    const publisher = await start("fault-publisher", [{ name: "publisher" }]);
    const subscriber = await start("fault-subscriber", ["publisher", topic, "1"]);
    const fast = await start("fault-subscriber", ["publisher", topic]);
    const sent = await publisher.ask<Record<string, number>>(flood);
    expect(sent).toEqual({ "key 0": 2_000, "key 1": 2_000, "key 2": 2_000 });
    // What comes last finds room, and so tells of what was lost before it.
    await until(
      () => report(fast),
      ({ received, lost }) => received + lost === 6_000,
      20_000,
    );
    await until(
      () => report(subscriber),
      ({ received, lost }) => received + lost === 6_000,
      20_000,
    );
    await checkLosses(subscriber, await publisher.ask(last));
  });

  it("loses no count for a subscriber that was stopped", async () => {
    const publisher = await start("fault-publisher", [{ name: "publisher" }]);
    const subscriber = await start("fault-subscriber", ["publisher", topic]);
    await subscriber.kill("SIGSTOP");
    await publisher.ask(flood);
    await subscriber.kill("SIGCONT");
    await until(
      () => report(subscriber),
      ({ received, lost }) => received + lost === 6_000,
      20_000,
    );
    await checkLosses(subscriber, await publisher.ask(last));
  });

  it("counts what was lost up to its end when the publisher closes", async () => {
    const publisher = await start("fault-publisher", [{ name: "publisher" }]);
    const subscriber = await start("fault-subscriber", ["publisher", topic]);
    await subscriber.kill("SIGSTOP");
    await publisher.ask(flood);
    const closed = publisher.ask({ do: "close" });
    await subscriber.kill("SIGCONT");
    await closed;
    const seen = await until(
      () => report(subscriber),
      ({ outcome }) => outcome !== null,
      20_000,
    );
    expect(seen.outcome).toBe("well");
    expect(seen.lost).toBeGreaterThan(0);
    expect(seen.received + seen.lost).toBe(6_000);
  });
});
