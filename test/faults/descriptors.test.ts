import type { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { openFiles, openHere, rawSocket, repeat, settledFiles, start, until } from "./stage.js";

// Node opens many modules at once while it starts, so that it needs more than it does afterwards.
const MAX_OPEN_FILES = 192;
/** Under Wine a client takes longer to come and go. */
const CLIENTS = process.platform === "win32" ? 500 : 2_000;

describe("the descriptors of a server", () => {
  it(`are as many after ${CLIENTS} clients that came and went`, { timeout: 60_000 }, async () => {
    const server = await start("fault-server", [{ name: "server" }]);
    const visit = async (): Promise<void> => {
      const endpoint = await openHere();
      await endpoint.client(Echo, "server").say({ text: "hello" });
      await endpoint.close();
    };
    await repeat(10, 5, visit);
    const before = await settledFiles(server);
    await repeat(CLIENTS, 8, visit);
    await until(
      () => settledFiles(server),
      (files) => files <= before,
      10_000,
    );
    expect(await server.ask({ do: "report" })).toMatchObject({ disconnected: CLIENTS + 10, unhandled: 0 });
  });

  // At its limit Node takes a connection and closes it at once, without an event: the peer sees an end of file, and the
  // server cannot count it. Or it leaves the connection waiting in the kernel, where the peer cannot tell.
  it("may run out: its clients are served all the same, and new ones when there is room again", {
    timeout: 60_000,
  }, async () => {
    const limits = { maxHandshakes: 1_000, handshakeTimeoutMs: 60_000 };
    const server = await start("fault-server", [{ name: "server", limits }], MAX_OPEN_FILES);
    const client = (await openHere()).client(Echo, "server");
    await client.say({ text: "before" });
    const before = await openFiles(server);
    const crowd: Duplex[] = [];
    for (let i = 0; i < 2 * MAX_OPEN_FILES; i++) crowd.push(await rawSocket("server"));
    for (const socket of crowd) socket.resume().once("end", () => socket.destroy());
    await until(
      () => openFiles(server),
      (files) => files > MAX_OPEN_FILES - 5,
      10_000,
    );
    for (let i = 0; i < 100; i++) await client.say({ text: "during" }, { timeoutMs: 10_000 });
    const late = await openHere();
    await expect(
      late.client(Echo, "server").say({ text: "late" }, { timeoutMs: 2_000 }),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/^(UNAVAILABLE|DEADLINE_EXCEEDED)$/),
      maybeExecuted: false,
    });
    await late.close();
    for (const socket of crowd) socket.destroy();
    await until(
      () => openFiles(server),
      (files) => files <= before,
      10_000,
    );
    const next = (await openHere()).client(Echo, "server");
    expect(await next.say({ text: "next" }, { timeoutMs: 10_000 })).toMatchObject({ text: "next" });
    expect(await client.say({ text: "after" }, { timeoutMs: 10_000 })).toMatchObject({ text: "after" });
    expect(await server.ask({ do: "report" })).toMatchObject({ unhandled: 0 });
  });
});
