import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { Topics } from "../../../gen/test/v1/keys_protoipc.js";
import type { Endpoint, Limits, Publication } from "../../../index.js";
import { collect, failureOf, take } from "../../harness/failure.js";
import { settled, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

/** With these, a subscriber that does not read takes two messages; all others wait at the publisher. */
const NARROW: Partial<Limits> = {
  initialMessages: 2,
  windowMessages: 2,
  initialBytes: 65_536,
  windowBytes: 65_536,
};

/** The number, sequence number and loss of each publication. */
function facts(publications: readonly Publication<unknown, { readonly number: number }>[]): number[][] {
  return publications.map(({ message, seq, lost }) => [message.number, seq, lost]);
}

/** What topics do with subscribers that are slower than their publisher. */
export function overflowTests(world: World): void {
  describe("a slow subscriber", () => {
    async function endpoints(): Promise<{ publishing: Endpoint; reading: Endpoint; address: string }> {
      const { endpoint, address } = await world.listen();
      return { publishing: endpoint, reading: await world.open({ limits: NARROW }), address };
    }

    it("loses the oldest by the rule dropOldest, and is told how many before which message", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Topics.oldest);
      const subscription = reading.subscribe(Topics.oldest, {}, { from: address });
      await subscription.ready();
      const results = Array.from({ length: 10 }, (_, index) =>
        publisher.publish({ name: "a" }, { number: index + 1 }),
      );
      expect(results.map(({ sent, queued, dropped }) => [sent, queued, dropped])).toEqual([
        [1, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 1, 1],
        [0, 1, 1],
        [0, 1, 1],
        [0, 1, 1],
      ]);
      expect(facts(await take(subscription, 6))).toEqual([
        [1, 1, 0],
        [2, 2, 0],
        [7, 7, 4],
        [8, 8, 0],
        [9, 9, 0],
        [10, 10, 0],
      ]);
      expect(subscription.lost).toBe(4);
    });

    it("loses the newest by the rule dropNewest, and is told with the next that comes", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Topics.newest);
      const subscription = reading.subscribe(Topics.newest, {}, { from: address });
      await subscription.ready();
      const results = Array.from({ length: 9 }, (_, index) =>
        publisher.publish({ name: "a" }, { number: index + 1 }),
      );
      expect(results.map(({ sent, queued, dropped }) => [sent, queued, dropped])).toEqual([
        [1, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 0, 1],
        [0, 0, 1],
        [0, 0, 1],
      ]);
      const iterator = subscription[Symbol.asyncIterator]();
      const got: Publication<unknown, { readonly number: number }>[] = [];
      for (let i = 0; i < 6; i++) got.push((await iterator.next()).value!);
      await until("the loss is reported", () => subscription.lost === 3);
      publisher.publish({ name: "a" }, { number: 10 });
      got.push((await iterator.next()).value!);
      expect(facts(got)).toEqual([
        [1, 1, 0],
        [2, 2, 0],
        [3, 3, 0],
        [4, 4, 0],
        [5, 5, 0],
        [6, 6, 0],
        [10, 10, 3],
      ]);
      await iterator.return?.();
    });

    it("is told of losses between messages that wait", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Topics.newest);
      const subscription = reading.subscribe(Topics.newest, {}, { from: address });
      await subscription.ready();
      for (let number = 1; number <= 8; number++) publisher.publish({ name: "a" }, { number });
      // Two are taken, so that two move up and two places are free: 9 and 10 are queued behind the lost 7 and 8.
      const iterator = subscription[Symbol.asyncIterator]();
      const got = [(await iterator.next()).value!, (await iterator.next()).value!];
      await settled();
      expect(publisher.publish({ name: "a" }, { number: 9 })).toMatchObject({ queued: 1, dropped: 0 });
      expect(publisher.publish({ name: "a" }, { number: 10 })).toMatchObject({ queued: 1, dropped: 0 });
      expect(publisher.publish({ name: "a" }, { number: 11 })).toMatchObject({ queued: 0, dropped: 1 });
      while (got.length < 8) got.push((await iterator.next()).value!);
      await until("the last loss is reported", () => subscription.lost === 3);
      expect(facts(got).map(([number, , lost]) => [number, lost])).toEqual([
        [1, 0],
        [2, 0],
        [3, 0],
        [4, 0],
        [5, 0],
        [6, 0],
        [9, 2],
        [10, 0],
      ]);
      await iterator.return?.();
    });

    it("has its losses counted for each key apart", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Topics.oldest);
      const subscription = reading.subscribe(Topics.oldest, {}, { from: address });
      await subscription.ready();
      for (const name of "aaaabbaabb") publisher.publish({ name }, {});
      const collecting = collect(subscription);
      await publisher.close();
      const read = await collecting;
      const published = { a: 6, b: 4 };
      for (const [name, total] of Object.entries(published)) {
        const own = read.filter(({ key }) => key.name === name);
        let last = 0;
        for (const { seq, lost } of own) {
          expect(seq - last - 1).toBe(lost);
          last = seq;
        }
        expect(own.length + own.reduce((sum, { lost }) => sum + lost, 0)).toBe(total);
      }
      expect(subscription.received + subscription.lost).toBe(10);
    });

    it("is sent away by the rule disconnect, after what was sent and with its losses counted", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Echo.disconnecting);
      const slow = reading.subscribe(Echo.disconnecting, {}, { from: address });
      const quick = (await world.open()).subscribe(Echo.disconnecting, {}, { from: address });
      await publisher.ready({ subscribers: 2 });
      for (let number = 1; number <= 6; number++) {
        expect(publisher.publish({ name: "a", shard: 0 }, { number }).dropped).toBe(0);
      }
      expect(publisher.publish({ name: "a", shard: 0 }, { number: 7 })).toMatchObject({
        matched: 2,
        sent: 1,
        dropped: 1,
      });
      expect(publisher.subscribers).toBe(1);
      const read: number[] = [];
      const failure = await failureOf(
        (async () => {
          for await (const { message } of slow) read.push(message.number);
        })(),
      );
      expect(failure.code).toBe("RESOURCE_EXHAUSTED");
      expect(failure.message).toContain("(depth)");
      expect(read).toEqual([1, 2]);
      expect(slow.lost).toBe(5);
      expect(facts(await take(quick, 7)).map(([number]) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    });

    it("makes publishers wait by the rule block, in their order, and loses nothing", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Topics.patient);
      const subscription = reading.subscribe(Topics.patient, {}, { from: address });
      await subscription.ready();
      const settledOrder: number[] = [];
      const publishings = Array.from({ length: 30 }, async (_, number) => {
        const result = await publisher.publishWhenReady({ name: number % 2 === 0 ? "a" : "b" }, { number });
        settledOrder.push(number);
        return result;
      });
      await settled();
      // Two are with the subscriber and two wait for it.
      expect(settledOrder).toEqual([0, 1, 2, 3]);
      const read = await take(subscription, 30);
      await Promise.all(publishings);
      expect(settledOrder).toEqual(publishings.map((_, number) => number));
      expect(read.map(({ message }) => message.number)).toEqual(settledOrder);
      expect(subscription.lost).toBe(0);
    });

    it("makes publishers wait by the bytes that are queued too, and loses nothing for that", async () => {
      const { endpoint, address } = await world.listen({ limits: { windowBytes: 65_536 } });
      const publisher = await endpoint.publisher(Echo.blocking);
      const reading = await world.open({ limits: NARROW });
      const subscription = reading.subscribe(Echo.blocking, {}, { from: address });
      await subscription.ready();
      const body = new Uint8Array(100_000);
      let published = 0;
      const publishings = Array.from({ length: 20 }, async (_, number) => {
        await publisher.publishWhenReady({ name: "a", shard: 1 }, { text: "", number, body });
        published++;
      });
      await settled();
      // One went out with the initial credit, and three are more than four windows.
      expect(published).toBe(4);
      // Who does not wait is not held up.
      const more = publisher.publish({ name: "a", shard: 1 }, { text: "", number: 20, body });
      expect(more).toMatchObject({ queued: 1, dropped: 0 });
      const read = await take(subscription, 21);
      await Promise.all(publishings);
      expect(read.map(({ message }) => message.number).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 21 }, (_, number) => number),
      );
      expect(subscription.lost).toBe(0);
    });

    it("loses what `publish` does not wait with, though the rule is block", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Topics.patient);
      const subscription = reading.subscribe(Topics.patient, {}, { from: address });
      await subscription.ready();
      const results = [1, 2, 3, 4, 5].map((number) => publisher.publish({ name: "a" }, { number }));
      expect(results.map(({ dropped }) => dropped)).toEqual([0, 0, 0, 0, 1]);
      await until("the first two came", () => subscription.received === 2);
      expect(await take(subscription, 4)).toHaveLength(4);
      await settled();
      expect(publisher.subscribers).toBe(0);
    });

    it("is waited for as long as block_timeout says, and then loses the message", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Topics.block);
      const subscription = reading.subscribe(Topics.block, {}, { from: address });
      await subscription.ready();
      for (let number = 1; number <= 4; number++) await publisher.publishWhenReady({ name: "a" }, { number });
      const startMs = performance.now();
      const late = await publisher.publishWhenReady({ name: "a" }, { number: 5 });
      expect(performance.now() - startMs).toBeGreaterThan(190);
      expect(late).toMatchObject({ matched: 1, sent: 0, queued: 0, dropped: 1 });
      // It is not waited for again before it reads.
      const againMs = performance.now();
      expect(await publisher.publishWhenReady({ name: "a" }, { number: 6 })).toMatchObject({ dropped: 1 });
      expect(performance.now() - againMs).toBeLessThan(150);
      const iterator = subscription[Symbol.asyncIterator]();
      const got = [];
      for (let i = 0; i < 4; i++) got.push((await iterator.next()).value!);
      await until("it has caught up", () => subscription.lost === 2);
      publisher.publish({ name: "a" }, { number: 7 });
      got.push((await iterator.next()).value!);
      expect(facts(got).map(([number, , lost]) => [number, lost])).toEqual([
        [1, 0],
        [2, 0],
        [3, 0],
        [4, 0],
        [7, 2],
      ]);
      await iterator.return?.();
    });

    it("keeps a publisher no longer than its own timeout and signal allow", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Topics.patient);
      const subscription = reading.subscribe(Topics.patient, {}, { from: address });
      await subscription.ready();
      for (let number = 1; number <= 4; number++) publisher.publish({ name: "a" }, { number });
      const controller = new AbortController();
      const first = failureOf(
        publisher.publishWhenReady({ name: "a" }, { number: 5 }, { signal: controller.signal }),
      );
      const second = await failureOf(
        publisher.publishWhenReady({ name: "a" }, { number: 6 }, { timeoutMs: 20 }),
      );
      expect(second.code).toBe("DEADLINE_EXCEEDED");
      expect(second.message).toContain("test.v1.Topics/Patient within 20 ms");
      controller.abort();
      expect((await first).code).toBe("CANCELLED");
      const third = publisher.publishWhenReady({ name: "a" }, { number: 7 });
      const read = await take(subscription, 5);
      await third;
      // What was given up was never published, so that it is no loss.
      expect(facts(read).map(([number, seq, lost]) => [number, seq, lost])).toEqual([
        [1, 1, 0],
        [2, 2, 0],
        [3, 3, 0],
        [4, 4, 0],
        [7, 5, 0],
      ]);
      const late = publisher.publishWhenReady({ name: "a" }, { number: 8 }, { signal: AbortSignal.abort() });
      expect((await failureOf(late)).code).toBe("CANCELLED");
    });

    it("lets publications that wait go when the publisher closes", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Topics.patient);
      await reading.subscribe(Topics.patient, {}, { from: address }).ready();
      for (let number = 1; number <= 4; number++) publisher.publish({ name: "a" }, { number });
      const waiting = failureOf(publisher.publishWhenReady({ name: "a" }, { number: 5 }));
      const closing = publisher.close();
      expect((await waiting).code).toBe("FAILED_PRECONDITION");
      await closing;
    });

    it("harms no other subscriber", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Topics.oldest);
      const slow = reading.subscribe(Topics.oldest, {}, { from: address });
      const quick = (await world.open()).subscribe(Topics.oldest, {}, { from: address });
      await publisher.ready({ subscribers: 2 });
      for (let number = 1; number <= 50; number++) publisher.publish({ name: "a" }, { number });
      expect(facts(await take(quick, 50)).map(([number]) => number)).toEqual(
        Array.from({ length: 50 }, (_, i) => i + 1),
      );
      await until("the slow one has what it may have", () => slow.received === 2);
    });

    it("that accepts only small messages loses the large ones, and harms no other", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Topics.oldest);
      const small = (await world.open({ limits: { maxMessageBytes: 1_024 } })).subscribe(
        Topics.oldest,
        {},
        { from: address },
      );
      await small.ready();
      const large = new Uint8Array(5_000);
      publisher.publish({ name: "a" }, { number: 1 });
      expect(publisher.publish({ name: "a" }, { number: 2, body: large })).toMatchObject({
        matched: 1,
        sent: 0,
        dropped: 1,
      });
      const quick = (await world.open()).subscribe(Topics.oldest, {}, { from: address });
      await publisher.ready({ subscribers: 2 });
      expect(publisher.publish({ name: "a" }, { number: 3, body: large })).toMatchObject({
        matched: 2,
        sent: 1,
        dropped: 1,
      });
      publisher.publish({ name: "a" }, { number: 4 });
      expect(facts(await take(small, 2))).toEqual([
        [1, 1, 0],
        [4, 4, 2],
      ]);
      expect(facts(await take(quick, 2))).toEqual([
        [3, 3, 0],
        [4, 4, 0],
      ]);
    });

    it("reads publications that its link carries in parts", async () => {
      const { publishing, reading, address } = await endpoints();
      const publisher = await publishing.publisher(Topics.oldest);
      const subscription = reading.subscribe(Topics.oldest, {}, { from: address });
      await subscription.ready();
      for (let number = 1; number <= 5; number++) {
        publisher.publish({ name: "a" }, { number, body: new Uint8Array(300_000).fill(number) });
      }
      const read = await take(subscription, 5);
      for (const [index, { message }] of read.entries()) {
        expect(message.body.length).toBe(300_000);
        expect(message.body.every((byte) => byte === index + 1)).toBe(true);
      }
    });
  });

  describe("history", () => {
    it("gives a late subscriber the newest of every key it asks for, more keys than depth", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Topics.held);
      for (let number = 1; number <= 3; number++) {
        for (let key = 0; key < 20; key++) publisher.publish({ name: `k${key}` }, { number });
      }
      const all = (await world.open({ limits: NARROW })).subscribe(Topics.held, {}, { from: address });
      const one = (await world.open()).subscribe(Topics.held, { name: "k7" }, { from: address });
      await publisher.ready({ subscribers: 2 });
      publisher.publish({ name: "k7" }, { number: 4 });
      expect(facts(await take(one, 3))).toEqual([
        [2, 2, 0],
        [3, 3, 0],
        [4, 4, 0],
      ]);
      const read = await take(all, 41);
      expect(new Set(read.map(({ key }) => key.name)).size).toBe(20);
      expect(facts(read.filter(({ key }) => key.name === "k3"))).toEqual([
        [2, 2, 0],
        [3, 3, 0],
      ]);
      expect(facts(read.filter(({ key }) => key.name === "k7"))).toEqual([
        [2, 2, 0],
        [3, 3, 0],
        [4, 4, 0],
      ]);
      expect(all.lost).toBe(0);
    });

    it("is not kept where the topic asks for none", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Topics.oldest);
      publisher.publish({ name: "a" }, { number: 1 });
      const subscription = (await world.open()).subscribe(Topics.oldest, {}, { from: address });
      await subscription.ready();
      publisher.publish({ name: "a" }, { number: 2 });
      // What was published before it came is no loss of this subscriber.
      expect(facts(await take(subscription, 1))).toEqual([[2, 2, 0]]);
    });
  });
}
