/** Runs the conformance and runtime tests and the demo on the other Node versions that are supported. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** What the npm package `node` has of each major version. */
const VERSIONS = ["22.23.3", "24.21.0", "26.10.0"];

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

for (const version of VERSIONS) {
  const folder = join(repository, ".cache", `node-${version}`);
  mkdirSync(folder, { recursive: true });
  const install = ["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", `node@${version}`];
  execFileSync("npm", install, { stdio: "inherit" });
  const bin = join(folder, "node_modules/node/bin");
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}` };
  const node = (args: readonly string[]): void => {
    execFileSync(join(bin, "node"), args, { cwd: repository, env, stdio: "inherit" });
  };
  node(["--version"]);
  node(["node_modules/vitest/vitest.mjs", "run", "test/conformance", "test/runtime"]);
  node(["dist/examples/hostwatch/demo.js", "--seconds", "3"]);
}
