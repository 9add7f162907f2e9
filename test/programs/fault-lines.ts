// How the fault programs are steered: one line of JSON in, one line of JSON out, in order.
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { ownDescriptors } from "../harness/own-descriptors.js";

/** What every program knows besides its own commands: what the system does elsewhere, Windows does not. */
export type SystemLine =
  /** As the signal does; answered by nothing. */
  | { readonly system: "SIGTERM" }
  /** Answers, then lets nothing run in this process for as long as there is such a file. */
  | { readonly system: "SIGSTOP"; readonly whileThere: string }
  /** Answers with `SystemReport`. */
  | { readonly system: "report" };

export interface SystemReport {
  readonly descriptors: number;
  readonly residentBytes: number;
}

const LOOK_EVERY_MS = 20;

/** Says that the program is ready, then answers each command until the input ends. */
export async function answerLines<Command>(
  hello: object,
  answer: (command: Command) => object | Promise<object>,
): Promise<void> {
  // Resolves when the line has left this process: on Windows a pipe takes it later.
  const tell = (message: object): Promise<void> =>
    new Promise((resolve) => process.stdout.write(`${JSON.stringify(message)}\n`, () => resolve()));
  void tell({ ready: true, ...hello });
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line) as object;
    if ("system" in command) await obey(command as SystemLine, tell);
    else void tell(await answer(command as Command));
  }
  // Whoever steers it is gone.
  process.exit(0);
}

async function obey(line: SystemLine, tell: (message: object) => Promise<void>): Promise<void> {
  switch (line.system) {
    case "SIGTERM":
      process.emit("SIGTERM", "SIGTERM");
      return;
    case "SIGSTOP":
      await tell({});
      standStill(line.whileThere);
      return;
    case "report": {
      const report: SystemReport = {
        descriptors: ownDescriptors(),
        residentBytes: process.memoryUsage.rss(),
      };
      await tell(report);
    }
  }
}

function standStill(whileThere: string): void {
  const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));
  while (existsSync(whileThere)) Atomics.wait(nobodyWakes, 0, 0, LOOK_EVERY_MS);
}
