// The pages' code, as a reader would use it: one project of all files shown, generated, compiled and run.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commandsShown, filesShown, type ShownFile } from "./pages.js";
import { createProject, removeProject, repository, runIn, writeProjectFile } from "./project.js";

const START = "docs/start.md";
const guides = readdirSync(join(repository, "docs/guides")).map((name) => `docs/guides/${name}`);

const files: ShownFile[] = [START, ...guides, "codegen/README.md"].flatMap((page) =>
  filesShown(page, readFileSync(join(repository, page), "utf8")),
);
const programs = files.filter(({ path, output }) => path.endsWith(".ts") && output !== undefined);
const tests = files.filter(({ path }) => path.endsWith(".test.ts"));
/** The first page's commands, which make the project; npm's would install it. */
const commands = commandsShown(readFileSync(join(repository, START), "utf8"));
const steps = commands.filter((line) => line.startsWith("npx ")).map((line) => line.split(" ").slice(1));

let folder: string;

beforeAll(() => {
  folder = createProject();
  for (const { path, text } of files) writeProjectFile(folder, path, text);
});
afterAll(() => removeProject(folder));

test("no two pages show different files of one path", () => {
  const byPath = new Map<string, ShownFile>();
  for (const file of files) {
    const first = byPath.get(file.path) ?? file;
    expect(file.text, `${file.location} is not what ${first.location} shows`).toBe(first.text);
    byPath.set(file.path, first);
  }
});

describe("the project of the first hour", () => {
  const generating = steps.filter(([command]) => command === "buf");
  test.each(generating.map((step) => step.join(" ")))("%s", async (line) => {
    const [command, ...args] = line.split(" ");
    expect(await runIn(folder, command!, args)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  test("every file compiles under the strictest settings", { timeout: 60_000 }, async () => {
    expect(steps).toContainEqual(["tsc"]);
    // The page's own settings, and what a reader may have turned on besides.
    const strictest = [
      "--exactOptionalPropertyTypes",
      "--noUncheckedIndexedAccess",
      "--noPropertyAccessFromIndexSignature",
      "--noUnusedLocals",
      "--noUnusedParameters",
      "--verbatimModuleSyntax",
      "--isolatedModules",
    ];
    expect(await runIn(folder, "tsc", strictest)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  test.each(programs)("$location: $path prints what the page says", async ({ path, output }) => {
    const outcome = await runIn(folder, process.execPath, [builtPath(path)]);
    expect(outcome).toEqual({ exitCode: 0, stdout: output, stderr: "" });
  });

  test.each(tests)("$location: $path passes", async ({ path }) => {
    const { exitCode, stdout } = await runIn(folder, process.execPath, [
      "--test",
      "--test-reporter=tap",
      builtPath(path),
    ]);
    expect(stdout).toMatch(/^# pass [1-9]/m);
    expect(exitCode, stdout).toBe(0);
  });

  test("there are programs on every page that should have some", () => {
    expect(programs.length).toBeGreaterThanOrEqual(8);
    expect(tests.length).toBeGreaterThanOrEqual(1);
  });
});

function builtPath(path: string): string {
  return path.replace(/^src\//, "build/").replace(/\.ts$/, ".js");
}
