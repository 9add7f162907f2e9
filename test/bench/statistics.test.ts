import { expect, test } from "vitest";
import { median, percentile } from "../../bench/statistics.js";

test("the median of an odd and of an even number of values, in any order", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow("no median of no values");
});

test("the percentile is the smallest value that so many percent do not exceed", () => {
  const values = Float64Array.from({ length: 200 }, (_, i) => i + 1);
  expect(percentile(values, 50)).toBe(100);
  expect(percentile(values, 99)).toBe(198);
  expect(percentile(Float64Array.of(7), 99)).toBe(7);
  expect(() => percentile(new Float64Array(0), 50)).toThrow("no percentile of no values");
});
