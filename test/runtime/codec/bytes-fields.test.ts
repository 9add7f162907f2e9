import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { create, createFileRegistry, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, test } from "vitest";
import { borrowMessage, MIN_BORROWED_BYTES } from "../../../runtime/codec/borrow.js";
import type { Codec } from "../../../runtime/codec/codec.js";
import { probeBytesFields } from "../../../runtime/codec/probe-bytes-fields.js";
import { protobufEs } from "../../../runtime/codec/protobuf-es.js";
import { LENGTH_DELIMITED, TopLevelFields } from "../../../runtime/codec/top-level-fields.js";
import { type TsProtoMessageFns, tsProto } from "../../../runtime/codec/ts-proto.js";
import type { Lent, ReceivedBlock } from "../../../transports/transport.js";
import { emptyOutputFolder, protoc, repository, run } from "../../codegen/compile.js";
import { pattern, same } from "../../harness/pattern.js";

const SCHEMA = `
syntax = "proto3";
package bytes;
import "google/protobuf/wrappers.proto";
message Many {
  string text = 1;
  bytes first = 2;
  optional bytes second = 500000;
  repeated bytes list = 4;
  oneof choice {
    bytes chosen = 5;
    string other = 6;
  }
  Many inner = 7;
  map<string, bytes> named = 8;
  google.protobuf.BytesValue wrapped = 9;
  optional string nothing = 10;
  optional uint32 number = 11;
  repeated Many all = 12;
}
`;
const SCHEMA_2 = `
syntax = "proto2";
package bytes;
message Old {
  required bytes needed = 1;
  optional bytes wanted = 2 [default = "none"];
  optional group Part = 3 {
    optional bytes wanted = 2;
  }
}
`;

interface Many {
  text: string;
  first: Uint8Array;
  second?: Uint8Array | undefined;
}

let many: DescMessage;
let old: DescMessage;
let codecs: readonly (readonly [name: string, codec: Codec<unknown, unknown>])[];

beforeAll(async () => {
  const out = await emptyOutputFolder("ts-proto-bytes");
  const folder = join(out, "schemas");
  await mkdir(folder);
  await writeFile(join(folder, "many.proto"), SCHEMA);
  await writeFile(join(folder, "old.proto"), SCHEMA_2);
  const set = join(folder, "set.binpb");
  const args = ["-I", folder, "--include_imports", "-o", set, "many.proto", "old.proto"];
  const described = await run(join(repository, "node_modules/.bin/protoc"), args);
  expect(described.exitCode, described.stderr).toBe(0);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, await readFile(set)));
  many = registry.getMessage("bytes.Many")!;
  old = registry.getMessage("bytes.Old")!;
  const options = ["importSuffix=.js", "outputServices=false"];
  const generated = await protoc(
    [folder],
    ["many.proto", "google/protobuf/wrappers.proto"],
    [{ plugin: "ts_proto", out, options }],
  );
  expect(generated.exitCode, generated.stderr).toBe(0);
  const { Many }: { Many: TsProtoMessageFns<unknown> } = await import(
    pathToFileURL(join(out, "many.ts")).href
  );
  codecs = [
    ["protobuf-es", protobufEs(many) as Codec<unknown, unknown>],
    ["ts-proto", tsProto("bytes.Many", Many)],
  ];
}, 60_000);

/** A field with its tag in front: numbers up to 15, lengths up to 2^28. */
function field(number: number, content: Uint8Array): Uint8Array {
  const head = [number * 8 + LENGTH_DELIMITED];
  let length = content.length;
  for (; length > 127; length = Math.floor(length / 128)) head.push((length % 128) + 128);
  head.push(length);
  return Uint8Array.from([...head, ...content]);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** A block that can be borrowed. `reads`: what was done with it. */
function blockOf(bytes: Uint8Array): ReceivedBlock & { readonly isBorrowed: () => boolean; copies: number } {
  const lents = new Set<Lent>();
  return {
    length: bytes.length,
    copies: 0,
    isBorrowed: () => lents.size > 0,
    copy() {
      this.copies++;
      return bytes.slice();
    },
    borrow() {
      const lent = {
        bytes,
        end: () => {
          lents.delete(lent);
        },
      };
      lents.add(lent);
      return lent;
    },
  };
}

describe("a codec's fields of bytes", () => {
  test("are the singular ones of the message itself, of no oneof", () => {
    const [, es] = codecs[0]!;
    expect([...es.bytesFields!()]).toEqual([
      [2, { name: "first", unset: undefined }],
      [500_000, { name: "second", unset: undefined }],
    ]);
    expect(es.bytesFields!()).toBe(es.bytesFields!());
  });

  test("are those that need not be there", () => {
    expect([...protobufEs(old).bytesFields!()]).toEqual([[2, { name: "wanted", unset: undefined }]]);
  });

  test("are found in what ts-proto generates, where members of oneofs are fields like any other", () => {
    const [, ts] = codecs[1]!;
    const found = [...ts.bytesFields!()].sort(([a], [b]) => a - b);
    expect(found).toEqual([
      [2, { name: "first", unset: new Uint8Array(0) }],
      [5, { name: "chosen", unset: undefined }],
      [500_000, { name: "second", unset: undefined }],
    ]);
    expect(ts.bytesFields!()).toBe(ts.bytesFields!());
  });
});

test("a field of bytes may be null where it is not set", () => {
  const encode = ({ wanted }: { readonly wanted?: Uint8Array | null }) =>
    wanted === null || wanted === undefined ? new Uint8Array(0) : field(2, wanted);
  expect([...probeBytesFields({ wanted: null }, encode)]).toEqual([[2, { name: "wanted", unset: null }]]);
});

describe("a message that is borrowed", () => {
  test("is the one that was sent, with its large fields in place", () => {
    const first = pattern(MIN_BORROWED_BYTES, 1);
    const second = pattern(300_000, 2);
    const init = {
      text: "żółw",
      first,
      second,
      list: [pattern(100_000, 3)],
      inner: { first: pattern(100_000, 4), text: "inner" },
      number: 7,
    };
    const bytes = toBinary(many, create(many, init));
    for (const [, codec] of codecs) {
      const block = blockOf(bytes);
      const { message, lent, names } = borrowMessage(codec, block, undefined);
      expect(block.copies).toBe(0);
      expect(block.isBorrowed()).toBe(true);
      expect([...names].sort()).toEqual(["first", "second"]);
      const whole = message as Many & { list: Uint8Array[]; inner: Many; number: number };
      expect(whole.first.buffer).toBe(bytes.buffer);
      expect(whole.second?.buffer).toBe(bytes.buffer);
      expect(whole.list[0]?.buffer).not.toBe(bytes.buffer);
      expect(whole.inner.first.buffer).not.toBe(bytes.buffer);
      expect(same(whole.first, first) && same(whole.second!, second)).toBe(true);
      const expected = codec.decode(bytes, 0, bytes.length, false) as typeof whole;
      expect({ ...whole, first: 0, second: 0 }).toEqual({ ...expected, first: 0, second: 0 });
      lent!.end();
      expect(block.isBorrowed()).toBe(false);
    }
  });

  test("is private as a whole where no field is large", () => {
    const bytes = toBinary(
      many,
      create(many, {
        first: pattern(MIN_BORROWED_BYTES - 1),
        list: [pattern(MIN_BORROWED_BYTES)],
        inner: { first: pattern(MIN_BORROWED_BYTES) },
        choice: { case: "other", value: "o".repeat(MIN_BORROWED_BYTES) },
      }),
    );
    for (const [, codec] of codecs) {
      const block = blockOf(bytes);
      const { message, lent } = borrowMessage(codec, block, undefined);
      expect(lent).toBeUndefined();
      expect(block.isBorrowed()).toBe(false);
      expect(message).toEqual(codec.decode(bytes, 0, bytes.length, false));
      expect((message as Many).first.buffer).not.toBe(bytes.buffer);
    }
  });

  test("is copied where it is small, where the platform cannot lend, and where the codec knows no fields", () => {
    const [, codec] = codecs[0]!;
    const small = toBinary(many, create(many, { first: pattern(100) }));
    const smallBlock = blockOf(small);
    expect(borrowMessage(codec, smallBlock, undefined).lent).toBeUndefined();
    expect(smallBlock.copies).toBe(1);
    const large = toBinary(many, create(many, { first: pattern(100_000) }));
    const forbidden = { ...blockOf(large), borrow: () => undefined };
    const copied = borrowMessage(codec, forbidden, undefined).message as Many;
    expect(same(copied.first, pattern(100_000))).toBe(true);
    const { bytesFields: _, ...unknowing } = codec;
    expect(borrowMessage(unknowing, blockOf(large), undefined).lent).toBeUndefined();
  });

  test("has the last of several values of a field", () => {
    const large = pattern(MIN_BORROWED_BYTES, 1);
    const other = pattern(MIN_BORROWED_BYTES + 5, 2);
    const small = pattern(10, 3);
    for (const [parts, expected, isLent] of [
      [[large, small], small, false],
      [[small, large], large, true],
      [[large, other], other, true],
      [[large, small, other], other, true],
      [[large, new Uint8Array(0)], new Uint8Array(0), false],
    ] as const) {
      const bytes = joined(...parts.map((part) => field(2, part)), field(1, new Uint8Array([0x61])));
      for (const [, codec] of codecs) {
        const { message, lent } = borrowMessage(codec, blockOf(bytes), undefined);
        const whole = message as Many;
        expect(same(whole.first, expected)).toBe(true);
        expect(whole.text).toBe("a");
        expect(lent !== undefined).toBe(isLent);
      }
    }
  });

  test("is not searched for fields within groups", () => {
    const [, codec] = ["", protobufEs(old) as Codec<unknown, unknown>] as const;
    const inGroup = joined(Uint8Array.of(0x1b), field(2, pattern(MIN_BORROWED_BYTES)), Uint8Array.of(0x1c));
    const bytes = joined(field(1, pattern(1)), inGroup);
    const { message, lent } = borrowMessage(codec, blockOf(bytes), undefined);
    expect(lent).toBeUndefined();
    expect(message).toMatchObject({ part: { wanted: pattern(MIN_BORROWED_BYTES) } });
    const both = joined(bytes, field(2, pattern(MIN_BORROWED_BYTES, 9)));
    const outer = borrowMessage(codec, blockOf(both), undefined);
    expect(outer.names).toEqual(["wanted"]);
    expect(outer.message).toMatchObject({
      wanted: pattern(MIN_BORROWED_BYTES, 9),
      part: { wanted: pattern(MIN_BORROWED_BYTES) },
    });
  });

  test("keeps fields that nobody knows", () => {
    const [, codec] = codecs[0]!;
    const bytes = joined(field(2, pattern(MIN_BORROWED_BYTES)), field(15, pattern(3)));
    const { message } = borrowMessage(codec, blockOf(bytes), undefined);
    expect(message).toMatchObject({ $unknown: [{ no: 15, data: field(15, pattern(3)).subarray(1) }] });
  });

  test("that is none gives back what it borrowed", () => {
    const whole = field(2, pattern(MIN_BORROWED_BYTES));
    const broken = [
      joined(whole, Uint8Array.of(0x0a, 5, 1)),
      joined(whole, Uint8Array.of(0x0a)),
      joined(whole, Uint8Array.of(0x80)),
      joined(whole, Uint8Array.of(0x0c)),
      joined(whole, Uint8Array.of(0x0b, 0x08, 1)),
      joined(whole, Uint8Array.of(0x00)),
      joined(whole, Uint8Array.of(0x0e)),
      joined(whole, Uint8Array.of(0x08, ...new Array(11).fill(0xff))),
      joined(whole, Uint8Array.of(0x0a, 1, 0xff)),
      whole.subarray(0, whole.length - 1),
    ];
    const [, codec] = codecs[0]!;
    for (const bytes of broken) {
      const block = blockOf(bytes);
      expect(() => borrowMessage(codec, block, undefined)).toThrow();
      expect(block.isBorrowed()).toBe(false);
    }
  });
});

describe("the fields of a message", () => {
  test("are found one after the other, whatever they hold", () => {
    const bytes = joined(
      Uint8Array.of(0x08, 0x96, 0x01),
      field(2, pattern(5)),
      Uint8Array.of(0x1d, 1, 2, 3, 4),
      Uint8Array.of(0x21, 1, 2, 3, 4, 5, 6, 7, 8),
      Uint8Array.of(0x2b, 0x2b, 0x08, 0x01, 0x2c, 0x2c),
      Uint8Array.of(0xfa, 0xff, 0xff, 0xff, 0x0f, 0x80, 0x80, 0x00),
    );
    const fields = new TopLevelFields(bytes, 0, bytes.length);
    const found: number[][] = [];
    while (fields.next()) found.push([fields.number, fields.wireType, fields.start, fields.end]);
    expect(found).toEqual([
      [1, 0, 0, 3],
      [2, 2, 3, 10],
      [3, 5, 10, 15],
      [4, 1, 15, 24],
      [5, 3, 24, 30],
      [536_870_911, 2, 30, 38],
    ]);
  });

  test("are as deep as the peer likes, and cost no stack", () => {
    const depth = 1_000_000;
    const bytes = new Uint8Array(2 * depth).fill(0x0b, 0, depth).fill(0x0c, depth);
    const fields = new TopLevelFields(bytes, 0, bytes.length);
    expect(fields.next()).toBe(true);
    expect(fields.end).toBe(bytes.length);
    expect(fields.next()).toBe(false);
  });
});
