import fc from "fast-check";
import { expect, test } from "vitest";
import { privateCopy } from "../../../runtime/codec/private-copy.js";

test("every copy keeps its bytes, whatever is copied after it", () => {
  const length = fc.oneof(fc.nat(100), fc.integer({ min: 2_000, max: 2_100 }), fc.constant(20_000));
  fc.assert(
    fc.property(fc.array(length, { maxLength: 60 }), (lengths) => {
      const source = new Uint8Array(20_010);
      const copies = lengths.map((count, index) => {
        source.fill(index + 1);
        return privateCopy(source, 5, 5 + count);
      });
      for (const [index, copy] of copies.entries()) {
        expect(copy.length).toBe(lengths[index]);
        expect(copy.every((byte) => byte === index + 1)).toBe(true);
      }
    }),
  );
});

test("a range that ends before it begins is refused, and takes no memory from copies made earlier", () => {
  const source = new Uint8Array(100).fill(1);
  const earlier = privateCopy(source, 0, 50);
  expect(() => privateCopy(source, 60, 20)).toThrow(RangeError);
  source.fill(2);
  privateCopy(source, 0, 50);
  expect(earlier.every((byte) => byte === 1)).toBe(true);
});
