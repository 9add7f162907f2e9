import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { Topics } from "../../../gen/test/v1/keys_protoipc.js";
import type { Limits, OpenOptions } from "../../../index.js";
import { collect } from "../../harness/failure.js";
import { pattern, same } from "../../harness/pattern.js";
import { until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

const MIB = 1_048_576;
const LIMITS: Partial<Limits> = {
  maxMessageBytes: 8 * MIB,
  windowBytes: 64 * MIB,
  streamBudgetBytes: 512 * MIB,
};
const LARGE: { readonly server: OpenOptions; readonly client: OpenOptions } = {
  server: { limits: LIMITS },
  client: { limits: LIMITS },
};

/** Around the sizes from which on links send in parts, or in blocks, and up to what frames of a camera have. */
const SIZES = [
  ...[4_096, 8_192, 16_384, 32_768, 65_536, 131_072].flatMap((size) =>
    [-20, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1].map((delta) => size + delta),
  ),
  MIB,
  2 * MIB + 1,
  6 * MIB,
];

/** Messages of every size arrive whole, however their link carries them. */
export function largeTests(world: World): void {
  describe("messages of every size", () => {
    it("go both ways in unary calls, many at once", async () => {
      const { echo } = await world.pair(LARGE);
      const replies = await Promise.all(
        SIZES.map(async (size, number) => {
          const body = pattern(size, number);
          const reply = await echo.say({ number, body });
          return reply.number === number && same(reply.body, body);
        }),
      );
      expect(replies.every((isRight) => isRight)).toBe(true);
    });

    it("are streamed by servers", async () => {
      const { echo } = await world.pair({
        ...LARGE,
        handlers: {
          *count() {
            for (const [number, size] of SIZES.entries()) yield { number, body: pattern(size, number) };
          },
        },
      });
      let count = 0;
      for await (const { number, body } of echo.count({})) {
        expect(number).toBe(count);
        expect(same(body, pattern(SIZES[count]!, count))).toBe(true);
        count++;
      }
      expect(count).toBe(SIZES.length);
    });

    it("are streamed by clients", async () => {
      const wrong: number[] = [];
      const { echo } = await world.pair({
        ...LARGE,
        handlers: {
          async sum(requests) {
            let count = 0;
            for await (const { number, body } of requests) {
              if (number !== count || !same(body, pattern(SIZES[count]!, count))) wrong.push(count);
              count++;
            }
            return { count };
          },
        },
      });
      const requests = SIZES.map((size, number) => ({ number, body: pattern(size, number) }));
      expect((await echo.sum(requests)).count).toBe(SIZES.length);
      expect(wrong).toEqual([]);
    });

    it("are chatted", async () => {
      const { echo } = await world.pair(LARGE);
      const requests = SIZES.map((size, number) => ({ number, body: pattern(size, number) }));
      const replies = await collect(echo.chat(requests));
      expect(replies.map(({ number }) => number)).toEqual(SIZES.map((_, number) => number));
      expect(replies.every(({ number, body }) => same(body, pattern(SIZES[number]!, number)))).toBe(true);
    });

    it("are sent one way, in order", async () => {
      const got: number[] = [];
      const { echo } = await world.pair({
        ...LARGE,
        handlers: {
          note({ number, body }) {
            got.push(same(body, pattern(SIZES[number]!, number)) ? number : -1);
          },
        },
      });
      for (const [number, size] of SIZES.entries()) await echo.note({ number, body: pattern(size, number) });
      await until("all came", () => got.length === SIZES.length);
      expect(got).toEqual(SIZES.map((_, number) => number));
    });

    it("are published, to several, in order, and out of history", async () => {
      const { endpoint, address } = await world.listen({ limits: LIMITS, drainTimeoutMs: 20_000 });
      const publisher = await endpoint.publisher(Echo.history);
      const live = [];
      for (let i = 0; i < 2; i++) {
        const reader = await world.open({ limits: LIMITS });
        live.push(collect(reader.subscribe(Echo.history, {}, { from: address })));
      }
      await publisher.ready({ subscribers: 2 });
      for (const [number, size] of SIZES.entries()) {
        await publisher.publishWhenReady({ name: "a", shard: 1 }, { number, body: pattern(size, number) });
      }
      const late = (await world.open({ limits: LIMITS })).subscribe(Echo.history, {}, { from: address });
      await until("the late one has what is kept", () => late.received === 8);
      const lateReading = collect(late);
      await publisher.close();
      for (const reading of live) {
        const read = await reading;
        expect(read.map(({ message }) => message.number)).toEqual(SIZES.map((_, number) => number));
        expect(
          read.every(({ message: { number, body } }) => same(body, pattern(SIZES[number]!, number))),
        ).toBe(true);
      }
      const kept = await lateReading;
      expect(kept.map(({ message }) => message.number)).toEqual(SIZES.map((_, number) => number).slice(-8));
      expect(kept.every(({ message: { number, body } }) => same(body, pattern(SIZES[number]!, number)))).toBe(
        true,
      );
    });

    it("survive an endpoint whose peer reads nothing for a while", async () => {
      const { endpoint, address } = await world.listen({ limits: LIMITS, drainTimeoutMs: 20_000 });
      const publisher = await endpoint.publisher(Topics.oldest);
      const reader = await world.open({ limits: { ...LIMITS, initialMessages: 2, windowMessages: 2 } });
      const subscription = reader.subscribe(Topics.oldest, {}, { from: address });
      await subscription.ready();
      for (let number = 0; number < 40; number++) {
        publisher.publish({ name: "a" }, { number, body: pattern(300_000, number) });
      }
      const reading = collect(subscription);
      await publisher.close();
      const read = await reading;
      const numbers = read.map(({ message }) => message.number);
      expect(numbers.slice(-4)).toEqual([36, 37, 38, 39]);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      expect(read.length + subscription.lost).toBe(40);
      expect(read.every(({ message: { number, body } }) => same(body, pattern(300_000, number)))).toBe(true);
    });
  });
}
