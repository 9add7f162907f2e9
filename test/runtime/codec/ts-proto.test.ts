import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { create, toBinary } from "@bufbuild/protobuf";
import { BytesValueSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, test } from "vitest";
import type { Codec } from "../../../runtime/codec/codec.js";
import { type TsProtoMessageFns, tsProto } from "../../../runtime/codec/ts-proto.js";
import { emptyOutputFolder, protoc } from "../../codegen/compile.js";

interface Wrapper<T> {
  value: T;
}

let strings: Codec<Wrapper<string>, Wrapper<string>>;
let blobs: Codec<Wrapper<Uint8Array>, Wrapper<Uint8Array>>;

beforeAll(async () => {
  const out = await emptyOutputFolder("ts-proto-codec");
  const { exitCode, stderr } = await protoc(
    [],
    ["google/protobuf/wrappers.proto"],
    [{ plugin: "ts_proto", out, options: ["importSuffix=.js", "outputServices=false"] }],
  );
  expect(exitCode, stderr).toBe(0);
  const generated: {
    StringValue: TsProtoMessageFns<Wrapper<string>>;
    BytesValue: TsProtoMessageFns<Wrapper<Uint8Array>>;
  } = await import(pathToFileURL(join(out, "google/protobuf/wrappers.ts")).href);
  strings = tsProto("google.protobuf.StringValue", generated.StringValue);
  blobs = tsProto("google.protobuf.BytesValue", generated.BytesValue);
}, 60_000);

function encode<T>(codec: Codec<T, T>, message: T): Uint8Array {
  const target = new Uint8Array(codec.maxSize(message) + 3).fill(0xee);
  const end = codec.encodeInto(message, target, 3);
  expect([...target.subarray(0, 3)]).toEqual([0xee, 0xee, 0xee]);
  return target.slice(3, end);
}

describe("tsProto", () => {
  test("names its type", () => {
    expect(strings.typeName).toBe("google.protobuf.StringValue");
  });

  test("encodes and decodes what protobuf-es does", () => {
    for (const value of ["", "text", "żółw 🐢 ".repeat(10_000), "again"]) {
      const bytes = toBinary(StringValueSchema, create(StringValueSchema, { value }));
      expect(encode(strings, { value })).toEqual(bytes);
      expect(strings.decode(bytes, 0, bytes.length, false)).toEqual({ value });
    }
  });

  test("encodes without having been asked for the size, and another message than the one that was sized", () => {
    const target = new Uint8Array(100);
    strings.maxSize({ value: "sized" });
    const end = strings.encodeInto({ value: "other" }, target, 0);
    expect(strings.decode(target, 0, end, false)).toEqual({ value: "other" });
  });

  test("a failed encode leaves nothing behind", () => {
    const broken = tsProto<Wrapper<string>>("test.Broken", {
      encode(_message, writer) {
        writer?.uint32(10).string("half a message");
        throw new Error("broken");
      },
      decode: () => ({ value: "" }),
    });
    expect(() => broken.maxSize({ value: "" })).toThrow("broken");
    expect(strings.decode(encode(strings, { value: "whole" }), 0, 7, false)).toEqual({ value: "whole" });
  });

  test("a decoded message shares no memory with its bytes unless it may", () => {
    const value = Uint8Array.of(1, 2, 3);
    const bytes = toBinary(BytesValueSchema, create(BytesValueSchema, { value }));
    const apart = blobs.decode(bytes, 0, bytes.length, false);
    const view = blobs.decode(bytes, 0, bytes.length, true);
    expect(view.value.buffer).toBe(bytes.buffer);
    bytes.fill(0xff);
    expect([...apart.value]).toEqual([1, 2, 3]);
  });

  test("throws on bytes that are no such message", () => {
    const bytes = encode(strings, { value: "text" });
    expect(() => strings.decode(bytes, 0, bytes.length - 1, false)).toThrow();
  });
});
