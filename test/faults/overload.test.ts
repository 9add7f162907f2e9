import { once } from "node:events";
import type { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { openHere, RAW_TRANSPORT, rawSocket, start, until } from "./stage.js";

interface Report {
  readonly rejected: { code: string; message: string }[];
  readonly peers: number;
}

const MAX_HANDSHAKES = 8;

describe("more silent connections than maxHandshakes", () => {
  it("have new ones refused with a reason, leave clients served, and free the limit when they time out", async () => {
    const limits = { maxHandshakes: MAX_HANDSHAKES, handshakeTimeoutMs: 3_000 };
    const server = await start("fault-server", [{ name: "server", limits }]);
    const client = (await openHere()).client(Echo, "server");
    await client.say({ text: "before" });
    const silent: Duplex[] = [];
    for (let i = 0; i < MAX_HANDSHAKES; i++) silent.push(await rawSocket("server"));
    const ended = Promise.all(silent.map((socket) => once(socket.resume(), "end")));

    const late = await openHere();
    const refusal = {
      code: "RESOURCE_EXHAUSTED",
      message: expect.stringContaining("8 links that are not introduced yet"),
    };
    // The same way in: another one has a queue of its own, and may be served before.
    await expect(late.connect(`${RAW_TRANSPORT}:server`)).rejects.toMatchObject(refusal);
    await expect(late.client(Echo, `${RAW_TRANSPORT}:server`).say({ text: "late" })).rejects.toMatchObject({
      ...refusal,
      maybeExecuted: false,
    });
    expect(await client.say({ text: "during" })).toMatchObject({ text: "during" });

    await ended;
    expect(await late.client(Echo, "server").say({ text: "late" })).toMatchObject({ text: "late" });
    const { rejected, peers } = await server.ask<Report>({ do: "report" });
    expect(peers).toBe(2);
    expect(rejected.length).toBe(MAX_HANDSHAKES);
    for (const { message } of rejected) expect(message).toContain("did not introduce itself within 3000 ms");
    expect(await client.say({ text: "after" })).toMatchObject({ text: "after" });
  });

  it("are let go at once when they hang up", async () => {
    const limits = { maxHandshakes: MAX_HANDSHAKES };
    await start("fault-server", [{ name: "server", limits }]);
    for (let round = 0; round < 3; round++) {
      const silent: Duplex[] = [];
      for (let i = 0; i < MAX_HANDSHAKES; i++) silent.push(await rawSocket("server"));
      const late = await openHere();
      await expect(late.connect(`${RAW_TRANSPORT}:server`)).rejects.toMatchObject({
        code: "RESOURCE_EXHAUSTED",
      });
      for (const socket of silent) socket.destroy();
      await until(
        () =>
          late.connect("server").then(
            () => "in",
            () => "refused",
          ),
        (outcome) => outcome === "in",
        5_000,
      );
      await late.close();
    }
  });
});

describe("more links than maxLinks", () => {
  it("have new ones refused with a reason, until one is given up", async () => {
    await start("fault-server", [{ name: "server", limits: { maxLinks: 3 } }]);
    const endpoints = [await openHere(), await openHere(), await openHere()];
    for (const endpoint of endpoints) await endpoint.connect("server");
    const late = await openHere();
    await expect(late.connect("server")).rejects.toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      message: expect.stringContaining("3 links, the limit (maxLinks)"),
    });
    expect(await endpoints[0]!.client(Echo, "server").say({ text: "a" })).toMatchObject({ text: "a" });
    await endpoints[0]!.close();
    await until(
      () =>
        late.connect("server").then(
          () => "in",
          () => "refused",
        ),
      (outcome) => outcome === "in",
      5_000,
    );
  });
});
