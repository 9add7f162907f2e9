import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { Color } from "../../../gen/test/v1/keys_pb.js";
import { Topics } from "../../../gen/test/v1/keys_protoipc.js";
import { collect, failureIn, failureOf, take } from "../../harness/failure.js";
import { settled, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

/** Topics as they are meant to be used: keys, filters, numbers, and who is there. */
export function topicTests(world: World): void {
  describe("topics", () => {
    it("deliver publications with their keys, numbers and publisher", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.keyed);
      const subscriber = await world.open();
      const subscription = subscriber.subscribe(Echo.keyed, {}, { from: address });
      await subscription.ready();
      expect(publisher.subscribers).toBe(1);
      const result = publisher.publish({ name: "a", shard: 1 }, { text: "first" });
      expect(result).toEqual({ seq: 1, matched: 1, sent: 1, queued: 0, dropped: 0 });
      publisher.publish({ name: "b", shard: 1 }, { text: "other" });
      expect(publisher.publish({ name: "a", shard: 1 }, { text: "second" }).seq).toBe(2);
      const got = await take(subscription, 3);
      expect(
        got.map(({ key, message, seq, lost }) => [key.name, key.shard, message.text, seq, lost]),
      ).toEqual([
        ["a", 1, "first", 1, 0],
        ["b", 1, "other", 1, 0],
        ["a", 1, "second", 2, 0],
      ]);
      expect(got[0]?.key).toBe(got[2]?.key);
      expect(got[0]?.publisher.incarnation).toBe((await subscriber.connect(address)).incarnation);
      expect(subscription.received).toBe(3);
      expect(subscription.lost).toBe(0);
    });

    it("without a key number all their publications together", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      expect(publisher.publish({ text: "nobody" })).toEqual({
        seq: 1,
        matched: 0,
        sent: 0,
        queued: 0,
        dropped: 0,
      });
      const subscription = (await world.open()).subscribe(Echo.plain, { from: address });
      await publisher.ready({ subscribers: 1 });
      publisher.publish({ text: "a" });
      await publisher.publishWhenReady({ text: "b" });
      const got = await take(subscription, 2);
      expect(got.map(({ key, message, seq }) => [key, message.text, seq])).toEqual([
        [undefined, "a", 2],
        [undefined, "b", 3],
      ]);
    });

    it("match every subset of a key's fields as a template", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Topics.typed);
      const base = {
        id: Uint8Array.of(1, 2),
        color: Color.RED,
        active: true,
        number: 7n,
        shard: 3,
        name: "n",
      };
      const others = {
        id: Uint8Array.of(1, 3),
        color: Color.UNSPECIFIED,
        active: false,
        number: 9_007_199_254_740_993n,
        shard: 0,
        name: "",
      };
      const fields = ["id", "color", "active", "number", "shard", "name"] as const;
      const subscriber = await world.open();
      const subscriptions = Array.from({ length: 2 ** fields.length }, (_, subset) => {
        const chosen = fields.filter((_, index) => (subset & (1 << index)) !== 0);
        const filter = Object.fromEntries(chosen.map((field) => [field, base[field]]));
        return { chosen, subscription: subscriber.subscribe(Topics.typed, filter, { from: address }) };
      });
      await publisher.ready({ subscribers: subscriptions.length, timeoutMs: 5_000 });
      expect(publisher.publish(base, { number: 100 }).matched).toBe(64);
      for (const [index, field] of fields.entries()) {
        // Whoever sets the field that differs is left out: half of them.
        expect(publisher.publish({ ...base, [field]: others[field] }, { number: index }).matched).toBe(32);
      }
      await publisher.close();
      for (const { chosen, subscription } of subscriptions) {
        const numbers = (await collect(subscription)).map(({ message }) => message.number);
        const free = fields.flatMap((field, index) => (chosen.includes(field) ? [] : index));
        expect(numbers).toEqual([100, ...free]);
      }
    });

    it("hand keys of every sort to the subscriber as they were published", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Topics.typed);
      const filter = { number: -9_007_199_254_740_993n, active: false, color: 77, id: new Uint8Array(0) };
      const subscription = (await world.open()).subscribe(Topics.typed, filter, { from: address });
      await subscription.ready();
      const key = { ...filter, shard: 4_294_967_295, name: "ü" };
      publisher.publish(key, {});
      expect((await take(subscription, 1))[0]?.key).toMatchObject(key);
    });

    it("take a key that is changed after publishing for another one", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.keyed);
      const subscription = (await world.open()).subscribe(Echo.keyed, {}, { from: address });
      await subscription.ready();
      const key = { name: "a", shard: 1 };
      publisher.publish(key, {});
      key.name = "b";
      expect(publisher.publish(key, {}).seq).toBe(1);
      expect((await take(subscription, 2)).map((publication) => publication.key.name)).toEqual(["a", "b"]);
    });

    it("refuse a key that does not set every field, naming the field", async () => {
      const { endpoint } = await world.listen();
      const publisher = await endpoint.publisher(Echo.keyed);
      const failure = failureIn(() => publisher.publish({ name: "a" }, {}));
      expect(failure.code).toBe("INVALID_ARGUMENT");
      expect(failure.message).toContain("test.v1.Echo/Keyed: the key's field shard is not set");
      expect((await failureOf(publisher.publishWhenReady({ shard: 1 }, {}))).message).toContain("field name");
    });

    it("refuse what cannot be published, and number nothing for it", async () => {
      const { endpoint } = await world.listen({ limits: { maxMessageBytes: 1_024 } });
      const publisher = await endpoint.publisher(Echo.plain);
      const wrong: object = { number: "five" };
      expect(failureIn(() => publisher.publish(wrong)).code).toBe("INVALID_ARGUMENT");
      const large = failureIn(() => publisher.publish({ body: new Uint8Array(1_022) }));
      expect(large.code).toBe("RESOURCE_EXHAUSTED");
      expect(large.message).toContain("1025 bytes is above the limit of 1024 bytes (maxMessageBytes)");
      expect(publisher.publish({ body: new Uint8Array(1_021) }).seq).toBe(1);
    });

    it("wait for subscribers, as long as asked", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      await publisher.ready({ subscribers: 0 });
      const late = await failureOf(publisher.ready({ subscribers: 2, timeoutMs: 10 }));
      expect(late.code).toBe("DEADLINE_EXCEEDED");
      expect(late.message).toContain("test.v1.Echo/Plain has 0 subscribers of 2 after 10 ms");
      const controller = new AbortController();
      const aborted = failureOf(publisher.ready({ subscribers: 2, signal: controller.signal }));
      controller.abort();
      expect((await aborted).code).toBe("CANCELLED");
      const ready = publisher.ready({ subscribers: 2 });
      const subscriber = await world.open();
      const first = subscriber.subscribe(Echo.plain, { from: address });
      subscriber.subscribe(Echo.plain, { from: address });
      await ready;
      expect(publisher.subscribers).toBe(2);
      await first.close();
      await until("one is gone", () => publisher.subscribers === 1);
      await expect(publisher.ready({ subscribers: -1 })).rejects.toThrow(/subscribers is -1/);
      const closed = failureOf(publisher.ready({ subscribers: 9 }));
      await publisher.close();
      expect((await closed).code).toBe("CANCELLED");
    });

    it("have one publisher per endpoint, and another when that is closed", async () => {
      const { endpoint } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const second = await failureOf(endpoint.publisher(Echo.plain));
      expect(second.code).toBe("ALREADY_EXISTS");
      expect(second.message).toContain("test.v1.Echo/Plain");
      await publisher.close();
      expect(failureIn(() => publisher.publish({})).code).toBe("FAILED_PRECONDITION");
      await (await endpoint.publisher(Echo.plain)).close();
    });

    it("fail a subscription that has nobody to subscribe to", async () => {
      const client = await world.open();
      const nobody = client.subscribe(Echo.plain, { from: world.newAddress() });
      expect((await failureOf(nobody.ready())).code).toBe("UNAVAILABLE");
      expect((await failureOf(collect(nobody))).code).toBe("UNAVAILABLE");
      const { address } = await world.listen();
      const noTopic = client.subscribe(Echo.plain, { from: address });
      expect((await failureOf(noTopic.ready())).code).toBe("UNIMPLEMENTED");
    });

    it("end a subscription by `break`, by `close`, by its signal and by `await using`", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const client = await world.open();
      const controller = new AbortController();
      const { signal } = controller;
      const byBreak = client.subscribe(Echo.plain, { from: address });
      const byClose = client.subscribe(Echo.plain, { from: address });
      const bySignal = client.subscribe(Echo.plain, { from: address, signal });
      const closed = collect(byClose);
      const aborted = failureOf(collect(bySignal));
      await publisher.ready({ subscribers: 3 });
      publisher.publish({ text: "to all" });
      for await (const _ of byBreak) break;
      await until("one is gone", () => publisher.subscribers === 2);
      await byClose.close();
      await byClose.close();
      // Whoever closes it knows that it is over: its reader is not told of an error.
      expect(await closed).toHaveLength(1);
      await until("two are gone", () => publisher.subscribers === 1);
      controller.abort();
      expect((await aborted).code).toBe("CANCELLED");
      await until("all are gone", () => publisher.subscribers === 0);
      {
        await using subscription = client.subscribe(Echo.plain, { from: address });
        await subscription.ready();
        expect(publisher.subscribers).toBe(1);
      }
      await until("the last is gone", () => publisher.subscribers === 0);
      expect(publisher.publish({ text: "to nobody" })).toMatchObject({ matched: 0, sent: 0 });
    });

    it("do not begin a subscription whose signal has aborted", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const client = await world.open();
      const subscription = client.subscribe(Echo.plain, { from: address, signal: AbortSignal.abort() });
      expect((await failureOf(subscription.ready())).code).toBe("CANCELLED");
      expect((await failureOf(collect(subscription))).code).toBe("CANCELLED");
      await subscription.close();
      await settled();
      expect(publisher.subscribers).toBe(0);
    });

    it("notice a subscriber that is gone", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const client = await world.open();
      await client.subscribe(Echo.plain, { from: address }).ready();
      await client.close();
      await until("it is gone", () => publisher.subscribers === 0);
    });

    it("are published to the peer that was dialled, too", async () => {
      const { server, client, clientPeer } = await world.pair();
      const publisher = await client.publisher(Echo.plain);
      const subscription = server.subscribe(Echo.plain, { from: clientPeer });
      await subscription.ready();
      publisher.publish({ text: "upstream" });
      expect((await take(subscription, 1))[0]?.message.text).toBe("upstream");
    });

    it("send what is queued when the publisher closes, and end well", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const narrow = { initialMessages: 2, windowMessages: 2 };
      const subscription = (await world.open({ limits: narrow })).subscribe(Echo.plain, { from: address });
      await subscription.ready();
      for (let number = 0; number < 20; number++) publisher.publish({ number });
      const reading = collect(subscription);
      await publisher.close();
      expect((await reading).map(({ message }) => message.number)).toEqual(
        Array.from({ length: 20 }, (_, i) => i),
      );
    });

    it("end with UNAVAILABLE for who has not read by the drain timeout", async () => {
      const { endpoint, address } = await world.listen({ drainTimeoutMs: 50 });
      const publisher = await endpoint.publisher(Echo.plain);
      const narrow = { initialMessages: 2, windowMessages: 2 };
      const subscription = (await world.open({ limits: narrow })).subscribe(Echo.plain, { from: address });
      await subscription.ready();
      for (let number = 0; number < 20; number++) publisher.publish({ number });
      await publisher.close();
      const read: number[] = [];
      const failure = await failureOf(
        (async () => {
          for await (const { message } of subscription) read.push(message.number);
        })(),
      );
      expect(failure.code).toBe("UNAVAILABLE");
      expect(read).toEqual([0, 1]);
      expect(subscription.lost).toBe(18);
    });
  });
}
