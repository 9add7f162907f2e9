import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, defaultCompiler, missingCompiler, ROOT, SANITIZERS } from "../test/adversaries/compile.js";

/** The targets of core/fuzz. */
export const CORE_TARGETS = ["ring", "control", "link", "arena", "entry"] as const;
export type CoreTarget = (typeof CORE_TARGETS)[number];

/** Where inputs are kept that something went wrong with. */
export const CRASHES: string = join(ROOT, ".cache/fuzz");

export interface Fuzzed {
  readonly target: string;
  readonly executions: number;
  /** Edges of the code that were covered; undefined where nobody counted. */
  readonly coverage: number | undefined;
  /** Where what went wrong is kept, and what it was. */
  readonly crash: { readonly file: string; readonly text: string } | undefined;
}

/** Whether clang can link a fuzz target: its runtime is a package of its own on many systems. */
export async function hasLibFuzzer(): Promise<boolean> {
  if ((await missingCompiler("clang")) !== undefined) return false;
  const folder = await mkdtemp(join(tmpdir(), "protoipc-fuzz-"));
  try {
    const flags = ["-fsanitize=fuzzer,address,undefined", "-x", "c", "-o", join(folder, "probe"), "-"];
    const probe = execFile("clang", flags, () => undefined);
    const ended = new Promise<number | null>((resolve) => {
      probe.on("close", resolve);
      probe.on("error", () => resolve(null));
    });
    probe.stdin!.end(
      "int LLVMFuzzerTestOneInput(const unsigned char *d, long n) { return d != 0 && n < 0; }\n",
    );
    return (await ended) === 0;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function compileTarget(target: CoreTarget, isBlind: boolean, weakened?: string): Promise<string> {
  const sources = [`core/fuzz/${target}.c`, "core/protoipc.c"];
  const weak = weakened === undefined ? [] : [`-DSHM_WEAKEN="${weakened}"`];
  if (isBlind)
    return compile({
      name: `fuzz-${target}-blind`,
      sources: [...sources, "core/fuzz/standalone.c"],
      flags: [...SANITIZERS, ...weak],
      compiler: defaultCompiler(),
    });
  const flags = [...SANITIZERS.map((flag) => flag.replace("=address", "=fuzzer,address")), ...weak];
  return compile({ name: `fuzz-${target}`, sources, flags, compiler: "clang" });
}

async function run(command: string, args: readonly string[]): Promise<{ code: number | null; text: string }> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const parts: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => parts.push(part));
  const code = await new Promise<number | null>((resolve) => {
    child.on("close", resolve);
  });
  return { code, text: Buffer.concat(parts).toString("latin1") };
}

export interface FuzzOptions {
  readonly target: CoreTarget;
  readonly seconds: number;
  /** Without libFuzzer. */
  readonly isBlind: boolean;
  /** A folder in which what libFuzzer finds is kept, by target. */
  readonly keepIn?: string | undefined;
  /** The check of core/src/weaken.h that is off. */
  readonly weakened?: string;
}

/** Fuzzes a target of the C core, from its corpus on. */
export async function fuzzCore({ target, seconds, isBlind, keepIn, weakened }: FuzzOptions): Promise<Fuzzed> {
  const program = await compileTarget(target, isBlind, weakened);
  const seeds = join(ROOT, "core/fuzz/corpus", target);
  const file = join(CRASHES, `${target}-`);
  await mkdir(CRASHES, { recursive: true });
  let result: { code: number | null; text: string };
  if (isBlind) {
    result = await run(program, [`${seconds}`, `${file}crash`, seeds]);
  } else {
    const found =
      keepIn === undefined ? await mkdtemp(join(tmpdir(), "protoipc-corpus-")) : join(keepIn, target);
    await mkdir(found, { recursive: true });
    const options = [`-max_total_time=${Math.max(1, Math.round(seconds))}`, "-max_len=512", "-timeout=10"];
    result = await run(program, [
      ...options,
      `-artifact_prefix=${file}`,
      "-print_final_stats=1",
      found,
      seeds,
    ]);
    if (keepIn === undefined) await rm(found, { recursive: true });
  }
  const number = (pattern: RegExp): number | undefined => {
    const all = [...result.text.matchAll(pattern)];
    return all.length === 0 ? undefined : Number(all.at(-1)![1]);
  };
  const written = /Test unit written to (\S+)/.exec(result.text)?.[1] ?? `${file}crash`;
  return {
    target,
    executions: number(/number_of_executed_units: (\d+)/g) ?? 0,
    coverage: number(/ cov: (\d+)/g),
    crash: result.code === 0 ? undefined : { file: written, text: result.text.slice(-6_000) },
  };
}
