import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HelloSchema } from "../../../gen/protoipc/v1/wire_pb.js";
import {
  DEFAULT_WIRE_LIMITS,
  decodeHello,
  encodeHello,
  type WireHello,
  WireError,
} from "../../../runtime/wire/index.js";

const limit = fc.integer({ min: 1, max: 2_147_483_647 });
const names = Object.keys(DEFAULT_WIRE_LIMITS) as (keyof typeof DEFAULT_WIRE_LIMITS)[];
const limits = fc
  .array(limit, { minLength: names.length, maxLength: names.length })
  .map((values): typeof DEFAULT_WIRE_LIMITS => {
    const made = { ...DEFAULT_WIRE_LIMITS };
    for (const [index, name] of names.entries()) Object.assign(made, { [name]: values[index] });
    return made;
  });
const anyHello: fc.Arbitrary<WireHello> = fc.record({
  minVersion: fc.nat(100),
  maxVersion: fc.nat(100),
  features: fc.maxSafeNat(),
  limits,
  name: fc.string({ maxLength: 64 }),
  implementation: fc.string({ maxLength: 64 }),
  incarnation: fc.uint8Array({ maxLength: 16 }),
  clock: fc.record({ bootId: fc.string({ minLength: 1, maxLength: 36 }), timeNamespace: fc.maxSafeNat() }),
  pid: fc.nat(4_294_967_295),
});

function read(bytes: Uint8Array): WireHello {
  return decodeHello(bytes, 0, bytes.length);
}

describe("Hello", () => {
  it("reads what it wrote", () => {
    fc.assert(
      fc.property(anyHello, (hello) => {
        expect(read(encodeHello(hello))).toEqual(hello);
      }),
    );
  });

  it("writes what protobuf's own code reads, and writes in the same way", () => {
    fc.assert(
      fc.property(anyHello, (hello) => {
        const bytes = encodeHello(hello);
        const message = fromBinary(HelloSchema, bytes);
        expect(toBinary(HelloSchema, message)).toEqual(bytes);
        expect(message.name).toBe(hello.name);
        for (const name of names) expect(Number(message.limits![name])).toBe(hello.limits[name]);
        expect(message.clock?.timeNamespace).toBe(BigInt(hello.clock.timeNamespace));
      }),
    );
  });

  it("takes the defaults where a limit is 0 or absent", () => {
    const empty = new Uint8Array(0);
    expect(read(empty).limits).toEqual(DEFAULT_WIRE_LIMITS);
    const one = toBinary(HelloSchema, create(HelloSchema, { limits: { maxCalls: 7, maxKeys: 0 } }));
    expect(read(one).limits).toEqual({ ...DEFAULT_WIRE_LIMITS, maxCalls: 7 });
  });

  it("keeps to the lengths of its texts", () => {
    const long = (init: Parameters<typeof create<typeof HelloSchema>>[1]): Uint8Array =>
      toBinary(HelloSchema, create(HelloSchema, init));
    expect(read(long({ name: "n".repeat(64) })).name).toHaveLength(64);
    expect(() => read(long({ name: "n".repeat(65) }))).toThrow("Hello.name has 65 bytes; the limit is 64");
    expect(() => read(long({ name: "ö".repeat(33) }))).toThrow("Hello.name has 66 bytes; the limit is 64");
    expect(() => read(long({ implementation: "i".repeat(65) }))).toThrow("Hello.implementation has 65 bytes");
    expect(() => read(long({ incarnation: new Uint8Array(17) }))).toThrow("Hello.incarnation has 17 bytes");
    expect(() => read(long({ clock: { bootId: "b".repeat(65) } }))).toThrow("Hello.boot_id has 65 bytes");
  });

  it("makes a Hello or a WireError of any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
