import { join } from "node:path";
import { expect, test } from "vitest";
import { emptyOutputFolder, protoFiles, repository } from "../codegen/compile.js";
import { tryPairs } from "./differential.js";
import { generatePairs } from "./pairs.js";

const schemas = join(repository, "test/codec/schemas");

test("generated codecs do what protobuf-es does", { timeout: 120_000 }, async () => {
  const out = await emptyOutputFolder("codec-differential");
  const pairs = await generatePairs(schemas, protoFiles(schemas), out);
  expect(pairs.length).toBeGreaterThan(25);
  const fixed = tryPairs(pairs, { messages: 2_000, mutations: 20_000, seed: 1 });
  expect(fixed.messages).toBeGreaterThanOrEqual(2_000);
  expect(fixed.accepted).toBeGreaterThan(1_000);
  expect(fixed.rejected).toBeGreaterThan(1_000);
});
