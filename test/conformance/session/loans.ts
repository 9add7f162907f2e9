import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { TopicMessageSchema } from "../../../gen/test/v1/echo_pb.js";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { Topics } from "../../../gen/test/v1/keys_protoipc.js";
import type { Limits } from "../../../index.js";
import { collect, failureIn, failureOf, take } from "../../harness/failure.js";
import { pattern, same } from "../../harness/pattern.js";
import { settled } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

const MIB = 1_048_576;
const LIMITS: Partial<Limits> = {
  maxMessageBytes: 8 * MIB,
  windowBytes: 64 * MIB,
  streamBudgetBytes: 256 * MIB,
};
const KEY = { name: "a", shard: 1 };

/** Room that publishers lend, and what of it reaches subscribers. */
export function loanTests(world: World): void {
  describe("loans", () => {
    async function stage() {
      const { endpoint, address } = await world.listen({ limits: LIMITS });
      const publisher = await endpoint.publisher(Echo.keyed);
      const reader = await world.open({ limits: LIMITS });
      const subscription = reader.subscribe(Echo.keyed, {}, { from: address });
      await subscription.ready();
      return { endpoint, address, publisher, subscription };
    }

    it("of whole messages are published as they were written", async () => {
      const { publisher, subscription } = await stage();
      const sizes = [0, 1, 100, 65_536, MIB, 5 * MIB];
      for (const [number, size] of sizes.entries()) {
        const message = { text: "whole", number, body: pattern(size, number) };
        const encoded = toBinary(TopicMessageSchema, create(TopicMessageSchema, message));
        const loan = publisher.loan(KEY, encoded.length + 1_000);
        expect(loan.bytes).toHaveLength(encoded.length + 1_000);
        loan.bytes.set(encoded);
        expect(loan.publish(encoded.length)).toMatchObject({ seq: number + 1, matched: 1, dropped: 0 });
      }
      for (const [index, { key, message, seq, lost }] of (await take(subscription, sizes.length)).entries()) {
        expect([key.name, seq, lost, message.text]).toEqual(["a", index + 1, 0, "whole"]);
        expect(same(message.body, pattern(sizes[index]!, index))).toBe(true);
      }
    });

    it("of a field have the other fields around it", async () => {
      const { publisher, subscription } = await stage();
      const uses = [0, 1, 127, 128, 5_000, 65_535, 65_536, MIB, 6 * MIB].flatMap((used) => [
        [used, used],
        [used + 1, used],
        [2 * used + 300, used],
      ]) as [number, number][];
      const fitting = uses.filter(([room]) => room < 7 * MIB);
      for (const [number, [room, used]] of fitting.entries()) {
        using loan = publisher.loan(KEY, room, { field: "body" });
        expect(loan.bytes).toHaveLength(room);
        loan.bytes.set(pattern(used, number));
        // Behind what is used there is other content, which must not be sent.
        loan.bytes.fill(0xff, used);
        const rest = { text: "t".repeat(number * 20), number };
        const result =
          number % 2 === 0
            ? loan.publish(rest, { usedBytes: used })
            : await loan.publishWhenReady(rest, { usedBytes: used });
        expect(result).toMatchObject({ seq: number + 1, matched: 1, dropped: 0 });
      }
      publisher.publish(KEY, { text: "the last" });
      const read = await take(subscription, fitting.length + 1);
      for (const [index, [, used]] of fitting.entries()) {
        const { message, seq } = read[index]!;
        expect([message.text, message.number, seq]).toEqual(["t".repeat(index * 20), index, index + 1]);
        expect(same(message.body, pattern(used, index))).toBe(true);
      }
      expect(read.at(-1)?.message.text).toBe("the last");
    });

    it("send no more than was used", async () => {
      const { endpoint, address } = await world.listen({ limits: LIMITS });
      const publisher = await endpoint.publisher(Echo.plain);
      // A subscriber that takes no larger message than what is used.
      const reader = await world.open({ limits: { maxMessageBytes: 1_100 } });
      const subscription = reader.subscribe(Echo.plain, { from: address });
      await subscription.ready();
      const loan = publisher.loan(4 * MIB, { field: "body" });
      loan.bytes.set(pattern(1_000));
      expect(loan.publish({ number: 1 }, { usedBytes: 1_000 })).toMatchObject({ sent: 1, dropped: 0 });
      const [first] = await take(subscription, 1);
      expect(same(first!.message.body, pattern(1_000))).toBe(true);
    });

    it("go through queues and history like other publications", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Topics.held);
      const publish = (number: number) => {
        using loan = publisher.loan({ name: "a" }, 100_000, { field: "body" });
        loan.bytes.set(pattern(100_000, number));
        return loan.publish({ number });
      };
      publish(1);
      publish(2);
      publish(3);
      const reader = await world.open({ limits: { initialMessages: 2, windowMessages: 2 } });
      const subscription = reader.subscribe(Topics.held, {}, { from: address });
      await subscription.ready();
      const results = [4, 5, 6, 7].map(publish);
      expect(results.map(({ sent, queued, dropped }) => [sent, queued, dropped])).toEqual([
        [0, 1, 0],
        [0, 1, 0],
        [0, 1, 1],
        [0, 1, 1],
      ]);
      const reading = collect(subscription);
      await publisher.close();
      const read = await reading;
      expect(read.map(({ message, seq, lost }) => [message.number, seq, lost])).toEqual([
        [2, 2, 0],
        [3, 3, 0],
        [6, 6, 2],
        [7, 7, 0],
      ]);
      expect(read.every(({ message }) => same(message.body, pattern(100_000, message.number)))).toBe(true);
    });

    it("wait for room where the topic says so, in their order", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Topics.patient);
      const reader = await world.open({ limits: { initialMessages: 2, windowMessages: 2 } });
      const subscription = reader.subscribe(Topics.patient, {}, { from: address });
      await subscription.ready();
      const done: number[] = [];
      const publishings = Array.from({ length: 10 }, async (_, number) => {
        const loan = publisher.loan({ name: "a" }, 70_000, { field: "body" });
        loan.bytes.fill(number);
        await (number % 2 === 0
          ? loan.publishWhenReady({ number })
          : loan.publishWhenReady({ number }, { usedBytes: 70_000, timeoutMs: 10_000 }));
        done.push(number);
      });
      await settled();
      expect(done).toEqual([0, 1, 2, 3]);
      const given = publisher.loan({ name: "a" }, 70_000);
      const controller = new AbortController();
      const giving = failureOf(given.publishWhenReady(0, { signal: controller.signal }));
      controller.abort();
      expect((await giving).code).toBe("CANCELLED");
      // What was not published is still there.
      expect(given.bytes).toHaveLength(70_000);
      given.release();
      const read = await take(subscription, 10);
      await Promise.all(publishings);
      expect(read.map(({ message }) => [message.number, message.body[69_999]])).toEqual(
        publishings.map((_, number) => [number, number]),
      );
    });

    it("are over once they are published or released, and their memory is taken away", async () => {
      const { publisher } = await stage();
      for (const maxBytes of [10, 200_000]) {
        const whole = publisher.loan(KEY, maxBytes);
        const wholeBytes = whole.bytes;
        whole.publish(0);
        const field = publisher.loan(KEY, maxBytes, { field: "body" });
        const fieldBytes = field.bytes;
        field.publish({});
        const released = publisher.loan(KEY, maxBytes);
        const releasedBytes = released.bytes;
        {
          using _ = released;
        }
        expect([wholeBytes.length, fieldBytes.length, releasedBytes.length]).toEqual([0, 0, 0]);
        for (const [loan, how] of [
          [whole, "published"],
          [field, "published"],
          [released, "released"],
        ] as const) {
          const text = `FAILED_PRECONDITION: the loan of test.v1.Echo/Keyed is over: it was ${how}`;
          expect(failureIn(() => loan.bytes).message).toBe(text);
          loan.release();
        }
        expect(failureIn(() => whole.publish(0)).code).toBe("FAILED_PRECONDITION");
        expect(failureIn(() => field.publish({})).code).toBe("FAILED_PRECONDITION");
        expect((await failureOf(whole.publishWhenReady(0))).code).toBe("FAILED_PRECONDITION");
        expect((await failureOf(field.publishWhenReady({}))).code).toBe("FAILED_PRECONDITION");
      }
    });

    it("are released when the publisher closes", async () => {
      const { publisher } = await stage();
      const loan = publisher.loan(KEY, 200_000);
      const { bytes } = loan;
      await publisher.close();
      expect(bytes).toHaveLength(0);
      expect(failureIn(() => loan.publish(1)).code).toBe("FAILED_PRECONDITION");
      expect(failureIn(() => publisher.loan(KEY, 1)).message).toContain("Echo/Keyed is closed");
    });

    it("name what cannot be, and stay as they were", async () => {
      const { publisher, subscription } = await stage();
      expect(() => publisher.loan(KEY, -1)).toThrow(
        new TypeError("maxBytes is -1; it must be a whole number from 0"),
      );
      expect(() => publisher.loan(KEY, 1.5, { field: "body" })).toThrow(TypeError);
      expect(() => publisher.loan(KEY, 1, { field: "body", restBytes: -1 })).toThrow(/^restBytes is -1/);
      expect(failureIn(() => publisher.loan(KEY, 8 * MIB + 1)).message).toContain(
        "a loan of 8388609 bytes is above the limit of 8388608 bytes (maxMessageBytes)",
      );
      const noField = { field: "text" } as unknown as { field: "body" };
      expect(() => publisher.loan(KEY, 1, noField)).toThrow(
        /^test.v1.TopicMessage has no field "text" that can be lent: .* there are: body$/,
      );
      expect(failureIn(() => publisher.loan({ name: "a" }, 1)).message).toContain("field shard is not set");

      const loan = publisher.loan(KEY, 100_000, { field: "body", restBytes: 100 });
      loan.bytes.set(pattern(100_000));
      expect(() => loan.publish({}, { usedBytes: 100_001 })).toThrow(
        new TypeError("usedBytes is 100001; it must be a whole number from 0 to 100000"),
      );
      expect(failureIn(() => loan.publish({ text: "x".repeat(200) })).message).toBe(
        "RESOURCE_EXHAUSTED: the other fields have 203 bytes; the loan has room for 100 (restBytes)",
      );
      const twice = { text: "x", body: Uint8Array.of(1) };
      expect(failureIn(() => loan.publish(twice))).toMatchObject({
        code: "INVALID_ARGUMENT",
        rawMessage: "the message sets body, which stands in the loan already",
      });
      const wrong = { number: "seven" } as unknown as { number: number };
      expect(failureIn(() => loan.publish(wrong))).toMatchObject({ code: "INVALID_ARGUMENT" });
      expect(same(loan.bytes, pattern(100_000))).toBe(true);
      // What is not used of the field is room for the others.
      expect(loan.publish({ text: "x".repeat(200) }, { usedBytes: 99_000 }).seq).toBe(1);
      const [only] = await take(subscription, 1);
      expect(only?.message.text).toHaveLength(200);
      expect(same(only!.message.body, pattern(99_000))).toBe(true);
    });

    it("are bounded by maxMessageBytes, other fields and all", async () => {
      const { publisher } = await stage();
      const loan = publisher.loan(KEY, 8 * MIB, { field: "body" });
      expect(failureIn(() => loan.publish({ number: 1 })).message).toContain(
        "a publication of 8388615 bytes is above the limit of 8388608 bytes (maxMessageBytes)",
      );
      expect(loan.publish({ number: 1 }, { usedBytes: 8 * MIB - 7 }).seq).toBe(1);
    });

    it("take their key when they are made", async () => {
      const { publisher, subscription } = await stage();
      const key = { name: "a", shard: 1 };
      const loan = publisher.loan(key, 10);
      key.name = "b";
      loan.publish(0);
      expect((await take(subscription, 1))[0]?.key.name).toBe("a");
    });
  });
}
