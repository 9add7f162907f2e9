import { create, toBinary } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { protobufEs } from "../../../runtime/codec/protobuf-es.js";

/** A list in a list in a list …; each level is two messages, a Value and its ListValue. */
function nested(levels: number): Value {
  let value = create(ValueSchema, { kind: { case: "numberValue", value: 1 } });
  for (let i = 0; i < levels; i++) {
    value = create(ValueSchema, { kind: { case: "listValue", value: { values: [value] } } });
  }
  return value;
}

test("a message may be nested a hundred deep, and is refused beyond", () => {
  const codec = protobufEs(ValueSchema);
  const deepest = toBinary(ValueSchema, nested(49));
  expect(codec.decode(deepest, 0, deepest.length, false).kind.case).toBe("listValue");
  const tooDeep = toBinary(ValueSchema, nested(50));
  expect(() => codec.decode(tooDeep, 0, tooDeep.length, false)).toThrow(/recursion/);
});

test("a bomb of two thousand levels is refused without harm", () => {
  // Each level wraps the one before in a ListValue (field 6) and a list entry (field 1), written by hand from within.
  let bytes = new Uint8Array(0);
  const wrap = (tag: number, body: Uint8Array): Uint8Array => {
    const size: number[] = [];
    for (let rest = body.length; ; rest = Math.floor(rest / 128)) {
      if (rest < 128) {
        size.push(rest);
        break;
      }
      size.push((rest % 128) + 128);
    }
    return Uint8Array.from([tag, ...size, ...body]);
  };
  for (let i = 0; i < 1_000; i++) bytes = wrap(0x32, wrap(0x0a, bytes)) as Uint8Array<ArrayBuffer>;
  expect(() => protobufEs(ValueSchema).decode(bytes, 0, bytes.length, false)).toThrow(/recursion/);
});
