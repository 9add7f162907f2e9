// C programs of the tests, compiled once for each state of their sources.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The project, also when this file is run as built. */
export const ROOT: string = rootAbove(dirname(fileURLToPath(import.meta.url)));

function rootAbove(folder: string): string {
  return existsSync(join(folder, "biome.json")) ? folder : rootAbove(dirname(folder));
}

export interface Program {
  readonly name: string;
  /** Paths from the project's root; all that stands beside them and in core/ counts as their sources. */
  readonly sources: readonly string[];
  readonly flags: readonly string[];
  /** Default: what CC names, or cc. */
  readonly compiler?: string;
}

export const WARNINGS: readonly string[] = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];
/** Nothing is recovered from: the first finding ends the process. */
export const SANITIZERS: readonly string[] = [
  "-O1",
  "-g",
  "-fsanitize=address,undefined",
  "-fno-sanitize-recover=all",
  "-fno-omit-frame-pointer",
];

export function defaultCompiler(): string {
  return process.env["CC"] ?? "cc";
}

/** Whether there is a compiler; undefined where there is, else why not. */
export async function missingCompiler(compiler: string = defaultCompiler()): Promise<string | undefined> {
  if (process.platform !== "linux") return "shared memory is there on Linux only";
  try {
    await run(compiler, ["--version"]);
    return undefined;
  } catch {
    return `there is no C compiler called ${compiler}`;
  }
}

async function sourcesOf(program: Program): Promise<string[]> {
  const folders = new Set(["core/include", "core/src", ...program.sources.map((path) => dirname(path))]);
  const found: string[] = ["core/protoipc.c"];
  for (const folder of folders) {
    for (const name of await readdir(join(ROOT, folder))) {
      if (/\.[ch]$/.test(name)) found.push(join(folder, name));
    }
  }
  return found.sort();
}

async function textOf(path: string): Promise<string | undefined> {
  return existsSync(path) ? readFile(path, "utf8") : undefined;
}

/** Compiles a program where its sources, flags or compiler have changed. Resolves with its path. */
export async function compile(program: Program): Promise<string> {
  const compiler = program.compiler ?? defaultCompiler();
  const hash = createHash("sha256").update((await run(compiler, ["--version"])).stdout);
  for (const path of await sourcesOf(program)) hash.update(path).update(await readFile(join(ROOT, path)));
  const state = hash.digest("hex");
  const build = createHash("sha256").update(JSON.stringify([compiler, program.sources, program.flags]));
  const folder = join(ROOT, ".cache/native");
  const path = join(folder, `${program.name}-${build.digest("hex").slice(0, 8)}`);
  // Beside each program stands of what it was made, so that there is never more than one of a kind.
  const stamp = `${path}.of`;
  if (existsSync(path) && (await textOf(stamp)) === state) return path;
  await mkdir(folder, { recursive: true });
  const fresh = `${path}.${process.pid}`;
  const sources = program.sources.map((source) => join(ROOT, source));
  await run(compiler, [...WARNINGS, ...program.flags, "-pthread", "-o", fresh, ...sources]);
  await rename(fresh, path);
  await writeFile(stamp, state);
  return path;
}
