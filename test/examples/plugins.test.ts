import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { open } from "protoipc";
import { beforeAll, describe, expect, it } from "vitest";
import { Transform } from "../../gen/plugins/v1/plugins_protoipc.js";
import { preparePython, type Python } from "../harness/python.js";
import { newFolder } from "../transports/folder.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HOST = `${ROOT}dist/examples/plugins/host.js`;
const PLUGIN = `${ROOT}examples/plugins/plugin.py`;
let python: Python;

beforeAll(async () => {
  python = await preparePython(await newFolder(), ["plugins/v1/plugins.proto"]);
});

/** Runs the host to its end: the lines that it prints. */
async function host(...third: string[]): Promise<string[]> {
  const env = { ...process.env, ...python.env, PROTOIPC_DIR: await newFolder() };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [HOST, ...third], { env });
  expect(stderr).toBe("");
  // How long each pause is, is left to chance.
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/\d+ ms$/, "… ms"));
}

/** What the host prints in its order, which is that of its calls, without what comes when it comes. */
function answers(lines: readonly string[]): string[] {
  return lines.filter((line) => !/ (says|writes): | ended with /.test(line));
}

describe("the host of plugins", () => {
  it("is served by both, and sees each crash", async () => {
    const lines = await host();
    expect(answers(lines)).toEqual(["ONE", "eno", "TWO", "owt", "THREE", "eerht", "FOUR", "ruof"]);
    expect(lines).toContain("a plugin says: ready");
    // Each process of it takes one text, and the second one ends it.
    const crashes = lines.filter((line) => line === "crashing.js ended with 3, and is started again in … ms");
    expect(crashes).toHaveLength(3);
    expect(lines.filter((line) => line.includes("writes"))).toEqual([
      "crashing.js writes: cannot stand two",
      "crashing.js writes: cannot stand three",
      "crashing.js writes: cannot stand four",
    ]);
    expect(lines.slice(-2).sort()).toEqual([
      "crashing.js ended with 0, for good",
      "upper-case.js ended with 0, for good",
    ]);
  });

  it("takes a third one, in Python", async ({ skip }) => {
    if (python.missing !== undefined) skip(python.missing);
    const lines = await host(python.program, PLUGIN);
    expect(answers(lines).filter((_, index) => index % 3 === 2)).toEqual(["eno", "owt", "eerht", "ruof"]);
    expect(lines).toContain("plugin.py ended with 0, for good");
  });
});

describe("the plugin in Python", () => {
  it("is what it says, and ends with its host", async ({ skip }) => {
    if (python.missing !== undefined) skip(python.missing);
    const endpoint = await open({ discoverable: false });
    const plugin = await endpoint.spawn(python.program, { args: [PLUGIN], env: python.env });
    expect(plugin.peer?.implementation).toBe("python-peer/1");
    expect((await plugin.client(Transform).apply({ text: "" })).text).toBe("");
    const ended = new Promise((resolve) => plugin.on("exit", resolve));
    await endpoint.close();
    expect(await ended).toMatchObject({ code: 0, signal: null });
  });
});
