import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  bufGenerate,
  listFiles,
  type Outcome,
  packageVersion,
  protoc,
  repository,
  run,
  schemas,
  withTemporaryDirectory,
} from "./compile.js";

const timeout = 60_000;
const refusedRoot = join(schemas, "refused");

/** Everything that the schemas in schemas/refused do wrong, in the order of their files and lines. */
const refusals = `
refused.proto:10:5: refused.v1.Refused/UnaryTopic: a topic is a server-streaming method, and this one is unary
refused.proto:13:5: refused.v1.Refused/ClientStreamingTopic: a topic is a server-streaming method, and this one is client-streaming
refused.proto:16:5: refused.v1.Refused/BidiTopic: a topic is a server-streaming method, and this one is bidi-streaming
refused.proto:19:5: refused.v1.Refused/BadKey: the key's field refused.v1.WrongKey.list (refused.proto:78:3) is repeated; key fields are single scalars or enums
refused.proto:19:5: refused.v1.Refused/BadKey: the key's field refused.v1.WrongKey.map (refused.proto:79:3) is a map; key fields are single scalars or enums
refused.proto:19:5: refused.v1.Refused/BadKey: the key's field refused.v1.WrongKey.message (refused.proto:80:3) is a message; key fields are scalars or enums
refused.proto:19:5: refused.v1.Refused/BadKey: the key's field refused.v1.WrongKey.member (refused.proto:82:5) is part of the oneof choice; key fields stand alone
refused.proto:19:5: refused.v1.Refused/BadKey: the key's field refused.v1.WrongKey.implicit (refused.proto:84:3) has no presence, so that a filter cannot leave it unset; write \`optional\` before its type
refused.proto:22:5: refused.v1.Refused/EmptyKey: the key refused.v1.OwnEmpty has no fields; a topic without a key takes google.protobuf.Empty
refused.proto:25:5: refused.v1.Refused/OneWayReturns: a one-way method returns google.protobuf.Empty, and this one returns refused.v1.Message
refused.proto:28:5: refused.v1.Refused/OneWayStreams: a one-way method streams nothing, and this one is client-streaming
refused.proto:31:5: refused.v1.Refused/Both: a method is either a topic or one-way, not both
refused.proto:35:5: refused.v1.Refused/Deep: depth is 1048577, above the limit of 1048576
refused.proto:38:5: refused.v1.Refused/LongHistory: history is 9, above depth, which is 8
refused.proto:44:5: refused.v1.Refused/LongHistoryOfDefaultDepth: history is 65, above depth, which is 64
refused.proto:47:5: refused.v1.Refused/NegativeTimeout: block_timeout is negative (-1 seconds, 0 nanos)
refused.proto:52:5: refused.v1.Refused/NegativeNanos: block_timeout is negative (0 seconds, -1 nanos)
refused.proto:57:5: refused.v1.Refused/EternalTimeout: block_timeout is 2147484000 ms, above the limit of 2147483647 ms
refused.proto:62:5: refused.v1.Refused/UnknownOverflow: overflow is 9, which is no value of protoipc.v1.Overflow
required.proto:9:5: refused.v1.RefusedToo/RequiredKey: the key's field refused.v1.Outer.Key.name (required.proto:15:5) is required, so that a filter cannot leave it unset; write \`optional\` before its type
`
  .trim()
  .split("\n");

async function generate(
  root: string,
  files: readonly string[],
  options: readonly string[],
): Promise<Outcome> {
  return await withTemporaryDirectory(async (out) => {
    const outcome = await protoc([root], files, [{ plugin: "protoipc", out, options }]);
    expect(listFiles(out)).toEqual(outcome.exitCode === 0 ? expect.anything() : []);
    return outcome;
  });
}

describe("schemas that are refused", () => {
  test("every problem is named at once, with its place", { timeout }, async () => {
    const { exitCode, stderr } = await generate(refusedRoot, ["refused.proto", "required.proto"], []);
    expect(exitCode).not.toBe(0);
    const lines = stderr.split("\n");
    expect(lines[0]).toBe(`protoc-gen-protoipc: ${refusals.length} problems`);
    expect(lines.slice(1, refusals.length + 1)).toEqual(refusals);
  });

  test("one problem is one", { timeout }, async () => {
    const { stderr } = await generate(refusedRoot, ["required.proto"], []);
    expect(stderr.split("\n").slice(0, 2)).toEqual(["protoc-gen-protoipc: 1 problem", refusals.at(-1)]);
  });

  test("a key whose presence ts-proto does not keep", { timeout }, async () => {
    const { exitCode, stderr } = await generate(refusedRoot, ["presence.proto"], ["messages=ts-proto"]);
    expect(exitCode).not.toBe(0);
    expect(stderr.split("\n").slice(0, 2)).toEqual([
      "protoc-gen-protoipc: 1 problem",
      "presence.proto:10:5: refused.v1.Presence/Things: the key's field refused.v1.PresenceKey.name (presence.proto:15:3) has no presence in what ts-proto generates; it has for `optional` of proto3 alone",
    ]);
    expect((await generate(refusedRoot, ["presence.proto"], [])).exitCode).toBe(0);
  });

  test("buf shows the same lines", { timeout }, async () => {
    await withTemporaryDirectory(async (out) => {
      const { exitCode, stderr } = await bufGenerate(refusedRoot, [{ plugin: "protoipc", out, options: [] }]);
      expect(exitCode).not.toBe(0);
      // The two compilers say that an option begins at different columns.
      const withoutColumn = (line: string) => line.replace(/^(\S+:\d+):\d+: /, "$1: ");
      expect(stderr.split("\n").map(withoutColumn)).toEqual(
        expect.arrayContaining(refusals.map(withoutColumn)),
      );
    });
  });

  test("what is only imported is not checked", { timeout }, async () => {
    const { exitCode, stderr } = await generate(join(schemas, "importing"), ["importing.proto"], []);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
  });
});

describe("options", () => {
  const kinds = (...options: string[]) => generate(join(schemas, "good"), ["kinds.proto"], options);

  test("an unknown option is named, with the nearest one and all of them", { timeout }, async () => {
    const { exitCode, stderr } = await kinds("target=ts", "mesages=ts-proto");
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(
      'protoc-gen-protoipc: invalid option "mesages=ts-proto": there is no option "mesages", did you mean "messages"?; known options: messages, codec, codec_messages, in_place, target, import_extension, ',
    );
  });

  test("an option that resembles none is suggested none", { timeout }, async () => {
    const { stderr } = await kinds("verbosity=9");
    expect(stderr).toContain('there is no option "verbosity"; known options: messages, ');
  });

  test("an unknown value is named", { timeout }, async () => {
    const { exitCode, stderr } = await kinds("messages=ts_proto");
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(
      'messages is "ts_proto", did you mean "ts-proto"?; known values: protobuf-es, ts-proto',
    );
  });

  const wrongValues: readonly [option: string, text: string][] = [
    ["target=tsx", 'target is "tsx", did you mean "ts"?; known values: ts, js, dts, joined with +'],
    ["target=js+d.ts", 'target is "d.ts", did you mean "dts"?; known values: ts, js, dts, joined with +'],
    ["target", 'target is ""; known values: ts, js, dts, joined with +'],
    [
      "import_extension=mjs",
      'import_extension is "mjs", did you mean "js"?; known values: none, js, ts, .js, .ts',
    ],
    ["js_import_style=commonjs", 'js_import_style is "commonjs"; known values: module, legacy_commonjs'],
    ["keep_empty_files=yes", 'keep_empty_files is "yes"; known values: true, false, 1, 0'],
    ["ts_nocheck=ture", 'ts_nocheck is "ture", did you mean "true"?; known values: true, false, 1, 0'],
    ["elide_plugin_version=2", 'elide_plugin_version is "2"; known values: true, false, 1, 0'],
  ];
  test.each(wrongValues)(
    "the value in %s is named, and those that there are",
    { timeout },
    async (option, text) => {
      const { exitCode, stderr } = await kinds("messages=protobuf-es", option);
      expect(exitCode).not.toBe(0);
      expect(stderr).toContain(`protoc-gen-protoipc: invalid option "${option}": ${text}\n`);
    },
  );

  test("an option of ts-proto needs its messages, and one of its values", { timeout }, async () => {
    for (const [options, text] of [
      [["fileSuffix=.pb"], "fileSuffix is an option of ts-proto, and goes with messages=ts-proto"],
      [["messages=ts-proto", "useJsonName=1"], 'useJsonName is "1"; known values: true, false'],
      [
        ["messages=ts-proto", "snakeToCamel=key"],
        'snakeToCamel is "key", did you mean "keys"?; known values',
      ],
      [["messages=ts-proto", "filesuffix=.pb"], 'no option "filesuffix", did you mean "fileSuffix"?'],
    ] as const) {
      const { exitCode, stderr } = await kinds(...options);
      expect(exitCode).not.toBe(0);
      expect(stderr).toContain(text);
    }
  });

  test("every value that there is is taken", { timeout }, async () => {
    const values = [
      ...["ts", "js", "dts", "js+dts", "ts+js+dts"].map((value) => `target=${value}`),
      ...["none", "js", "ts", ".js", ".ts", ""].map((value) => `import_extension=${value}`),
      ...["module", "legacy_commonjs"].map((value) => `js_import_style=${value}`),
      ...["true", "false", "1", "0"].flatMap((value) => [
        `keep_empty_files=${value}`,
        `ts_nocheck=${value}`,
        `elide_plugin_version=${value}`,
      ]),
    ];
    // Of an option that is given again the last value counts, and each is read.
    const { exitCode, stderr } = await kinds(...values);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
  });

  test("messages=protobuf-es is the default", { timeout }, async () => {
    const { exitCode } = await kinds("messages=protobuf-es");
    expect(exitCode).toBe(0);
  });
});

test("--version tells the version of the package", { timeout }, async () => {
  const plugin = join(repository, "codegen/bin/protoc-gen-protoipc");
  const { stdout } = await run(process.execPath, [plugin, "--version"]);
  expect(stdout).toBe(`protoc-gen-protoipc ${packageVersion("codegen/package.json")}\n`);
});
