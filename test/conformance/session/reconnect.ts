import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import type { Endpoint } from "../../../index.js";
import { failureOf } from "../../harness/failure.js";
import { until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

const QUICK = { initialDelayMs: 5, maxDelayMs: 20 };

/** Clients that come back. */
export function reconnectTests(world: World): void {
  describe("reconnecting", () => {
    const serve = async (address: string, text: string): Promise<Endpoint> => {
      const endpoint = await world.open({ name: address, drainTimeoutMs: 50 });
      endpoint.serve(Echo, {
        say: (request) => ({ text: `${text} ${request.text}` }),
        async *count({ number: upTo }) {
          for (let number = 0; number < upTo; number++) yield { number };
        },
        async sum(requests) {
          let number = 0;
          for await (const request of requests) number += request.number;
          return { number };
        },
      });
      return endpoint;
    };

    it("waits for whoever is not there yet, up to the deadline", async () => {
      const address = world.newAddress();
      const client = (await world.open()).client(Echo, address, { reconnect: QUICK });
      const late = await failureOf(client.say({ text: "a" }, { timeoutMs: 60 }));
      expect(late.code).toBe("DEADLINE_EXCEEDED");
      expect(late.maybeExecuted).toBe(false);
      expect(late.message).toMatch(/attempts/);
      const controller = new AbortController();
      const aborted = failureOf(client.say({ text: "a" }, { signal: controller.signal }));
      const waiting = [client.say({ text: "b" }), client.sum([{ number: 3 }, { number: 4 }])];
      const first = client.count({ number: 2 })[Symbol.asyncIterator]().next();
      controller.abort();
      expect((await aborted).code).toBe("CANCELLED");
      await serve(address, "one");
      expect(await Promise.all(waiting)).toMatchObject([{ text: "one b" }, { number: 7 }]);
      expect(await first).toMatchObject({ done: false, value: { number: 0 } });
    });

    it("goes on with whoever has the address next", async () => {
      const address = world.newAddress();
      const endpoint = await world.open();
      const client = endpoint.client(Echo, address, { reconnect: QUICK });
      for (const text of ["one", "two", "three"]) {
        const server = await serve(address, text);
        expect(await client.say({ text: "x" }, { timeoutMs: 5_000 })).toMatchObject({ text: `${text} x` });
        const closing = server.close();
        const next = client.say({ text: "y" }, { timeoutMs: 30 });
        await next.catch(() => undefined);
        await closing;
      }
    });

    it("repeats what may have been executed where the method allows that, and nothing else", async () => {
      const address = world.newAddress();
      let calls = 0;
      const server = await world.open({ name: address, drainTimeoutMs: 0 });
      const hang = (): Promise<never> => {
        calls++;
        return new Promise(() => undefined);
      };
      server.serve(Echo, {
        say: hang,
        async *count() {
          yield await hang();
        },
      });
      const endpoint = await world.open();
      const plain = endpoint.client(Echo, address, { reconnect: QUICK });
      // As if the schema said so.
      const say = {
        ...Echo.$methods.find(({ localName }) => localName === "say")!,
        idempotency: "idempotent",
      };
      const Idempotent = { ...Echo, $methods: [say] } as unknown as typeof Echo;
      const willing = endpoint.client(Idempotent, address, { reconnect: QUICK });
      const lost = failureOf(plain.say({ text: "plain" }));
      const streamLost = failureOf(plain.count({ number: 1 })[Symbol.asyncIterator]().next());
      const repeated = willing.say({ text: "again" });
      await until("all run", () => calls === 3);
      await server.close();
      expect(await lost).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true });
      expect(await streamLost).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true });
      await serve(address, "successor");
      expect(await repeated).toMatchObject({ text: "successor again" });
    });

    it("ends with its endpoint", async () => {
      const endpoint = await world.open();
      const client = endpoint.client(Echo, world.newAddress(), { reconnect: true });
      const waiting = failureOf(client.say({ text: "a" }));
      await endpoint.close();
      expect((await waiting).code).toBe("UNAVAILABLE");
      const { clientPeer, server } = await world.pair();
      expect(() => server.client(Echo, clientPeer, { reconnect: true })).toThrow(TypeError);
    });
  });
}
