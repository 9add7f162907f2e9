import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { Topics } from "../../../gen/test/v1/keys_protoipc.js";
import type { Peer } from "../../../index.js";
import { echoHandlers } from "../../harness/echo-handlers.js";
import { collect, failureIn, failureOf } from "../../harness/failure.js";
import { gate } from "../../harness/gate.js";
import { settled, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

/** Every kind of call, in both directions of a link. */
export function callTests(world: World): void {
  describe("calls", () => {
    it("answers a unary call, by a promise or at once", async () => {
      const { echo } = await world.pair({
        handlers: {
          say: ({ text }) =>
            text === "later" ? Promise.resolve({ text: "a promise" }) : { text: "at once" },
        },
      });
      expect((await echo.say({ text: "now" })).text).toBe("at once");
      expect((await echo.say({ text: "later" })).text).toBe("a promise");
    });

    it("carries every field of a message there and back", async () => {
      const { echo } = await world.pair();
      const body = Uint8Array.from({ length: 300 }, (_, index) => index % 256);
      const reply = await echo.say({ text: "héllo \u{1f600}", number: 4_294_967_295, body });
      expect(reply.text).toBe("héllo \u{1f600}");
      expect(reply.number).toBe(4_294_967_295);
      expect(reply.body).toEqual(body);
    });

    it("carries an empty message", async () => {
      const { echo } = await world.pair();
      expect(await echo.say({})).toMatchObject({ text: "", number: 0 });
    });

    it("streams responses of an async generator, of an array and of nothing", async () => {
      const { echo } = await world.pair({
        handlers: {
          count: ({ text, number }, call) =>
            text === "array"
              ? [{ number: 7 }, { number: 8 }]
              : echoHandlers.count({ ...emptyCount, number }, call),
        },
      });
      expect((await collect(echo.count({ number: 3 }))).map(({ number }) => number)).toEqual([0, 1, 2]);
      expect((await collect(echo.count({ text: "array" }))).map(({ number }) => number)).toEqual([7, 8]);
      expect(await collect(echo.count({ number: 0 }))).toEqual([]);
    });

    it("streams more responses than any window holds", async () => {
      const { echo } = await world.pair();
      const replies = await collect(echo.count({ number: 5_000 }));
      expect(replies.map(({ number }) => number)).toEqual(Array.from({ length: 5_000 }, (_, index) => index));
    });

    it("streams requests of an async generator, of an array and of nothing", async () => {
      const { echo } = await world.pair();
      async function* requests() {
        for (let number = 1; number <= 100; number++) yield { number };
      }
      expect(await echo.sum(requests())).toMatchObject({ number: 5_050, count: 100 });
      expect(await echo.sum([{ text: "a" }, { text: "b" }])).toMatchObject({ text: "ab", count: 2 });
      expect(await echo.sum([])).toMatchObject({ number: 0, count: 0 });
    });

    it("answers each message of a bidirectional call before the next is sent", async () => {
      const { echo } = await world.pair();
      const answered: string[] = [];
      let next = gate<string>();
      async function* requests() {
        for (const text of ["one", "two", "three"]) {
          next = gate<string>();
          yield { text };
          answered.push(await next.promise);
        }
      }
      for await (const { text } of echo.chat(requests())) next.open(text);
      expect(answered).toEqual(["one", "two", "three"]);
    });

    it("lets the server of a bidirectional call end it first", async () => {
      const ended = gate();
      const { echo } = await world.pair({
        handlers: {
          async *chat(requests) {
            for await (const { text } of requests) {
              yield { text };
              return;
            }
          },
        },
      });
      async function* requests() {
        try {
          for (;;) yield { text: "again" };
        } finally {
          ended.open();
        }
      }
      expect(await collect(echo.chat(requests()))).toHaveLength(1);
      await ended.promise;
    });

    it("sends one-way calls in order, and answers nothing", async () => {
      const notes: number[] = [];
      const { echo, server } = await world.pair({
        handlers: { note: ({ number }) => void notes.push(number) },
      });
      const sent = Array.from({ length: 50 }, (_, number) => echo.note({ number }));
      expect(await Promise.all(sent)).toEqual(sent.map(() => undefined));
      await until("the notes came", () => notes.length === 50);
      expect(notes).toEqual(Array.from({ length: 50 }, (_, number) => number));
      expect(server.counters.callsHandled).toBe(50);
    });

    it("delivers one-way calls that were made before there was a connection", async () => {
      const notes: number[] = [];
      const { address, endpoint } = await world.listen();
      endpoint.serve(Echo, { note: ({ number }) => void notes.push(number) });
      const echo = (await world.open()).client(Echo, address);
      await Promise.all([echo.note({ number: 1 }), echo.note({ number: 2 })]);
      await until("the notes came", () => notes.length === 2);
      expect(notes).toEqual([1, 2]);
    });

    it("calls back over the link of the call that is handled", async () => {
      const { endpoint: server, address } = await world.listen();
      server.serve(Echo, {
        async say({ text }, call) {
          const reply = await server.client(Echo, call.peer).say({ text: `${text}?` });
          return { text: `heard ${reply.text}` };
        },
      });
      const client = await world.open();
      client.serve(Echo, { say: ({ text }) => ({ text: `${text}!` }) });
      expect((await client.client(Echo, address).say({ text: "who" })).text).toBe("heard who?!");
      expect(server.connectedPeers).toHaveLength(1);
    });

    it("serves and calls with every kind from the side that was dialled", async () => {
      const { server, client, clientPeer } = await world.pair();
      const notes: string[] = [];
      client.serve(Echo, { ...echoHandlers, note: ({ text }) => void notes.push(text) });
      const back = server.client(Echo, clientPeer);
      expect((await back.say({ text: "back" })).text).toBe("back");
      expect(await collect(back.count({ number: 40 }))).toHaveLength(40);
      expect((await back.sum([{ number: 2 }, { number: 3 }])).number).toBe(5);
      expect(await collect(back.chat([{ text: "x" }]))).toMatchObject([{ text: "x" }]);
      await back.note({ text: "noted" });
      await until("the note came", () => notes.length === 1);
    });

    it("shares one link among the clients of an endpoint", async () => {
      const { server, client, address, echo } = await world.pair();
      const other = client.client(Echo, address);
      await Promise.all([echo.say({}), other.say({}), collect(other.count({ number: 2 }))]);
      expect(server.connectedPeers).toHaveLength(1);
      expect(client.connectedPeers).toHaveLength(1);
    });

    it("dials once for calls that begin together", async () => {
      const { endpoint, address } = await world.listen();
      endpoint.serve(Echo, echoHandlers);
      const echo = (await world.open()).client(Echo, address);
      const replies = await Promise.all([1, 2, 3].map((number) => echo.say({ number })));
      expect(replies.map(({ number }) => number)).toEqual([1, 2, 3]);
      expect(endpoint.connectedPeers).toHaveLength(1);
    });

    it("carries 2,000 calls at once, of which the server sees no more than maxCalls", async () => {
      const release = gate();
      let running = 0;
      let most = 0;
      const { echo } = await world.pair({
        handlers: {
          async say({ number }) {
            most = Math.max(most, ++running);
            await release.promise;
            running--;
            return { number: number * 2 };
          },
        },
      });
      const calls = Array.from({ length: 2_000 }, (_, number) => echo.say({ number }));
      await until("maxCalls calls run", () => running === 1_024);
      await settled();
      expect(running).toBe(1_024);
      release.open();
      const replies = await Promise.all(calls);
      expect(replies.map(({ number }) => number)).toEqual(calls.map((_, number) => number * 2));
      expect(most).toBe(1_024);
    });

    it("answers UNIMPLEMENTED where no handler or no service is, having executed nothing", async () => {
      const { endpoint, address } = await world.listen();
      const client = (await world.open()).client(Echo, address);
      const noService = await failureOf(client.say({}));
      expect(noService).toMatchObject({ code: "UNIMPLEMENTED", maybeExecuted: false });
      expect(noService.message).toContain("test.v1.Echo/Say");
      endpoint.serve(Echo, { count: echoHandlers.count });
      const noHandler = await failureOf(client.say({}));
      expect(noHandler).toMatchObject({ code: "UNIMPLEMENTED", maybeExecuted: false });
      expect(noHandler.message).toContain("no handler for the method");
      expect(await failureOf(client.sum([{}, {}]))).toMatchObject({
        code: "UNIMPLEMENTED",
        maybeExecuted: false,
      });
      expect(await failureOf(collect(client.chat([{}])))).toMatchObject({ code: "UNIMPLEMENTED" });
      expect(await collect(client.count({ number: 1 }))).toHaveLength(1);
      expect(endpoint.counters.callsHandled).toBe(1);
    });

    it("refuses handlers that cannot be, and a service that is served already", async () => {
      const { endpoint } = await world.listen();
      const wrongName: object = { says: () => ({}) };
      expect(() => endpoint.serve(Echo, wrongName)).toThrow(
        new TypeError('test.v1.Echo has no method "says"'),
      );
      const topicName: object = { keyed: () => [] };
      expect(() => endpoint.serve(Echo, topicName)).toThrow(TypeError);
      const noFunction: object = { say: "hello" };
      expect(() => endpoint.serve(Echo, noFunction)).toThrow(/say of test.v1.Echo is not a function/);
      endpoint.serve(Echo, {});
      expect(failureIn(() => endpoint.serve(Echo, {}))).toMatchObject({ code: "ALREADY_EXISTS" });
      endpoint.serve(Topics, {});
    });

    it("calls handlers as methods of the object that holds them", async () => {
      class Greeter {
        readonly greeting = "hello";
        say() {
          return { text: this.greeting };
        }
      }
      const { endpoint, address } = await world.listen();
      endpoint.serve(Echo, new Greeter());
      expect((await (await world.open()).client(Echo, address).say({})).text).toBe("hello");
    });

    it("refuses a target that is no address and no peer of this endpoint", async () => {
      const { client, clientPeer } = await world.pair();
      const stranger: Peer = { ...clientPeer };
      expect(() => client.client(Echo, stranger)).toThrow(TypeError);
      expect(failureIn(() => client.client(Echo, "no:such/address"))).toMatchObject({
        code: "INVALID_ARGUMENT",
      });
      expect(await failureOf(client.client(Echo, "carrier:pigeon").say({}))).toMatchObject({
        code: "INVALID_ARGUMENT",
        maybeExecuted: false,
      });
    });

    it("reports UNAVAILABLE where nobody listens", async () => {
      const echo = (await world.open()).client(Echo, world.newAddress());
      expect(await failureOf(echo.say({}))).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: false });
      expect(await failureOf(collect(echo.count({})))).toMatchObject({ code: "UNAVAILABLE" });
      expect(await failureOf(echo.note({}))).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: false });
    });
  });
}

const emptyCount = {
  $typeName: "test.v1.CountRequest" as const,
  number: 0,
  text: "",
  body: new Uint8Array(0),
};
