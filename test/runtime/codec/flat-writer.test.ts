import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, StructSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { createFlatWriter } from "../../../runtime/codec/flat-writer.js";
import { protobufEs } from "../../../runtime/codec/protobuf-es.js";
import { writeBytes, writeParts } from "../../../runtime/codec/spare-writer.js";
import { repository, run, schemas, withTemporaryDirectory } from "../../codegen/compile.js";

let registry: FileRegistry;

beforeAll(async () => {
  registry = await withTemporaryDirectory(async (directory) => {
    const set = join(directory, "flat.binpb");
    const args = ["-I", join(schemas, "flat"), "-o", set, "flat2.proto", "flat3.proto"];
    const { exitCode, stderr } = await run(join(repository, "node_modules/.bin/protoc"), args);
    expect(exitCode, stderr).toBe(0);
    return createFileRegistry(fromBinary(FileDescriptorSetSchema, await readFile(set)));
  });
}, 30_000);

function schemaOf(typeName: string): DescMessage {
  const schema = registry.getMessage(typeName);
  if (schema === undefined) throw new Error(`${typeName} is not in the registry`);
  return schema;
}

function scalarValues(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 300 });
    case ScalarType.STRING:
      return fc.oneof(fc.string(), fc.string({ unit: "binary", minLength: 30, maxLength: 200 }));
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
      return fc.oneof(fc.double(), fc.constant(0), fc.constant(-0));
    case ScalarType.FLOAT:
      return fc.oneof(fc.float(), fc.constant(0), fc.constant(-0));
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 0xffff_ffff }));
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
    default:
      return fc.oneof(fc.nat(3), fc.integer());
  }
}

function fieldValues(field: DescField): fc.Arbitrary<unknown> {
  if (field.fieldKind === "enum") return fc.constantFrom(...field.enum.values.map(({ number }) => number));
  if (field.fieldKind === "list" && field.listKind === "enum") {
    return fc.array(fc.constantFrom(...field.enum.values.map(({ number }) => number)), { maxLength: 40 });
  }
  if (field.fieldKind === "list" && field.listKind === "scalar") {
    return fc.array(scalarValues(field.scalar), { maxLength: 40 });
  }
  if (field.fieldKind !== "scalar") throw new Error(`${field.toString()} is not flat`);
  const values = scalarValues(field.scalar);
  return field.longAsString ? values.map(String) : values;
}

/** Messages that set some of their fields. */
function messages(schema: DescMessage): fc.Arbitrary<Message> {
  const fields = Object.fromEntries(schema.fields.map((field) => [field.localName, fieldValues(field)]));
  return fc.record(fields, { requiredKeys: [] }).map((init) => create(schema, init));
}

describe("the flat writer", () => {
  test.each(["flat.v2.Flat", "flat.v3.Flat"])(
    "writes %s as toBinary does",
    { timeout: 60_000 },
    (typeName) => {
      const schema = schemaOf(typeName);
      const write = createFlatWriter(schema);
      if (write === undefined) throw new Error(`${typeName} should be flat`);
      fc.assert(
        fc.property(messages(schema), (message) => {
          expect(Buffer.compare(writeBytes(write, message), toBinary(schema, message))).toBe(0);
        }),
        { numRuns: 200 },
      );
    },
  );

  test.each(["flat.v2.Flat", "flat.v3.Flat"])("leaves large bytes of %s where they are", (typeName) => {
    const schema = schemaOf(typeName);
    const write = createFlatWriter(schema)!;
    const names = schema.fields.filter(({ scalar }) => scalar === ScalarType.BYTES);
    const sizes = fc.constantFrom(0, 1, 16_383, 16_384, 16_385, 100_000);
    const large = sizes.map((size) => new Uint8Array(size).fill(7));
    const fields = Object.fromEntries(
      names.map((field) => [
        field.localName,
        field.fieldKind === "list" ? fc.array(large, { maxLength: 4 }) : large,
      ]),
    );
    const init = fc.tuple(messages(schema), fc.record(fields, { requiredKeys: [] }));
    fc.assert(
      fc.property(init, ([message, bytes]) => {
        const whole: Message = Object.assign(message, bytes);
        const expected = toBinary(schema, whole);
        const written = writeParts(write, whole);
        const parts = written instanceof Uint8Array ? [written] : written;
        expect(Buffer.compare(Buffer.concat(parts), expected)).toBe(0);
        const given = new Set<unknown>(Object.values(bytes).flat());
        const apart = parts.filter((part) => given.has(part));
        expect(apart.every(({ length }) => length >= 16_384)).toBe(true);
        const large = [...Object.values(bytes).flat()].filter((value) => (value?.length ?? 0) >= 16_384);
        expect(apart.length).toBe(large.length);
        // The codec, which keeps what it has worked out for the next call.
        const codec = protobufEs(schema);
        const target = new Uint8Array(codec.maxSize(whole) + 1);
        expect(codec.encodeInto(whole, target, 1)).toBe(expected.length + 1);
        expect(Buffer.compare(target.subarray(1), expected)).toBe(0);
        expect(Buffer.compare(codec.encode!(whole), expected)).toBe(0);
      }),
      { numRuns: 50 },
    );
    // What is kept apart for one is not for the other, who may have messages in the message.
    expect(writeBytes((_, writer) => writer.bytes(new Uint8Array(20_000)), undefined).length).toBe(20_003);
  });

  test("is not for messages with messages or oneofs in them", () => {
    expect(createFlatWriter(StructSchema)).toBeUndefined();
    expect(createFlatWriter(ValueSchema)).toBeUndefined();
  });

  test("leaves it to toBinary to say what is wrong", () => {
    const needy = schemaOf("flat.v2.Needy");
    expect(() => protobufEs(needy).maxSize({})).toThrow(
      "cannot encode field flat.v2.Needy.name to binary: required field not set",
    );
    const flat = schemaOf("flat.v3.Flat");
    expect(() => protobufEs(flat).maxSize({ plainInt32: 1.5 })).toThrow(
      "cannot encode field flat.v3.Flat.plain_int32 to binary: invalid int32: 1.5",
    );
  });
});
