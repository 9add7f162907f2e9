import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { DescriptorProtoSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, test } from "vitest";
import type { Codec } from "../../../runtime/codec/codec.js";
import { protobufEs } from "../../../runtime/codec/protobuf-es.js";
import { type TsProtoMessageFns, tsProto } from "../../../runtime/codec/ts-proto.js";
import { emptyOutputFolder, protoc } from "../../codegen/compile.js";
import { failureIn } from "../../harness/failure.js";

type AnyCodec = Codec<never, unknown>;

/** A message of `google.protobuf.DescriptorProto`, whose field 3 is messages of its own type. */
function nested(levels: number): Uint8Array {
  let bytes = new Uint8Array(0);
  for (let level = 1; level < levels; level++) bytes = new BinaryWriter().uint32(26).bytes(bytes).finish();
  return bytes;
}

/** A message that consists of groups of a field that it does not have, one in the other. */
function groups(count: number): Uint8Array {
  const bytes = new Uint8Array(4 * count);
  // Field 100, as the start and as the end of a group.
  for (let i = 0; i < count; i++) bytes.set([0xa3, 0x06], 2 * i);
  for (let i = count; i < 2 * count; i++) bytes.set([0xa4, 0x06], 2 * i);
  return bytes;
}

function decode(codec: AnyCodec, bytes: Uint8Array, maxNesting?: number): unknown {
  const args = maxNesting === undefined ? ([] as const) : ([maxNesting] as const);
  codec.decode(bytes, 0, bytes.length, true, ...args);
  return codec.decode(bytes, 0, bytes.length, false, ...args);
}

let tsProtoDescriptor: AnyCodec;
let tsProtoString: AnyCodec;

beforeAll(async () => {
  const out = await emptyOutputFolder("nesting");
  const { exitCode, stderr } = await protoc(
    [],
    ["google/protobuf/descriptor.proto", "google/protobuf/wrappers.proto"],
    [{ plugin: "ts_proto", out, options: ["importSuffix=.js", "outputServices=false"] }],
  );
  expect(exitCode, stderr).toBe(0);
  const load = async (file: string): Promise<Record<string, TsProtoMessageFns<unknown>>> =>
    await import(pathToFileURL(join(out, "google/protobuf", file)).href);
  const { DescriptorProto } = await load("descriptor.ts");
  const { StringValue } = await load("wrappers.ts");
  tsProtoDescriptor = tsProto("google.protobuf.DescriptorProto", DescriptorProto!);
  tsProtoString = tsProto("google.protobuf.StringValue", StringValue!);
}, 60_000);

const libraries: readonly [string, () => AnyCodec, () => AnyCodec][] = [
  ["protobuf-es", () => protobufEs(DescriptorProtoSchema), () => protobufEs(StringValueSchema)],
  ["ts-proto", () => tsProtoDescriptor, () => tsProtoString],
];

describe.each(libraries)("messages of %s", (_library, recursive, flat) => {
  test("are nested a hundred deep where nothing is said, and not deeper", () => {
    decode(recursive(), nested(100));
    expect(failureIn(() => decode(recursive(), nested(101)))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      rawMessage: "google.protobuf.DescriptorProto is nested more than 100 deep, the limit (maxNesting)",
    });
  });

  test("are nested as deep as is said, up to the largest limit that there is", () => {
    for (const limit of [1, 2, 50, 150, 1_000]) {
      decode(recursive(), nested(limit), limit);
      const failure = failureIn(() => decode(recursive(), nested(limit + 1), limit));
      expect(failure.rawMessage).toContain(`more than ${limit} deep, the limit (maxNesting)`);
    }
  });

  test("count the groups that they do not know", () => {
    for (const codec of [recursive(), flat()]) {
      for (const limit of [2, 100, 150]) {
        decode(codec, groups(limit - 1), limit);
        expect(failureIn(() => decode(codec, groups(limit), limit)).rawMessage).toBe(
          `${codec.typeName} is nested more than ${limit} deep, the limit (maxNesting)`,
        );
      }
    }
    // Two levels of messages and two of groups.
    const both = new BinaryWriter().uint32(26).bytes(groups(2)).finish();
    decode(recursive(), both, 4);
    expect(() => decode(recursive(), both, 3)).toThrow("maxNesting");
  });

  test("have nothing left of a message that was refused", () => {
    expect(() => decode(recursive(), nested(11), 10)).toThrow("maxNesting");
    decode(recursive(), nested(10), 10);
    // Neighbours are not below each other.
    const message = nested(9);
    const two = new BinaryWriter().uint32(26).bytes(message).uint32(26).bytes(message).finish();
    decode(recursive(), two, 10);
  });

  test("are refused without harm by the hundred thousand", () => {
    for (const bomb of [groups(100_000), nested(5_000)]) {
      expect(failureIn(() => decode(recursive(), bomb, 1_000)).code).toBe("RESOURCE_EXHAUSTED");
    }
  });

  test("that end too early are no limit's fault", () => {
    const broken = nested(5).slice(0, -1);
    expect(() => decode(recursive(), broken, 5)).toThrow(/premature EOF|invalid varint/);
  });
});

/** How many levels a message of `nested` has, in the style of generated code that does not count. */
const uncounted: TsProtoMessageFns<number> = {
  encode: (_message, writer) => writer!,
  decode(input) {
    // Another copy of the package, or protobufjs, would not know our reader.
    if (!(input instanceof Uint8Array)) throw new TypeError("these are no bytes");
    let offset = 0;
    const number = (): number => {
      for (let value = 0, shift = 0; ; shift += 7) {
        const byte = input[offset++]!;
        value |= (byte & 127) << shift;
        if (byte < 128) return value;
      }
    };
    if (input.length === 0) return 1;
    number();
    const length = number();
    return 1 + uncounted.decode(input.subarray(offset, offset + length));
  },
};

describe("what counts no messages", () => {
  const codec = tsProto("test.Uncounted", uncounted);

  test("gets bytes, and decodes beyond the limit", () => {
    expect(decode(codec, nested(300), 100)).toBe(300);
  });

  test("fails by name at the end of the stack", () => {
    expect(failureIn(() => decode(codec, nested(20_000), 100))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      rawMessage: "test.Uncounted is nested deeper than the stack reaches; the limit is 100 (maxNesting)",
    });
  });
});

test("protobuf-es at the end of the stack is an error with a name too", () => {
  const bytes = nested(9_000);
  const failure = failureIn(() => decode(protobufEs(DescriptorProtoSchema), bytes, 100_000));
  expect(failure.rawMessage).toContain("is nested deeper than the stack reaches; the limit is 100000");
});
