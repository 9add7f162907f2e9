import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { beforeAll, expect, test } from "vitest";
import {
  emptyOutputFolder,
  protoc,
  protoFiles,
  readTree,
  repository,
  run,
  typeCheck,
  withTemporaryDirectory,
} from "./compile.js";

const root = join(repository, "node_modules/google-proto-files");
const timeout = 600_000;

// Left out: google/protobuf, which holds tests of protoc with imports that are not there, and the second of the two
// schemas of 100,000 lines, which are alike; and what other packages have of google/protobuf.
const left = /^google\/protobuf\/|^google\/cloud\/compute\/v1beta\/|^node_modules\//;

/** The compiled schemas of the package, those they import among them. */
async function compileAll(): Promise<FileDescriptorProto[]> {
  return await withTemporaryDirectory(async (directory) => {
    const set = join(directory, "all.binpb");
    const files = protoFiles(root).filter((path) => !left.test(path));
    const args = ["-I", root, "--include_imports", "-o", set, ...files];
    const { exitCode, stderr } = await run(join(repository, "node_modules/.bin/protoc"), args, root);
    expect(exitCode, stderr.slice(-2_000)).toBe(0);
    return fromBinary(FileDescriptorSetSchema, await readFile(set)).file;
  });
}

let all: FileDescriptorProto[];
let files: FileDescriptorProto[];

beforeAll(async () => {
  all = await compileAll();
  files = all.filter((file) => file.service.length > 0);
}, timeout);

test("every service and method of Google's public schemas", { timeout }, async () => {
  expect(all.length).toBeGreaterThan(7_000);
  expect(files.length).toBeGreaterThan(1_600);

  await withTemporaryDirectory(async (out) => {
    const names = files.map((file) => file.name);
    const { exitCode, stderr } = await protoc([root], names, [
      { plugin: "protoipc", out, options: ["target=ts", "import_extension=js"] },
    ]);
    expect(exitCode, stderr.slice(-2_000)).toBe(0);
    const output = await readTree(out);
    expect([...output.keys()].filter((path) => path.endsWith("_protoipc.ts")).length).toBe(files.length);
    for (const file of files) expect(missingFrom(output.get(outputName(file)) ?? "", file)).toEqual([]);
  });
});

test("the output for 320 of Google's public schemas passes the strictest checks", { timeout }, async () => {
  const names = sampleOf(320);
  const out = await emptyOutputFolder("google-protos");
  const messages = withImports(names);
  const es = await protoc([root], messages, [
    { plugin: "es", out, options: ["target=js+dts", "import_extension=js"] },
  ]);
  expect(es.exitCode, es.stderr.slice(-2_000)).toBe(0);
  const ours = await protoc([root], names, [
    { plugin: "protoipc", out, options: ["target=ts", "import_extension=js"] },
  ]);
  expect(ours.exitCode, ours.stderr.slice(-2_000)).toBe(0);
  expect(await typeCheck(out)).toEqual([]);
});

test("the output for 40 of them over ts-proto does, too", { timeout }, async () => {
  const out = await emptyOutputFolder("google-protos-ts-proto");
  const tsProto = ["esModuleInterop=true", "importSuffix=.js", "outputServices=none", "enumsAsLiterals=true"];
  const { exitCode, stderr } = await protoc([root], sampleOf(40), [
    { plugin: "ts_proto", out, options: [...tsProto, "outputJsonMethods=false"] },
    { plugin: "protoipc", out, options: ["target=ts", "import_extension=js", "messages=ts-proto"] },
  ]);
  expect(exitCode, stderr.slice(-2_000)).toBe(0);
  expect(await typeCheck(out)).toEqual([]);
});

/** The names of every so many of the files, so that the sample goes through the whole tree and is always the same. */
function sampleOf(count: number): string[] {
  const step = Math.floor(files.length / count);
  const sample = files.filter((_, index) => index % step === 0).slice(0, count);
  expect(sample.length).toBe(count);
  return sample.map((file) => file.name);
}

function outputName(file: FileDescriptorProto): string {
  return file.name.replace(/\.proto$/, "_protoipc.ts");
}

/** What a generated file should hold and does not. */
function missingFrom(output: string, file: FileDescriptorProto): string[] {
  const missing: string[] = [];
  for (const service of file.service) {
    const typeName = file.package === "" ? service.name : `${file.package}.${service.name}`;
    const wanted = [
      `\n  $typeName: "${typeName}",`,
      ...service.method.map((method) => `\n  fullName: "${typeName}/${method.name}",`),
    ];
    missing.push(...wanted.filter((text) => !output.includes(text)));
  }
  return missing;
}

/** Files with all that they import, without the well-known types, which the runtime of protobuf-es carries. */
function withImports(names: readonly string[]): string[] {
  const byName = new Map(all.map((file) => [file.name, file]));
  const wanted = new Set<string>();
  const visit = (name: string): void => {
    if (wanted.has(name) || name.startsWith("google/protobuf/")) return;
    wanted.add(name);
    for (const dependency of byName.get(name)?.dependency ?? []) visit(dependency);
  };
  for (const name of names) visit(name);
  return [...wanted];
}
