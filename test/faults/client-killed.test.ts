import { describe, expect, it } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { faultHandlers, newTally } from "../programs/fault-handlers.js";
import { openHere, start, until } from "./stage.js";

describe("a client that is killed", () => {
  it("aborts the signals of its handlers, ends its generators, and is no subscriber any more", async () => {
    const server = await openHere({ name: "server" });
    const tally = newTally();
    server.serve(Echo, faultHandlers(tally));
    const keyed = await server.publisher(Echo.keyed);
    const plain = await server.publisher(Echo.plain);
    const disconnected: { pid: number | undefined; code: string }[] = [];
    server.on("peerDisconnected", ({ pid }, { code }) => disconnected.push({ pid, code }));

    const client = await start("fault-client", ["server"]);
    const bystander = await start("fault-client", ["server"]);
    await until(
      () => tally.running,
      (running) => running === 8,
      10_000,
    );
    expect([keyed.subscribers, plain.subscribers, server.connectedPeers.length]).toEqual([2, 2, 2]);
    expect(tally).toMatchObject({ aborted: {}, left: {} });

    await client.kill("SIGKILL");
    await until(
      () => tally.running,
      (running) => running === 4,
      10_000,
    );
    await until(
      () => [keyed.subscribers, plain.subscribers].join(),
      (seen) => seen === "1,1",
      10_000,
    );
    expect(tally.aborted).toEqual({ "say hang": 1, "count hang": 1, "count endless": 1, chat: 1 });
    expect(tally.left).toEqual({ "count hang": 1, "count endless": 1, chat: 1 });
    expect(disconnected).toEqual([{ pid: client.pid, code: "UNAVAILABLE" }]);
    expect(keyed.publish({ name: "a", shard: 1 }, {})).toMatchObject({ matched: 1 });

    await bystander.kill("SIGKILL");
    await until(
      () => tally.running,
      (running) => running === 0,
      10_000,
    );
    expect(keyed.publish({ name: "a", shard: 1 }, {})).toMatchObject({ matched: 0 });
    expect(server.counters).toMatchObject({ handlersFailed: 0, linksRejected: 0 });
    expect(server.connectedPeers).toEqual([]);
  });
});
