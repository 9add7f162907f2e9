import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { methodFingerprint, methodListing } from "../../codegen/src/fingerprint.js";
import type { MethodModel } from "../../codegen/src/read-service.js";
import { Simple } from "../../gen/protoipc/v1/simple_protoipc.js";
import { repository, run } from "./compile.js";

/** The only method of a schema. */
async function methodOf(schema: string): Promise<MethodModel> {
  const folder = await mkdtemp(join(tmpdir(), "protoipc-test-"));
  try {
    await writeFile(join(folder, "a.proto"), schema);
    const args = ["-I", folder, "-o", join(folder, "set"), "a.proto"];
    const { exitCode, stderr } = await run(join(repository, "node_modules/.bin/protoc"), args);
    expect(exitCode, stderr).toBe(0);
    const registry = createFileRegistry(
      fromBinary(FileDescriptorSetSchema, await readFile(join(folder, "set"))),
    );
    const desc = registry.getService("a.A")!.methods[0]!;
    return { desc, localName: "call", fullName: "a.A/Call", idempotency: "unknown", is: { kind: "unary" } };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const SERVICE = "service A { rpc Call(In) returns (Out); }";
const TYPES = [
  "message In { string name = 1; repeated int32 numbers = 2; oneof which { Out out = 3; bytes raw = 4; } }",
  "message Out { map<string, Color> colors = 7; optional In back = 1; Color color = 2; }",
  "enum Color { NONE = 0; RED = 1; }",
];
const schemaOf = (...parts: string[]): string => ['syntax = "proto3"; package a;', ...parts].join("\n");

describe("the fingerprint of a schema", () => {
  it("is of a listing of all that peers have to agree on", async () => {
    const method = await methodOf(schemaOf(SERVICE, ...TYPES));
    expect(methodListing(method).split("\n")).toEqual([
      "method unary",
      "in a.In",
      "out a.Out",
      "enum a.Color open",
      "0 NONE",
      "1 RED",
      "message a.In",
      "1 implicit string name",
      "2 packed int32 numbers",
      "3 optional a.Out out oneof which",
      "4 optional bytes raw oneof which",
      "message a.Out",
      "1 optional a.In back",
      "2 implicit a.Color color",
      "7 map string,a.Color colors",
      "",
    ]);
  });

  it("is the same whatever the order, the comments and the options", async () => {
    const before = methodFingerprint(await methodOf(schemaOf(SERVICE, ...TYPES)));
    const other = TYPES.map((text) =>
      text.replace("string name = 1;", "// A name.\n string name = 1 [deprecated = true];"),
    );
    expect(methodFingerprint(await methodOf(schemaOf(...[...other].reverse(), SERVICE)))).toBe(before);
  });

  it.each([
    ["string name = 1", "string name = 9"],
    ["string name = 1", "bytes name = 1"],
    ["string name = 1", "string title = 1"],
    ["string name = 1", "optional string name = 1"],
    ["RED = 1", "RED = 1; BLUE = 2"],
    ["map<string, Color>", "map<int32, Color>"],
    ["numbers = 2", "numbers = 2 [packed = false]"],
    ["Call(In)", "Call(Out)"],
  ])("is another one when %j becomes %j", async (from, to) => {
    const before = schemaOf(SERVICE, ...TYPES);
    expect(before).toContain(from);
    const [a, b] = [await methodOf(before), await methodOf(before.replace(from, to))];
    expect(methodFingerprint(b)).not.toBe(methodFingerprint(a));
  });

  it("is the one of the specification", async () => {
    const page = await readFile(join(repository, "docs/spec/fingerprint-v1.md"), "utf8");
    const [, listing = "", told = ""] =
      /simple\.proto`:\n\n```\n([^`]*)```\n\nFingerprint: `(\w+)`/.exec(page) ?? [];
    expect(createHash("sha256").update(listing).digest("hex").slice(0, 32)).toBe(told);
    expect(Simple.strings.fingerprint).toBe(told);
  });
});
