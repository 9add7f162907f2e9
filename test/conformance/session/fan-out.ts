import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { collect, failureOf, take } from "../../harness/failure.js";
import { until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

const SUBSCRIBERS = 5;

/** A body that differs from number to number, short and long. */
function bodyOf(number: number): Uint8Array {
  return new Uint8Array([0, 1, 60, 200, 3_000, 15_000][number % 6]!).fill(number);
}

/** Publications to several subscribers, each with a link of its own. */
export function fanOutTests(world: World): void {
  describe("publications to several subscribers", () => {
    it("reach each of them, whole and in order, however many there are in a turn", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.blocking);
      const clients = await Promise.all(Array.from({ length: SUBSCRIBERS }, () => world.open()));
      const subscriptions = clients.map((client) => client.subscribe(Echo.blocking, {}, { from: address }));
      await publisher.ready({ subscribers: SUBSCRIBERS });
      const got = subscriptions.map((subscription) => collect(subscription));
      let number = 0;
      for (const burst of [1, 2, 3, 50, 130, 400]) {
        for (let i = 0; i < burst; i++, number++) {
          const key = { name: `k${number % 7}`, shard: i % 2 };
          await publisher.publishWhenReady(key, { number, body: bodyOf(number) });
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      await publisher.close();
      for (const publications of await Promise.all(got)) {
        expect(publications.map(({ message }) => message.number)).toEqual(
          Array.from({ length: number }, (_, i) => i),
        );
        expect(publications.every(({ message, lost }) => lost === 0 && isWhole(message))).toBe(true);
      }
    });

    it("go before whatever is sent after them over the same links", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      let published = 0;
      endpoint.serve(Echo, {
        say() {
          for (let i = 0; i < 3; i++) publisher.publish({ number: published++ });
          return { text: "three more" };
        },
      });
      const clients = await Promise.all(Array.from({ length: SUBSCRIBERS }, () => world.open()));
      const subscriptions = clients.map((client) => client.subscribe(Echo.plain, { from: address }));
      await publisher.ready({ subscribers: SUBSCRIBERS });
      const got = subscriptions.map((subscription) => collect(subscription));
      for (let round = 0; round < 20; round++) {
        const replies = clients.map((client) => client.client(Echo, address).say({ text: "more" }));
        for (const { text } of await Promise.all(replies)) expect(text).toBe("three more");
      }
      await publisher.close();
      for (const publications of await Promise.all(got)) {
        expect(publications.map(({ message, lost }) => [message.number, lost])).toEqual(
          Array.from({ length: published }, (_, i) => [i, 0]),
        );
      }
    });

    it("take nothing from each other where one has a filter, one reads nothing, and two share a link", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.dropNewest);
      const other = await world.open();
      const all = [await world.open(), await world.open(), other, other].map((client) =>
        client.subscribe(Echo.dropNewest, {}, { from: address }),
      );
      const filtered = (await world.open()).subscribe(Echo.dropNewest, { name: "k1" }, { from: address });
      const lazy = (await world.open()).subscribe(Echo.dropNewest, {}, { from: address });
      await publisher.ready({ subscribers: all.length + 2 });
      const got = [...all, filtered].map((subscription) => collect(subscription));
      const sent = 3_000;
      for (let number = 0; number < sent; number++) {
        publisher.publish({ name: `k${number % 2}`, shard: 0 }, { number, body: bodyOf(number % 4) });
        if (number % 20 === 0) await until("it is read", () => isRead(all, number - 100));
      }
      const closed = publisher.close();
      let lazyReceived = 0;
      for await (const _ of lazy) lazyReceived++;
      expect(lazyReceived + lazy.lost).toBe(sent);
      await closed;
      const numbers = (await Promise.all(got)).map((publications) =>
        publications.map(({ message }) => message.number),
      );
      const every = Array.from({ length: sent }, (_, i) => i);
      for (const received of numbers.slice(0, -1)) expect(received).toEqual(every);
      expect(numbers.at(-1)).toEqual(every.filter((number) => number % 2 === 1));
    });

    it("go on for those who stay while others come and go", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const stayers = await Promise.all(Array.from({ length: 3 }, () => world.open()));
      const stay = stayers.map((client) => client.subscribe(Echo.plain, { from: address }));
      await publisher.ready({ subscribers: 3 });
      const got = stay.map((subscription) => collect(subscription));
      let number = 0;
      const publish = (count: number): void => {
        for (let i = 0; i < count; i++) publisher.publish({ number: number++ });
      };
      for (let round = 0; round < 10; round++) {
        const visitor = await world.open();
        const visit = visitor.subscribe(Echo.plain, { from: address });
        await publisher.ready({ subscribers: 4 });
        publish(5);
        const first = await take(visit, 5);
        expect(first.map(({ message }) => message.number)).toEqual(
          Array.from({ length: 5 }, (_, i) => number - 5 + i),
        );
        publish(3);
        await (round % 2 === 0 ? visitor.close() : visit.close());
        publish(3);
        await until("it is gone", () => publisher.subscribers === 3);
      }
      await publisher.close();
      for (const publications of await Promise.all(got)) {
        expect(publications.map(({ message, lost }) => [message.number, lost])).toEqual(
          Array.from({ length: number }, (_, i) => [i, 0]),
        );
      }
    });

    it("reach those who keep up once, where one that does not is disconnected", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.disconnecting);
      const slow = await world.open({ limits: { initialMessages: 1, windowMessages: 1 } });
      const late = slow.subscribe(Echo.disconnecting, {}, { from: address });
      await publisher.ready({ subscribers: 1 });
      const clients = await Promise.all(Array.from({ length: 3 }, () => world.open()));
      const subscriptions = clients.map((client) =>
        client.subscribe(Echo.disconnecting, {}, { from: address }),
      );
      await publisher.ready({ subscribers: 4 });
      const got = subscriptions.map((subscription) => collect(subscription));
      const key = { name: "a", shard: 1 };
      publisher.publish(key, { number: 1 });
      let number = 1;
      while (publisher.subscribers > 3) {
        const { matched, sent, dropped } = publisher.publish(key, { number: ++number });
        expect([matched, sent + dropped <= 4, sent >= 3]).toEqual([4, true, true]);
      }
      publisher.publish(key, { number: ++number });
      expect((await failureOf(collect(late))).code).toBe("RESOURCE_EXHAUSTED");
      await publisher.close();
      for (const publications of await Promise.all(got)) {
        expect(publications.map(({ message, lost }) => [message.number, lost])).toEqual(
          Array.from({ length: number }, (_, i) => [i + 1, 0]),
        );
      }
    });

    it("use up no number where one cannot be encoded in the end, nor more room than was measured", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.keyed);
      const clients = await Promise.all(Array.from({ length: 3 }, () => world.open()));
      const subscriptions = clients.map((client) => client.subscribe(Echo.keyed, {}, { from: address }));
      await publisher.ready({ subscribers: 3 });
      const got = subscriptions.map((subscription) => collect(subscription));
      const fails = (): { readonly text: string } =>
        reads("short", () => {
          throw new Error("not now");
        });
      const grows = (): { readonly text: string } => reads("short", () => "long".repeat(100));
      let seq = 0;
      for (const key of [
        { name: "a", shard: 1 },
        { name: "b", shard: 1 },
      ]) {
        // Once where the key is to be told, and once where it is known.
        for (seq = 1; seq <= 2; seq++) {
          expect(() => publisher.publish(key, fails())).toThrow("not now");
          expect(publisher.publish(key, { number: seq })).toMatchObject({ seq, sent: 3 });
        }
        expect(() => publisher.publish(key, grows())).toThrow("was measured as");
        expect(publisher.publish(key, { number: 3 })).toMatchObject({ seq, sent: 3 });
      }
      await publisher.close();
      for (const publications of await Promise.all(got)) {
        expect(publications.map(({ message, lost }) => [message.number, lost])).toEqual(
          [1, 2, 3, 1, 2, 3].map((number) => [number, 0]),
        );
      }
    });

    it("are not mixed up by a message whose getters publish or call", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const clients = await Promise.all(Array.from({ length: 3 }, () => world.open()));
      for (const client of clients) client.serve(Echo, { say: () => ({ text: "called" }) });
      const subscriptions = clients.map((client) => client.subscribe(Echo.plain, { from: address }));
      await publisher.ready({ subscribers: 3 });
      const got = subscriptions.map((subscription) => collect(subscription));
      const publishing = {
        get number() {
          publisher.publish({ number: 7 });
          return 8;
        },
      };
      const calls: Promise<unknown>[] = [];
      const calling = {
        get number() {
          for (const peer of endpoint.connectedPeers) calls.push(endpoint.client(Echo, peer).say({}));
          return 9;
        },
      };
      publisher.publish({ number: 1 });
      expect(() => publisher.publish(publishing)).toThrow();
      publisher.publish({ number: 2 });
      expect(publisher.publish(calling)).toMatchObject({ matched: 3, dropped: 0 });
      publisher.publish({ number: 3 });
      await Promise.all(calls);
      await publisher.close();
      for (const publications of await Promise.all(got)) {
        const numbers = publications.map(({ message }) => message.number);
        // What a getter publishes while its message is measured is a publication like any other.
        expect(numbers.filter((number) => number !== 7)).toEqual([1, 2, 9, 3]);
        expect(publications.every(({ lost }) => lost === 0)).toBe(true);
      }
    });

    it("say to whom each went", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.keyed);
      const clients = await Promise.all(Array.from({ length: 3 }, () => world.open()));
      const subscriptions = clients.map((client) => client.subscribe(Echo.keyed, {}, { from: address }));
      await publisher.ready({ subscribers: 3 });
      const key = { name: "a", shard: 1 };
      const sent = { matched: 3, sent: 3, queued: 0, dropped: 0 };
      // The first tells the key, too.
      for (let seq = 1; seq <= 3; seq++) expect(publisher.publish(key, {})).toEqual({ seq, ...sent });
      const wrong: object = { number: "five" };
      expect(() => publisher.publish(key, wrong)).toThrow(/could not be encoded/);
      expect(publisher.publish(key, {})).toEqual({ seq: 4, ...sent });
      for (const subscription of subscriptions) {
        expect((await take(subscription, 4)).map(({ seq, lost }) => [seq, lost])).toEqual([
          [1, 0],
          [2, 0],
          [3, 0],
          [4, 0],
        ]);
      }
    });
  });
}

/** A message whose text is another one when it is read again. */
function reads(first: string, then: () => string): { readonly text: string } {
  let count = 0;
  return {
    get text() {
      return count++ === 0 ? first : then();
    },
  };
}

function isWhole({ number, body }: { readonly number: number; readonly body: Uint8Array }): boolean {
  return Buffer.compare(body, bodyOf(number)) === 0;
}

function isRead(subscriptions: readonly { readonly received: number }[], count: number): boolean {
  return subscriptions.every(({ received }) => received >= count);
}
