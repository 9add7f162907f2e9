import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  emptyOutputFolder,
  type PluginRun,
  protoc,
  protoFiles,
  repository,
  schemas,
  typeCheck,
} from "./compile.js";

const timeout = 120_000;
const good = join(schemas, "good");
const testProto = join(repository, "test/proto");
const tsProtoOptions = [
  "esModuleInterop=true",
  "importSuffix=.js",
  "outputServices=false",
  "forceLong=bigint",
  // Its enums are else TypeScript's own, which are not erasable.
  "enumsAsLiterals=true",
];

// The message types are generated as declarations, which skipLibCheck leaves alone: those of some of our odd schemas
// do not pass by themselves.
function protobufEsRuns(out: string): PluginRun[] {
  return [
    { plugin: "es", out, options: ["target=js+dts", "import_extension=js"] },
    { plugin: "protoipc", out, options: ["target=ts", "import_extension=js"] },
  ];
}

async function generate(roots: string[], files: string[], plugins: PluginRun[]): Promise<void> {
  const { exitCode, stderr } = await protoc(roots, [...files, "protoipc/v1/options.proto"], plugins);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
}

describe("generated code passes the strictest checks", () => {
  test("over protobuf-es", { timeout }, async () => {
    const out = await emptyOutputFolder("protobuf-es");
    await generate([good, testProto], [...protoFiles(good), ...protoFiles(testProto)], protobufEsRuns(out));
    expect(await typeCheck(out)).toEqual([]);
  });

  test("over ts-proto", { timeout }, async () => {
    const out = await emptyOutputFolder("ts-proto");
    // ts-proto's own output does not pass unused-locals checks for every schema, nor proto2 groups at all.
    const files = ["kinds.proto", "topics.proto", "no_package.proto", "other/v1/shared.proto"];
    await generate(
      [good, testProto],
      [...files, ...protoFiles(testProto)],
      [
        { plugin: "ts_proto", out, options: tsProtoOptions },
        { plugin: "protoipc", out, options: ["target=ts", "import_extension=js", "messages=ts-proto"] },
      ],
    );
    expect(await typeCheck(out)).toEqual([]);
  });

  test("as JavaScript with declarations", { timeout }, async () => {
    const out = await emptyOutputFolder("js-dts");
    await generate([testProto], protoFiles(testProto), [
      { plugin: "es", out, options: ["target=js+dts", "import_extension=js"] },
      { plugin: "protoipc", out, options: ["target=js+dts", "import_extension=js"] },
    ]);
    await writeFile(join(out, "usage.ts"), usage);
    expect(await typeCheck(out)).toEqual([]);
  });
});

test("what is not erasable does not pass them", { timeout }, async () => {
  const out = await emptyOutputFolder("not-erasable");
  await writeFile(join(out, "enum.ts"), "export enum Side {\n  LEFT = 1,\n}\n");
  expect(await typeCheck(out)).toEqual([expect.stringMatching(/^enum\.ts\(1,13\): error TS1294: /)]);
});

const usage = `
import type { CallContext, ServiceDefinition } from "protoipc/codegen-v1";
import { Echo, type EchoClient, type EchoHandlers } from "./test/v1/echo_protoipc.js";

declare function client<C, H extends object>(service: ServiceDefinition<C, H>, handlers: Partial<H>): C;

const echo = client(Echo, {
  say(request, call) {
    return { text: request.text, number: call.timeoutMs() ?? 0 };
  },
  async *count(request) {
    for (let number = 0; number < request.number; number++) yield { number };
  },
  async sum(requests) {
    let number = 0;
    for await (const request of requests) number += request.number;
    return { number };
  },
  async *chat(messages: AsyncIterable<{ text: string }>, _call: CallContext) {
    for await (const { text } of messages) yield { text };
  },
  note() {},
});
const same: EchoClient = echo;

export async function use(): Promise<string> {
  const { text } = await same.say({ text: "a", body: new Uint8Array(1) }, { timeoutMs: 1 });
  for await (const { number } of same.count({ number: 3 })) if (number > 1) break;
  await same.sum([{ number: 1 }]);
  for await (const reply of same.chat([{ text }])) if (reply.text === "") break;
  const nothing: void = await same.note({ text });
  return String(nothing) + Echo.keyed.keyFields.join() + Echo.plain.rules.overflow + Echo.say.kind;
}

export const partial: Partial<EchoHandlers> = {};
`;

/** Each line is one mistake, and each must be reported. */
const misuses = [
  'void echo.say({ txt: "a" });',
  'void echo.say({ number: "1" });',
  'void echo.say({ text: "a" }, { timeout: 1 });',
  "void echo.keyed({});",
  "void echo.count([{ number: 1 }]).then();",
  "void echo.sum({ number: 1 });",
  "void (async () => (await echo.say({})).txt)();",
  'const unary: EchoHandlers["say"] = () => ({ text: 1 });',
  "const topic: Partial<EchoHandlers> = { keyed: () => [] };",
  'const kind: "topic" = Echo.plain.kind;',
  "const fields: string[] = Echo.plain.keyFields;",
];

test("misuse of generated types does not compile", { timeout }, async () => {
  const out = await emptyOutputFolder("misuse");
  await generate([testProto], protoFiles(testProto), protobufEsRuns(out));
  const head = [
    'import { Echo, type EchoClient, type EchoHandlers } from "./test/v1/echo_protoipc.js";',
    "declare const echo: EchoClient;",
    "export {};",
  ];
  const tail = ["export const used: unknown[] = [unary, topic, kind, fields];"];
  await writeFile(join(out, "misuse.ts"), [...head, ...misuses, ...tail].join("\n"));
  const errors = await typeCheck(out);
  const lines = errors.map((error) => Number(/^misuse\.ts\((\d+),/.exec(error)?.[1]));
  expect([...new Set(lines)].sort((a, b) => a - b)).toEqual(
    misuses.map((_, index) => head.length + 1 + index),
  );
});
