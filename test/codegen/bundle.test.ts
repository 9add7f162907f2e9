import { expect, it } from "vitest";
import { bundleCost } from "../../bench/codec/bundle.js";

it("codecs add a bounded amount to a bundle", { timeout: 120_000 }, async () => {
  const { messages, codecs, runtime } = await bundleCost();
  expect(messages).toBeGreaterThan(90);
  expect(codecs.gzipped / messages).toBeLessThan(300);
  expect(codecs.minified / messages).toBeLessThan(2_000);
  expect(runtime.gzipped).toBeLessThan(8_000);
});
