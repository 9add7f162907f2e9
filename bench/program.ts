import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scenario } from "./cases.js";
import type { Durations, Measured } from "./measure.js";
import type { Cpus } from "./pinning.js";

/** One scenario of one peer. */
export interface Program extends Durations {
  readonly peer: string;
  readonly scenario: Scenario;
  /** Where the two processes run; `null` where the system decides. */
  readonly cpus: Cpus | null;
}

/** What the worker processes are told. */
export interface ProgramSpec extends Program {
  readonly directory: string;
}

/** How long a program may take beyond what it is to warm up and measure. */
const GRACE_MS = 15_000;
/** Of the one that starts and kills two hundred processes, which takes as long as it takes. */
const DEATH_GRACE_MS = 180_000;

const WORKER = join(import.meta.dirname, "worker.js");

/** Runs a program in two fresh processes. Rejects with a line that says how they failed. */
export async function runProgram(program: Program): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), "protoipc-bench-"));
  try {
    return await runWorker({ ...program, directory });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The command and arguments that run node on one CPU, or on any. */
export function nodeCommand(cpu: number | undefined, args: readonly string[]): [string, string[]] {
  return cpu === undefined
    ? [process.execPath, [...args]]
    : ["taskset", ["-c", String(cpu), process.execPath, ...args]];
}

function runWorker(spec: ProgramSpec): Promise<Measured> {
  const [command, args] = nodeCommand(spec.cpus?.client, [WORKER, "client", JSON.stringify(spec)]);
  const graceMs = spec.scenario.case === "death" ? DEATH_GRACE_MS : GRACE_MS;
  const timeoutMs = spec.warmUpMs + spec.measureMs + graceMs;
  const client = spawn(command, args, {
    // The peers find their endpoints and sockets below the program's own directory.
    env: { ...process.env, PROTOIPC_DIR: spec.directory, NODE_ENV: "production" },
    // A process group of its own, to end the server with the client even where the server hears nothing any more.
    detached: true,
  });
  let output = "";
  let errors = "";
  client.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  client.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      endGroup(client.pid);
    }, timeoutMs);
    client.once("error", reject);
    client.once("exit", () => endGroup(client.pid));
    client.once("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(JSON.parse(output));
      else if (late) reject(new Error(`no result within ${timeoutMs} ms${reasonIn(errors)}`));
      else reject(new Error(`ended with ${signal ?? code}${reasonIn(errors)}`));
    });
  });
}

/** Out of what the processes wrote to standard error, the line that names the error. */
function reasonIn(errors: string): string {
  const lines = errors.split("\n").filter((line) => line.trim() !== "");
  const reason = lines.find((line) => /^\w*Error\b.*:/.test(line)) ?? lines[0];
  return reason === undefined ? "" : `: ${reason}`;
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}
