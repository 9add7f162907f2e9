import fc from "fast-check";
import { expect, it } from "vitest";
import { appendPart, beginAssembly, endAssembly } from "../../../runtime/session/assembly.js";

/** Up to this a message that is not whole holds no more than twice what has come of it. */
const SMALL_BYTES = 16_384;

it("joins the parts of a message, in memory that grows with what has come", () => {
  const length = fc.oneof(fc.nat(20), fc.nat(200_000));
  fc.assert(
    fc.property(fc.array(length, { maxLength: 8 }), (lengths) => {
      const assembly = beginAssembly(false, { keyId: 3, seq: 4, lost: 5, timeUs: 6 });
      const parts = lengths.map((bytes, index) => new Uint8Array(bytes).fill(index + 1));
      for (const bytes of parts) {
        const chunk = new Uint8Array(bytes.length + 7);
        chunk.set(bytes, 4);
        appendPart(assembly, chunk, 4, 4 + bytes.length);
        chunk.fill(0xaa);
      }
      const whole = Buffer.concat(parts);
      expect(Buffer.from(assembly.bytes.subarray(0, assembly.length)).equals(whole)).toBe(true);
      if (whole.length <= SMALL_BYTES) expect(assembly.bytes.length).toBeLessThanOrEqual(2 * whole.length);
      endAssembly(assembly);
      expect([assembly.keyId, assembly.seq, assembly.lost]).toEqual([3, 4, 5]);
    }),
    { numRuns: 60 },
  );
});
