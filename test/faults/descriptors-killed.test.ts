import { describe, expect, it } from "vitest";
import { repeat, settledFiles, start, until } from "./stage.js";

/** Under Wine a process takes longer to start. */
const KILLED = process.platform === "win32" ? 40 : 200;

describe("the descriptors of a server", () => {
  it(`are as many after ${KILLED} clients that were killed`, { timeout: 120_000 }, async () => {
    const server = await start("fault-server", [{ name: "server" }]);
    const visit = async (): Promise<void> => {
      const client = await start("fault-client", ["server", "nothing"]);
      await client.kill("SIGKILL");
    };
    await repeat(4, 4, visit);
    const before = await settledFiles(server);
    await repeat(KILLED, 4, visit);
    await until(
      () => settledFiles(server),
      (files) => files <= before,
      10_000,
    );
    expect(await server.ask({ do: "report" })).toMatchObject({ disconnected: KILLED + 4, unhandled: 0 });
  });
});
