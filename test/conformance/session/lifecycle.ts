import { describe, expect, it } from "vitest";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { Topics } from "../../../gen/test/v1/keys_protoipc.js";
import { type Endpoint, type IpcError, open, type Peer } from "../../../index.js";
import { echoHandlers } from "../../harness/echo-handlers.js";
import { collect, failureIn, failureOf } from "../../harness/failure.js";
import { gate } from "../../harness/gate.js";
import { settled, until } from "../../harness/until.js";
import type { World } from "../../harness/world.js";

/** What an endpoint says of its peers, in order. */
function record(
  endpoint: Endpoint,
): { readonly kind: string; readonly peer: Peer; readonly reason?: IpcError }[] {
  const events: { readonly kind: string; readonly peer: Peer; readonly reason?: IpcError }[] = [];
  endpoint.on("peerConnected", (peer) => events.push({ kind: "connected", peer }));
  endpoint.on("peerDisconnected", (peer, reason) => events.push({ kind: "disconnected", peer, reason }));
  return events;
}

/** Endpoints and links: how they begin, who is there, and how they end. */
export function lifecycleTests(world: World): void {
  describe("endpoints", () => {
    it("are anonymous without a name, and listen nowhere", async () => {
      const endpoint = await world.open();
      expect(endpoint.name).toBe("");
      expect(endpoint.addresses).toEqual([]);
      expect(endpoint.connectedPeers).toEqual([]);
    });

    it("say their names and addresses, and know each other", async () => {
      const { server, client, address, serverPeer, clientPeer } = await world.pair();
      expect(server.addresses).toEqual([address]);
      expect(serverPeer.name).toBe(server.name);
      expect(clientPeer.name).toBe("");
      for (const peer of [serverPeer, clientPeer]) {
        expect(peer.pid).toBe(process.pid);
        expect(peer.incarnation).toMatch(/^[0-9a-f]{32}$/);
        expect(peer.implementation).toMatch(/^typescript\/\d+\.\d+\.\d+$/);
        expect(peer.link.transport).toBe(world.transport);
      }
      expect(serverPeer.incarnation).not.toBe(clientPeer.incarnation);
      expect(client.connectedPeers).toEqual([serverPeer]);
      expect(server.connectedPeers).toEqual([clientPeer]);
    });

    it("refuse a name that is taken, and free it when they close", async () => {
      const { endpoint, address } = await world.listen();
      const taken = await failureOf(world.open({ name: address }));
      expect(taken.code).toBe("ALREADY_EXISTS");
      await endpoint.close();
      expect((await world.open({ name: address })).addresses).toEqual([address]);
    });

    it("refuse options that there are not, and values that cannot be", async () => {
      const unknown: object = { nmae: "market" };
      await expect(world.open(unknown)).rejects.toThrow(/open has no option "nmae"/);
      await expect(world.open({ limits: { maxCalls: 0 } })).rejects.toThrow(TypeError);
      await expect(world.open({ drainTimeoutMs: -1 })).rejects.toThrow(TypeError);
      expect((await failureOf(world.open({ name: "no/slash" }))).code).toBe("INVALID_ARGUMENT");
    });

    it("report a peer once when it comes, and once when it goes", async () => {
      const { endpoint: server, address } = await world.listen();
      const client = await world.open();
      const atServer = record(server);
      const atClient = record(client);
      await client.connect(address);
      await client.connect(address);
      await until("the server knows", () => atServer.length === 1);
      await client.close();
      await until("the server is told", () => atServer.length === 2);
      await settled();
      expect(atServer.map(({ kind }) => kind)).toEqual(["connected", "disconnected"]);
      expect(atClient.map(({ kind }) => kind)).toEqual(["connected", "disconnected"]);
      expect(atServer[1]?.peer).toBe(atServer[0]?.peer);
      expect(atServer[1]?.reason?.code).toBe("UNAVAILABLE");
      expect(atClient[1]?.reason?.code).toBe("CANCELLED");
      expect(server.connectedPeers).toEqual([]);
      expect(client.connectedPeers).toEqual([]);
    });

    it("finish the calls that run when they close, and accept no others", async () => {
      const release = gate();
      const started = gate();
      const { server, echo } = await world.pair({
        server: { drainTimeoutMs: 5_000 },
        handlers: {
          async say({ text }) {
            started.open();
            await release.promise;
            return { text };
          },
          async *count() {
            yield { number: 1 };
            await release.promise;
            yield { number: 2 };
          },
        },
      });
      const running = [echo.say({ text: "finished" }), collect(echo.count({}))] as const;
      await started.promise;
      let isClosed = false;
      const closing = server.close().then(() => {
        isClosed = true;
      });
      await settled();
      expect(isClosed).toBe(false);
      // It takes its names back first, and accepts calls meanwhile.
      let refusal = await failureOf(echo.say({}, { timeoutMs: 100 }));
      while (refusal.code === "DEADLINE_EXCEEDED")
        refusal = await failureOf(echo.say({}, { timeoutMs: 100 }));
      expect(refusal).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: false });
      release.open();
      expect((await running[0]).text).toBe("finished");
      expect(await running[1]).toHaveLength(2);
      await closing;
    });

    it("give up what does not finish within the drain timeout", async () => {
      const reason = gate<IpcError>();
      const { server, echo } = await world.pair({
        server: { drainTimeoutMs: 50 },
        handlers: {
          async say(_, call) {
            await new Promise<void>((resolve) => {
              call.signal.addEventListener("abort", () => {
                reason.open(call.signal.reason);
                resolve();
              });
            });
            return {};
          },
        },
      });
      const call = failureOf(echo.say({}));
      await settled();
      await server.close();
      expect(await call).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true });
      expect((await reason.promise).code).toBe("CANCELLED");
    });

    it("wait for ever with a drain timeout of Infinity", async () => {
      const release = gate();
      const { server, echo } = await world.pair({
        server: { drainTimeoutMs: Number.POSITIVE_INFINITY },
        handlers: { say: () => release.promise.then(() => ({ text: "late" })) },
      });
      const call = echo.say({});
      await settled();
      const closing = server.close();
      await settled();
      release.open();
      expect((await call).text).toBe("late");
      await closing;
    });

    it("close twice as once, and at the end of `await using`", async () => {
      const address = world.newAddress();
      let closed: Promise<void>;
      {
        await using server = await open({ name: address });
        closed = server.close();
        expect(server.close()).toBe(closed);
      }
      await closed;
      {
        await using server = await open({ name: address });
        server.serve(Echo, echoHandlers);
        await using client = await open();
        await client.client(Echo, address).say({});
      }
      await (await open({ name: address })).close();
    });

    it("do nothing more when they are closed", async () => {
      const { client, address, echo } = await world.pair();
      await client.close();
      expect(await failureOf(echo.say({}))).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: false });
      expect((await failureOf(client.connect(address))).code).toBe("UNAVAILABLE");
      expect(failureIn(() => client.serve(Echo, {})).code).toBe("FAILED_PRECONDITION");
      expect((await failureOf(client.publisher(Topics.oldest))).code).toBe("FAILED_PRECONDITION");
      expect(failureIn(() => client.subscribe(Topics.oldest, {}, { from: address })).code).toBe(
        "FAILED_PRECONDITION",
      );
    });

    it("fail the calls of a lost link once, and dial again for the next", async () => {
      const started = gate();
      const first = await world.listen({ drainTimeoutMs: 0 });
      first.endpoint.serve(Echo, {
        async say(_, call) {
          started.open();
          await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
          return {};
        },
      });
      const client = await world.open();
      const echo = client.client(Echo, first.address);
      const call = failureOf(echo.say({}));
      await started.promise;
      await first.endpoint.close();
      expect(await call).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: true });
      expect(await failureOf(echo.say({}))).toMatchObject({ code: "UNAVAILABLE", maybeExecuted: false });
      const second = await world.open({ name: first.address });
      second.serve(Echo, echoHandlers);
      expect((await echo.say({ text: "again" })).text).toBe("again");
      expect(second.connectedPeers).toHaveLength(1);
    });

    it("tell a restarted peer from the one before", async () => {
      const first = await world.listen();
      const client = await world.open();
      const before = await client.connect(first.address);
      await first.endpoint.close();
      await until("it is gone", () => client.connectedPeers.length === 0);
      await world.open({ name: first.address });
      const after = await client.connect(first.address);
      expect(after.name).toBe(before.name);
      expect(after.incarnation).not.toBe(before.incarnation);
      expect(await failureOf(client.client(Echo, before).say({}))).toMatchObject({ code: "UNAVAILABLE" });
    });

    it("connect no longer than their signal allows", async () => {
      const { address } = await world.listen();
      const client = await world.open();
      expect((await failureOf(client.connect(address, { signal: AbortSignal.abort() }))).code).toBe(
        "CANCELLED",
      );
      const peer = await client.connect(address, { signal: new AbortController().signal });
      expect(peer.link.transport).toBe(world.transport);
    });

    it("let listeners go, and one listener's failure is not another's", async () => {
      const warnings: Error[] = [];
      const onWarning = (warning: Error) => void warnings.push(warning);
      process.on("warning", onWarning);
      const { endpoint, address } = await world.listen();
      const heard: string[] = [];
      endpoint.on("peerConnected", () => {
        throw new Error("the first listener's");
      });
      const stop = endpoint.on("peerConnected", () => void heard.push("removed"));
      endpoint.on("peerConnected", () => void heard.push("kept"));
      stop();
      await (await world.open()).connect(address);
      await until("the listener heard", () => heard.length > 0);
      await until("the failure is a warning", () => warnings.length > 0);
      process.off("warning", onWarning);
      expect(heard).toEqual(["kept"]);
      expect(warnings[0]?.message).toBe("the first listener's");
    });
  });
}
