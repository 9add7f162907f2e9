// What a signal does elsewhere, done by a line to the program: on Windows every signal ends a process at once.
import type { ChildProcess } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import type { SystemLine, SystemReport } from "../programs/fault-lines.js";

type Ask = <Answer>(message: object) => Promise<Answer>;

/** `stopPath`: where the file stands while the program is stopped. */
export async function sendLine(
  signal: NodeJS.Signals,
  child: ChildProcess,
  ask: Ask,
  stopPath: string,
): Promise<void> {
  switch (signal) {
    case "SIGTERM": {
      const line: SystemLine = { system: "SIGTERM" };
      child.stdin?.write(`${JSON.stringify(line)}\n`);
      return;
    }
    case "SIGSTOP": {
      await writeFile(stopPath, "");
      const line: SystemLine = { system: "SIGSTOP", whileThere: stopPath };
      await ask(line);
      return;
    }
    case "SIGCONT":
      await rm(stopPath);
      return;
    default:
      throw new Error(`there is nothing in place of ${signal}`);
  }
}

export function reportOf({ ask }: { readonly ask: Ask }): Promise<SystemReport> {
  const line: SystemLine = { system: "report" };
  return ask(line);
}
