import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { directory, endStage, run, startStage } from "./stage.js";

beforeAll(startStage);
afterAll(endStage);

interface Failed {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly suggestions?: readonly string[];
  };
}

async function failure(...args: string[]): Promise<readonly [exitCode: number, error: Failed["error"]]> {
  const { code, out, error } = await run([...args, "--json"]);
  expect(error).toBe("");
  return [code, (JSON.parse(out) as Failed).error];
}

describe("an error, with --json", () => {
  it("is JSON where the arguments are wrong", async () => {
    expect(await failure("cal")).toEqual([
      2,
      { code: "INVALID_ARGUMENT", message: "unknown command 'cal'", suggestions: ["call"] },
    ]);
    expect(await failure("ping")).toMatchObject([2, { code: "INVALID_ARGUMENT", message: /address/ }]);
    expect(await failure("ls", "--timeout", "soon")).toMatchObject([2, { message: /whole number/ }]);
    expect(await failure("ls", "--domain", "../x")).toMatchObject([2, { message: /no domain/ }]);
    expect(await failure("ls", "--wacth")).toMatchObject([2, { suggestions: ["--watch"] }]);
    expect(await failure("call", "List", "{")).toMatchObject([2, { code: "INVALID_ARGUMENT" }]);
  });

  it("has a code that fits", async () => {
    expect(await failure("call", "Hostwatch/Lst")).toMatchObject([1, { code: "NOT_FOUND" }]);
    expect(await failure("describe", "nothing-like-it")).toMatchObject([1, { code: "NOT_FOUND" }]);
    expect(await failure("ping", "nobody")).toMatchObject([1, { code: "UNAVAILABLE" }]);
    const { code, out } = await run(["ls", "--json"], {
      env: { PROTOIPC_DIR: join(directory, "default/hostwatch/secret") },
    });
    expect([code, (JSON.parse(out) as Failed).error.code]).toEqual([1, "PERMISSION_DENIED"]);
  });

  it("names a field of an inner message, where that is meant", async () => {
    expect(await failure("call", "List", '{"nameContains": "node"}')).toMatchObject([
      2,
      { suggestions: ["filter.nameContains"] },
    ]);
  });
});
