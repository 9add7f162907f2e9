import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { run } from "./stage.js";

/** The files of this package that a command loads. */
async function loadedBy(...args: string[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "protoipc-cli-"));
  try {
    // Which scripts were run is what coverage counts, too.
    await run(args, { env: { NODE_V8_COVERAGE: folder } });
    const texts = await Promise.all(
      (await readdir(folder)).map((file) => readFile(join(folder, file), "utf8")),
    );
    const urls = texts.flatMap((text) => (JSON.parse(text) as { result: { url: string }[] }).result);
    return urls.flatMap(({ url }) => /\/dist\/(.*)$/.exec(url)?.[1] ?? []);
  } finally {
    await rm(folder, { recursive: true });
  }
}

it.each([
  ["--help"],
  ["call", "--help"],
  ["cal"],
  ["completion", "bash"],
  ["complete", "--", "d"],
  ["complete", "--", "call", "--"],
])("loads no endpoint where none is needed, to be there at once: %s %s %s", async (...args) => {
  const loaded = await loadedBy(...args);
  expect(loaded).toContain("cli/program.js");
  expect(loaded.filter((file) => /^(index|runtime\/endpoint|bindings\/)/.test(file))).toEqual([]);
});

it("loads one where it is", async () => {
  expect(await loadedBy("ls")).toContain("runtime/endpoint.js");
});
