import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";

/** Draws values while a message is put together. */
type Draw = fc.GeneratorValue;

/** Deeper messages have no messages in them. */
const MAX_DEPTH = 4;

const int32 = (): fc.Arbitrary<number> =>
  fc.oneof(
    fc.constantFrom(0, 1, -1, 127, 128, -128, 16_383, 16_384, 2_097_152, 2_147_483_647, -2_147_483_648),
    fc.integer({ min: -1_000, max: 1_000 }),
    fc.integer(),
  );
const uint32 = (): fc.Arbitrary<number> =>
  fc.oneof(
    fc.constantFrom(0, 1, 127, 128, 4_294_967_295, 268_435_456),
    fc.integer({ min: 0, max: 4_294_967_295 }),
  );
const int64 = (): fc.Arbitrary<bigint> =>
  fc.oneof(
    fc.constantFrom(0n, 1n, -1n, 127n, 128n, 2n ** 31n, 2n ** 32n, 2n ** 35n, 2n ** 63n - 1n, -(2n ** 63n)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  );
const uint64 = (): fc.Arbitrary<bigint> =>
  fc.oneof(
    fc.constantFrom(0n, 1n, 128n, 2n ** 28n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  );
const double = (): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(0, -0, 1, Number.NaN, Infinity, -Infinity, 5e-324), fc.double());
const float = (): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(0, -0, 1.5, Number.NaN, Infinity, -Infinity, 3.4028234663852886e38), fc.float());
const text = (): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.string({ minLength: 20, maxLength: 60 }),
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.constantFrom(
      "",
      "\ufeffmarked",
      "\ufffd",
      "__proto__",
      "constructor",
      "half \ud800",
      "x".repeat(200),
      "ż".repeat(150),
    ),
  );
const binary = (): fc.Arbitrary<Uint8Array> =>
  fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ minLength: 20, maxLength: 200 }));
const json = (): fc.Arbitrary<unknown> => fc.jsonValue({ maxDepth: 2 });
const count = (): fc.Arbitrary<number> => fc.oneof(fc.constantFrom(0, 1, 2, 3), fc.constantFrom(0, 1, 40));
const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });

/** Messages of a type, with all that protobuf-es can hold in them. */
export function messageArbitrary(desc: DescMessage): fc.Arbitrary<Message> {
  return fc.gen().map((draw) => (draw === undefined ? create(desc) : drawMessage(desc, draw, 0)));
}

function drawMessage(desc: DescMessage, draw: Draw, depth: number): Message {
  const reflected = reflect(desc);
  const message = reflected.message as Message & Record<string, unknown>;
  for (const field of desc.fields) {
    const isRequired = field.presence === 3;
    const chance = desc.fields.length > 12 ? 3 : 1;
    if (!isRequired && draw(upTo, chance) !== 0) continue;
    if (field.message !== undefined && depth >= MAX_DEPTH && !isRequired) continue;
    const value = drawField(field, draw, depth);
    if (field.oneof === undefined) message[field.localName] = value;
    else message[field.oneof.localName] = { case: field.localName, value };
  }
  if (draw(upTo, 7) === 0) message.$unknown = drawUnknown(desc, draw);
  return message;
}

function drawField(field: DescField, draw: Draw, depth: number): unknown {
  switch (field.fieldKind) {
    case "list": {
      const length = field.listKind === "message" ? draw(upTo, 2) : draw(count);
      return Array.from({ length }, () => drawValue(field, draw, depth));
    }
    case "map": {
      const map: Record<string, unknown> = {};
      for (let i = draw(upTo, 3); i > 0; i--) {
        const key = String(drawScalar(field.mapKey, draw));
        const value = drawValue(field, draw, depth);
        Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
      }
      return map;
    }
    default:
      return drawValue(field, draw, depth);
  }
}

function drawValue(field: DescField, draw: Draw, depth: number): unknown {
  if (field.message !== undefined) {
    const { typeName } = field.message;
    if (typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value") {
      return { a: draw(json), __b: draw(json) };
    }
    if (field.fieldKind === "message" && field.oneof === undefined && isWrapperDesc(field.message)) {
      return drawScalar(field.message.fields[0]!.scalar!, draw);
    }
    return drawMessage(field.message, draw, depth + 1);
  }
  if (field.enum !== undefined) {
    const { values, open } = field.enum;
    const isOpen = open && draw(upTo, 3) === 0;
    return isOpen ? draw(int32) : values[draw(upTo, values.length - 1)]!.number;
  }
  const value = drawScalar(field.scalar!, draw);
  return "longAsString" in field && field.longAsString ? String(value) : value;
}

function drawScalar(type: ScalarType, draw: Draw): unknown {
  switch (type) {
    case ScalarType.STRING:
      return draw(text);
    case ScalarType.BYTES:
      return draw(binary);
    case ScalarType.BOOL:
      return draw(fc.boolean);
    case ScalarType.DOUBLE:
      return draw(double);
    case ScalarType.FLOAT:
      return draw(float);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return draw(uint32);
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return draw(int32);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return draw(uint64);
    default:
      return draw(int64);
  }
}

/** Fields that the type does not know. */
function drawUnknown(desc: DescMessage, draw: Draw): Message["$unknown"] {
  const known = new Set(desc.fields.map(({ number }) => number));
  const numbers = [100, 3_000, 19, 536_870_910].filter((number) => !known.has(number));
  const fields = [
    { wireType: 0, data: Uint8Array.of(0x96, 0x01) },
    { wireType: 0, data: Uint8Array.of(0x80, 0x00) },
    { wireType: 1, data: new Uint8Array(8).fill(7) },
    { wireType: 2, data: Uint8Array.of(3, 1, 2, 3) },
    { wireType: 5, data: new Uint8Array(4).fill(9) },
  ];
  return Array.from({ length: 1 + draw(upTo, 2) }, () => ({
    no: numbers[draw(upTo, numbers.length - 1)]!,
    ...fields[draw(upTo, fields.length - 1)]!,
  }));
}
