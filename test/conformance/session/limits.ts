import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { Topics } from "../../../gen/test/v1/keys_protoipc.js";
import { DEFAULT_LIMITS, IpcError } from "../../../index.js";
import { memoryTransport } from "../../../transports/memory/index.js";
import { pipeTransport } from "../../../transports/pipe/index.js";
import { shmTransport } from "../../../transports/shm/index.js";
import type { Link, LinkEnd } from "../../../transports/transport.js";
import { unixTransport } from "../../../transports/unix/index.js";
import { echoHandlers } from "../../harness/echo-handlers.js";
import { collect, failureIn, failureOf } from "../../harness/failure.js";
import { gate } from "../../harness/gate.js";
import { settled, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

const TRANSPORTS = { memory: memoryTransport, unix: unixTransport, shm: shmTransport, pipe: pipeTransport };

/** A link whose end here says nothing, not even who it is. */
async function dialSilently(
  world: World,
  path: string,
): Promise<{ readonly link: Link; readonly end: Promise<LinkEnd> }> {
  const transport = TRANSPORTS[world.transport]();
  const linkLimits = { maxRecordBytes: 1_000_000, frameTimeoutMs: 30_000, sendBufferBytes: 100_000 };
  const link = await transport.dial({ kind: "path", path }, linkLimits, undefined);
  const end = gate<LinkEnd>();
  link.start({ onRecord: () => undefined, onWritable: () => undefined, onClose: end.open });
  return { link, end: end.promise };
}

/** Each limit that calls and links meet. What bounds a stream is in flow.ts, what bounds topics in topics.ts. */
export function limitTests(world: World): void {
  describe("limits", () => {
    it("are those of `open`, with the defaults for the rest", async () => {
      const endpoint = await world.open({ limits: { maxCalls: 7 } });
      expect(endpoint.limits).toEqual({ ...DEFAULT_LIMITS, maxCalls: 7 });
    });

    it("maxCalls: further calls wait at the caller", async () => {
      const release = gate();
      let running = 0;
      const { echo } = await world.pair({
        server: { limits: { maxCalls: 3 } },
        handlers: {
          async say({ number }) {
            running++;
            await release.promise;
            return { number };
          },
        },
      });
      const calls = Array.from({ length: 10 }, (_, number) => echo.say({ number }));
      await until("three run", () => running === 3);
      await settled();
      expect(running).toBe(3);
      release.open();
      expect((await Promise.all(calls)).map(({ number }) => number)).toEqual(
        calls.map((_, number) => number),
      );
    });

    it("callBytes: calls with large requests wait at the caller", async () => {
      const release = gate();
      let running = 0;
      const { echo } = await world.pair({
        server: { limits: { callBytes: 100_000 } },
        handlers: {
          async say() {
            running++;
            await release.promise;
            return {};
          },
        },
      });
      const body = new Uint8Array(60_000);
      const calls = Array.from({ length: 5 }, () => echo.say({ body }));
      // The second overdraws; the third has to wait.
      await until("two run", () => running === 2);
      await settled();
      expect(running).toBe(2);
      release.open();
      await Promise.all(calls);
      expect(running).toBe(5);
    });

    it("oneWayMessages: further one-way calls wait until handlers return", async () => {
      const release = gate();
      let running = 0;
      const { echo } = await world.pair({
        server: { limits: { oneWayMessages: 2 } },
        handlers: {
          async note() {
            running++;
            await release.promise;
          },
        },
      });
      const notes = Array.from({ length: 5 }, () => echo.note({}));
      await until("two run", () => running === 2);
      await settled();
      expect(running).toBe(2);
      release.open();
      await Promise.all(notes);
      await until("all ran", () => running === 5);
    });

    it("oneWayBytes: large one-way calls wait until handlers return", async () => {
      const release = gate();
      let running = 0;
      const { echo } = await world.pair({
        server: { limits: { oneWayBytes: 50_000 } },
        handlers: {
          async note() {
            running++;
            await release.promise;
          },
        },
      });
      const notes = Array.from({ length: 4 }, () => echo.note({ body: new Uint8Array(30_000) }));
      await until("two run", () => running === 2);
      await settled();
      expect(running).toBe(2);
      release.open();
      await Promise.all(notes);
      await until("all ran", () => running === 4);
    });

    it("maxMetadataBytes: names the value and the limit", async () => {
      const { echo } = await world.pair({ server: { limits: { maxMetadataBytes: 42 } } });
      await echo.say({}, { metadata: { key: "7654321" } });
      for (const call of [
        echo.say({}, { metadata: { key: "87654321" } }),
        echo.note({}, { metadata: { key: "87654321" } }),
        collect(echo.count({}, { metadata: { key: "87654321" } })),
      ]) {
        expect(await failureOf(call)).toMatchObject({
          code: "RESOURCE_EXHAUSTED",
          rawMessage: "metadata of 43 bytes is above the receiver's limit of 42 bytes (maxMetadataBytes)",
          maybeExecuted: false,
        });
      }
    });

    it("maxHeaderBytes: bounds metadata and the text of errors, and the link lives", async () => {
      const { echo, server } = await world.pair({
        server: { limits: { maxHeaderBytes: 1_024 } },
        client: { limits: { maxHeaderBytes: 1_024 } },
        handlers: {
          say({ text }) {
            if (text === "") return {};
            throw new IpcError("ABORTED", "x".repeat(5_000));
          },
        },
      });
      const tooMuch = await failureOf(echo.say({}, { metadata: { key: "x".repeat(2_000) } }));
      expect(tooMuch.code).toBe("RESOURCE_EXHAUSTED");
      expect(tooMuch.message).toContain("the receiver's limit of 1024 bytes (maxHeaderBytes)");
      expect(await failureOf(echo.say({ text: "fail" }))).toMatchObject({ code: "ABORTED" });
      await echo.say({}, { metadata: { key: "x".repeat(200) } });
      expect(server.connectedPeers).toHaveLength(1);
    });

    it("maxMethods: methods beyond it go by their names", async () => {
      const { echo, server } = await world.pair({ server: { limits: { maxMethods: 1 } } });
      for (let i = 0; i < 3; i++) {
        await echo.say({});
        await collect(echo.count({ number: 1 }));
        await echo.sum([]);
      }
      expect(server.counters.callsHandled).toBe(9);
    });

    it("sendBufferBytes and maxPendingResponseBytes: responses wait, and none is lost", async () => {
      const { echo } = await world.pair({
        server: { limits: { sendBufferBytes: 1_000, maxPendingResponseBytes: 10_000 } },
      });
      const body = new Uint8Array(2_000);
      const calls = Array.from({ length: 200 }, (_, number) => echo.say({ number, body }));
      expect((await Promise.all(calls)).map(({ number }) => number)).toEqual(
        calls.map((_, number) => number),
      );
    });

    it("streamBudgetBytes: streams beyond it keep their first window, and go on", async () => {
      const { echo } = await world.pair({
        client: {
          limits: {
            initialMessages: 2,
            initialBytes: 1_000,
            windowBytes: 100_000,
            streamBudgetBytes: 150_000,
          },
        },
      });
      const counts = Array.from({ length: 5 }, () =>
        collect(echo.count({ number: 100, body: new Uint8Array(500) })),
      );
      for (const replies of await Promise.all(counts)) expect(replies).toHaveLength(100);
    });

    it("maxLinks: a further peer is told so, and others are not touched", async () => {
      const { endpoint, address } = await world.listen({ limits: { maxLinks: 1 } });
      endpoint.serve(Echo, echoHandlers);
      const first = await world.open();
      await first.connect(address);
      const second = await world.open();
      const refusal = await failureOf(second.connect(address));
      expect(refusal).toMatchObject({ code: "RESOURCE_EXHAUSTED", maybeExecuted: false });
      expect(refusal.message).toContain("1 links, the limit (maxLinks)");
      expect((await first.client(Echo, address).say({ text: "still" })).text).toBe("still");
      await first.close();
      await until("the first is gone", () => endpoint.connectedPeers.length === 0);
      expect((await second.client(Echo, address).say({ text: "now" })).text).toBe("now");
    });

    it("handshakeTimeoutMs: a peer that does not introduce itself is sent away", async () => {
      const path = world.newPath();
      const server = await world.open({
        listen: [`${world.transport}:${path}`],
        limits: { handshakeTimeoutMs: 40 },
      });
      const rejected = gate<IpcError>();
      server.on("linkRejected", rejected.open);
      const { end } = await dialSilently(world, path);
      const reason = await rejected.promise;
      expect(reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
      expect(reason.message).toContain("within 40 ms");
      expect((await end).kind).toBe("peer");
      expect(server.counters.linksRejected).toBe(1);
    });

    it("maxHandshakes: who comes while too many are silent is told so", async () => {
      const path = world.newPath();
      const address = `${world.transport}:${path}`;
      const server = await world.open({ listen: [address], limits: { maxHandshakes: 1 } });
      server.serve(Echo, echoHandlers);
      const { link, end } = await dialSilently(world, path);
      const client = await world.open();
      await settled();
      const refusal = await failureOf(client.connect(address));
      expect(refusal).toMatchObject({ code: "RESOURCE_EXHAUSTED", maybeExecuted: false });
      expect(refusal.message).toContain("1 links that are not introduced yet, the limit (maxHandshakes)");
      link.close();
      await end;
      await settled();
      expect((await client.client(Echo, address).say({ text: "now" })).text).toBe("now");
    });

    it("maxKeys: a publisher names the topic and the limit", async () => {
      const { endpoint } = await world.listen({ limits: { maxKeys: 2 } });
      const publisher = await endpoint.publisher(Topics.oldest);
      publisher.publish({ name: "a" }, {});
      publisher.publish({ name: "b" }, {});
      publisher.publish({ name: "a" }, {});
      const failure = failureIn(() => publisher.publish({ name: "c" }, {}));
      expect(failure.code).toBe("RESOURCE_EXHAUSTED");
      expect(failure.message).toContain("test.v1.Topics/Oldest has 2 keys already, the limit (maxKeys)");
    });

    it("maxKeys: a subscription that sees more ends, naming the limit", async () => {
      const { endpoint, address } = await world.listen();
      const publisher = await endpoint.publisher(Topics.typed);
      const subscriber = await world.open({ limits: { maxKeys: 3 } });
      const subscription = subscriber.subscribe(Topics.typed, {}, { from: address });
      await subscription.ready();
      const whole = { id: new Uint8Array(1), color: 1, active: true, number: 1n, name: "n" };
      for (let shard = 0; shard < 4; shard++) publisher.publish({ ...whole, shard }, {});
      const failure = await failureOf(collect(subscription));
      expect(failure.code).toBe("RESOURCE_EXHAUSTED");
      expect(failure.message).toContain("more than 3 keys (maxKeys)");
    });
  });
}
