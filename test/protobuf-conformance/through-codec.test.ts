import { create } from "@bufbuild/protobuf";
import { BytesValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import type { Codec } from "../../runtime/codec/codec.js";
import { protobufEs } from "../../runtime/codec/protobuf-es.js";
import { BrokenCodec, decodeThrough, encodeThrough } from "./through-codec.js";

const codec = protobufEs(BytesValueSchema) as Codec<unknown, unknown>;
const message = create(BytesValueSchema, { value: Uint8Array.of(1, 2, 3) });
const bytes = Uint8Array.of(0x0a, 3, 1, 2, 3);

function broken(part: Partial<Codec<unknown, unknown>>): Codec<unknown, unknown> {
  return { ...codec, ...part };
}

test("a codec that keeps the rules goes through", () => {
  expect(decodeThrough(codec, bytes)).toEqual(message);
  expect(encodeThrough(codec, message)).toEqual(bytes);
  expect(() => decodeThrough(codec, bytes.subarray(1))).not.toThrow(BrokenCodec);
  expect(() => decodeThrough(codec, bytes.subarray(0, 4))).toThrow();
});

test("a copy that shares memory is found", () => {
  const aliasing = broken({ decode: (input, start, end) => codec.decode(input, start, end, true) });
  expect(() => decodeThrough(aliasing, bytes)).toThrow("or shares memory with its bytes");
});

test("a decoder that reads before or behind its bytes is found", () => {
  const behind = broken({
    decode: (input, start, end, mayAlias) => codec.decode(input, start, mayAlias ? end : end - 1, mayAlias),
  });
  expect(() => decodeThrough(behind, bytes)).toThrow("decodes as a view alone");
  const before = broken({
    decode: (input, start, end, mayAlias) => codec.decode(input, start, mayAlias ? end - 1 : end, mayAlias),
  });
  expect(() => decodeThrough(before, bytes)).toThrow("decodes as a copy alone");
});

test("an encoder that writes outside of its place is found", () => {
  for (const at of [12, 20]) {
    const outside = broken({
      encodeInto(value, target, offset) {
        target[at] = 0;
        return codec.encodeInto(value, target, offset);
      },
    });
    expect(() => encodeThrough(outside, message)).toThrow("writes outside of its place");
  }
  const small = broken({ maxSize: (value) => codec.maxSize(value) - 1, encodeInto: () => 13 + 5 });
  expect(() => encodeThrough(small, message)).toThrow("writes 5 bytes, and said at most 4");
});

test("an encoder that encodes in two ways is found", () => {
  const other = broken({ encode: () => Uint8Array.of(1) });
  expect(() => encodeThrough(other, message)).toThrow("encode and encodeInto give different bytes");
});
