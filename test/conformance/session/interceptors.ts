import { describe, expect, it } from "vitest";
import { Echo, type EchoClient } from "../../../gen/test/v1/echo_protoipc.js";
import { type InterceptedRequest, type Interceptor, IpcError, Metadata } from "../../../index.js";
import { echoHandlers } from "../../harness/echo-handlers.js";
import { collect, failureOf } from "../../harness/failure.js";
import { gate } from "../../harness/gate.js";
import { settled, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

/** Writes down when it is entered and left. */
function tracing(name: string, log: string[]): Interceptor {
  return (next) => async (request) => {
    log.push(`> ${name} ${request.side} ${request.method.localName}`);
    const response = await next(request);
    log.push(`< ${name}`);
    return response;
  };
}

/** Changes the request before it goes on. */
function changing(change: (request: InterceptedRequest) => Partial<InterceptedRequest>): Interceptor {
  return (next) => (request) => next({ ...request, ...change(request) });
}

async function* map<A, B>(items: AsyncIterable<A>, change: (item: A) => B): AsyncGenerator<B> {
  for await (const item of items) yield change(item);
}

/** Interceptors around calls, on both sides. */
export function interceptorTests(world: World): void {
  describe("interceptors", () => {
    async function intercepted(
      client: readonly Interceptor[],
      server: readonly Interceptor[] = [],
    ): Promise<EchoClient> {
      const { endpoint, address } = await world.listen({ serverInterceptors: server });
      endpoint.serve(Echo, echoHandlers);
      return (await world.open({ clientInterceptors: client })).client(Echo, address);
    }

    it("surround a call in their order, those of the endpoint outside", async () => {
      const log: string[] = [];
      const { endpoint, address } = await world.listen({
        serverInterceptors: [tracing("s1", log), tracing("s2", log)],
      });
      endpoint.serve(Echo, { say: () => ({}) }, { interceptors: [tracing("s3", log)] });
      const client = await world.open({ clientInterceptors: [tracing("c1", log)] });
      await client.client(Echo, address, { interceptors: [tracing("c2", log)] }).say({});
      expect(log).toEqual([
        "> c1 client say",
        "> c2 client say",
        "> s1 server say",
        "> s2 server say",
        "> s3 server say",
        "< s3",
        "< s2",
        "< s1",
        "< c2",
        "< c1",
      ]);
    });

    it("see every kind of call", async () => {
      const log: string[] = [];
      const echo = await intercepted([tracing("c", log)], [tracing("s", log)]);
      expect((await echo.say({ text: "a" })).text).toBe("a");
      expect(await collect(echo.count({ number: 3 }))).toHaveLength(3);
      expect((await echo.sum([{ number: 1 }, { number: 2 }])).number).toBe(3);
      expect(await collect(echo.chat([{ text: "a" }, { text: "b" }]))).toHaveLength(2);
      await echo.note({});
      await until("the note was handled", () => log.includes("> s server note"));
      for (const kind of ["say", "count", "sum", "chat", "note"]) {
        expect(log).toContain(`> c client ${kind}`);
        expect(log).toContain(`> s server ${kind}`);
      }
    });

    it("change messages on their way there and back", async () => {
      const shout: Interceptor = (next) => async (request) => {
        const { messages } = request;
        if (messages.kind !== "one") throw new TypeError("one message is expected");
        const { text } = messages.message as { text: string };
        const response = await next({
          ...request,
          messages: { kind: "one", message: { text: text.toUpperCase() } },
        });
        if (response.messages.kind !== "one") throw new TypeError("one message is expected");
        const reply = response.messages.message as { text: string };
        return { ...response, messages: { kind: "one", message: { ...reply, text: `${reply.text}!` } } };
      };
      expect((await (await intercepted([shout])).say({ text: "a" })).text).toBe("A!");
      expect((await (await intercepted([], [shout])).say({ text: "b" })).text).toBe("B!");
    });

    it("change streams on their way there and back", async () => {
      const more = (item: unknown) => ({ number: (item as { number: number }).number + 1 });
      const adding: Interceptor = (next) => async (request) => {
        const { messages } = request;
        const changed = messages.kind === "many" ? map(messages.stream, more) : undefined;
        const response = await next({
          ...request,
          messages: changed ? { kind: "many", stream: changed } : messages,
        });
        if (response.messages.kind !== "many") return response;
        return { ...response, messages: { kind: "many", stream: map(response.messages.stream, more) } };
      };
      const numbers = [{ number: 1 }, { number: 10 }];
      for (const echo of [await intercepted([adding]), await intercepted([], [adding])]) {
        expect((await collect(echo.chat(numbers))).map(({ number }) => number)).toEqual([3, 12]);
        expect((await echo.sum(numbers)).number).toBe(13);
        expect((await collect(echo.count({ number: 2 }))).map(({ number }) => number)).toEqual([1, 2]);
      }
    });

    it("change request metadata, and see the response's", async () => {
      const seen: unknown[] = [];
      const tokens: Interceptor = (next) => async (request) => {
        request.metadata.set("token", "secret");
        const response = await next(request);
        if (response.messages.kind === "one") seen.push(response.header.get("h"), response.trailer.get("t"));
        return response;
      };
      const { endpoint, address } = await world.listen();
      endpoint.serve(Echo, {
        say(_, call) {
          seen.push(call.metadata.get("token"), call.metadata.get("own"));
          call.header.set("h", "header");
          call.trailer.set("t", "trailer");
          return {};
        },
      });
      const own = new Metadata({ own: "1" });
      const client = await world.open({ clientInterceptors: [tokens] });
      await client.client(Echo, address).say({}, { metadata: own });
      expect(seen).toEqual(["secret", "1", "header", "trailer"]);
      // What the user passed is not touched: the next call with it is another one.
      expect(own.has("token")).toBe(false);
    });

    it("replace metadata, deadline and signal with a changed copy", async () => {
      const metadata = new Metadata({ replaced: "yes" });
      const seen: unknown[] = [];
      const { endpoint, address } = await world.listen();
      endpoint.serve(Echo, {
        say(_, call) {
          seen.push(call.metadata.get("replaced"), call.deadline !== undefined);
          return {};
        },
      });
      const client = await world.open({
        clientInterceptors: [changing(() => ({ metadata, timeoutMs: 1_000 }))],
      });
      await client.client(Echo, address).say({}, { metadata: { replaced: "no" } });
      expect(seen).toEqual(["yes", true]);
    });

    it("see the timeout that holds for the call", async () => {
      const timeouts: (number | undefined)[] = [];
      const look = changing((request) => {
        timeouts.push(request.timeoutMs);
        return {};
      });
      const { endpoint, address } = await world.listen({ serverInterceptors: [look] });
      endpoint.serve(Echo, echoHandlers);
      const client = await world.open({ clientInterceptors: [look] });
      await client.client(Echo, address, { timeoutMs: 5_000 }).say({});
      await client.client(Echo, address).say({});
      expect(timeouts[0]).toBe(5_000);
      expect(timeouts[1]).toBeGreaterThan(4_000);
      expect(timeouts.slice(2)).toEqual([undefined, undefined]);
    });

    it("answer in the server's place", async () => {
      const cached: Interceptor = () => async () => ({
        header: new Metadata(),
        trailer: new Metadata(),
        messages: { kind: "one", message: { text: "cached" } },
      });
      const echo = (await world.open({ clientInterceptors: [cached] })).client(Echo, world.newAddress());
      expect((await echo.say({})).text).toBe("cached");
      expect((await (await intercepted([], [cached])).say({})).text).toBe("cached");
    });

    it("refuse calls with an error of their own, and see those of others", async () => {
      const seen: string[] = [];
      const watching: Interceptor = (next) => async (request) => {
        try {
          return await next(request);
        } catch (error) {
          seen.push(IpcError.from(error).code);
          throw error;
        }
      };
      const refusing: Interceptor = () => async () => {
        throw new IpcError("PERMISSION_DENIED", "not you");
      };
      const refused = { code: "PERMISSION_DENIED", rawMessage: "not you" };
      expect(await failureOf((await intercepted([watching, refusing])).say({}))).toMatchObject(refused);
      expect(await failureOf((await intercepted([watching], [refusing])).say({}))).toMatchObject(refused);
      expect(await failureOf(collect((await intercepted([refusing])).count({})))).toMatchObject(refused);
      expect(await failureOf(collect((await intercepted([], [refusing])).count({})))).toMatchObject(refused);
      expect(seen).toEqual(["PERMISSION_DENIED", "PERMISSION_DENIED"]);
    });

    it("fail a stream that is read late, and nothing else", async () => {
      const refusing: Interceptor = () => async () => {
        throw new IpcError("PERMISSION_DENIED", "not you");
      };
      const echo = await intercepted([refusing]);
      const responses = echo.count({});
      // A rejection that nobody handles by now would end the process.
      await settled();
      expect((await failureOf(collect(responses))).code).toBe("PERMISSION_DENIED");
    });

    it("leave `break` to reach the handler", async () => {
      const finished = gate<string>();
      const log: string[] = [];
      const { endpoint, address } = await world.listen({ serverInterceptors: [tracing("s", log)] });
      endpoint.serve(Echo, {
        async *count() {
          try {
            for (let number = 0; ; number++) yield { number };
          } finally {
            finished.open("finally");
          }
        },
      });
      const echo = (await world.open({ clientInterceptors: [tracing("c", log)] })).client(Echo, address);
      for await (const { number } of echo.count({})) if (number === 3) break;
      expect(await finished.promise).toBe("finally");
    });

    it("end a stream that is given up before it is read", async () => {
      const finished = gate<string>();
      const { endpoint, address } = await world.listen();
      endpoint.serve(Echo, {
        async *count() {
          try {
            for (let number = 0; ; number++) yield { number };
          } finally {
            finished.open("finally");
          }
        },
      });
      const client = await world.open({ clientInterceptors: [tracing("c", [])] });
      await client.connect(address);
      const responses = client.client(Echo, address).count({})[Symbol.asyncIterator]();
      await settled();
      await responses.return?.();
      expect(await finished.promise).toBe("finally");
    });
  });
}
