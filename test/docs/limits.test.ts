import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../runtime/limits.js";
import { repository } from "./project.js";

test("the guide lists every limit with its default", () => {
  const page = readFileSync(join(repository, "docs/guides/limits.md"), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)` \| ([\d,]+) \|/gm)];
  const listed = rows.map(([, name, value]) => [name, Number(value!.replaceAll(",", ""))]);
  expect(Object.fromEntries(listed)).toEqual(DEFAULT_LIMITS);
});
