import { expect, test } from "vitest";
import { parseCpuList } from "../../bench/pinning.js";

test("a list of CPUs is numbers and ranges", () => {
  expect(parseCpuList(" 0-3,8\n")).toEqual([0, 1, 2, 3, 8]);
  expect(parseCpuList("5")).toEqual([5]);
  expect(parseCpuList("")).toEqual([]);
});
