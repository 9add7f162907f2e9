import fc from "fast-check";
import { expect, it } from "vitest";
import { appendPart, beginAssembly } from "../../../runtime/session/assembly.js";

it("joins the parts of a message, in memory that grows with what has come", () => {
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.integer({ min: 1, max: 200_000 }).map((length) => new Uint8Array(length).fill(length)),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const assembly = beginAssembly(false, 3, 4, 5);
      const reserved = assembly.bytes.length;
      for (const bytes of parts) {
        const chunk = new Uint8Array(bytes.length + 7);
        chunk.set(bytes, 4);
        appendPart(assembly, chunk, 4, 4 + bytes.length);
        chunk.fill(0xaa);
      }
      const whole = Buffer.concat(parts);
      expect(Buffer.from(assembly.bytes.subarray(0, assembly.length)).equals(whole)).toBe(true);
      expect(assembly.bytes.length).toBeLessThanOrEqual(Math.max(reserved, 2 * whole.length));
      expect([assembly.keyId, assembly.seq, assembly.lost]).toEqual([3, 4, 5]);
    }),
    { numRuns: 60 },
  );
});
