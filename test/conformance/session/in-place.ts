import { describe, expect, it } from "vitest";
import { TopicMessageView, TopicMessageWriter } from "../../../gen/test/v1/echo_inplace.js";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { ItemView, ItemWriter } from "../../../gen/test/v1/keys_inplace.js";
import { Topics } from "../../../gen/test/v1/keys_protoipc.js";
import type { Limits } from "../../../index.js";
import { failureIn, failureOf, take } from "../../harness/failure.js";
import { pattern, same } from "../../harness/pattern.js";
import { until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

const MIB = 1_048_576;
const LIMITS: Partial<Limits> = {
  maxMessageBytes: 8 * MIB,
  windowBytes: 64 * MIB,
  streamBudgetBytes: 256 * MIB,
};
const KEY = { name: "a", shard: 1 };

/** Messages that are written where they are read, and read where they were written. */
export function inPlaceTests(world: World): void {
  describe("messages in place", () => {
    async function stage() {
      const { endpoint, address } = await world.listen({ limits: LIMITS });
      const publisher = await endpoint.publisher(Echo.keyed);
      const reader = await world.open({ limits: LIMITS });
      return { publisher, reader, address };
    }

    it("are read by a view, borrowed or copied", async () => {
      const { publisher, reader, address } = await stage();
      const view = TopicMessageView;
      const borrowing = reader.subscribe(Echo.keyed, {}, { from: address, view, borrow: true });
      const copying = reader.subscribe(Echo.keyed, {}, { from: address, view });
      await Promise.all([borrowing.ready(), copying.ready()]);
      const sizes = [0, 100, 16_000, 16_384, MIB];
      for (const [number, size] of sizes.entries()) {
        const loan = publisher.loan(KEY, size + 100, { writer: TopicMessageWriter });
        loan.message.number = number;
        const body = loan.message.reserveBody(size);
        loan.message.text = "whole";
        body.set(pattern(size, number));
        expect(loan.publish()).toMatchObject({ seq: number + 1, matched: 2, dropped: 0 });
        expect(body).toHaveLength(0);
      }
      let seen = 0;
      let gone: TopicMessageView | undefined;
      for await (const { message, isBorrowed, lost } of borrowing) {
        const size = sizes[seen]!;
        expect([message.number, message.text, lost]).toEqual([seen, "whole", 0]);
        expect(same(message.body, pattern(size, seen))).toBe(true);
        expect(message.$decode()).toMatchObject({ number: seen, text: "whole" });
        expect(isBorrowed).toBe(world.canBorrow && size >= 16_384);
        if (isBorrowed) gone = message;
        if (++seen === sizes.length) break;
      }
      if (world.canBorrow) expect(failureIn(() => gone!.text).code).toBe("FAILED_PRECONDITION");
      const kept = await take(copying, sizes.length);
      for (const [index, { message }] of kept.entries())
        expect([message.number, same(message.body, pattern(sizes[index]!, index))]).toEqual([index, true]);
    });

    it("that wait to be read outlive their publisher", async () => {
      const { publisher, reader, address } = await stage();
      const subscription = reader.subscribe(
        Echo.keyed,
        {},
        { from: address, view: TopicMessageView, borrow: true },
      );
      await subscription.ready();
      for (let number = 0; number < 3; number++)
        publisher.publish(KEY, { number, body: pattern(MIB, number) });
      await until("all have come", () => subscription.received === 3);
      await publisher.close();
      let number = 0;
      for await (const { message } of subscription) {
        expect([message.number, same(message.body, pattern(MIB, number))]).toEqual([number, true]);
        number++;
      }
      expect(number).toBe(3);
    });

    it("are not queued where the filter itself ends the subscription", async () => {
      const { publisher, reader, address } = await stage();
      let seen = 0;
      const subscription = reader.subscribe(
        Echo.keyed,
        {},
        {
          from: address,
          view: TopicMessageView,
          borrow: true,
          filter: () => {
            seen++;
            void subscription.close();
            return true;
          },
        },
      );
      await subscription.ready();
      publisher.publish(KEY, { body: pattern(MIB) });
      await until("the publisher knows", () => publisher.subscribers === 0);
      expect([seen, subscription.received]).toEqual([1, 0]);
    });

    it("are passed over where the filter does not want them, and are not lost", async () => {
      const { publisher, reader, address } = await stage();
      const subscription = reader.subscribe(
        Echo.keyed,
        {},
        {
          from: address,
          view: TopicMessageView,
          borrow: true,
          filter: ({ number }) => number % 3 === 0,
        },
      );
      const decoding = reader.subscribe(
        Echo.keyed,
        {},
        { from: address, filter: ({ text }) => text === "6" },
      );
      await Promise.all([subscription.ready(), decoding.ready()]);
      for (let number = 1; number <= 9; number++)
        publisher.publish(KEY, { number, text: `${number}`, body: pattern(70_000, number) });
      const read = [];
      for await (const { message, seq, lost } of subscription) {
        read.push([message.number, seq, lost]);
        if (read.length === 3) break;
      }
      expect(read).toEqual([
        [3, 3, 0],
        [6, 6, 0],
        [9, 9, 0],
      ]);
      expect([subscription.received, subscription.lost]).toEqual([3, 0]);
      const [only] = await take(decoding, 1);
      expect([only?.message.number, only?.lost]).toEqual([6, 0]);
    });

    it("end the subscription where the filter throws", async () => {
      const { publisher, reader, address } = await stage();
      const subscription = reader.subscribe(
        Echo.keyed,
        {},
        {
          from: address,
          filter() {
            throw new Error("cannot say");
          },
        },
      );
      await subscription.ready();
      publisher.publish(KEY, { number: 1 });
      expect(await failureOf(take(subscription, 1))).toMatchObject({ code: "INTERNAL" });
    });

    it("are written once, and not after the loan is over", async () => {
      const { publisher } = await stage();
      using released = publisher.loan(KEY, 100, { writer: TopicMessageWriter });
      const { message } = released;
      message.text = "x";
      released.release();
      released.release();
      for (const use of [
        () => (message.text = "y"),
        () => message.reserveBody(1),
        () => released.publish(),
      ]) {
        const error = failureIn(use);
        expect(error.code).toBe("FAILED_PRECONDITION");
        expect(String(error)).toContain("it was released");
      }
      const loan = publisher.loan(KEY, 10, { writer: TopicMessageWriter });
      expect(failureIn(() => loan.message.reserveBody(11)).code).toBe("RESOURCE_EXHAUSTED");
      loan.message.text = "fits";
      expect(await loan.publishWhenReady()).toMatchObject({ seq: 1 });
      expect(String(failureIn(() => (loan.message.text = "y")))).toContain("it was published");
    });

    it("are of the topic's type", async () => {
      const { publisher, reader, address } = await stage();
      const other = ItemWriter as unknown as typeof TopicMessageWriter;
      expect(() => publisher.loan(KEY, 100, { writer: other })).toThrow(TypeError);
      const view = class {} as unknown as typeof TopicMessageView;
      expect(() => reader.subscribe(Echo.keyed, {}, { from: address, view })).toThrow("no generated class");
    });

    it("are kept as latest values", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Topics.held);
      publisher.publish({ name: "a" }, { number: 7 });
      const reader = await world.open();
      const subscription = reader.subscribe(Topics.held, {}, { from: address, view: ItemView });
      await until("it has come", () => subscription.received === 1);
      expect(subscription.latest({ name: "a" })?.message.number).toBe(7);
    });
  });
}
