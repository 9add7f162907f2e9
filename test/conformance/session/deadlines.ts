import { describe, expect, it } from "vitest";
import { Echo, type EchoClient } from "../../../gen/test/v1/echo_protoipc.js";
import type { CallContext, IpcError } from "../../../index.js";
import { collect, failureOf } from "../../harness/failure.js";
import { gate } from "../../harness/gate.js";
import { settled, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

/** Resolves when the call is no longer wanted, with the reason. */
function aborted({ signal }: CallContext): Promise<IpcError> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(signal.reason));
  });
}

/** Lets nothing in this process run for a while. */
function block(forMs: number): void {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs);
}

/** Deadlines, on both sides and through handlers. */
export function deadlineTests(world: World): void {
  describe("deadlines", () => {
    it("ends a call at its deadline, for the caller and for the handler", async () => {
      const reasons: IpcError[] = [];
      const { echo } = await world.pair({
        handlers: {
          async say(_, call) {
            reasons.push(await aborted(call));
            return {};
          },
          async *count(_, call) {
            yield {};
            reasons.push(await aborted(call));
          },
        },
      });
      const failure = await failureOf(echo.say({}, { timeoutMs: 20 }));
      expect(failure).toMatchObject({ code: "DEADLINE_EXCEEDED", maybeExecuted: true });
      expect(await failureOf(collect(echo.count({}, { timeoutMs: 20 })))).toMatchObject({
        code: "DEADLINE_EXCEEDED",
      });
      await until("both handlers were told", () => reasons.length === 2);
      for (const reason of reasons) expect(reason.code).toBe("DEADLINE_EXCEEDED");
    });

    it("enforces the deadline at the server, though the client's word does not come", async () => {
      const calls: CallContext[] = [];
      const reason = gate<IpcError>();
      const { echo } = await world.pair({
        handlers: {
          async sum(_, call) {
            calls.push(call);
            reason.open(await aborted(call));
            return {};
          },
        },
      });
      const stuck = gate();
      async function* requests() {
        await stuck.promise;
        yield {};
      }
      const call = failureOf(echo.sum(requests(), { timeoutMs: 30 }));
      expect((await reason.promise).code).toBe("DEADLINE_EXCEEDED");
      expect((await call).code).toBe("DEADLINE_EXCEEDED");
      expect(calls[0]?.timeoutMs()).toBe(0);
      stuck.open();
    });

    it("tells the handler when the call expires, and nothing where it does not", async () => {
      const seen: (number | undefined)[] = [];
      const { echo } = await world.pair({
        handlers: {
          say(_, call) {
            seen.push(call.deadline, call.timeoutMs());
            return {};
          },
        },
      });
      const beforeMs = performance.now();
      await echo.say({}, { timeoutMs: 5_000 });
      await echo.say({});
      const [deadline, left, ...none] = seen;
      expect(deadline).toBeGreaterThan(beforeMs + 4_990);
      expect(deadline).toBeLessThan(performance.now() + 5_001);
      expect(left).toBeLessThanOrEqual(5_000);
      expect(left).toBeGreaterThan(4_000);
      expect(none).toEqual([undefined, undefined]);
    });

    it("never starts a call that expired on its way", async () => {
      const started: string[] = [];
      const { echo } = await world.pair({
        handlers: {
          say: ({ text }) => {
            started.push(text);
            return {};
          },
          note: ({ text }) => void started.push(text),
        },
      });
      const call = failureOf(echo.say({ text: "late" }, { timeoutMs: 10 }));
      const note = echo.note({ text: "late note" }, { timeoutMs: 10 }).catch(() => undefined);
      block(30);
      expect((await call).code).toBe("DEADLINE_EXCEEDED");
      await note;
      await echo.say({ text: "after" });
      expect(started).toEqual(["after"]);
    });

    it("does not send a call whose parent has expired", async () => {
      const finished = gate<IpcError>();
      const { echo: inner, server } = await world.pair();
      const { echo: outer } = await world.pair({
        handlers: {
          async say(_, call) {
            await aborted(call);
            finished.open(await failureOf(inner.say({}, { parent: call })));
            return {};
          },
        },
      });
      // A busy machine may let the time pass before the handler runs.
      let outcome: IpcError | undefined;
      void finished.promise.then((error) => {
        outcome = error;
      });
      while (outcome === undefined) await failureOf(outer.say({}, { timeoutMs: 10 }));
      expect(outcome).toMatchObject({ code: "DEADLINE_EXCEEDED", maybeExecuted: false });
      await settled();
      expect(server.counters.callsHandled).toBe(0);
    });

    it("hands the deadline down to the calls of a handler", async () => {
      const deadlines: (number | undefined)[] = [];
      const { echo: inner } = await world.pair({
        handlers: {
          say(_, call) {
            deadlines.push(call.deadline);
            return {};
          },
        },
      });
      const { echo: outer } = await world.pair({
        handlers: {
          async say(_, call) {
            deadlines.push(call.deadline);
            await inner.say({}, { parent: call });
            await inner.say({}, { parent: call, timeoutMs: 60_000 });
            await inner.say({}, { parent: call, timeoutMs: 100 });
            return {};
          },
        },
      });
      await outer.say({}, { timeoutMs: 2_000 });
      const [own, inherited, bounded, shorter] = deadlines.map(Number);
      // What is carried has whole microseconds, or is computed anew when the request leaves.
      expect(Math.abs(inherited! - own!)).toBeLessThan(20);
      expect(Math.abs(bounded! - own!)).toBeLessThan(20);
      expect(shorter!).toBeLessThan(own! - 1_000);
    });

    it("takes the client's timeout where a call gives none", async () => {
      const { client, address } = await world.pair({
        handlers: { say: (_, call) => aborted(call).then(() => ({})) },
      });
      const hasty: EchoClient = client.client(Echo, address, { timeoutMs: 15 });
      expect((await failureOf(hasty.say({}))).code).toBe("DEADLINE_EXCEEDED");
      const patient = hasty.say({}, { timeoutMs: 20_000 });
      await settled();
      const outcome = await Promise.race([
        patient.then(
          () => "settled",
          () => "settled",
        ),
        settled().then(() => "open"),
      ]);
      expect(outcome).toBe("open");
      patient.catch(() => undefined);
    });

    it("expires a call that waits for its turn, having executed nothing", async () => {
      const release = gate();
      const { echo, server } = await world.pair({
        server: { limits: { maxCalls: 1 } },
        handlers: { say: () => release.promise.then(() => ({})) },
      });
      const first = echo.say({});
      const second = await failureOf(echo.say({}, { timeoutMs: 15 }));
      expect(second).toMatchObject({ code: "DEADLINE_EXCEEDED", maybeExecuted: false });
      release.open();
      await first;
      expect(server.counters.callsHandled).toBe(1);
    });

    it("refuses a timeout that is no time, naming it", async () => {
      const { echo } = await world.pair();
      for (const timeoutMs of [0, -1, Number.NaN]) {
        expect(() => echo.count({}, { timeoutMs })).toThrow(
          new TypeError(`timeoutMs is ${timeoutMs}; it must be a number above 0`),
        );
        await expect((async () => echo.say({}, { timeoutMs }))()).rejects.toThrow(TypeError);
      }
      expect((await echo.say({ text: "ever" }, { timeoutMs: Number.POSITIVE_INFINITY })).text).toBe("ever");
      expect((await echo.say({ text: "year" }, { timeoutMs: 31_536_000_000 })).text).toBe("year");
    });
  });
}
