import { expect, it } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import type { Interceptor } from "../../index.js";
import { sleep } from "../harness/until.js";
import { makeWorld } from "../harness/world.js";

const world = makeWorld("memory");
const DELAY_MS = 40;

it("the time that a server's interceptors take is taken off the handler's, whatever they say", async () => {
  const left: (number | undefined)[] = [];
  const slow: Interceptor = (next) => async (request) => {
    left.push(request.timeoutMs);
    await sleep(DELAY_MS);
    return await next({ ...request, timeoutMs: 1_000_000 });
  };
  const { endpoint, address } = await world.listen({ serverInterceptors: [slow] });
  endpoint.serve(Echo, {
    say(_, call) {
      left.push(call.timeoutMs());
      return {};
    },
  });
  await (await world.open()).client(Echo, address).say({}, { timeoutMs: 10_000 });
  const [before, after] = left;
  expect(before).toBeLessThanOrEqual(10_000);
  // Timers may be early by a part of a millisecond.
  expect(after).toBeLessThan(before! - DELAY_MS + 2);
});

it("the time that a client's interceptors take comes on top, and a changed timeout counts", async () => {
  const left: (number | undefined)[] = [];
  const slow: Interceptor = (next) => async (request) => {
    await sleep(DELAY_MS);
    return await next(request);
  };
  const longer: Interceptor = (next) => (request) => next({ ...request, timeoutMs: 20_000 });
  const { endpoint, address } = await world.listen();
  endpoint.serve(Echo, {
    say(_, call) {
      left.push(call.timeoutMs());
      return {};
    },
  });
  const client = await world.open();
  // Shorter than the interceptor takes: the call would not begin if that counted.
  const interceptors = [slow, longer];
  await client.client(Echo, address, { interceptors }).say({}, { timeoutMs: 1 });
  expect(left[0]).toBeGreaterThan(10_000);
});
