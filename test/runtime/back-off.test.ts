import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BackOff, backOffRules } from "../../runtime/back-off.js";

describe("back-off", () => {
  it("grows up to its longest pause, jitters below it, and begins anew when it went well", () => {
    const policy = fc.record({
      initialDelayMs: fc.integer({ min: 1, max: 100 }),
      maxDelayMs: fc.integer({ min: 100, max: 10_000 }),
      factor: fc.double({ min: 1, max: 10, noNaN: true }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(policy, fc.array(fc.nat(255), { minLength: 3, maxLength: 60 }), (given, bytes) => {
        const randomBytes = (count: number): Uint8Array =>
          Uint8Array.from({ length: count }, (_, i) => bytes[i % bytes.length]!);
        const backOff = new BackOff(backOffRules(given)!, { randomBytes });
        for (let run = 0; run < 2; run++) {
          for (let attempt = 0; attempt < 12; attempt++) {
            const longest = Math.min(given.maxDelayMs, given.initialDelayMs * given.factor ** attempt);
            const delay = backOff.nextDelayMs();
            expect(delay).toBeLessThanOrEqual(longest * (1 + 1e-9));
            expect(delay).toBeGreaterThanOrEqual(longest * (1 - given.jitter) * (1 - 1e-9));
          }
          backOff.reset();
        }
      }),
    );
  });

  it("is without chance where it is told so, and spread over all of the pause where it is not", () => {
    const even = new BackOff(backOffRules({ initialDelayMs: 4, jitter: 0 })!, {
      randomBytes: () => new Uint8Array(3),
    });
    expect([1, 2, 3].map(() => even.nextDelayMs())).toEqual([4, 8, 16]);
    const most = new BackOff(backOffRules(true)!, { randomBytes: () => new Uint8Array(3).fill(255) });
    expect(most.nextDelayMs()).toBeLessThan(0.001);
    expect(backOffRules(undefined)).toBeUndefined();
    expect(backOffRules(false)).toBeUndefined();
  });
});
