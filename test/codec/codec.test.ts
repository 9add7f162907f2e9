import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, test } from "vitest";
import { emptyOutputFolder, protoFiles, repository, run } from "../codegen/compile.js";
import { generatePairs, type Pair } from "./pairs.js";

const schemas = join(repository, "test/codec/schemas");
let out: string;
let pairs: Pair[];

beforeAll(async () => {
  out = await emptyOutputFolder("codec");
  pairs = await generatePairs(schemas, protoFiles(schemas), out);
}, 60_000);

function pair(typeName: string): Pair {
  const found = pairs.find(({ desc }) => desc.typeName === typeName);
  if (found === undefined) throw new Error(`there is no ${typeName}`);
  return found;
}

function encoded(desc: DescMessage, init: Record<string, unknown>): Uint8Array {
  return toBinary(desc, create(desc, init));
}

function encode({ codec }: Pair, message: unknown): Uint8Array {
  const bytes = new Uint8Array(codec.maxSize(message));
  return bytes.subarray(0, codec.encodeInto(message, bytes, 0));
}

describe("encoding", () => {
  test.each([
    ["uint32", -1, "cannot encode field test.codec.v3.Scalars.uint32 to binary: invalid uint32: -1"],
    ["int32", 2_147_483_648, "cannot encode field test.codec.v3.Scalars.int32 to binary"],
    ["int32", 1.5, "cannot encode field test.codec.v3.Scalars.int32 to binary: invalid int32: 1.5"],
    ["int32", Number.NaN, "cannot encode field test.codec.v3.Scalars.int32 to binary"],
    ["int64", 2n ** 63n, "cannot encode field test.codec.v3.Scalars.int64 to binary"],
    ["uint64", -1n, "cannot encode field test.codec.v3.Scalars.uint64 to binary"],
    ["float", 1e300, "cannot encode field test.codec.v3.Scalars.float to binary"],
    ["bytes", "text", "cannot encode field test.codec.v3.Scalars.bytes to binary"],
    ["level", {}, "cannot encode field test.codec.v3.Scalars.level to binary"],
    ["int64Text", "12x", "cannot encode field test.codec.v3.Scalars.int64_text to binary"],
  ])("refuses %s %s, by its name", (name, value, error) => {
    const { codec, desc } = pair("test.codec.v3.Scalars");
    expect(() => codec.maxSize({ [name]: value })).toThrow(error);
    expect(() => codec.maxSize({ ...create(desc), [name]: value })).toThrow(error);
    // Nobody has asked for its size.
    expect(() => codec.encodeInto({ [name]: value }, new Uint8Array(1_000), 0)).toThrow(error);
  });

  test("takes what protobuf-es takes beyond the types", () => {
    const scalars = pair("test.codec.v3.Scalars");
    const loose: Record<string, unknown> = {
      int32: "5",
      string: 7,
      int64: 3,
      bytes: [1, 2],
      bool: 1,
      double: null,
    };
    expect(encode(scalars, loose)).toEqual(encoded(scalars.desc, loose));
  });

  test("takes an `undefined` field of a whole message as not set", () => {
    const scalars = pair("test.codec.v3.Scalars");
    expect(encode(scalars, { ...create(scalars.desc), int32: undefined, string: undefined })).toEqual(
      new Uint8Array(0),
    );
  });

  test("refuses a message of another type, outermost and within", () => {
    const node = pair("test.codec.v3.Node");
    const other = create(TimestampSchema, { seconds: 5n });
    expect(() => node.codec.maxSize(other)).toThrow("google.protobuf.Timestamp");
    expect(() => node.codec.maxSize({ ...create(node.desc), left: other })).toThrow(
      "google.protobuf.Timestamp",
    );
  });

  test("refuses a message that lacks a required field", () => {
    const required = pair("test.codec.v2.Required");
    const whole = { name: "a", count: 0, level: 1, body: new Uint8Array(0), fields: {} };
    expect(encode(required, whole)).toEqual(encoded(required.desc, whole));
    for (const name of Object.keys(whole)) {
      const init = { ...whole, [name]: undefined };
      const error = `cannot encode field test.codec.v2.Required.${name} to binary: required field not set`;
      expect(() => required.codec.maxSize(init)).toThrow(error);
      expect(() => required.codec.maxSize(create(required.desc, init))).toThrow(error);
    }
  });

  test("encodes another message than the one that was sized, and the same one anew", () => {
    const scalars = pair("test.codec.v3.Scalars");
    const { codec, desc } = scalars;
    const message = create(desc, { string: "first" }) as Message & { string: string };
    const bytes = new Uint8Array(1_000);
    codec.maxSize(message);
    expect(bytes.subarray(0, codec.encodeInto({ string: "second" }, bytes, 0))).toEqual(
      encoded(desc, { string: "second" }),
    );
    codec.encodeInto(message, bytes, 0);
    message.string = "changed";
    expect(bytes.subarray(0, codec.encodeInto(message, bytes, 0))).toEqual(toBinary(desc, message));
  });

  test("long texts of any kind", () => {
    const scalars = pair("test.codec.v3.Scalars");
    for (const text of ["x", "ż", "€", "🐢", "half \ud800 pair"]) {
      for (const length of [1, 15, 31, 32, 43, 127, 128, 129, 1_023, 1_024, 5_461, 5_462, 16_384, 100_000]) {
        const init = { string: text.repeat(length), far: "after" };
        const difference = Buffer.compare(encode(scalars, init), encoded(scalars.desc, init));
        expect(difference, `${length} of ${text}`).toBe(0);
      }
    }
  });
});

describe("decoding", () => {
  test("names the limit of messages that are nested too deep", () => {
    const { desc, codec } = pair("test.codec.v3.Node");
    const nested = (levels: number): Uint8Array => {
      let init: Record<string, unknown> = { name: "leaf" };
      for (let i = 1; i < levels; i++) init = { left: init };
      return encoded(desc, init);
    };
    const decode = (bytes: Uint8Array, limit?: number): unknown =>
      codec.decode(bytes, 0, bytes.length, false, limit);
    decode(nested(100));
    decode(nested(7), 7);
    expect(() => decode(nested(101))).toThrow(
      "test.codec.v3.Node is nested more than 100 deep, the limit (maxNesting)",
    );
    expect(() => decode(nested(8), 7)).toThrow(
      "test.codec.v3.Node is nested more than 7 deep, the limit (maxNesting)",
    );
    // A message that comes twice is merged, and is as deep. So are groups that nobody knows.
    const twice = Uint8Array.from([...nested(8), ...nested(8)]);
    expect(() => decode(twice, 7)).toThrow("more than 7 deep");
    decode(Uint8Array.from([...nested(7), ...nested(7)]), 7);
    const groups = (levels: number): Uint8Array =>
      Uint8Array.from([...new Array(levels).fill(0x7b), ...new Array(levels).fill(0x7c)]);
    decode(groups(6), 7);
    expect(() => decode(groups(7), 7)).toThrow("more than 7 deep");
  });

  test("a decoded message shares no memory with its bytes, unless it may", () => {
    const { desc, codec } = pair("test.codec.v3.Scalars");
    for (const length of [0, 3, 30, 100, 3_000, 20_000]) {
      const body = new Uint8Array(length).fill(7);
      const bytes = encoded(desc, { bytes: body, string: "text" });
      const withUnknown = Uint8Array.from([...bytes, 0xa2, 0x06, 3, 1, 2, 3]);
      const message = codec.decode(withUnknown, 0, withUnknown.length, false);
      const view = codec.decode(withUnknown, 0, withUnknown.length, true) as Message & { bytes: Uint8Array };
      if (length > 0) expect(view.bytes.buffer).toBe(withUnknown.buffer);
      expect(view.$unknown?.[0]?.data.buffer).toBe(withUnknown.buffer);
      withUnknown.fill(0xff);
      expect(message).toEqual({
        ...create(desc, { bytes: body, string: "text" }),
        $unknown: [{ no: 100, wireType: 2, data: Uint8Array.of(3, 1, 2, 3) }],
      });
    }
  });

  test("a tag that is cut off changes nothing of messages decoded earlier, whatever stands behind it", () => {
    const { desc, codec } = pair("test.codec.v3.Scalars");
    const decode = (bytes: Uint8Array, end: number): Message & { bytes: Uint8Array } =>
      codec.decode(bytes, 0, end, false) as Message & { bytes: Uint8Array };
    const bytes = encoded(desc, { bytes: new Uint8Array(40).fill(7) });
    const cutOff = Uint8Array.of(0xa2, 0x86, 0x80, 0x00, 1, 2, 3);
    for (let round = 0; round < 100; round++) {
      const earlier = decode(bytes, bytes.length);
      for (const end of [1, 2]) expect(() => decode(cutOff, end)).toThrow("behind the end of its message");
      decode(encoded(desc, { bytes: new Uint8Array(40).fill(8) }), bytes.length);
      expect(earlier.bytes).toEqual(new Uint8Array(40).fill(7));
    }
  });

  test("no native decoder of texts sees memory that a peer may write to", { timeout: 60_000 }, async () => {
    const script = join(out, "peer-memory.mjs");
    await writeFile(
      script,
      `const seen = new Set();
const { utf8Slice } = Buffer.prototype;
Buffer.prototype.utf8Slice = function (...range) {
  seen.add(this.buffer);
  return utf8Slice.apply(this, range);
};
const { decode } = TextDecoder.prototype;
TextDecoder.prototype.decode = function (bytes) {
  seen.add(bytes.buffer);
  return decode.call(this, bytes);
};
const { ScalarsCodec: codec } = await import("./broad3_codec.js");
const texts = ["short", "a text that is not that short", "nie za długi", "x".repeat(5_000), "ż".repeat(5_000)];
for (const string of texts) {
  const room = new Uint8Array(codec.maxSize({ string }) + 64);
  const end = codec.encodeInto({ string }, room, 0);
  if (codec.decode(room, 0, end, false).string !== string) console.log("not", string);
  room[end - 1] = 0xff;
  try { codec.decode(room, 0, end, false); console.log("took", string); } catch {}
  if (seen.has(room.buffer)) console.log("seen", string);
}
console.log(seen.size > 0);
`,
    );
    const { stdout, stderr } = await run(process.execPath, [script]);
    expect(stderr).toBe("");
    expect(stdout).toBe("true\n");
  });

  test("reads every byte of such memory once", () => {
    const { desc, codec } = pair("test.codec.v3.Scalars");
    const inits = [
      { string: "a text", int32: -5, double: 1.5, fixed64: 7n, level: 7, bool: true },
      { string: "długi tekst", farther: "x", sint64: -5n, uint64: 2n ** 60n },
      { bytes: Uint8Array.of(1, 2, 3), farthest: 9, int64Text: "-7" },
    ];
    for (const init of inits) {
      const bytes = encoded(desc, init);
      expect(bytes.length).toBeLessThanOrEqual(64);
      const reads = new Array<number>(bytes.length).fill(0);
      const peer = new Proxy(bytes, {
        get(target, name) {
          const index = typeof name === "string" ? Number(name) : Number.NaN;
          if (Number.isInteger(index)) reads[index]!++;
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      expect(codec.decode(peer, 0, bytes.length, false)).toEqual(create(desc, init));
      expect(Math.max(...reads), JSON.stringify(reads)).toBeLessThanOrEqual(1);
    }
  });

  test("invalid UTF-8 is refused where the schema demands it, and replaced elsewhere", () => {
    const invalid = Uint8Array.from([0x72, 2, 0xc3, 0x28]);
    expect(() => pair("test.codec.v3.Scalars").codec.decode(invalid, 0, 4, false)).toThrow();
    const unchecked = Uint8Array.from([0x32, 2, 0xc3, 0x28]);
    expect(pair("test.codec.e23.Implicit").codec.decode(unchecked, 0, 4, false)).toMatchObject({
      unchecked: "\ufffd(",
    });
  });

  test("a field must end within its message", () => {
    const { codec } = pair("test.codec.v3.Optionals");
    const overrun = Uint8Array.from([0x92, 1, 1, 8, 5]);
    expect(() => codec.decode(overrun, 0, overrun.length, false)).toThrow("behind the end of its message");
  });
});

test("works where no code may be made from texts, and gives messages one shape", {
  timeout: 60_000,
}, async () => {
  const script = join(out, "shapes.mjs");
  await writeFile(
    script,
    `import { ScalarsCodec as codec } from "./broad3_codec.js";
const decode = (init) => {
  const bytes = new Uint8Array(codec.maxSize(init));
  return codec.decode(bytes, 0, codec.encodeInto(init, bytes, 0), false);
};
let refused = false;
try { new Function(""); } catch { refused = true; }
const one = decode({ string: "text" });
const other = decode({ int32: 5, far: "away", bytes: Uint8Array.of(1) });
console.log(refused, one.string, other.far, %HaveSameMap(one, other));
`,
  );
  const flags = ["--disallow-code-generation-from-strings", "--allow-natives-syntax"];
  const { stdout, stderr } = await run(process.execPath, [...flags, script]);
  expect(stderr).toBe("");
  expect(stdout).toBe("true text away true\n");
});

describe("a message that comes twice for one field", () => {
  const LEFT = 0x12;
  const CHILD = 0x1a;

  /** A node whose left one comes twice, empty and not, and so on for so many levels, around so many empty children. */
  function twiceOnEachLevel(levels: number, children: number): Uint8Array {
    let bytes: Uint8Array = new Uint8Array(2 * children).map((_, i) => (i % 2 === 0 ? CHILD : 0));
    for (let level = 0; level < levels; level++) {
      const writer = new BinaryWriter();
      writer.raw(Uint8Array.of(LEFT, 0)).raw(Uint8Array.of(LEFT)).bytes(bytes);
      bytes = writer.finish();
    }
    return bytes;
  }

  test("is merged, on each level, as protobuf-es does it", () => {
    const { codec, desc } = pair("test.codec.v3.Node");
    const bytes = twiceOnEachLevel(5, 3);
    for (const mayAlias of [false, true])
      expect(codec.decode(bytes, 0, bytes.length, mayAlias)).toStrictEqual(fromBinary(desc, bytes));
    const deep = twiceOnEachLevel(100, 1);
    expect(() => codec.decode(deep, 0, deep.length, false)).toThrow("maxNesting");
  });

  // What a level costs must not be what all below it cost: a peer could keep the thread busy for minutes with one message.
  test("is read no more often the deeper it is", () => {
    const { codec } = pair("test.codec.v3.Node");
    const bytes = twiceOnEachLevel(90, 200_000);
    const startMs = performance.now();
    codec.decode(bytes, 0, bytes.length, false);
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });
});
