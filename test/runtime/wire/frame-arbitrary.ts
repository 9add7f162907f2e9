import fc from "fast-check";
import type { Frame } from "../../../runtime/wire/index.js";

const number = fc.oneof(
  fc.constant(0),
  fc.nat(200),
  fc.constantFrom(127, 128, 16_383, 16_384, 2_147_483_647, 2_147_483_648, 4_294_967_295, 4_294_967_296),
  fc.maxSafeNat(),
);
const uint32 = fc.oneof(fc.constant(0), fc.nat(200), fc.integer({ min: 0, max: 4_294_967_295 }));
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 5 }),
  fc.uint8Array({ maxLength: 300 }),
  fc.integer({ min: 1_000, max: 3_000 }).map((length) => new Uint8Array(length).fill(length)),
);
const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: "binary", maxLength: 40 }));

/** Any frame that can be written. */
export const anyFrame: fc.Arbitrary<Frame> = fc.record({
  kind: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 64, max: 2_147_483_647 })),
  streamId: number,
  flags: uint32,
  methodId: uint32,
  method: text,
  timeUs: number,
  timeoutUs: number,
  messages: uint32,
  bytes: number,
  keyId: uint32,
  seq: number,
  lost: number,
  status: fc.option(
    fc.record({
      code: fc.integer({ min: 0, max: 2_147_483_647 }),
      message: text,
      details: fc.array(fc.record({ typeUrl: text, value: bytes }), { maxLength: 3 }),
    }),
    { nil: undefined },
  ),
  metadata: fc.array(fc.record({ key: fc.string({ minLength: 1, maxLength: 12 }), value: bytes }), {
    maxLength: 4,
  }),
  payload: fc.option(bytes, { nil: undefined }),
});
