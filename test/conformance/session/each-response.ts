import { describe, expect, it } from "vitest";
import type { CountReply } from "../../../gen/test/v1/echo_pb.js";
import { Echo, type EchoClient } from "../../../gen/test/v1/echo_protoipc.js";
import { type ClientOptions, IpcError, type Limits, type ServiceClient } from "../../../index.js";
import { echoHandlers } from "../../harness/echo-handlers.js";
import { failureOf } from "../../harness/failure.js";
import { pattern, same } from "../../harness/pattern.js";
import { settled, sleep, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

const MIB = 1_048_576;
const NARROW: Partial<Limits> = { initialMessages: 2, windowMessages: 2 };

type How = "forEach" | "borrow";

/** Calls with many responses, which a function is called with. */
export function eachResponseTests(world: World): void {
  describe("a function for each response", () => {
    const { canBorrow } = world;

    async function stage(limits: Partial<Limits> = {}, handlers: Partial<typeof echoHandlers> = {}) {
      const { endpoint, address } = await world.listen();
      endpoint.serve(Echo, { ...echoHandlers, ...handlers });
      const client = await world.open({ limits });
      const echoWith = (options: ClientOptions): ServiceClient<EchoClient> =>
        client.client(Echo, address, options);
      return { endpoint, client, echoWith, echo: echoWith({}) };
    }

    for (const how of ["forEach", "borrow"] as How[]) {
      it(`gets all of them, in order, and then the promise resolves (${how})`, async () => {
        const { echo } = await stage();
        const got: number[] = [];
        await echo.count[how]({ number: 2_000, text: "x" }, ({ number, text }) => {
          expect(text).toBe("x");
          got.push(number);
        });
        expect(got).toEqual(Array.from({ length: 2_000 }, (_, number) => number));
        await echo.count[how]({ number: 0 }, () => expect.unreachable());
      });

      it(`gets those of a conversation (${how})`, async () => {
        const { echo } = await stage();
        const got: string[] = [];
        await echo.chat[how]([{ text: "a" }, { text: "b" }], ({ text }) => got.push(text));
        expect(got).toEqual(["a", "b"]);
      });

      it(`is waited for, and holds the server up (${how})`, async () => {
        let sent = 0;
        const { echo } = await stage(NARROW, {
          async *count({ number }) {
            for (; sent < number; sent++) yield { number: sent };
          },
        });
        const order: string[] = [];
        const over = echo.count[how]({ number: 20 }, async ({ number }) => {
          order.push(`begin ${number}`);
          await sleep(number === 0 ? 60 : 0);
          order.push(`end ${number}`);
        });
        await until("the first came", () => order.length > 0);
        await settled();
        expect(order).toEqual(["begin 0"]);
        expect(sent).toBeLessThan(10);
        await over;
        expect(order).toEqual(
          Array.from({ length: 20 }, (_, number) => [`begin ${number}`, `end ${number}`]).flat(),
        );
      });

      it(`ends the call where it throws (${how})`, async () => {
        let isOver = false;
        const { echo } = await stage(NARROW, {
          async *count({ body }) {
            try {
              for (let number = 0; ; number++) {
                yield { number, body };
                await settled();
              }
            } finally {
              isOver = true;
            }
          },
        });
        for (const fail of [
          (error: Error): never => {
            throw error;
          },
          (error: Error): Promise<never> => Promise.reject(error),
        ]) {
          isOver = false;
          // As if the call had failed so that it may be made again.
          const error = new IpcError("UNAVAILABLE", "not now", { maybeExecuted: false });
          let calls = 0;
          const over = echo.count[how]({ body: pattern(100_000) }, ({ number }) => {
            calls++;
            return number === 3 ? fail(error) : undefined;
          });
          expect(await failureOf(over)).toBe(error);
          await until("the server knows", () => isOver);
          expect(calls).toBe(4);
        }
      });

      it(`is told of no error: the promise is, after what came before (${how})`, async () => {
        const { echo, echoWith } = await stage(
          {},
          {
            async *count({ number }, { signal }) {
              for (let i = 0; i < number; i++) yield { number: i };
              if (number === 5) await new Promise((resolve) => signal.addEventListener("abort", resolve));
              throw new IpcError("ABORTED", "as was asked for");
            },
          },
        );
        const got: number[] = [];
        const keep = ({ number }: CountReply): number => got.push(number);
        expect(await failureOf(echo.count[how]({ number: 3 }, keep))).toMatchObject({ code: "ABORTED" });
        expect(got).toEqual([0, 1, 2]);
        const late = echo.count[how]({ number: 5 }, keep, { timeoutMs: 100 });
        expect(await failureOf(late)).toMatchObject({ code: "DEADLINE_EXCEEDED" });
        expect(got).toEqual([0, 1, 2, 0, 1, 2, 3, 4]);
        await expect(echo.count[how]({}, keep, { timeoutMs: 0 })).rejects.toThrow(TypeError);
        const wrong = { number: "seven" } as unknown as { number: number };
        expect(await failureOf(echo.count[how](wrong, keep))).toMatchObject({ code: "INVALID_ARGUMENT" });
        const abort = new AbortController();
        const aborted = echo.count[how]({ number: 5 }, () => abort.abort(), { signal: abort.signal });
        expect(await failureOf(aborted)).toMatchObject({ code: "CANCELLED" });
        const patient = echoWith({ reconnect: true });
        expect(await failureOf(patient.count[how]({ number: 3 }, keep))).toMatchObject({ code: "ABORTED" });
        expect(got.slice(-3)).toEqual([0, 1, 2]);
      });

      it(`gets copies behind interceptors and with reconnect (${how})`, async () => {
        const { echoWith } = await stage();
        const kept: Uint8Array[] = [];
        for (const options of [{ interceptors: [(next) => next] }, { reconnect: true }] as ClientOptions[]) {
          const echo = echoWith(options);
          await echo.count[how]({ number: 2, body: pattern(MIB) }, ({ body }) => kept.push(body));
        }
        expect(kept.map((body) => same(body, pattern(MIB)))).toEqual([true, true, true, true]);
      });
    }

    it("has private fields from forEach, and from borrow large ones until it returns", async () => {
      const { echo } = await stage();
      for (const size of [100, 16_384, MIB]) {
        const kept: Record<How, Uint8Array[]> = { forEach: [], borrow: [] };
        for (const how of ["forEach", "borrow"] as How[]) {
          await echo.count[how]({ number: 3, body: pattern(size) }, ({ body }) => {
            expect(same(body, pattern(size))).toBe(true);
            kept[how].push(body);
          });
        }
        expect(kept.forEach.map(({ length }) => length)).toEqual([size, size, size]);
        const left = canBorrow && size >= 16_384 ? 0 : size;
        expect(kept.borrow.map(({ length }) => length)).toEqual([left, left, left]);
      }
    });

    it("has borrowed fields until its promise settles", async () => {
      const { echo } = await stage();
      let kept: Uint8Array | undefined;
      await echo.count.borrow({ number: 3, body: pattern(MIB) }, async ({ body }) => {
        // The one before is over, and the next did not begin.
        expect(kept?.length ?? 0).toBe(kept === undefined || canBorrow ? 0 : MIB);
        kept = body;
        await settled();
        expect(same(body, pattern(MIB))).toBe(true);
      });
    });

    it("has what waited for it after the call and its link have ended", async () => {
      const { echo, endpoint } = await stage();
      const good: boolean[] = [];
      const over = echo.count.borrow({ number: 4, body: pattern(30_000) }, async ({ number, body }) => {
        if (number === 0) {
          // By then the others are there, and the call is over.
          await sleep(100);
          await endpoint.close();
          await settled();
        } else {
          good.push(same(body, pattern(30_000)));
        }
      });
      await over;
      expect(good).toEqual([true, true, true]);
    });

    it("holds no memory of the peer when the calls are over", async () => {
      const { echo } = await stage();
      const body = pattern(300_000);
      // Each leaves a few that wait: in sum more than one side may hold of the other's.
      for (let round = 0; round < (canBorrow ? 150 : 5); round++) {
        const failing = echo.count.borrow({ number: 20, body }, async () => {
          await sleep(3);
          throw new Error("enough");
        });
        await expect(failing).rejects.toThrow("enough");
      }
      const kept: Uint8Array[] = [];
      await echo.count.borrow({ number: 20, body }, (reply) => {
        expect(same(reply.body, body)).toBe(true);
        kept.push(reply.body);
      });
      // None had to be copied.
      expect(kept.map(({ length }) => length)).toEqual(kept.map(() => (canBorrow ? 0 : body.length)));
    });
  });
}
