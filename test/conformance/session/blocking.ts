import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import type { OpenOptions } from "../../../index.js";
import { collect, failureIn, failureOf } from "../../harness/failure.js";
import { pattern, same } from "../../harness/pattern.js";
import { settled, sleep, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";
import { type Child, startProgram } from "../../transports/child.js";

const MIB = 1_048_576;

/** Calls and subscriptions that block the thread, where links can do that; what they say where links cannot. */
export function blockingTests(world: World): void {
  if (!world.canBlock) {
    describe("blocking", () => {
      it("is not there, which names the transport", async () => {
        const { echo, client, address, server } = await world.pair();
        const text = `a link over ${world.transport} cannot block the thread`;
        expect(failureIn(() => echo.say.sync({}))).toMatchObject({ code: "UNIMPLEMENTED" });
        expect(failureIn(() => echo.say.sync({})).message).toContain(`test.v1.Echo/Say: ${text}`);
        await server.publisher(Echo.keyed);
        const subscription = client.subscribe(Echo.keyed, {}, { from: address });
        await subscription.ready();
        expect(failureIn(() => subscription.receive()).message).toContain(`test.v1.Echo/Keyed: ${text}`);
      });
    });
    return;
  }

  describe("blocking", () => {
    const children: Child[] = [];

    afterEach(async () => {
      for (const child of children.splice(0)) await child.kill("SIGKILL");
    });

    async function stage(serverOptions: OpenOptions = {}, clientOptions: OpenOptions = {}) {
      const address = world.newAddress();
      const otherAddress = world.newAddress();
      const child = await startProgram("blocking-server", [
        address,
        otherAddress,
        JSON.stringify(serverOptions),
      ]);
      children.push(child);
      const client = await world.open(clientOptions);
      const peer = await client.connect(address);
      return { address, otherAddress, child, client, peer, echo: client.client(Echo, address) };
    }

    it("calls and returns the reply, of every size", async () => {
      const limits = { maxMessageBytes: 8 * MIB };
      const { echo } = await stage({ limits }, { limits });
      for (const size of [0, 10, 1_000, 8_192, 30_000, 65_536, 300_000, 6 * MIB]) {
        const { text, body } = echo.say.sync({ text: "x", body: pattern(size) });
        expect(text).toBe("x");
        expect(same(body, pattern(size))).toBe(true);
      }
      for (let number = 0; number < 2_000; number++) {
        expect(echo.say.sync({ number }, { timeoutMs: 10_000 }).number).toBe(number);
      }
    });

    it("throws what a call rejects with", async () => {
      const { echo } = await stage();
      expect(failureIn(() => echo.say.sync({ text: "fail" }))).toMatchObject({
        code: "ABORTED",
        rawMessage: "as was asked for",
        maybeExecuted: true,
      });
      const wrong = { number: "seven" } as unknown as { number: number };
      expect(failureIn(() => echo.say.sync(wrong))).toMatchObject({ code: "INVALID_ARGUMENT" });
      expect(() => echo.say.sync({}, { timeoutMs: 0 })).toThrow(TypeError);
      expect(echo.say.sync({ text: "good" }).text).toBe("good");
    });

    it("takes metadata, and tells of it", async () => {
      const { echo } = await stage();
      const told: string[] = [];
      echo.say.sync(
        { text: "head" },
        {
          metadata: { asked: "for" },
          onHeader: (header) => told.push(`header ${header.get("head")}`),
          onTrailer: (trailer) => told.push(`trailer ${trailer.get("tail")}`),
        },
      );
      expect(told).toEqual(["header for", "trailer end"]);
    });

    it("ends at the deadline, and the link goes on", async () => {
      const { echo } = await stage();
      const startMs = performance.now();
      const failure = failureIn(() => echo.say.sync({ text: "sleep", number: 5_000 }, { timeoutMs: 60 }));
      expect(failure).toMatchObject({ code: "DEADLINE_EXCEEDED", maybeExecuted: true });
      expect(performance.now() - startMs).toBeGreaterThanOrEqual(59);
      expect(performance.now() - startMs).toBeLessThan(3_000);
      expect(echo.say.sync({ text: "after" }).text).toBe("after");
      expect((await echo.say({ text: "and not blocking" })).text).toBe("and not blocking");
    });

    it("keeps what comes for others until the thread is free, in its order", async () => {
      const { echo } = await stage();
      const order: string[] = [];
      const streamed = collect(echo.count({ number: 20, text: "s", body: pattern(20_000) })).then(
        (replies) => {
          order.push("streamed");
          return replies;
        },
      );
      const asked = Array.from({ length: 30 }, (_, number) =>
        echo.say({ number, body: pattern(70_000, number) }).then((reply) => {
          order.push(`asked ${reply.number}`);
          return reply;
        }),
      );
      // They are answered before this one is.
      for (let i = 0; i < 3; i++) echo.say.sync({ text: "sleep", number: 30 });
      expect(order).toEqual([]);
      const replies = await Promise.all(asked);
      expect(replies.every(({ number, body }) => same(body, pattern(70_000, number)))).toBe(true);
      expect(order.filter((what) => what !== "streamed")).toEqual(
        asked.map((_, number) => `asked ${number}`),
      );
      expect((await streamed).map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    });

    it("runs no handler before the thread is free", async () => {
      const { echo, client, child } = await stage();
      const notes: string[] = [];
      client.serve(Echo, {
        note: ({ text }) => void notes.push(text),
        say: ({ text }) => ({ text: `${text}!` }),
      });
      echo.say.sync({ text: "note" });
      echo.say.sync({ text: "sleep", number: 30 });
      expect(notes).toEqual([]);
      await until("the note came", () => notes.length === 1);
      expect((await echo.say({ text: "call" })).text).toBe("called back!");
      // Whoever is called back while it is blocked on that cannot answer.
      expect(failureIn(() => echo.say.sync({ text: "call" }, { timeoutMs: 50 })).code).toBe(
        "DEADLINE_EXCEEDED",
      );
      expect(child.process.exitCode).toBeNull();
    });

    it("starts no handlers that waited for room, before the thread is free", async () => {
      const { echo, client } = await stage();
      let runs = 0;
      client.serve(Echo, {
        say() {
          runs++;
          return { body: new Uint8Array(5_000) };
        },
      });
      await echo.say({ text: "flood", number: 500 });
      for (let i = 0; runs < 500; i++) {
        const before = runs;
        echo.say.sync({ text: "sleep", number: 5 });
        expect(runs).toBe(before);
        await new Promise((resolve) => setImmediate(resolve));
        expect(i).toBeLessThan(1_000);
      }
    });

    it("is refused while the same link tells of something, and done over another", async () => {
      const { client, address, otherAddress, echo } = await stage();
      await client.connect(otherAddress);
      const other = client.client(Echo, otherAddress);
      const replies: string[] = [];
      client.serve(Echo, {
        say({ text }) {
          const failure = failureIn(() => echo.say.sync({}));
          replies.push(failure.code, failure.rawMessage);
          replies.push(other.say.sync({ text: "over the other" }).text);
          // The head of the record that is being told of is not that of the records that came meanwhile.
          return { text: `${text} through` };
        },
        async *chat(requests) {
          replies.push(other.say.sync({ text: "before the first" }).text);
          for await (const request of requests) yield request;
        },
      });
      expect((await echo.say({ text: "call" })).text).toBe("called back through");
      // The first request comes after the handler has begun, which has waited for another link meanwhile.
      expect((await echo.say({ text: "chat" })).text).toBe("one two");
      expect(replies.pop()).toBe("before the first");
      expect(replies).toEqual([
        "FAILED_PRECONDITION",
        "test.v1.Echo/Say: the thread cannot wait for a link whose records it is being told of; await something first",
        "over the other",
      ]);
      expect(address).not.toBe(otherAddress);
    });

    it("needs a link, and no interceptors", async () => {
      const { client, address } = await stage();
      const fresh = await world.open();
      const early = failureIn(() => fresh.client(Echo, address).say.sync({}));
      expect(early).toMatchObject({ code: "FAILED_PRECONDITION" });
      expect(early.message).toContain(`await endpoint.connect(${JSON.stringify(address)}) first`);
      await fresh.connect(address);
      expect(fresh.client(Echo, address).say.sync({ text: "now" }).text).toBe("now");
      const intercepted = client.client(Echo, address, {
        interceptors: [(next) => (request) => next(request)],
      });
      expect(failureIn(() => intercepted.say.sync({}))).toMatchObject({ code: "FAILED_PRECONDITION" });
      expect((await intercepted.say({ text: "not blocking" })).text).toBe("not blocking");
    });

    it("does not wait for others to make room", async () => {
      const { echo } = await stage({ limits: { maxCalls: 2 } });
      const running = [1, 2].map(() => echo.say({ text: "sleep", number: 300 }));
      const failure = failureIn(() => echo.say.sync({}));
      expect(failure).toMatchObject({ code: "RESOURCE_EXHAUSTED", maybeExecuted: false });
      expect(failure.message).toContain("the peer's limits are maxCalls 2");
      await Promise.all(running);
      expect(echo.say.sync({ text: "now" }).text).toBe("now");
    });

    it("ends with the peer, and what had come for others is delivered", async () => {
      const { echo, client } = await stage();
      const before = echo.say({ text: "before" });
      echo.say.sync({ text: "sleep", number: 20 });
      const never = failureOf(echo.say({ text: "sleep", number: 60_000 }));
      const startMs = performance.now();
      const failure = failureIn(() => echo.say.sync({ text: "die" }));
      expect(failure).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true });
      expect(performance.now() - startMs).toBeLessThan(5_000);
      expect(failureIn(() => echo.say.sync({})).code).toBe("UNAVAILABLE");
      expect((await before).text).toBe("before");
      expect(await never).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true });
      await until("the peer is gone", () => client.connectedPeers.length === 0);
    });

    it("ends when the peer closes the link", async () => {
      const { echo, client } = await stage();
      const failure = failureIn(() => echo.say.sync({ text: "close" }));
      expect(failure).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true });
      expect(failureIn(() => echo.say.sync({})).code).toBe("UNAVAILABLE");
      await until("the peer is gone", () => client.connectedPeers.length === 0);
    });

    it("receives publications, in order, beyond the window", async () => {
      const limits = { initialMessages: 4, windowMessages: 16, initialBytes: 20_000, windowBytes: 100_000 };
      const { echo, client, address } = await stage({}, { limits });
      const subscription = client.subscribe(Echo.blocking, {}, { from: address });
      await subscription.ready();
      echo.say.sync({ text: "stream", number: 3_000, body: pattern(100) });
      for (let number = 0; number < 3_000; number++) {
        const publication = subscription.receive({ timeoutMs: 10_000 });
        expect(publication?.message.number).toBe(number);
        expect([publication?.seq, publication?.lost]).toEqual([number + 1, 0]);
      }
      // The publisher has closed.
      expect(subscription.receive({ timeoutMs: 10_000 })).toBeUndefined();
      expect(subscription.receive()).toBeUndefined();
      expect(subscription.received).toBe(3_000);
    });

    it("receives what waits already, and nothing when the time is over", async () => {
      const { echo, client, address } = await stage();
      const early = (await world.open()).subscribe(Echo.keyed, {}, { from: address });
      expect(failureIn(() => early.receive()).message).toContain("await subscription.ready() first");
      const subscription = client.subscribe(Echo.keyed, {}, { from: address });
      await subscription.ready();
      expect(subscription.receive({ timeoutMs: 0 })).toBeUndefined();
      const startMs = performance.now();
      expect(subscription.receive({ timeoutMs: 30 })).toBeUndefined();
      expect(performance.now() - startMs).toBeGreaterThanOrEqual(29);
      echo.say.sync({ text: "publish", number: 3 });
      await until("they came", () => subscription.received === 3);
      expect([0, 1, 2].map(() => subscription.receive({ timeoutMs: 0 })?.message.number)).toEqual([0, 1, 2]);
      expect(() => subscription.receive({ timeoutMs: -1 })).toThrow(TypeError);
      // What was held while a call blocked the thread comes first.
      echo.say.sync({ text: "publish", number: 2 });
      expect([0, 1].map(() => subscription.receive({ timeoutMs: 5_000 })?.message.number)).toEqual([0, 1]);
      const awaited = subscription[Symbol.asyncIterator]().next();
      expect(failureIn(() => subscription.receive()).code).toBe("FAILED_PRECONDITION");
      echo.say.sync({ text: "publish", number: 1 });
      expect((await awaited).value?.message.number).toBe(0);
      await subscription.close();
      expect(subscription.receive()).toBeUndefined();
    });

    it("receives what is borrowed until the next", async () => {
      const { echo, client, address } = await stage();
      const subscription = client.subscribe(Echo.keyed, {}, { from: address, borrow: true });
      await subscription.ready();
      // Not blocking: what comes while a call blocks the thread is copied.
      void echo.say({ text: "publish", number: 5, body: pattern(200_000) });
      let last: Uint8Array | undefined;
      for (let number = 0; number < 5; number++) {
        const publication = subscription.receive({ timeoutMs: 5_000 })!;
        expect(publication.message.number).toBe(number);
        expect(same(publication.message.body, pattern(200_000))).toBe(true);
        if (world.canBorrow && last !== undefined) expect(last).toHaveLength(0);
        last = publication.message.body;
      }
    });

    it("serves the peer's calls while it waits for publications, and throws what ends them", async () => {
      const { echo, client, address } = await stage();
      const notes: string[] = [];
      client.serve(Echo, { note: ({ text }) => void notes.push(text) });
      const subscription = client.subscribe(Echo.keyed, {}, { from: address });
      await subscription.ready();
      void echo.say({ text: "note" });
      void echo.say({ text: "publish", number: 1 });
      expect(subscription.receive({ timeoutMs: 5_000 })?.message.number).toBe(0);
      expect(notes).toEqual(["noted"]);
      const dying = failureOf(echo.say({ text: "die" }));
      expect(failureIn(() => subscription.receive({ timeoutMs: 10_000 })).code).toBe("UNAVAILABLE");
      expect(subscription.receive()).toBeUndefined();
      expect((await dying).code).toBe("UNAVAILABLE");
    });

    it("keeps for others what they have borrowed and not read, when the peer dies meanwhile", async () => {
      const { echo, client, address } = await stage();
      const subscription = client.subscribe(Echo.keyed, {}, { from: address, borrow: true });
      await subscription.ready();
      let letGo = (): void => {};
      const gate = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      async function* requests() {
        for (let number = 0; number < 5; number++) yield { number, body: pattern(100_000, number) };
        await gate;
      }
      const read: boolean[] = [];
      const over = failureOf(
        echo.chat.borrow(requests(), async ({ number, body }) => {
          if (number === 0) await gate;
          else read.push(same(body, pattern(100_000, number)));
        }),
      );
      await echo.say({ text: "publish", number: 4, body: pattern(100_000) });
      await until("all publications came", () => subscription.received === 4);
      // And the other responses.
      await sleep(100);
      expect(failureIn(() => echo.say.sync({ text: "die" })).code).toBe("UNAVAILABLE");
      letGo();
      expect((await over).code).toBe("UNAVAILABLE");
      expect(read).toEqual([true, true, true, true]);
      const published: boolean[] = [];
      const reading = subscription.forEach(({ message }) => {
        published.push(same(message.body, pattern(100_000)));
      });
      expect((await failureOf(reading)).code).toBe("UNAVAILABLE");
      expect(published).toEqual([true, true, true, true]);
      expect(client.connectedPeers).toEqual([]);
    });

    it("works in threads, several at a time", async () => {
      const { address } = await stage();
      const file = fileURLToPath(new URL("../../../dist/test/programs/blocking-worker.js", import.meta.url));
      const outcomes = await Promise.all(
        [1, 2].map(async () => {
          const worker = new Worker(file, { workerData: { address, calls: 500 }, execArgv: [] });
          const [outcome] = (await once(worker, "message")) as [{ sum: number; received: number }];
          await worker.terminate();
          return outcome;
        }),
      );
      for (const { sum, received } of outcomes) {
        expect(sum).toBe((499 * 500) / 2);
        // Each gets what it has asked to be published, and perhaps what the other has.
        expect(received).toBeGreaterThanOrEqual(500);
      }
    });

    it("leaves nothing behind in a session that is closed while it holds records", async () => {
      const { echo, client } = await stage();
      const left = Promise.allSettled([1, 2, 3].map((number) => echo.say({ number })));
      echo.say.sync({ text: "sleep", number: 20 });
      await client.close();
      for (const { status } of await left) expect(status).toBe("fulfilled");
      await settled();
    });
  });
}
