import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { limitsOf } from "../../runtime/open-options.js";
import { DEFAULT_LIMITS } from "../../runtime/limits.js";
import { DEFAULT_WIRE_LIMITS, MAX_NAME_BYTES } from "../../runtime/wire/hello.js";
import { MAX_KEY_BYTES, MAX_METHOD_BYTES } from "../../runtime/wire/kinds.js";
import { repository } from "./project.js";

const guide = readFileSync(join(repository, "docs/guides/limits.md"), "utf8");
const spec = readFileSync(join(repository, "docs/spec/wire-v1.md"), "utf8");
const number = (text: string): number => Number(text.replaceAll(",", ""));

test("the guide lists every limit with its default", () => {
  const rows = [...guide.matchAll(/^\| `(\w+)` \| ([\d,]+) \|/gm)];
  const listed = rows.map(([, name, value]) => [name, number(value!)]);
  expect(Object.fromEntries(listed)).toEqual(DEFAULT_LIMITS);
});

test("the guide says that a peer is told of the limits that a Hello holds", () => {
  const rows = [...guide.matchAll(/^\| `(\w+)` \| [\d,]+ \| (\w+) \|/gm)];
  const binds = new Map(rows.map(([, name, who]) => [name, who]));
  for (const name of Object.keys(DEFAULT_WIRE_LIMITS)) expect(["peer", "both"]).toContain(binds.get(name));
});

test("the spec lists every limit of a Hello with its default, in the order of their numbers", () => {
  const rows = [...spec.matchAll(/^\| `([a-z_]+)`\s+\| ([\d,]+)\s+\|/gm)];
  const listed = rows.map(([, name, value]): [string, number] => [
    name!.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    number(value!),
  ]);
  expect(listed).toEqual(Object.entries(DEFAULT_WIRE_LIMITS));
});

test("the guide gives the fixed limits, and the largest nesting, as they are", () => {
  const [, name] = /endpoint's name has at most ([\d,]+) bytes/.exec(guide)!;
  const [, methodAndKey] = /full name and a topic's key have at most ([\d,]+) bytes/.exec(guide)!;
  expect(number(name!)).toBe(MAX_NAME_BYTES);
  expect([MAX_METHOD_BYTES, MAX_KEY_BYTES]).toEqual([number(methodAndKey!), number(methodAndKey!)]);
  const [, nesting] = /At most it is\s+([\d,]+),/.exec(guide)!;
  expect(limitsOf({ maxNesting: number(nesting!) }).maxNesting).toBe(number(nesting!));
  expect(() => limitsOf({ maxNesting: number(nesting!) + 1 })).toThrow(`from 1 to ${number(nesting!)}`);
});
