import { describe, expect, it } from "vitest";
import { missingCompiler } from "../adversaries/compile.js";
import { shmBinding } from "../harness/shm.js";
import { soakCore } from "./soak-core.js";
import { soakNode } from "./soak-node.js";

const missing = await missingCompiler();

if (process.env["CI"] === "true") {
  it("can compile the soak", () => {
    expect(missing).toBeUndefined();
  });
}

describe.skipIf(missing !== undefined)(
  `killed C processes${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    it("leave nothing torn, lost, repeated or behind", async () => {
      const result = await soakCore(300, Date.now() % 1_000_000);
      expect(result.failure, JSON.stringify(result)).toBe("");
      expect(result.kills).toBe(300);
      expect(result.records).toBeGreaterThan(10_000);
      expect(result.blocks).toBeGreaterThan(1_000);
      expect(result.endsChecked).toBeGreaterThan(100);
    }, 120_000);

    it("are seen to, where a record is committed before it is there", async () => {
      const result = await soakCore(1_000, 1, "PLANT_EARLY_COMMIT");
      expect(result.failure).not.toBe("");
      expect(result.failure).not.toContain("did not come to its end");
    }, 120_000);
  },
);

describe.runIf(shmBinding() !== undefined)("killed Node processes", () => {
  it("leave every call settled, every publication in order, and nothing behind", async () => {
    const result = await soakNode(20, Date.now() % 1_000_000);
    expect(result.failure, JSON.stringify(result)).toBe("");
    expect(result.checked).toBeGreaterThan(500);
  }, 120_000);
});
