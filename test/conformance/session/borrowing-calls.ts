import { describe, expect, it } from "vitest";
import { Echo, type EchoHandlers } from "../../../gen/test/v1/echo_protoipc.js";
import { IpcError, type Limits } from "../../../index.js";
import { failureOf } from "../../harness/failure.js";
import { pattern, same } from "../../harness/pattern.js";
import { settled, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

const MIB = 1_048_576;
const LARGE = 16_384;
const LIMITS: Partial<Limits> = { maxMessageBytes: 8 * MIB };
const SIZES = [0, 100, LARGE - 1, LARGE, LARGE + 1, MIB, 6 * MIB];

/** Calls that read large fields where the other side wrote them, where the link can do that; else copies. */
export function borrowedCallTests(world: World): void {
  describe("calls that borrow", () => {
    const { canBorrow } = world;

    async function stage(handlers: Partial<EchoHandlers>, borrow = true) {
      const { endpoint, address } = await world.listen({ limits: LIMITS });
      endpoint.serve(Echo, handlers, { borrow });
      const client = await world.open({ limits: LIMITS });
      return { endpoint, address, client, echo: client.client(Echo, address) };
    }

    it("read a reply until they return", async () => {
      const { echo } = await stage({ say: ({ text, body }) => ({ text, body }) });
      const bodies: Uint8Array[] = [];
      for (const [number, size] of SIZES.entries()) {
        const result = await echo.say.borrow(
          { text: `text ${number}`, body: pattern(size, number) },
          (reply) => {
            bodies.push(reply.body);
            expect(reply.text).toBe(`text ${number}`);
            return same(reply.body, pattern(size, number));
          },
        );
        expect(result).toBe(true);
      }
      expect(bodies.map(({ length }) => length)).toEqual(
        SIZES.map((size) => (canBorrow && size >= LARGE ? 0 : size)),
      );
    });

    it("read a reply until their promise settles", async () => {
      const { echo } = await stage({ say: ({ body }) => ({ body }) });
      let kept: Uint8Array | undefined;
      const read = async ({ body }: { body: Uint8Array }): Promise<number> => {
        kept = body;
        await settled();
        return body.length;
      };
      expect(await echo.say.borrow({ body: pattern(MIB) }, read)).toBe(MIB);
      expect(kept).toHaveLength(canBorrow ? 0 : MIB);
    });

    it("reject with what their reader throws, and give back all the same", async () => {
      const { echo, client, address } = await stage({ say: ({ body }) => ({ body }) });
      const patient = client.client(Echo, address, { reconnect: { initialDelayMs: 1 } });
      for (const each of [echo, patient]) {
        let kept: Uint8Array | undefined;
        let reads = 0;
        // As if the call had failed so that it may be made again.
        const error = new IpcError("UNAVAILABLE", "not now", { maybeExecuted: false });
        const failing = each.say.borrow({ body: pattern(MIB) }, ({ body }) => {
          kept = body;
          reads++;
          throw error;
        });
        expect(await failureOf(failing)).toBe(error);
        expect([kept?.length, reads]).toEqual([canBorrow ? 0 : MIB, 1]);
        const rejecting = each.say.borrow({ body: pattern(MIB) }, () => Promise.reject(error));
        expect(await failureOf(rejecting)).toBe(error);
      }
      expect(await patient.say.borrow({ body: pattern(10) }, ({ body }) => body.length)).toBe(10);
    });

    it("reject as other calls do, without a look at their reader", async () => {
      const { echo } = await stage({
        say: async ({ text }, call) => {
          if (text === "wait") await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
          throw new IpcError("ABORTED", "as was asked for");
        },
      });
      const read = (): never => {
        throw new Error("there is no reply");
      };
      expect(await failureOf(echo.say.borrow({ body: pattern(MIB) }, read))).toMatchObject({
        code: "ABORTED",
      });
      const late = echo.say.borrow({ text: "wait", body: pattern(MIB) }, read, { timeoutMs: 20 });
      expect(await failureOf(late)).toMatchObject({ code: "DEADLINE_EXCEEDED" });
      await expect(echo.say.borrow({}, read, { timeoutMs: 0 })).rejects.toThrow(TypeError);
      const wrong = { number: "seven" } as unknown as { number: number };
      expect(await failureOf(echo.say.borrow(wrong, read))).toMatchObject({ code: "INVALID_ARGUMENT" });
    });

    it("read copies where interceptors see the reply first", async () => {
      const { client, address } = await stage({ say: ({ body }) => ({ body }) });
      let seen = 0;
      const echo = client.client(Echo, address, {
        interceptors: [
          (next) => (request) => {
            seen++;
            return next(request);
          },
        ],
      });
      const body = await echo.say.borrow({ body: pattern(MIB) }, (reply) => reply.body);
      expect([seen, same(body, pattern(MIB))]).toEqual([1, true]);
    });

    it("have a request until the handler has answered", async () => {
      const kept: Uint8Array[] = [];
      const { echo } = await stage({
        async say({ text, body }) {
          kept.push(body);
          await settled();
          if (text === "fail") throw new IpcError("ABORTED", `${body.length}`);
          return { number: body.length };
        },
        async *count({ number, body }) {
          kept.push(body);
          for (let i = 0; i < number; i++) {
            await settled();
            yield { number: body[i]! };
          }
        },
        note({ body }) {
          kept.push(body);
        },
      });
      const body = pattern(MIB);
      expect((await echo.say({ body })).number).toBe(MIB);
      expect(await failureOf(echo.say({ body, text: "fail" }))).toMatchObject({ rawMessage: `${MIB}` });
      const counted: number[] = [];
      for await (const { number } of echo.count({ body, number: 3 })) counted.push(number);
      expect(counted).toEqual([...body.subarray(0, 3)]);
      await echo.note({ body });
      await until("the note came", () => kept.length === 4);
      await settled();
      expect(kept.map(({ length }) => length)).toEqual(kept.map(() => (canBorrow ? 0 : MIB)));
    });

    it("have a request that is refused or given up no longer", async () => {
      const kept: Uint8Array[] = [];
      const { echo } = await stage({
        async say({ body }, { signal }) {
          kept.push(body);
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          throw signal.reason;
        },
      });
      const abort = new AbortController();
      const call = failureOf(echo.say({ body: pattern(MIB) }, { signal: abort.signal }));
      await until("the handler has it", () => kept.length === 1);
      expect(kept[0]).toHaveLength(MIB);
      abort.abort();
      expect(await call).toMatchObject({ code: "CANCELLED" });
      await until("the handler gave up", () => kept[0]?.length === (canBorrow ? 0 : MIB));
    });

    it("have private requests unless asked", async () => {
      const kept: Uint8Array[] = [];
      const keep: Partial<EchoHandlers> = {
        say({ body }) {
          kept.push(body);
          return {};
        },
      };
      const { echo } = await stage(keep, false);
      await echo.say({ body: pattern(MIB) });
      expect(same(kept[0]!, pattern(MIB))).toBe(true);
    });

    it("hold no memory when they are over", async () => {
      const { echo } = await stage({ say: ({ body }) => ({ body }) });
      // Far more than one side may hold of the other's.
      for (let number = 0; number < 200; number++) {
        const first = await echo.say.borrow({ body: pattern(2 * MIB, number) }, ({ body }) => body[0]);
        expect(first).toBe(pattern(1, number)[0]);
      }
    });

    it("end with the link, also those that read", async () => {
      const { echo, endpoint } = await stage({ say: ({ body }) => ({ body }) });
      const lengths: number[] = [];
      await echo.say.borrow({ body: pattern(MIB) }, async ({ body }) => {
        lengths.push(body.length);
        await endpoint.close();
        await until("the link is gone", () => !canBorrow || body.length === 0);
        lengths.push(body.length);
      });
      expect(lengths).toEqual([MIB, canBorrow ? 0 : MIB]);
    });
  });
}
