import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import type { AnyMethod, AnyTopic } from "../../runtime/definition.js";
import { emptyOutputFolder, protoc, schemas, typeCheck } from "./compile.js";

const timeout = 120_000;
const FILE = "odd-names.v1.proto";
const SHARED = [
  "esModuleInterop=true",
  "importSuffix=.js",
  "outputServices=none",
  "enumsAsLiterals=true",
  "outputJsonMethods=false",
  "forceLong=bigint",
];

/** Generates, with some options for both plugins and others for one of them, and returns the folder. */
async function generate(
  name: string,
  both: readonly string[],
  tsProtoAlone: readonly string[] = [],
): Promise<string> {
  const out = await emptyOutputFolder(`ts-proto-${name}`);
  const { exitCode, stderr } = await protoc(
    [join(schemas, "ts-proto")],
    [FILE],
    [
      { plugin: "ts_proto", out, options: [...SHARED, ...both, ...tsProtoAlone] },
      {
        plugin: "protoipc",
        out,
        options: ["target=ts", "import_extension=js", "messages=ts-proto", ...both],
      },
    ],
  );
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return out;
}

describe("generated code finds what ts-proto generates, whatever its names are", () => {
  test.each([
    ["as they are", "names", []],
    ["with fileSuffix and snakeToCamel=false", "names-snake", ["fileSuffix=.pb", "snakeToCamel=false"]],
    ["with snakeToCamel=json", "names-snake-json", ["snakeToCamel=json"]],
    [
      "with useJsonName and useSnakeTypeName=false",
      "names-json",
      ["useJsonName=true", "useSnakeTypeName=false"],
    ],
    [
      "with affixes and snakeToCamel=keys_json",
      "names-affixes",
      ["typePrefix=A", "messagePrefix=B", "messageSuffix=Y", "typeSuffix=Z", "snakeToCamel=keys_json"],
    ],
  ] as const)("%s", { timeout }, async (_, name, options) => {
    const out = await generate(name, options);
    expect(await typeCheck(out)).toEqual([]);
    const { Odd } = await import(pathToFileURL(join(out, "odd-names.v1_protoipc.ts")).href);
    const methods: readonly (AnyMethod | AnyTopic)[] = Odd.$methods;
    expect(methods).toHaveLength(10);
    const nothing = new Uint8Array(0);
    for (const { request, response } of methods) {
      for (const codec of [request, response]) {
        const message = codec.decode(nothing, 0, 0, false);
        expect(codec.maxSize(message), codec.typeName).toBe(0);
      }
    }
  });
});

describe("an option of ts-proto that the plugin was not given", () => {
  test("does not compile where properties of keys are called otherwise", { timeout }, async () => {
    const out = await generate("names-unknown-fields", [], ["useJsonName=true"]);
    expect(await typeCheck(out)).toEqual([
      expect.stringMatching(/^odd-names\.v1_protoipc\.ts\(\d+,\d+\): error TS2820: .*"shoutedName"/),
      expect.stringMatching(/^odd-names\.v1_protoipc\.ts\(\d+,\d+\): error TS2322: .*"renamed"/),
    ]);
  });

  test("does not compile where messages are", { timeout }, async () => {
    const out = await generate("names-unknown-types", [], ["typePrefix=A"]);
    expect((await typeCheck(out)).join("\n")).toMatch(/error TS2724: .*'OddKey'/);
  });
});
