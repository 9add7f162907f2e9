/** The C programs of the benchmark: compiled when they are needed, kept while their source is the same. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Durations, Measured } from "./measure.js";
import type { Cpus } from "./pinning.js";

const run = promisify(execFile);

// Seen from dist/bench.
const SOURCES = join(import.meta.dirname, "../../bench/c");
const CACHE = join(import.meta.dirname, "../../.cache/bench");

const FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"];

/** Runs a program of bench/c, which measures by itself. Rejects where there is no C compiler, and says so. */
export async function runNative(
  source: string,
  cpus: Cpus | null,
  { warmUpMs, measureMs }: Durations,
): Promise<Measured> {
  const program = await compile(source);
  const args = [cpus?.server ?? -1, cpus?.client ?? -1, warmUpMs, measureMs].map(String);
  try {
    const { stdout } = await run(program, args);
    return JSON.parse(stdout);
  } catch (cause) {
    // In one line, with what the program says itself.
    const said = (cause as { stderr?: string }).stderr?.trim();
    throw new Error(`${source} gave no result: ${said || cause}`, { cause });
  }
}

/** The first line of what the compiler says of itself; "none" where there is no compiler. */
export async function compilerVersion(): Promise<string> {
  try {
    const { stdout } = await run(await findCompiler(), ["--version"]);
    return stdout.split("\n", 1)[0] ?? "unknown";
  } catch {
    return "none";
  }
}

async function compile(source: string): Promise<string> {
  const compiler = await findCompiler();
  // What the compiler sees, with all that is included.
  const { stdout: text } = await run(compiler, [...FLAGS, "-E", join(SOURCES, source)], {
    maxBuffer: 1 << 26,
  });
  const hash = createHash("sha256")
    .update(JSON.stringify([compiler, FLAGS]))
    .update(text);
  const program = join(CACHE, `${source.replace(/\.c$/, "")}-${hash.digest("hex").slice(0, 16)}`);
  if (await stat(program).catch(() => undefined)) return program;
  await mkdir(CACHE, { recursive: true });
  // Renamed when it is whole, for a run beside this one.
  const unfinished = `${program}.${process.pid}`;
  await run(compiler, [...FLAGS, join(SOURCES, source), "-o", unfinished]);
  await rename(unfinished, program);
  return program;
}

/** $CC, or the first of the usual names that there is. */
async function findCompiler(): Promise<string> {
  const names = process.env["CC"] ? [process.env["CC"]] : ["cc", "gcc", "clang"];
  for (const name of names) {
    try {
      await run(name, ["--version"]);
      return name;
    } catch {
      // The next one.
    }
  }
  throw new Error(`no C compiler: there is no ${names.join(", ")}`);
}
