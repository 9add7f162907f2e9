import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { releaseSpareBuffer, takeSpareBuffer } from "../../../runtime/session/spare-buffers.js";

const KIB = 1_024;
const MIB = 1_048_576;

describe("a spare buffer", () => {
  it("is large enough, and not much larger", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 * MIB }), (bytes) => {
        const buffer = takeSpareBuffer(bytes);
        expect(buffer.length).toBeGreaterThanOrEqual(bytes);
        expect(buffer.length).toBeLessThanOrEqual(Math.max(16 * KIB, bytes * 1.25));
        releaseSpareBuffer(buffer);
      }),
      { numRuns: 200 },
    );
  });

  it("is taken again by whoever needs about as much", () => {
    const buffer = takeSpareBuffer(100 * KIB);
    releaseSpareBuffer(buffer);
    const again = takeSpareBuffer(100 * KIB - 1);
    const other = takeSpareBuffer(100 * KIB);
    expect(again === buffer).toBe(true);
    expect(other === buffer).toBe(false);
    releaseSpareBuffer(again);
    releaseSpareBuffer(other);
  });

  it("is not kept where it is none of ours, or very large", () => {
    for (const size of [16 * KIB - 1, 70_001, 10 * MIB]) {
      const buffer = new Uint8Array(size);
      releaseSpareBuffer(buffer);
      expect(takeSpareBuffer(size) === buffer).toBe(false);
    }
  });

  it("makes room for one of a size that is in use", () => {
    const large = Array.from({ length: 4 }, () => takeSpareBuffer(8 * MIB));
    for (const buffer of large) releaseSpareBuffer(buffer);
    const small = takeSpareBuffer(64 * KIB);
    releaseSpareBuffer(small);
    expect(takeSpareBuffer(64 * KIB) === small).toBe(true);
    // No more than 16 MiB are kept in all.
    const kept = large.map(() => takeSpareBuffer(8 * MIB)).filter((buffer) => large.includes(buffer));
    expect(kept.length).toBe(1);
  });
});
