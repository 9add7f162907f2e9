import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

export const root: string = fileURLToPath(new URL("../..", import.meta.url));
export const cli: string = join(root, "cli/protoipc.mjs");

/** Where the endpoints of this test are. */
export let directory = "";
/** The daemon of examples/hostwatch. */
export let hostwatch: ChildProcess;

/** What a command has printed, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** A program that runs it, and its arguments. */
  readonly within?: readonly string[];
}

/** Runs the command line to its end. */
export function run(args: readonly string[], { within = [], ...rest }: RunOptions = {}): Promise<Ran> {
  return runProgram([...within, process.execPath, cli, ...args], rest);
}

/** Runs a script, which finds the command line under its name. */
export async function shell(program: string, script: string): Promise<Ran> {
  const folder = await mkdtemp(join(tmpdir(), "protoipc-bin-"));
  try {
    const text = `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`;
    await writeFile(join(folder, "protoipc"), text, { mode: 0o755 });
    return await runProgram([program, "-c", script], { env: { PATH: `${folder}:${process.env["PATH"]}` } });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Runs a program to its end. */
export function runProgram(
  command: readonly string[],
  { input = "", env = {} }: RunOptions = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const [program, ...args] = command;
    const child = execFile(program!, args, { env: { ...process.env, ...env } }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, error: err });
    });
    // A command need not read it.
    child.stdin!.on("error", () => undefined);
    child.stdin!.end(input);
  });
}

/** The one document that a command prints. */
export async function json<T>(args: readonly string[], options: RunOptions = {}): Promise<T> {
  const { code, out, error } = await run([...args, "--json"], options);
  expect(error).toBe("");
  expect(code).toBe(0);
  return JSON.parse(out) as T;
}

/** Starts a program, and waits until it says that it is ready. */
export async function start(file: string, args: readonly string[], env = {}): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(root, "dist", file), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  await once(createInterface({ input: child.stdout! }), "line");
  return child;
}

export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

export async function startStage(): Promise<void> {
  directory = await mkdtemp(join(tmpdir(), "protoipc-cli-"));
  process.env["PROTOIPC_DIR"] = directory;
  hostwatch = await start("examples/hostwatch/daemon.js", ["--name", "hostwatch"]);
}

export async function endStage(): Promise<void> {
  await end(hostwatch, "SIGTERM");
  await rm(directory, { recursive: true });
}
