import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CORE_TARGETS, fuzzCore } from "../../scripts/fuzz-core.js";
import { fuzzFrames } from "../../scripts/fuzz-frames.js";
import { missingCompiler, ROOT } from "./compile.js";

const missing = await missingCompiler();

/** What a target must find from its corpus on, by blind changes, within seconds. */
const PLANTED = {
  ring: "RECORD_FITS",
  control: "EXTRA_DESCRIPTORS",
  link: "BLOCK_RANGE",
  arena: "GIVE_BACK_HELD",
  entry: "ENTRY_ROOM",
};

if (process.env["CI"] === "true") {
  it("can compile the fuzz targets", () => {
    expect(missing).toBeUndefined();
  });
}

describe.skipIf(missing !== undefined)(`fuzz targets${missing === undefined ? "" : `: ${missing}`}`, () => {
  for (const target of CORE_TARGETS) {
    it(`${target}: bears its corpus, and finds that ${PLANTED[target]} is missing`, async () => {
      const seeds = await readdir(join(ROOT, "core/fuzz/corpus", target));
      const done = await fuzzCore({ target, seconds: 0.5, isBlind: true });
      expect(done.crash?.text).toBeUndefined();
      expect(done.executions).toBeGreaterThan(seeds.length);
      const weak = await fuzzCore({ target, seconds: 10, isBlind: true, weakened: PLANTED[target] });
      expect(weak.crash?.text).toMatch(/does not hold|AddressSanitizer|runtime error/);
    }, 120_000);
  }
});

it("frames: any bytes are a frame, or a WireError", async () => {
  const done = await fuzzFrames(0.5);
  expect(done.crash?.text).toBeUndefined();
  expect(done.executions).toBeGreaterThan(0);
});
