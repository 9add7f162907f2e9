// Runs one file of tests in this process. Arguments: the file, from the repository's root; where to write what came of
// it; and a file with the titles of the tests to leave out.
import { readFileSync } from "node:fs";
import { register } from "node:module";

const [file = "", resultsPath = "", leftOutPath = ""] = process.argv.slice(2);
register("./hooks.js", import.meta.url);
const { runAll } = (await import("./vitest.js")) as typeof import("./vitest.js");
await import(new URL(`../../../${file}`, import.meta.url).href);
const leftOut = JSON.parse(readFileSync(leftOutPath, "utf8")) as string[];
await runAll(new Set(leftOut), resultsPath);
// What a test left open is not waited for.
process.exit(0);
