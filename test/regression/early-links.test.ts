import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { type Endpoint, IpcError, open } from "../../index.js";

let directory = "";
let endpoints: Endpoint[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pe-"));
  process.env["PROTOIPC_DIR"] = directory;
});

afterEach(async () => {
  await Promise.all(endpoints.map((endpoint) => endpoint.close()));
  endpoints = [];
  delete process.env["PROTOIPC_DIR"];
  await rm(directory, { recursive: true });
});

async function openServing(): Promise<void> {
  // Many ways in make it take longer, after the first is there.
  const listen = Array.from({ length: 50 }, (_, i) => `unix:${join(directory, `way-${i}`)}`);
  const server = await open({ name: "early", listen });
  endpoints.push(server);
  server.serve(Echo, { say: ({ text }) => ({ text }) });
}

// A server listens on one way in while it makes the next: who came in between was told that nothing is served there.
it("whoever connects before open has resolved is served what is served right after it", {
  timeout: 60_000,
}, async () => {
  for (let round = 0; round < 5; round++) {
    const shell = await open();
    endpoints.push(shell);
    const client = shell.client(Echo, "early");
    const opening = openServing();
    for (;;) {
      try {
        expect(await client.say({ text: "hello" }, { timeoutMs: 10_000 })).toMatchObject({ text: "hello" });
        break;
      } catch (error) {
        const { code, message } = IpcError.from(error);
        expect({ code, message }).toMatchObject({ code: "UNAVAILABLE" });
        await nextTurn();
      }
    }
    await opening;
    await Promise.all(endpoints.map((endpoint) => endpoint.close()));
    endpoints = [];
  }
});
