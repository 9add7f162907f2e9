import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const STOP_MS = 5000;

/** A program of this example that runs as a process of its own. */
export interface Child {
  readonly name: string;
  readonly process: ChildProcess;
  /** Resolves when it has ended: with `undefined` when that was well, else with a sentence. */
  readonly ended: Promise<string | undefined>;
}

/** Starts a program of this folder, whose output goes where ours does. */
export function start(program: "producer" | "consumer", name: string, args: readonly string[]): Child {
  const path = join(import.meta.dirname, `${program}.js`);
  const child = spawn(process.execPath, [path, ...args], { stdio: ["ignore", "inherit", "inherit"] });
  const ended = once(child, "exit").then(
    ([code, signal]) =>
      code === 0 ? undefined : `the ${name} ended with ${code === null ? signal : `exit code ${code}`}`,
    (error: unknown) => `the ${name} could not be started: ${String(error)}`,
  );
  return { name, process: child, ended };
}

/** Asks a child to end, makes it end when it does not, and resolves when it has. */
export async function stopChild(child: Child): Promise<void> {
  child.process.kill("SIGTERM");
  const killer = setTimeout(() => child.process.kill("SIGKILL"), STOP_MS);
  await child.ended;
  clearTimeout(killer);
}
