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
