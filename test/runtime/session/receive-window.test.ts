import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../../../runtime/limits.js";
import { ReceiveWindow } from "../../../runtime/session/receive-window.js";

const LIMITS = {
  ...DEFAULT_LIMITS,
  initialMessages: 2,
  initialBytes: 100,
  windowMessages: 10,
  windowBytes: 1_000,
};

describe("ReceiveWindow", () => {
  it("takes what the initial credit is for, and one message that overdraws", () => {
    const window = new ReceiveWindow(LIMITS, { bytes: 0 });
    expect(window.takeMessage()).toBe(true);
    window.takeBytes(99);
    expect(window.takeMessage()).toBe(true);
    window.takeBytes(500);
    expect(window.takeMessage()).toBe(false);
  });

  it("takes no message where the bytes are spent, though messages are left", () => {
    const window = new ReceiveWindow(LIMITS, { bytes: 0 });
    window.takeMessage();
    window.takeBytes(100);
    expect(window.takeMessage()).toBe(false);
  });

  it("grows by the budget, once, and gives it back, once", () => {
    const budget = { bytes: 1_000 };
    const window = new ReceiveWindow(LIMITS, budget);
    expect(window.widen()).toEqual({ messages: 8, bytes: 900 });
    expect(budget.bytes).toBe(100);
    expect(window.widen()).toEqual({ messages: 0, bytes: 0 });
    window.release();
    window.release();
    expect(budget.bytes).toBe(1_000);
  });

  it("grows further where it may, as long as half of the budget is left for others", () => {
    const budget = { bytes: 10_600 };
    const limits = { ...LIMITS, streamBudgetBytes: 10_600 };
    const windows = [1, 2, 3].map(() => new ReceiveWindow(limits, budget, 4_000));
    expect(windows.map((window) => window.widen().bytes)).toEqual([900, 900, 900]);
    expect(windows.map((window) => window.widen().bytes)).toEqual([0, 0, 0]);
    expect(windows.map((window) => window.grant().bytes)).toEqual([0, 0, 0]);
    windows[2]!.release();
    expect(windows.slice(0, 2).map((window) => window.grant().bytes)).toEqual([3_000, 0]);
    windows.pop();
    for (const window of windows) window.release();
    expect(budget.bytes).toBe(10_600);
  });

  it("does not grow where the budget is too small", () => {
    const budget = { bytes: 899 };
    expect(new ReceiveWindow(LIMITS, budget).widen()).toEqual({ messages: 0, bytes: 0 });
    expect(budget.bytes).toBe(899);
  });

  it("never lets the peer have more than its window, and never less than half of what is consumed", () => {
    const size = fc.integer({ min: 1, max: 150 });
    fc.assert(
      fc.property(fc.array(size, { minLength: 1, maxLength: 300 }), fc.nat(5_000), (sizes, budgetBytes) => {
        const budget = { bytes: budgetBytes };
        const limits = { ...LIMITS, streamBudgetBytes: budgetBytes };
        const window = new ReceiveWindow(limits, budget, 2_000);
        // What the peer has by what it was told.
        let messages = LIMITS.initialMessages;
        let bytes = LIMITS.initialBytes;
        for (const length of sizes) {
          expect(messages >= 1 && bytes > 0).toBe(true);
          expect(window.takeMessage()).toBe(true);
          window.takeBytes(length);
          messages--;
          bytes -= length;
          if (window.consume(length)) {
            const grant = window.grant();
            messages += grant.messages;
            bytes += grant.bytes;
          }
          expect(messages).toBeLessThanOrEqual(LIMITS.windowMessages);
          expect(bytes).toBeLessThanOrEqual(2_000);
          expect(budget.bytes).toBeGreaterThanOrEqual(0);
        }
        window.release();
        expect(budget.bytes).toBe(budgetBytes);
      }),
      { numRuns: 300 },
    );
  });
});
