import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { collect, failureOf } from "../../harness/failure.js";
import { gate } from "../../harness/gate.js";
import { settled, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

const MIB = 1_048_576;

/** Bytes that differ from place to place, so that a part in the wrong place shows. */
function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) & 0xff;
  return bytes;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Credit: how far a sender may run ahead, and how large a message may be. */
export function flowTests(world: World): void {
  describe("flow control", () => {
    it("lets a server run ahead of a slow reader by its window of messages, and no more", async () => {
      let produced = 0;
      const { echo } = await world.pair({
        client: { limits: { initialMessages: 4, windowMessages: 4, initialBytes: MIB, windowBytes: MIB } },
        handlers: {
          async *count() {
            for (;;) yield { number: produced++ };
          },
        },
      });
      const responses = echo.count({})[Symbol.asyncIterator]();
      await until("the window is used", () => produced >= 5);
      await settled();
      // Four are sent; the fifth is made and waits.
      expect(produced).toBe(5);
      for (let taken = 1; taken <= 20; taken++) {
        expect((await responses.next()).value?.number).toBe(taken - 1);
        await settled();
        expect(produced).toBeLessThanOrEqual(taken + 5);
      }
      expect(produced).toBeGreaterThanOrEqual(20);
      await responses.return?.();
    });

    it("lets a server run ahead by its window of bytes, which one message may overdraw", async () => {
      let produced = 0;
      const { echo } = await world.pair({
        client: { limits: { initialBytes: 1_000, windowBytes: 1_000 } },
        handlers: {
          async *count() {
            for (;;) {
              produced++;
              yield { body: new Uint8Array(600) };
            }
          },
        },
      });
      const responses = echo.count({})[Symbol.asyncIterator]();
      await until("the window is used", () => produced >= 3);
      await settled();
      expect(produced).toBe(3);
      await responses.return?.();
    });

    it("lets a client run ahead of a slow handler by the server's window, and no more", async () => {
      const read = gate();
      let produced = 0;
      const { echo } = await world.pair({
        server: { limits: { initialMessages: 4, windowMessages: 4, initialBytes: MIB, windowBytes: MIB } },
        handlers: {
          async sum(requests) {
            await read.promise;
            let count = 0;
            for await (const _ of requests) count++;
            return { count };
          },
        },
      });
      function* requests() {
        for (; produced < 500; produced++) yield { number: produced };
      }
      const sum = echo.sum(requests());
      await settled();
      expect(produced).toBe(4);
      read.open();
      expect((await sum).count).toBe(500);
    });

    it("carries calls past any number of streams that nobody reads", async () => {
      const { echo } = await world.pair({
        handlers: {
          async *count({ body }) {
            for (;;) yield { body };
          },
        },
      });
      const stalled = Array.from({ length: 40 }, () =>
        echo.count({ body: new Uint8Array(20_000) })[Symbol.asyncIterator](),
      );
      await settled();
      expect((await echo.say({ text: "through" })).text).toBe("through");
      await Promise.all(stalled.map((responses) => responses.return?.()));
    });

    it("carries calls past a peer's large message", async () => {
      const { echo } = await world.pair();
      const large = echo.say({ body: pattern(4 * MIB - 1_000) });
      const small = await echo.say({ text: "meanwhile" });
      expect(small.text).toBe("meanwhile");
      expect((await large).body).toHaveLength(4 * MIB - 1_000);
    });

    it("carries large messages whole, in every place of a call", async () => {
      const notes: Uint8Array[] = [];
      const { echo } = await world.pair({ handlers: { note: ({ body }) => void notes.push(body) } });
      const body = pattern(MIB + 17);
      expect(same((await echo.say({ body })).body, body)).toBe(true);
      const counted = await collect(echo.count({ number: 3, body }));
      expect(counted.map((reply) => same(reply.body, body))).toEqual([true, true, true]);
      const chatted = await collect(echo.chat([{ body }, { text: "small" }, { body }]));
      expect(chatted.map((reply) => reply.body.length)).toEqual([body.length, 0, body.length]);
      expect(
        (
          await echo.sum([
            { body, number: 1 },
            { body, number: 2 },
          ])
        ).number,
      ).toBe(3);
      await echo.note({ body });
      await until("the note came", () => notes.length === 1);
      expect(same(notes[0]!, body)).toBe(true);
    });

    it("carries a message of exactly the limit, and names the value and the limit of a larger one", async () => {
      const limits = { maxMessageBytes: 200_000 };
      const { echo, server } = await world.pair({
        server: { limits },
        client: { limits },
        handlers: { say: ({ number, body }) => ({ body: number === 0 ? body : new Uint8Array(number) }) },
      });
      // A body of n bytes is a message of n + 4: a tag of one byte and a length of three.
      const largest = new Uint8Array(199_996);
      expect((await echo.say({ body: largest })).body).toHaveLength(199_996);
      const above = new Uint8Array(199_997);
      const text =
        "a message of 200001 bytes is above the receiver's limit of 200000 bytes (maxMessageBytes)";
      const problem = { code: "RESOURCE_EXHAUSTED", rawMessage: text };
      expect(await failureOf(echo.say({ body: above }))).toMatchObject({ ...problem, maybeExecuted: false });
      expect(await failureOf(echo.note({ body: above }))).toMatchObject(problem);
      expect(await failureOf(echo.sum([{ body: above }]))).toMatchObject(problem);
      expect(await failureOf(collect(echo.count({ body: above })))).toMatchObject(problem);
      expect(await failureOf(echo.say({ number: 199_997 }))).toMatchObject({
        ...problem,
        maybeExecuted: true,
      });
      expect(server.connectedPeers).toHaveLength(1);
      expect((await echo.say({ text: "alive" })).body).toHaveLength(0);
    });

    it("holds each side to the limit of the other", async () => {
      const { echo } = await world.pair({
        client: { limits: { maxMessageBytes: 1_024 } },
        handlers: {
          say: ({ body }) => ({ number: body.length }),
          count: () => [{ body: new Uint8Array(2_000) }],
        },
      });
      expect((await echo.say({ body: new Uint8Array(100_000) })).number).toBe(100_000);
      const failure = await failureOf(collect(echo.count({})));
      expect(failure.code).toBe("RESOURCE_EXHAUSTED");
      expect(failure.message).toContain("limit of 1024 bytes (maxMessageBytes)");
    });

    it("gives back the credit of large one-way calls that are not carried out", async () => {
      const { endpoint: server, address } = await world.listen();
      const echo = (await world.open()).client(Echo, address);
      for (let i = 0; i < 6; i++) await echo.note({ body: new Uint8Array(400_000) }, { timeoutMs: 3_000 });
      await until("all are counted", () => server.counters.oneWayFailed === 6);
    });

    it("gives back the credit of large one-way calls that are carried out", async () => {
      let notes = 0;
      const { echo } = await world.pair({ handlers: { note: () => void notes++ } });
      for (let i = 0; i < 8; i++) await echo.note({ body: new Uint8Array(400_000) }, { timeoutMs: 3_000 });
      await until("all came", () => notes === 8);
    });

    it("gives back the credit of a large one-way call that is cancelled half-way", async () => {
      let notes = 0;
      const { echo } = await world.pair({
        server: { limits: { oneWayBytes: 1_000_000 } },
        client: { limits: { sendBufferBytes: 65_536 } },
        handlers: { note: () => void notes++ },
      });
      for (let i = 0; i < 6; i++) {
        const controller = new AbortController();
        const sent = echo
          .note({ body: new Uint8Array(900_000) }, { signal: controller.signal })
          .catch(() => undefined);
        await Promise.resolve();
        controller.abort();
        await sent;
        await settled();
      }
      await echo.note({}, { timeoutMs: 3_000 });
      await until("the last one came", () => notes > 0);
    });
  });
}
