import { describe, expect, it } from "vitest";
import type { TopicMessage } from "../../../gen/test/v1/echo_pb.js";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { Topics } from "../../../gen/test/v1/keys_protoipc.js";
import type { BorrowedPublication, IpcError, Limits } from "../../../index.js";
import { failureOf } from "../../harness/failure.js";
import { pattern, same } from "../../harness/pattern.js";
import { settled, sleep, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

/** With these, a subscriber that does not read takes two messages; all others wait at the publisher. */
const NARROW: Partial<Limits> = {
  initialMessages: 2,
  windowMessages: 2,
  initialBytes: 65_536,
  windowBytes: 65_536,
};

function ignore(): void {}

/** Publications that are handed to a function. */
export function forEachTests(world: World): void {
  describe("forEach", () => {
    async function stage(limits: Partial<Limits> = {}) {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const reader = await world.open({ limits });
      const subscription = reader.subscribe(Echo.plain, { from: address });
      await subscription.ready();
      const publish = (number: number) => publisher.publish({ number, text: "", body: new Uint8Array(0) });
      return { publisher, subscription, publish };
    }

    it("gets what waits and what comes, in order, until the publisher has closed", async () => {
      const { publisher, subscription, publish } = await stage();
      for (let number = 0; number < 10; number++) publish(number);
      await settled();
      const got: number[] = [];
      const over = subscription.forEach(({ message, seq, lost }) => {
        expect([seq, lost]).toEqual([message.number + 1, 0]);
        got.push(message.number);
      });
      // What waited is there when the call returns.
      expect(got.length).toBe(10);
      for (let number = 10; number < 2_000; number++) publish(number);
      await publisher.close();
      await over;
      expect(got).toEqual(Array.from({ length: 2_000 }, (_, number) => number));
      expect(subscription.received).toBe(2_000);
    });

    it("gives credit back as the function returns", async () => {
      const { publisher, subscription, publish } = await stage(NARROW);
      let count = 0;
      const over = subscription.forEach(() => {
        count++;
      });
      for (let number = 0; number < 500; number++) {
        if (publish(number).queued > 0) await publisher.drained();
      }
      await publisher.close();
      await over;
      expect(count).toBe(500);
    });

    it("waits for what the function returns, and holds the publisher up meanwhile", async () => {
      const { publisher, subscription, publish } = await stage(NARROW);
      const order: string[] = [];
      const over = subscription.forEach(async ({ message }) => {
        order.push(`begin ${message.number}`);
        await sleep(message.number === 0 ? 50 : 0);
        order.push(`end ${message.number}`);
      });
      for (let number = 0; number < 5; number++) publish(number);
      await settled();
      expect(order).toEqual(["begin 0"]);
      expect(publish(5).queued).toBe(1);
      await publisher.close();
      await over;
      expect(order).toEqual([0, 1, 2, 3, 4, 5].flatMap((number) => [`begin ${number}`, `end ${number}`]));
    });

    it.each(["throws", "rejects"] as const)("ends the subscription where the function %s", async (how) => {
      const { publisher, subscription, publish } = await stage();
      const got: number[] = [];
      const failure = new Error("enough");
      const fail = async (): Promise<void> => {
        throw failure;
      };
      const use = ({ message }: { readonly message: { readonly number: number } }) => {
        got.push(message.number);
        if (message.number < 2) return undefined;
        if (how === "throws") throw failure;
        return fail();
      };
      const over = subscription.forEach(use);
      for (let number = 0; number < 5; number++) publish(number);
      await expect(over).rejects.toBe(failure);
      await until("the publisher has heard of it", () => publisher.subscribers === 0);
      expect(got).toEqual([0, 1, 2]);
      expect(publish(5).matched).toBe(0);
      await subscription.close();
    });

    it("resolves where the function closes the subscription", async () => {
      const { publisher, subscription, publish } = await stage();
      const got: number[] = [];
      const over = subscription.forEach(({ message }) => {
        got.push(message.number);
        if (message.number === 2) void subscription.close();
      });
      for (let number = 0; number < 5; number++) publish(number);
      await over;
      expect(got).toEqual([0, 1, 2]);
      await until("the publisher has heard of it", () => publisher.subscribers === 0);
    });

    it("rejects with what ends the subscription, after all that came", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const reader = await world.open();
      const controller = new AbortController();
      const subscription = reader.subscribe(Echo.plain, { from: address, signal: controller.signal });
      await subscription.ready();
      const got: number[] = [];
      const over = failureOf(
        subscription.forEach(async ({ message }) => {
          got.push(message.number);
          if (message.number === 0) controller.abort();
          await sleep(1);
        }),
      );
      for (let number = 0; number < 3; number++) {
        publisher.publish({ number, text: "", body: new Uint8Array(0) });
      }
      expect((await over).code).toBe("CANCELLED");
      expect(got[0]).toBe(0);
      await expect(subscription.forEach(ignore)).resolves.toBe(undefined);
    });

    it("keeps the order where the function has something published and delivered within", async () => {
      const { publisher, subscription, publish } = await stage();
      const order: string[] = [];
      const over = subscription.forEach(({ message: { number } }) => {
        order.push(`begin ${number}`);
        if (number % 10 === 0 && number < 30) {
          for (let more = 1; more <= 10; more++) publish(number + more);
        }
        order.push(`end ${number}`);
      });
      publish(0);
      await until("all came", () => order.length === 62);
      await publisher.close();
      await over;
      expect(order).toEqual(
        Array.from({ length: 31 }, (_, number) => [`begin ${number}`, `end ${number}`]).flat(),
      );
    });

    it("is for one reader", async () => {
      const { publisher, subscription } = await stage();
      const iterator = subscription[Symbol.asyncIterator]();
      const next = iterator.next();
      expect((await failureOf(subscription.forEach(ignore))).code).toBe("FAILED_PRECONDITION");
      publisher.publish({ number: 1, text: "", body: new Uint8Array(0) });
      expect((await next).value?.message.number).toBe(1);
      const over = subscription.forEach(ignore);
      expect((await failureOf(iterator.next())).code).toBe("FAILED_PRECONDITION");
      expect((await failureOf(subscription.forEach(ignore))).code).toBe("FAILED_PRECONDITION");
      expect(() => subscription.receive({ timeoutMs: 0 })).toThrow(/already/);
      await subscription.close();
      await over;
      await expect(subscription.forEach(1 as never)).rejects.toThrow(TypeError);
    });

    it("is refused where only the latest values are kept", async () => {
      const { endpoint, address } = await world.listen();
      await endpoint.publisher(Topics.held);
      const reader = await world.open();
      const subscription = reader.subscribe(Topics.held, {}, { from: address, latestOnly: true });
      expect((await failureOf(subscription.forEach(ignore))).code).toBe("FAILED_PRECONDITION");
      await subscription.close();
    });

    it("lends large fields until the function is done", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const reader = await world.open();
      const subscription = reader.subscribe(Echo.plain, { from: address, borrow: true });
      await subscription.ready();
      const bodies: Uint8Array[] = [];
      const use = ({ message, isBorrowed }: BorrowedPublication<undefined, TopicMessage>) => {
        const { number, body } = message;
        expect(isBorrowed).toBe(world.canBorrow);
        expect(same(body, pattern(100_000, number))).toBe(true);
        bodies.push(body);
        if (number % 2 === 0) return undefined;
        return (async () => {
          await sleep(5);
          expect(same(body, pattern(100_000, number))).toBe(true);
        })();
      };
      const over = subscription.forEach(use);
      for (let number = 0; number < 4; number++) {
        publisher.publish({ number, text: "", body: pattern(100_000, number) });
      }
      await until("all came", () => bodies.length === 4);
      await settled();
      const left = world.canBorrow ? 0 : 100_000;
      expect(bodies.map(({ length }) => length)).toEqual([left, left, left, left]);
      await publisher.close();
      await over;
    });

    it("gives nothing back of what the function reads where somebody else is refused", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const reader = await world.open();
      const subscription = reader.subscribe(Echo.plain, { from: address, borrow: true });
      await subscription.ready();
      const codes: string[] = [];
      const read: boolean[] = [];
      const over = subscription.forEach(async ({ message: { number, body } }) => {
        const iterator = subscription[Symbol.asyncIterator]();
        codes.push((await failureOf(iterator.next())).code);
        codes.push((await failureOf(subscription.forEach(ignore))).code);
        read.push(same(body, pattern(100_000, number)));
      });
      publisher.publish({ number: 1, text: "", body: pattern(100_000, 1) });
      await until("it came", () => read.length === 1);
      await subscription.close();
      await over;
      expect([codes, read]).toEqual([["FAILED_PRECONDITION", "FAILED_PRECONDITION"], [true]]);
    });

    it("is alone with what waits for it when the link is gone", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const reader = await world.open();
      const subscription = reader.subscribe(Echo.plain, { from: address });
      await subscription.ready();
      const got: number[] = [];
      const refused: unknown[] = [];
      const over = subscription.forEach(async ({ message }) => {
        got.push(message.number);
        await until("the link is gone", () => subscription.publishers.length === 0);
        try {
          subscription.receive({ timeoutMs: 0 });
        } catch (error) {
          refused.push((error as IpcError).code);
        }
      });
      for (let number = 0; number < 3; number++) {
        publisher.publish({ number, text: "", body: new Uint8Array(0) });
      }
      await publisher.close();
      await over;
      expect(got).toEqual([0, 1, 2]);
      expect(refused).toEqual(Array.from({ length: 3 }, () => "FAILED_PRECONDITION"));
    });

    it("keeps what the function still reads when the link is lost", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Echo.plain);
      const reader = await world.open();
      const subscription = reader.subscribe(Echo.plain, { from: address, borrow: true });
      await subscription.ready();
      let bodies = 0;
      const over = failureOf(
        subscription.forEach(async ({ message }) => {
          await endpoint.close();
          await until("the link is gone", () => subscription.publishers.length === 0);
          // The first one is the reader's, and goes with the link where it was borrowed; the second was copied.
          const { body, number } = message;
          if (number === 1) expect(same(body, pattern(100_000, number))).toBe(true);
          bodies++;
        }),
      ).catch(() => undefined);
      for (let number = 0; number < 2; number++) {
        publisher.publish({ number, text: "", body: pattern(100_000, number) });
      }
      await over;
      expect(bodies).toBe(2);
    });
  });

  describe("drained", () => {
    async function stage() {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Topics.oldest);
      const reader = await world.open({ limits: NARROW });
      const subscription = reader.subscribe(Topics.oldest, {}, { from: address });
      await subscription.ready();
      const publish = (number: number) => publisher.publish({ name: "a" }, { number });
      return { publisher, subscription, publish, reader };
    }

    it("resolves at once where nothing waits", async () => {
      const { publisher, publish } = await stage();
      await publisher.drained();
      expect(publish(1).queued).toBe(0);
      await publisher.drained({ timeoutMs: 0 });
    });

    it("resolves when the last publication that waited is sent", async () => {
      const { publisher, subscription, publish } = await stage();
      let isDrained = false;
      for (let number = 1; number <= 4; number++) publish(number);
      const drained = publisher.drained().then(() => {
        isDrained = true;
      });
      const iterator = subscription[Symbol.asyncIterator]();
      await iterator.next();
      await settled();
      expect(isDrained).toBe(false);
      await iterator.next();
      await drained;
      await iterator.return?.();
    });

    it("loses nothing where the publisher waits for it, whatever the overflow rule", async () => {
      const { publisher, subscription, publish } = await stage();
      const got: number[] = [];
      void subscription.forEach(({ message }) => {
        got.push(message.number);
      });
      for (let number = 0; number < 300; number++) {
        const { queued, dropped } = publish(number);
        expect(dropped).toBe(0);
        if (queued > 0) await publisher.drained();
      }
      await until("all came", () => got.length === 300);
      expect(subscription.lost).toBe(0);
    });

    it("gives up after a time, and when it is told to", async () => {
      const { publisher, publish, subscription } = await stage();
      for (let number = 1; number <= 4; number++) publish(number);
      const late = await failureOf(publisher.drained({ timeoutMs: 20 }));
      expect(late.code).toBe("DEADLINE_EXCEEDED");
      expect(late.message).toContain("test.v1.Topics/Oldest");
      const controller = new AbortController();
      const waiting = failureOf(publisher.drained({ signal: controller.signal }));
      controller.abort();
      expect((await waiting).code).toBe("CANCELLED");
      expect((await failureOf(publisher.drained({ signal: AbortSignal.abort() }))).code).toBe("CANCELLED");
      expect(publish(5).queued).toBe(1);
      await subscription.close();
    });

    it("refuses what are no options", async () => {
      const { publisher, publish, subscription } = await stage();
      for (let number = 1; number <= 4; number++) publish(number);
      await expect(publisher.drained(20 as never)).rejects.toThrow("drained takes { timeoutMs?: number");
      await expect(publisher.drained(null as never)).rejects.toThrow("drained takes { timeoutMs?: number");
      await subscription.close();
    });

    it("does not wait for who has left", async () => {
      const { publisher, publish, subscription } = await stage();
      for (let number = 1; number <= 4; number++) publish(number);
      const drained = publisher.drained();
      await subscription.close();
      await drained;
    });

    it("resolves when the publisher closes", async () => {
      const { publisher, publish, subscription } = await stage();
      for (let number = 1; number <= 4; number++) publish(number);
      const drained = publisher.drained();
      const closing = publisher.close();
      const got: number[] = [];
      await subscription.forEach(({ message }) => {
        got.push(message.number);
      });
      await closing;
      await drained;
      expect(got).toEqual([1, 2, 3, 4]);
    });
  });
}
