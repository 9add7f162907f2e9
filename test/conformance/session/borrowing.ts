import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import type { BorrowedPublication, Limits } from "../../../index.js";
import { collect, failureOf } from "../../harness/failure.js";
import { pattern, same } from "../../harness/pattern.js";
import { settled, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

const MIB = 1_048_576;
const LIMITS: Partial<Limits> = {
  maxMessageBytes: 8 * MIB,
  initialMessages: 2_000,
  windowMessages: 2_000,
  windowBytes: 512 * MIB,
  streamBudgetBytes: 1_024 * MIB,
};
const KEY = { name: "a", shard: 1 };
const LARGE = 16_384;

/** Fields that stay in the publisher's memory, where the link can do that; where it cannot, all is copied. */
export function borrowTests(world: World): void {
  describe("borrowing", () => {
    const { canBorrow } = world;

    async function stage() {
      const { endpoint, address } = await world.listen({ limits: LIMITS });
      const publisher = await endpoint.publisher(Echo.keyed);
      const reader = await world.open({ limits: LIMITS });
      const subscription = reader.subscribe(Echo.keyed, {}, { from: address, borrow: true });
      await subscription.ready();
      const publish = (number: number, size: number) =>
        publisher.publish(KEY, { text: `text ${number}`, number, body: pattern(size, number) });
      return { endpoint, address, publisher, reader, subscription, publish };
    }

    it("gives large fields until the next publication is asked for", async () => {
      const { subscription, publish, publisher } = await stage();
      const sizes = [0, 100, LARGE - 1, LARGE, LARGE + 1, MIB, 6 * MIB];
      for (const [number, size] of sizes.entries()) publish(number, size);
      const bodies: Uint8Array[] = [];
      const borrowed: boolean[] = [];
      const reading = (async () => {
        for await (const { message, isBorrowed, seq, key, lost } of subscription) {
          expect([key.name, seq, lost]).toEqual(["a", message.number + 1, 0]);
          expect(message.text).toBe(`text ${message.number}`);
          expect(same(message.body, pattern(sizes[message.number]!, message.number))).toBe(true);
          bodies.push(message.body);
          borrowed.push(isBorrowed);
        }
      })();
      await until("all are read", () => bodies.length === sizes.length);
      await publisher.close();
      await reading;
      expect(borrowed).toEqual(sizes.map((size) => canBorrow && size >= LARGE));
      expect(bodies.map(({ length }) => length)).toEqual(
        sizes.map((size) => (canBorrow && size >= LARGE ? 0 : size)),
      );
    });

    it("reads what was written into a loan", async () => {
      const { publisher, subscription } = await stage();
      const reading = subscription[Symbol.asyncIterator]();
      for (let number = 0; number < 20; number++) {
        using loan = publisher.loan(KEY, 2 * MIB, { field: "body" });
        loan.bytes.set(pattern(MIB, number));
        expect(loan.publish({ number, text: "lent" }, { usedBytes: MIB }).sent).toBe(1);
        const { message, isBorrowed } = (await reading.next()).value!;
        expect([message.number, message.text, isBorrowed]).toEqual([number, "lent", canBorrow]);
        expect(same(message.body, pattern(MIB, number))).toBe(true);
      }
      await reading.return?.();
    });

    it("gives back at once what is released", async () => {
      const { subscription, publish } = await stage();
      publish(1, MIB);
      for await (const publication of subscription) {
        const { body } = publication.message;
        publication.release();
        publication.release();
        expect(publication.isBorrowed).toBe(false);
        expect([body.length, publication.message.body.length]).toEqual(canBorrow ? [0, 0] : [MIB, MIB]);
        break;
      }
    });

    it("leaves a subscriber that reads two at a time both of them", async () => {
      const { subscription, publish } = await stage();
      for (let number = 0; number < 3; number++) publish(number, MIB);
      const reading = subscription[Symbol.asyncIterator]();
      const both = await Promise.all([reading.next(), reading.next()]);
      const bodies = both.map(({ value }) => value!.message.body);
      expect(bodies.map((body, number) => same(body, pattern(MIB, number)))).toEqual([true, true]);
      await reading.next();
      expect(bodies.map(({ length }) => length)).toEqual(canBorrow ? [0, 0] : [MIB, MIB]);
      await reading.return?.();
    });

    it("keeps what waits until it is read, though the publisher ends and its link goes", async () => {
      for (const end of ["publisher", "endpoint"] as const) {
        const { subscription, publish, publisher, endpoint } = await stage();
        for (let number = 0; number < 4; number++) publish(number, MIB);
        const reading = subscription[Symbol.asyncIterator]();
        const first = (await reading.next()).value!;
        await until("all came", () => subscription.received === 4);
        if (end === "publisher") await publisher.close();
        else await endpoint.close();
        await settled();
        if (end === "publisher") expect(same(first.message.body, pattern(MIB, 0))).toBe(true);
        else if (canBorrow) expect(first.message.body).toHaveLength(0);
        for (let number = 1; number < 4; number++) {
          const { message, isBorrowed } = (await reading.next()).value!;
          expect(isBorrowed).toBe(false);
          expect(message.number).toBe(number);
          expect(same(message.body, pattern(MIB, number))).toBe(true);
        }
        expect((await reading.next()).done).toBe(true);
      }
    });

    it("gives everything back when the subscriber ends", async () => {
      for (const end of ["break", "close", "abort", "endpoint"] as const) {
        const { endpoint, address } = await world.listen({ limits: LIMITS });
        const publisher = await endpoint.publisher(Echo.keyed);
        const reader = await world.open({ limits: LIMITS });
        const controller = new AbortController();
        const subscription = reader.subscribe(
          Echo.keyed,
          {},
          { from: address, borrow: true, signal: controller.signal },
        );
        await subscription.ready();
        const read: BorrowedPublication<unknown, { readonly body: Uint8Array }>[] = [];
        for (let number = 0; number < 3; number++) publisher.publish(KEY, { body: pattern(MIB, number) });
        await until("all came", () => subscription.received === 3);
        const iterator = subscription[Symbol.asyncIterator]();
        read.push((await iterator.next()).value!);
        if (end === "break") await iterator.return?.();
        else if (end === "close") await subscription.close();
        else if (end === "endpoint") await reader.close();
        else controller.abort();
        if (end === "abort") {
          // What had come is still to be read, as copies.
          const left = [(await iterator.next()).value!, (await iterator.next()).value!];
          expect(left.map(({ isBorrowed, message }) => [isBorrowed, message.body.length])).toEqual([
            [false, MIB],
            [false, MIB],
          ]);
          expect((await failureOf(iterator.next())).code).toBe("CANCELLED");
        } else {
          expect((await iterator.next()).done).toBe(true);
        }
        for (const { message, isBorrowed } of read) {
          expect(isBorrowed).toBe(false);
          if (canBorrow) expect(message.body).toHaveLength(0);
        }
      }
    });

    it("lets a subscriber hoard, and costs others nothing", async () => {
      const { endpoint, address } = await world.listen({ limits: LIMITS, drainTimeoutMs: 20_000 });
      const publisher = await endpoint.publisher(Echo.blocking);
      const reader = await world.open({ limits: LIMITS });
      const subscription = reader.subscribe(Echo.blocking, {}, { from: address, borrow: true });
      const other = (await world.open({ limits: LIMITS })).subscribe(Echo.blocking, {}, { from: address });
      await publisher.ready({ subscribers: 2 });
      const reading = collect(other);
      // More than the publisher lets one peer hold: from there on they go another way.
      const count = 1_200;
      for (let number = 0; number < count; number++) {
        await publisher.publishWhenReady(KEY, { number, body: pattern(LARGE, number) });
      }
      await until("the hoarder has all", () => subscription.received === count, 20_000);
      const closing = publisher.close();
      const numbers: number[] = [];
      for await (const { message } of subscription) {
        expect(same(message.body, pattern(LARGE, message.number))).toBe(true);
        numbers.push(message.number);
      }
      await closing;
      expect(numbers).toEqual(Array.from({ length: count }, (_, number) => number));
      expect((await reading).map(({ message }) => message.number)).toEqual(numbers);
      expect([subscription.lost, other.lost]).toEqual([0, 0]);
    }, 60_000);
  });
}
