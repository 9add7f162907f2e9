import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import type { CallContext, IpcError } from "../../../index.js";
import { collect, failureOf } from "../../harness/failure.js";
import { gate } from "../../harness/gate.js";
import { settled, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

/** Waits until the call is no longer wanted. */
function aborted({ signal }: CallContext): Promise<IpcError> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(signal.reason));
  });
}

/** Cancellation: by signals, by `break`, and by what fails on the caller's side. */
export function cancellationTests(world: World): void {
  describe("cancellation", () => {
    it("reaches the handler of a unary call", async () => {
      const started = gate();
      const reason = gate<IpcError>();
      const { echo, server } = await world.pair({
        handlers: {
          async say(_, call) {
            started.open();
            reason.open(await aborted(call));
            throw new Error("given up");
          },
        },
      });
      const failures: IpcError[] = [];
      server.on("handlerFailed", (error) => failures.push(error));
      const controller = new AbortController();
      const call = failureOf(echo.say({}, { signal: controller.signal }));
      await started.promise;
      const why = new Error("not wanted");
      controller.abort(why);
      expect(await call).toMatchObject({ code: "CANCELLED", cause: why, maybeExecuted: true });
      expect((await reason.promise).code).toBe("CANCELLED");
      // A handler that gives up because it was told to has not failed.
      await settled();
      expect(failures).toEqual([]);
    });

    it("reaches the handler of a streaming call, after what was received", async () => {
      const reason = gate<IpcError>();
      const { echo } = await world.pair({
        handlers: {
          async *count(_, call) {
            yield { number: 1 };
            yield { number: 2 };
            reason.open(await aborted(call));
          },
        },
      });
      const controller = new AbortController();
      const received: number[] = [];
      const reading = (async () => {
        for await (const { number } of echo.count({}, { signal: controller.signal })) {
          received.push(number);
          if (number === 2) controller.abort();
        }
      })();
      expect((await failureOf(reading)).code).toBe("CANCELLED");
      expect(received).toEqual([1, 2]);
      expect((await reason.promise).code).toBe("CANCELLED");
    });

    it("takes a signal's timeout for a deadline", async () => {
      const { echo } = await world.pair({ handlers: { say: (_, call) => aborted(call).then(() => ({})) } });
      const failure = await failureOf(echo.say({}, { signal: AbortSignal.timeout(10) }));
      expect(failure.code).toBe("DEADLINE_EXCEEDED");
    });

    it("does not send a call whose signal has aborted before", async () => {
      const { echo, server } = await world.pair();
      const signal = AbortSignal.abort();
      expect(await failureOf(echo.say({}, { signal }))).toMatchObject({
        code: "CANCELLED",
        maybeExecuted: false,
      });
      expect((await failureOf(collect(echo.count({}, { signal })))).code).toBe("CANCELLED");
      expect((await failureOf(echo.sum([{}], { signal }))).code).toBe("CANCELLED");
      expect((await failureOf(echo.note({}, { signal }))).code).toBe("CANCELLED");
      await echo.say({});
      expect(server.counters.callsHandled).toBe(1);
    });

    it("cancels calls that wait for the connection", async () => {
      const { endpoint, address } = await world.listen();
      let calls = 0;
      const answer = () => {
        calls++;
        return {};
      };
      endpoint.serve(Echo, { say: answer, note: () => void calls++, count: () => [answer()] });
      const echo = (await world.open()).client(Echo, address);
      const controller = new AbortController();
      const { signal } = controller;
      const pending = [
        failureOf(echo.say({}, { signal })),
        failureOf(echo.note({}, { signal })),
        failureOf(collect(echo.count({}, { signal }))),
      ];
      controller.abort();
      for (const failure of await Promise.all(pending)) {
        expect(failure).toMatchObject({ code: "CANCELLED", maybeExecuted: false });
      }
      await echo.say({});
      expect(calls).toBe(1);
    });

    it("does not begin a stream that was given up before there was a connection", async () => {
      const { endpoint, address } = await world.listen();
      let calls = 0;
      endpoint.serve(Echo, {
        say: () => ({}),
        count: () => {
          calls++;
          return [];
        },
      });
      const echo = (await world.open()).client(Echo, address);
      await echo.count({})[Symbol.asyncIterator]().return?.();
      await echo.say({});
      await settled();
      expect(calls).toBe(0);
    });

    it("cancels calls that wait for their turn, having executed nothing", async () => {
      const release = gate();
      const started: string[] = [];
      const { echo } = await world.pair({
        server: { limits: { maxCalls: 1 } },
        handlers: {
          async say({ text }) {
            started.push(text);
            await release.promise;
            return {};
          },
        },
      });
      const controller = new AbortController();
      const first = echo.say({ text: "first" });
      const second = failureOf(echo.say({ text: "second" }, { signal: controller.signal }));
      const third = echo.say({ text: "third" });
      controller.abort();
      expect(await second).toMatchObject({ code: "CANCELLED", maybeExecuted: false });
      release.open();
      await Promise.all([first, third]);
      expect(started).toEqual(["first", "third"]);
    });

    it("keeps the slot of a cancelled call until its handler returns", async () => {
      const release = gate();
      let started = 0;
      const { echo } = await world.pair({
        server: { limits: { maxCalls: 1 } },
        handlers: {
          async say() {
            started++;
            await release.promise;
            return {};
          },
        },
      });
      const controller = new AbortController();
      const first = failureOf(echo.say({}, { signal: controller.signal }));
      await until("the first call runs", () => started === 1);
      controller.abort();
      await first;
      const second = echo.say({});
      await settled();
      expect(started).toBe(1);
      release.open();
      await second;
      expect(started).toBe(2);
    });

    it("runs the finally of the server's generator when the caller breaks", async () => {
      const finished = gate<string>();
      const { echo } = await world.pair({
        handlers: {
          async *count() {
            try {
              for (let number = 0; ; number++) yield { number };
            } finally {
              finished.open("finally");
            }
          },
        },
      });
      for await (const { number } of echo.count({})) if (number === 100) break;
      expect(await finished.promise).toBe("finally");
    });

    it("runs the finally of a generator that is not asked for more", async () => {
      const finished = gate<string>();
      const { echo } = await world.pair({
        client: { limits: { initialMessages: 1, windowMessages: 1 } },
        handlers: {
          *count() {
            try {
              for (let number = 0; ; number++) yield { number };
            } finally {
              finished.open("finally");
            }
          },
        },
      });
      const responses = echo.count({})[Symbol.asyncIterator]();
      await responses.next();
      await settled();
      await responses.return?.();
      expect(await finished.promise).toBe("finally");
      expect((await responses.next()).done).toBe(true);
    });

    it("ends the requests on both sides when a bidirectional call is cancelled", async () => {
      const sent = gate<string>();
      const heard = gate<unknown>();
      const { echo } = await world.pair({
        handlers: {
          async *chat(requests) {
            try {
              for await (const { text } of requests) yield { text };
            } catch (error) {
              heard.open(error);
              throw error;
            }
          },
        },
      });
      async function* requests() {
        try {
          for (;;) {
            yield { text: "x" };
            await settled();
          }
        } finally {
          sent.open("finally");
        }
      }
      for await (const _ of echo.chat(requests())) break;
      expect(await sent.promise).toBe("finally");
      expect(await heard.promise).toMatchObject({ code: "CANCELLED" });
    });

    it("cancels a call whose requests fail, and tells the caller how", async () => {
      const heard = gate<unknown>();
      const { echo } = await world.pair({
        handlers: {
          async sum(requests) {
            try {
              for await (const _ of requests);
            } catch (error) {
              heard.open(error);
            }
            return {};
          },
        },
      });
      const cause = new Error("no more numbers");
      async function* requests() {
        yield { number: 1 };
        throw cause;
      }
      expect(await failureOf(echo.sum(requests()))).toMatchObject({ code: "CANCELLED", cause });
      // Why it is cancelled is the caller's own affair.
      expect(String(await heard.promise)).not.toContain("no more numbers");
    });

    it("cancels the calls that a handler made on behalf of a cancelled one", async () => {
      const inner = await world.pair({
        handlers: {
          async say(_, call) {
            innerStarted.open();
            innerReason.open(await aborted(call));
            return {};
          },
        },
      });
      const innerStarted = gate();
      const innerReason = gate<IpcError>();
      const outer = await world.pair({
        handlers: { say: (_, call) => inner.echo.say({}, { parent: call }) },
      });
      const controller = new AbortController();
      const call = failureOf(outer.echo.say({}, { signal: controller.signal }));
      await innerStarted.promise;
      controller.abort();
      expect((await call).code).toBe("CANCELLED");
      expect((await innerReason.promise).code).toBe("CANCELLED");
    });

    it("leaves no listener on a signal that outlives its calls", async () => {
      const { echo } = await world.pair();
      const controller = new AbortController();
      const { signal } = controller;
      let listeners = 0;
      const { addEventListener, removeEventListener } = signal;
      signal.addEventListener = (...args: Parameters<AbortSignal["addEventListener"]>) => {
        listeners++;
        addEventListener.apply(signal, args);
      };
      signal.removeEventListener = (...args: Parameters<AbortSignal["removeEventListener"]>) => {
        listeners--;
        removeEventListener.apply(signal, args);
      };
      await echo.say({}, { signal });
      await collect(echo.count({ number: 3 }, { signal }));
      await echo.note({}, { signal });
      expect(listeners).toBe(0);
    });
  });
}
