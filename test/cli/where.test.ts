import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { open } from "../../index.js";
import { cli, directory, endStage, run, startStage } from "./stage.js";

beforeAll(startStage);
afterAll(endStage);

describe("who is not found", () => {
  it.each([
    ["describe", "nothing-like-it"],
    ["call", "Nothing/LikeIt"],
    ["sub", "Nothing/LikeIt"],
    ["pub", "Nothing/LikeIt", "{}"],
    ["pub", "Simple/Strings", '{"name": "status"}', '"ready"', "--timeout", "50"],
    ["ping", "nobody"],
    ["ping", "unix:nobody"],
    ["call", "List", "--to", "nobody"],
  ])("was looked for somewhere, and others are there: %s %s", async (...args) => {
    const { code, out, error } = await run(args);
    expect([code, out]).toEqual([1, ""]);
    expect(error).toContain("domain default");
    expect(error).toContain(directory);
    expect(error).toContain("PROTOIPC_DIR");
    expect(error).toContain("protoipc ls shows who is there");
    const other = await run([...args, "--domain", "other", "--json"]);
    const { hint, message } = (JSON.parse(other.out) as { error: { hint: string; message: string } }).error;
    expect(`${message} ${hint}`).toContain("domain other");
    expect(hint).toContain("protoipc ls --domain other shows who is there");
  });

  it("may be one of those that do not tell what they have", async () => {
    const endpoint = await open({ name: "quiet", inspect: false });
    try {
      const { error } = await run(["call", "Nothing/LikeIt"]);
      expect(error).toContain("quiet does not tell what it has (UNIMPLEMENTED");
      expect((await run(["call", "Nothing/LikeIt", "--to", "hostwatch"])).error).toContain(
        'hostwatch has no method "Nothing/LikeIt"',
      );
    } finally {
      await endpoint.close();
    }
  });

  it("may come yet, to a topic whose schema everybody has", async () => {
    const child = spawn(process.execPath, [cli, "sub", "Simple/Strings"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const [line] = (await once(createInterface({ input: child.stderr }), "line")) as [string];
    expect(line).toContain("nobody publishes protoipc.v1.Simple/Strings yet: domain default below");
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});
