import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const START_MS = 10_000;
const STOP_MS = 5_000;

/** The programs that the demo starts. */
export type Program = "daemon" | "viewer";

/** A program of this example that runs as a process of its own. */
export interface Child {
  readonly program: Program;
  readonly process: ChildProcess;
  /** Resolves with 0 when it has ended well; rejects with a sentence when not. */
  readonly exited: Promise<void>;
}

/** Starts a program of this folder. Its errors go to our own; its output is ours (`inherit`) or is read by us (`pipe`). */
export function start(program: Program, args: readonly string[], output: "inherit" | "pipe"): Child {
  const path = join(import.meta.dirname, `${program}.js`);
  const child = spawn(process.execPath, [path, ...args], { stdio: ["ignore", output, "inherit"] });
  const exited = once(child, "exit").then(([code, signal]) => {
    if (code !== 0)
      throw new Error(`the ${program} ended with ${code === null ? signal : `exit code ${code}`}`);
  });
  // Whoever waits hears of it; until somebody does, it is no unhandled rejection.
  exited.catch(() => undefined);
  return { program, process: child, exited };
}

/** Resolves with the first line that a child writes, and lets the rest pass by. */
export async function firstLine(child: Child): Promise<string> {
  const { stdout } = child.process;
  if (stdout === null) throw new TypeError("the child's output is not piped");
  const lines = createInterface({ input: stdout });
  const over = AbortSignal.timeout(START_MS);
  const line = once(lines, "line", { signal: over }).then(([text]) => String(text));
  const early = child.exited.then(() =>
    Promise.reject(new Error(`the ${child.program} ended without a word`)),
  );
  try {
    return await Promise.race([line, early]);
  } catch (error) {
    throw over.aborted
      ? new Error(`the ${child.program} said nothing for ${START_MS / 1000} seconds`)
      : error;
  }
}

/** Asks a child to end, and makes it end when it does not. Rejects as `exited` does. */
export async function stopChild(child: Child): Promise<void> {
  if (process.platform === "win32") {
    // A signal cannot be handled there: it ends a program at once, whatever that was about to do.
    child.process.kill();
    await child.exited.catch(() => undefined);
    return;
  }
  // One that is stopped hears of nothing else.
  child.process.kill("SIGCONT");
  child.process.kill("SIGTERM");
  const killer = setTimeout(() => child.process.kill("SIGKILL"), STOP_MS);
  try {
    await child.exited;
  } finally {
    clearTimeout(killer);
  }
}
