import { describe, expect, it } from "vitest";
import { shmBinding } from "../harness/shm.js";
import { missingCompiler } from "./compile.js";
import { flip } from "./flip-stage.js";

const missing = shmBinding() === undefined ? "the addon is not built" : await missingCompiler();

describe.skipIf(missing !== undefined)(
  `memory that changes while it is decoded${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    it("kills, or deceives, whoever decodes text straight out of it", async () => {
      const { flipped, exit } = await flip("direct", 15, 0);
      if (flipped === undefined) expect(exit).toMatch(/^SIG(SEGV|BUS|ABRT|ILL|TRAP)$/);
      else expect(flipped.unstable).toBeGreaterThan(0);
    }, 60_000);

    for (const [mode, ringFlips] of [
      ["copy", 200],
      ["borrow", 0],
    ] as const) {
      it(`does nothing to a subscriber in mode "${mode}"${ringFlips === 0 ? "" : ", nor do rings that change"}`, async () => {
        const outcome = await flip(mode, 2.5, ringFlips);
        expect(outcome.exit).toBe(0);
        expect(outcome.flipped).toMatchObject({ unstable: 0, unexpected: [] });
        expect(outcome.flipped!.decoded).toBeGreaterThan(5);
        // It was hurt: messages that make no sense came, and were told so.
        expect(Object.keys(outcome.flipped!.errors)).toContain("INTERNAL");
        if (mode === "borrow") expect(outcome.flipped!.borrowed).toBeGreaterThan(0);
      }, 60_000);
    }
  },
);
