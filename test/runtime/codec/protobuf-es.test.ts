import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  AnySchema,
  BytesValueSchema,
  DurationSchema,
  EmptySchema,
  FieldMaskSchema,
  FileDescriptorProtoSchema,
  StringValueSchema,
  StructSchema,
  TimestampSchema,
  UninterpretedOptionSchema,
} from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { protobufEs } from "../../../runtime/codec/protobuf-es.js";

/** A message of the schema, with bytes of its own. */
interface Sample {
  readonly schema: DescMessage;
  readonly bytes: Uint8Array;
}

function sample<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Sample {
  return { schema, bytes: toBinary(schema, message) };
}

/** A field that no schema of the samples knows: number 1000, a length-delimited value. */
const unknownField = Uint8Array.of(0xc2, 0x3e, 3, 9, 8, 7);

function withUnknownField({ schema, bytes }: Sample): Sample {
  return { schema, bytes: Uint8Array.from([...bytes, ...unknownField]) };
}

const known: readonly Sample[] = [
  sample(EmptySchema, create(EmptySchema)),
  sample(TimestampSchema, create(TimestampSchema, { seconds: 12_345_678_901n, nanos: 5 })),
  sample(DurationSchema, create(DurationSchema, { seconds: -3n, nanos: -1 })),
  sample(StringValueSchema, create(StringValueSchema, { value: "żółw 🐢 ".repeat(500) })),
  sample(FieldMaskSchema, create(FieldMaskSchema, { paths: ["a", "b.c"] })),
  sample(BytesValueSchema, create(BytesValueSchema, { value: new Uint8Array(100).fill(7) })),
  sample(BytesValueSchema, create(BytesValueSchema, { value: new Uint8Array(10_000).fill(7) })),
  sample(AnySchema, create(AnySchema, { typeUrl: "a/b", value: Uint8Array.of(1, 2, 3) })),
  sample(
    StructSchema,
    create(StructSchema, { fields: { a: { kind: { case: "stringValue", value: "text" } } } }),
  ),
  sample(
    FileDescriptorProtoSchema,
    create(FileDescriptorProtoSchema, {
      name: "nested.proto",
      options: { uninterpretedOption: [{ stringValue: Uint8Array.of(5, 6, 7), positiveIntValue: 8n }] },
      messageType: [{ name: "A", nestedType: [{ name: "B" }] }],
    }),
  ),
];
const samples = [...known, ...known.map(withUnknownField)];

describe("protobufEs", () => {
  test("the same schema gives the same codec", () => {
    expect(protobufEs(TimestampSchema)).toBe(protobufEs(TimestampSchema));
    expect(protobufEs(TimestampSchema).typeName).toBe("google.protobuf.Timestamp");
  });

  test("encodes what toBinary encodes, within its bound and nowhere else", () => {
    for (const { schema, bytes } of samples) {
      const codec = protobufEs(schema);
      const message = fromBinary(schema, bytes);
      const bound = codec.maxSize(message);
      expect(bound).toBeGreaterThanOrEqual(bytes.length);
      const target = new Uint8Array(bound + 20).fill(0xee);
      const end = codec.encodeInto(message, target, 10);
      expect(target.subarray(10, end)).toEqual(toBinary(schema, message));
      expect(target.subarray(0, 10).every((byte) => byte === 0xee)).toBe(true);
      expect(target.subarray(end).every((byte) => byte === 0xee)).toBe(true);
    }
  });

  test("encodes init objects", () => {
    const codec = protobufEs(TimestampSchema);
    const target = new Uint8Array(codec.maxSize({ seconds: 7n }));
    const end = codec.encodeInto({ seconds: 7n }, target, 0);
    expect(codec.decode(target, 0, end, false)).toEqual(create(TimestampSchema, { seconds: 7n }));
  });

  test("encodes another message than the one that was sized, and the same one anew", () => {
    const codec = protobufEs(StringValueSchema);
    const first = create(StringValueSchema, { value: "first" });
    const second = create(StringValueSchema, { value: "second" });
    const target = new Uint8Array(100);
    codec.maxSize(first);
    expect(codec.decode(target, 0, codec.encodeInto(second, target, 0), false).value).toBe("second");
    codec.maxSize(first);
    codec.encodeInto(first, target, 0);
    first.value = "changed";
    expect(codec.decode(target, 0, codec.encodeInto(first, target, 0), false).value).toBe("changed");
  });

  test("refuses a message of another type", () => {
    const codec = protobufEs<DescMessage>(UninterpretedOptionSchema);
    expect(() => codec.encodeInto(create(TimestampSchema), new Uint8Array(100), 0)).toThrow(
      /google.protobuf/,
    );
  });

  test("decodes only its range", () => {
    for (const { schema, bytes } of samples) {
      const framed = Uint8Array.from([0xff, 0xff, ...bytes, 0xff]);
      const message = protobufEs(schema).decode(framed, 2, 2 + bytes.length, false);
      expect(toBinary(schema, message)).toEqual(bytes);
    }
  });

  test("a decoded message shares no memory with its bytes", () => {
    for (const { schema, bytes } of samples) {
      const shared = Uint8Array.from(bytes);
      const message = protobufEs(schema).decode(shared, 0, shared.length, false);
      shared.fill(0xff);
      expect(toBinary(schema, message), schema.typeName).toEqual(bytes);
    }
  });

  test("with mayAlias, bytes are views", () => {
    const codec = protobufEs(BytesValueSchema);
    const bytes = toBinary(BytesValueSchema, create(BytesValueSchema, { value: Uint8Array.of(1, 2, 3) }));
    expect(codec.decode(bytes, 0, bytes.length, true).value.buffer).toBe(bytes.buffer);
    expect(codec.decode(bytes, 0, bytes.length, false).value.buffer).not.toBe(bytes.buffer);
  });

  test("unknown fields survive a round trip", () => {
    const { bytes } = withUnknownField(sample(TimestampSchema, create(TimestampSchema, { nanos: 1 })));
    const codec = protobufEs(TimestampSchema);
    const message = codec.decode(bytes, 0, bytes.length, false);
    const target = new Uint8Array(codec.maxSize(message));
    expect(target.subarray(0, codec.encodeInto(message, target, 0))).toEqual(bytes);
  });

  test("throws on bytes that are no such message", () => {
    const truncated = toBinary(StringValueSchema, create(StringValueSchema, { value: "text" })).slice(0, -1);
    expect(() => protobufEs(StringValueSchema).decode(truncated, 0, truncated.length, false)).toThrow();
    // What follows the range is not read, even where it would complete the message.
    const whole = toBinary(StringValueSchema, create(StringValueSchema, { value: "text" }));
    expect(() => protobufEs(StringValueSchema).decode(whole, 0, whole.length - 1, false)).toThrow();
  });
});
