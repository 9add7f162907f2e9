import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A process of ours that answers lines with lines of JSON. */
export interface Child {
  readonly process: ChildProcess;
  /** The next line that it writes. Rejects when it ends before. */
  next(): Promise<Record<string, unknown>>;
  ask(line: string): Promise<Record<string, unknown>>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Starts a program of test/programs, as built, and waits until it says that it is ready. */
export function startProgram(
  name: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Child> {
  const file = fileURLToPath(new URL(`../../dist/test/programs/${name}.js`, import.meta.url));
  return startFile(name, process.execPath, [file, ...args], environment);
}

/** As `startProgram`, any program. */
export async function startFile(
  name: string,
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Child> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], env: environment });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const self: Child = {
    process: child,
    async next() {
      const line = await lines.next();
      if (line.done) throw new Error(`${name} ended without an answer`);
      return JSON.parse(line.value) as Record<string, unknown>;
    },
    ask(line) {
      child.stdin.write(`${line}\n`);
      return self.next();
    },
    async kill(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    },
  };
  const first = await self.next();
  if (first["ready"] !== true) throw new Error(`${name} is not ready: ${JSON.stringify(first)}`);
  return self;
}
