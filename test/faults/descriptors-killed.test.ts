import { describe, expect, it } from "vitest";
import { repeat, settledFiles, start, until } from "./stage.js";

describe("the descriptors of a server", () => {
  it("are as many after 200 clients that were killed", { timeout: 120_000 }, async () => {
    const server = await start("fault-server", [{ name: "server" }]);
    const visit = async (): Promise<void> => {
      const client = await start("fault-client", ["server", "nothing"]);
      await client.kill("SIGKILL");
    };
    await repeat(4, 4, visit);
    const before = await settledFiles(server);
    await repeat(200, 4, visit);
    await until(
      () => settledFiles(server),
      (files) => files <= before,
      10_000,
    );
    expect(await server.ask({ do: "report" })).toMatchObject({ disconnected: 204, unhandled: 0 });
  });
});
