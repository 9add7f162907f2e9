import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  bufGenerate,
  type PluginRun,
  protoc,
  protoFiles,
  readTree,
  repository,
  run,
  schemas,
  withTemporaryDirectory,
} from "./compile.js";

const good = join(schemas, "good");
const timeout = 120_000;

/** What each folder of golden/ holds: the output for some schemas with some options. */
const cases: readonly {
  readonly folder: string;
  readonly files: readonly string[];
  readonly options: string[];
}[] = [
  { folder: "ts", files: protoFiles(good), options: ["target=ts", "import_extension=js"] },
  {
    folder: "js-dts",
    files: ["kinds.proto", "topics.proto"],
    options: ["target=js+dts", "import_extension=js"],
  },
  { folder: "dts", files: ["kinds.proto", "topics.proto"], options: ["target=dts", "import_extension=js"] },
  { folder: "commonjs", files: ["topics.proto"], options: ["target=js", "js_import_style=legacy_commonjs"] },
  { folder: "extension-ts", files: ["kinds.proto"], options: ["target=ts", "import_extension=ts"] },
  { folder: "extension-none", files: ["kinds.proto"], options: ["target=ts", "import_extension=none"] },
  {
    folder: "ts-proto",
    files: ["kinds.proto", "topics.proto"],
    options: ["target=ts", "import_extension=js", "messages=ts-proto"],
  },
  {
    folder: "in-place",
    files: ["kinds.proto", "topics.proto"],
    options: ["target=ts", "import_extension=js", "in_place=true"],
  },
  {
    folder: "rewritten",
    files: ["kinds.proto"],
    options: ["target=ts", "import_extension=js", "rewrite_imports=./other/**/*_pb.js:@example/other"],
  },
];

function protoipcRun(out: string, options: readonly string[]): PluginRun {
  return { plugin: "protoipc", out, options: [...options, "elide_plugin_version=true"] };
}

describe("generated code is what golden/ holds", () => {
  test.each(cases)("golden/$folder", { timeout }, async ({ folder, files, options }) => {
    const golden = join(repository, "test/codegen/golden", folder);
    await withTemporaryDirectory(async (out) => {
      const { exitCode, stderr } = await protoc([good], files, [protoipcRun(out, options)]);
      expect(stderr).toBe("");
      expect(exitCode).toBe(0);
      const generated = await readTree(out);
      if (process.env["UPDATE_GOLDEN"] === "1") await writeTree(golden, generated);
      const expected = await readTree(golden);
      expect([...generated.keys()]).toEqual([...expected.keys()]);
      for (const [path, content] of generated) expect(content, path).toBe(expected.get(path));
    });
  });
});

test("buf generate gives what protoc gives", { timeout }, async () => {
  await withTemporaryDirectory(async (out) => {
    const { exitCode, stderr } = await bufGenerate(good, [
      // One run for all files, as with protoc: what a run generates codecs for, its other files import.
      { ...protoipcRun(out, ["target=ts", "import_extension=js"]), strategy: "all" },
    ]);
    expect(stderr).not.toContain("Failure");
    expect(exitCode).toBe(0);
    const generated = await readTree(out);
    const expected = await readTree(join(repository, "test/codegen/golden/ts"));
    expect([...generated.keys()]).toEqual([...expected.keys()]);
    for (const [path, content] of generated) expect(content, path).toBe(expected.get(path));
  });
});

test("the schemas that other tests use lint clean", { timeout }, async () => {
  const { exitCode, stdout } = await run(join(repository, "node_modules/.bin/buf"), ["lint", "test/proto"]);
  expect(stdout).toBe("");
  expect(exitCode).toBe(0);
});

async function writeTree(root: string, tree: ReadonlyMap<string, string>): Promise<void> {
  await rm(root, { recursive: true, force: true });
  for (const [path, content] of tree) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}
