import { readdir } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { TopicKey } from "../../gen/test/v1/echo_pb.js";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import type { PublisherEvent } from "../../index.js";
import type { FromPublisher } from "../programs/domain-subscriber.js";
import { Random } from "../simulation/random.js";
import { type Child, endpointPath, openHere, RAW_TRANSPORT, start, until } from "./stage.js";

interface Report {
  readonly blocking: Record<number, FromPublisher>;
  readonly dropping: Record<number, FromPublisher>;
  readonly lostInAll: number;
  /** The processes whose publishers of both topics have confirmed. */
  readonly publishers: readonly number[];
  /** What stood in the domain and was not used, and why. */
  readonly refused: readonly string[];
}
interface Sent {
  readonly blocking: number;
  readonly dropping: number;
}
interface Member {
  child: Child;
  /** When it had started, and a publisher had found all subscribers: a number that grows. */
  since: number;
  /** It has lived from the beginning. */
  isVeteran: boolean;
}

const SCALE = { count: 8, veterans: 3, kills: 20, killingMs: 30_000 };

async function collect(items: AsyncIterable<unknown>): Promise<void> {
  for await (const item of items) void item;
}

describe("topics across a domain", () => {
  it("meet publishers that were there before, come later and come again", async () => {
    const early = await openHere();
    const first = await early.publisher(Echo.latest);
    first.publish({ name: "a", shard: 1 }, { text: "early" });
    const reader = await openHere();
    const events: PublisherEvent<unknown>[] = [];
    const subscription = reader.subscribe(Echo.latest, {}, { onPublisher: (event) => events.push(event) });
    await subscription.ready();
    expect(subscription.publishers.map(({ incarnation }) => incarnation)).toHaveLength(1);
    const came: string[] = [];
    const reading = (async () => {
      for await (const { message, publisher } of subscription)
        came.push(`${message.text} of "${publisher.name}"`);
    })();
    // Its own publications as well.
    const own = await reader.publisher(Echo.latest);
    const named = await openHere({ name: "named" });
    const late = await named.publisher(Echo.latest);
    await Promise.all([own, late, first].map((publisher) => publisher.ready({ subscribers: 1 })));
    own.publish({ name: "a", shard: 1 }, { text: "own" });
    late.publish({ name: "b", shard: 1 }, { text: "late" });
    await until(
      () => came.length,
      (count) => count === 3,
      5_000,
    );
    expect([...came].sort()).toEqual(['early of ""', 'late of "named"', 'own of ""']);
    // Closed and published again by the same endpoint.
    await late.close();
    await until(
      () => subscription.publishers.length,
      (count) => count === 2,
      5_000,
    );
    const again = await named.publisher(Echo.latest);
    await again.ready({ subscribers: 1 });
    again.publish({ name: "b", shard: 1 }, { text: "again" });
    await until(
      () => came.at(-1),
      (last) => last === 'again of "named"',
      5_000,
    );
    expect(events.map(({ kind, publisher }) => `${kind} ${publisher.name}`).sort()).toEqual([
      "joined ",
      "joined ",
      "joined named",
      "joined named",
      "left named",
    ]);
    await reader.close();
    await reading;
  });

  it("are a blackboard: the newest value of a key over all publishers, for as long as they live", async () => {
    const [one, other] = [await openHere({ name: "one" }), await openHere({ name: "other" })];
    const [left, right] = [await one.publisher(Echo.latest), await other.publisher(Echo.latest)];
    const key = { name: "a", shard: 1 };
    const beforeMs = performance.now();
    left.publish(key, { text: "old" });
    await sleep(2);
    right.publish(key, { text: "new" });
    await sleep(2);
    const reader = await openHere();
    const events: PublisherEvent<TopicKey>[] = [];
    const board = reader.subscribe(Echo.latest, {}, { onPublisher: (event) => events.push(event) });
    await board.ready({ publishers: 2, timeoutMs: 5_000 });
    await until(
      () => board.values(key).length,
      (count) => count === 2,
      5_000,
    );
    const newest = board.latest(key)!;
    expect([newest.message.text, newest.publisher.name, newest.seq]).toEqual(["new", "other", 1]);
    // History keeps the time at which it was published, not that at which it came.
    expect(board.values(key).map(({ message }) => message.text)).toEqual(["new", "old"]);
    const [newer, older] = board.values(key).map(({ publishedAtMs }) => publishedAtMs);
    expect(older).toBeGreaterThanOrEqual(beforeMs - 0.01);
    expect(newer! - older!).toBeGreaterThan(1);
    expect(newer).toBeLessThanOrEqual(performance.now());
    left.publish(key, { text: "newest" });
    await until(
      () => board.latest(key)?.message.text,
      (text) => text === "newest",
      5_000,
    );
    expect(board.latest({ name: "nobody", shard: 0 })).toBeUndefined();
    expect(() => board.latest({ name: "half" })).toThrow(/shard is not set/);
    // A value dies with its publisher, which is told.
    await one.close();
    await until(
      () => board.latest(key)?.message.text,
      (text) => text === "new",
      5_000,
    );
    const gone = events.find(({ kind }) => kind === "left")!;
    expect(gone.publisher.name).toBe("one");
    expect(gone.kind === "left" ? gone.keys.map(({ name }) => name) : []).toEqual(["a"]);
    await other.close();
    await until(
      () => board.latest(key),
      (value) => value === undefined,
      5_000,
    );
    // Without a loop nothing is queued, and no window is ever full.
    const only = reader.subscribe(Echo.latest, {}, { latestOnly: true });
    const many = await reader.publisher(Echo.latest);
    await many.ready({ subscribers: 2 });
    for (let number = 0; number < 10_000; number++) {
      many.publish(key, { number });
      if (number % 50 === 0) await sleep(0);
    }
    await until(
      () => only.latest(key)?.message.number,
      (number) => number === 9_999,
      5_000,
    );
    expect(only.received + only.lost).toBe(10_000);
    await expect(collect(only)).rejects.toThrow(/latestOnly/);
    expect(() => reader.subscribe(Echo.keyed, {}, { latestOnly: true })).toThrow(/keeps no history/);
    await many.close();
    const plain = reader.subscribe(Echo.keyed, {});
    expect(() => plain.latest(key)).toThrow(
      "test.v1.Echo/Keyed has no latest values: the topic keeps no history",
    );
    await plain.close();
    expect(() => board.receive()).toThrow(/many links/);
  });

  it("lose nothing but what the rules say, while eight publishers and eight subscribers are killed and restarted", {
    timeout: 180_000,
  }, async () => {
    const seed = Number(process.env["PROTOIPC_SEED"] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}`);
    const random = new Random(seed);
    // Some have nothing but the socket.
    let started = 0;
    const startMember = async (program: string, args: readonly string[]): Promise<Child> => {
      process.env["PROTOIPC_TRANSPORTS"] = started++ % 3 === 0 ? RAW_TRANSPORT : "";
      try {
        return await start(program, args);
      } finally {
        delete process.env["PROTOIPC_TRANSPORTS"];
      }
    };
    let order = 0;
    const publishers: Member[] = [];
    const subscribers: Member[] = [];
    const add = async (members: Member[], program: string, isVeteran: boolean): Promise<Member> => {
      const child = await startMember(program, program === "domain-publisher" ? [`p${members.length}`] : []);
      const member = { child, isVeteran, since: order++ };
      members.push(member);
      return member;
    };
    const shuffled = Array.from({ length: 2 * SCALE.count }, (_, i) => i).sort(() => random.int(0, 1) - 0.5);
    for (const index of shuffled) {
      if (index < SCALE.count) await add(publishers, "domain-publisher", index < SCALE.veterans);
      else await add(subscribers, "domain-subscriber", index - SCALE.count < SCALE.veterans);
    }
    await Promise.all(publishers.map(({ child }) => child.ask({ do: "begin", subscribers: SCALE.count })));
    for (const publisher of publishers) publisher.since = order;
    order++;

    const victims = [...publishers, ...subscribers].filter(({ isVeteran }) => !isVeteran);
    for (let kill = 0; kill < SCALE.kills; kill++) {
      await sleep(random.int(0, (2 * SCALE.killingMs) / SCALE.kills));
      const victim = victims[random.int(0, victims.length - 1)]!;
      await victim.child.kill("SIGKILL");
      const isPublisher = publishers.includes(victim);
      victim.child = await startMember(
        isPublisher ? "domain-publisher" : "domain-subscriber",
        isPublisher ? ["again"] : [],
      );
      if (isPublisher) await victim.child.ask({ do: "begin", subscribers: SCALE.count });
      victim.since = order++;
    }

    // Who came last takes part before the publishers rest: by the last that they publish it is seen what came from whom.
    const living = publishers.map(({ child }) => child.pid);
    for (const { child } of subscribers) {
      await until(
        () => child.ask<Report>({ do: "report" }),
        (report) => living.every((pid) => report.publishers.includes(pid)),
        20_000,
      );
    }

    const sent = new Map<number, Sent>();
    for (const { child } of publishers) sent.set(child.pid, await child.ask<Sent>({ do: "rest" }));
    let lostInAll = 0;
    const begun = new Map(publishers.map(({ child, since }) => [child.pid, since]));
    for (const { child, since } of subscribers) {
      const isEven = (report: Report): boolean =>
        [...sent].every(
          ([pid, { blocking, dropping }]) =>
            (report.blocking[pid]?.last ?? blocking) === blocking && report.dropping[pid]?.last === dropping,
        );
      const report = await until(() => child.ask<Report>({ do: "report" }), isEven, 20_000).catch(
        async () => {
          const { blocking, dropping, refused } = await child.ask<Report>({ do: "report" });
          const seen = [...sent].map(([pid, of]) => ({
            pid,
            of,
            blocking: blocking[pid],
            dropping: dropping[pid],
          }));
          throw new Error(`subscriber ${child.pid}: ${JSON.stringify({ seen, refused }, null, 1)}`);
        },
      );
      expect(report.publishers).toHaveLength(SCALE.count);
      for (const [pid, { blocking, dropping }] of sent) {
        // Who joined at the very end may have come too late for any.
        const none = { first: blocking + 1, last: blocking, received: 0, lost: 0, wrong: 0 };
        const ofBlocking = report.blocking[pid] ?? none;
        // In order, once, and none missing from where it began.
        expect(ofBlocking).toMatchObject({ wrong: 0, lost: 0, received: blocking - ofBlocking.first + 1 });
        const ofDropping = report.dropping[pid]!;
        expect(ofDropping.wrong).toBe(0);
        lostInAll += ofDropping.lost;
        expect(ofDropping.received + ofDropping.lost).toBe(dropping - ofDropping.first + 1);
        // Whoever was there when the publisher began has all of it.
        if (since < begun.get(pid)!) expect([ofBlocking.first, ofDropping.first]).toEqual([1, 1]);
      }
      // From those that were killed: once, in order, and with every gap told, as far as they came.
      for (const account of [...Object.values(report.blocking), ...Object.values(report.dropping)]) {
        expect(account.wrong).toBe(0);
      }
    }
    expect(lostInAll).toBeGreaterThan(0);
    const [last, ...others] = [...subscribers].reverse();
    await Promise.all([...publishers, ...others].map(({ child }) => child.ask({ do: "close" })));
    await until(
      () => last!.child.ask<{ before: number; now: number }>({ do: "files" }),
      // Besides what it had: the two that watch the domain.
      ({ before, now }) => now <= before + 2,
      10_000,
    );
    // What others could not remove, who looks does: the last is there to do so.
    await until(
      () => readdir(dirname(endpointPath("any")), { recursive: true }),
      (left) => left.length === 0,
      10_000,
    );
    await last!.child.ask({ do: "close" });
    expect(await readdir(dirname(endpointPath("any")))).toEqual([]);
  });
});
