import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { emptyOutputFolder, protoFiles, repository } from "../codegen/compile.js";
import { tryPairs } from "./differential.js";
import { googlePairs } from "./google-pairs.js";
import { generatePairs } from "./pairs.js";

const schemas = join(repository, "test/codec/schemas");

/** One seed that is always the same, and one that never is. */
const seeds = [1, Date.now() & 0x3fff_ffff];

describe("generated codecs do what protobuf-es does", { timeout: 300_000 }, () => {
  test("with every kind of field", async () => {
    const out = await emptyOutputFolder("codec-differential");
    const pairs = await generatePairs(schemas, protoFiles(schemas), out);
    expect(pairs.length).toBeGreaterThan(25);
    for (const seed of seeds) {
      const tally = tryPairs(pairs, { messages: 2_000, mutations: 20_000, seed });
      expect(tally.messages).toBeGreaterThanOrEqual(2_000);
      expect(tally.accepted).toBeGreaterThan(1_000);
      expect(tally.rejected).toBeGreaterThan(1_000);
    }
  });

  test("with Google's public schemas", async () => {
    const pairs = await googlePairs(await emptyOutputFolder("codec-google"));
    expect(pairs.length).toBeGreaterThanOrEqual(200);
    for (const seed of seeds) tryPairs(pairs, { messages: 1_000, mutations: 5_000, seed });
  });
});
