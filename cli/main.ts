import { CommanderError } from "commander";
import type { CommonOptions } from "./endpoint.js";
import { makeProgram } from "./program.js";
import { ReaderGone, watchReader } from "./reader.js";

/** Runs the command line. Sets the exit code: 0 all well, 1 it failed, 2 wrong arguments. Never rejects. */
export async function main(args: readonly string[]): Promise<void> {
  const asJson = args.includes("--json");
  const program = makeProgram(asJson);
  let domain: string | undefined;
  program.hook("preAction", (_program, action) => {
    ({ domain } = action.opts<Partial<CommonOptions>>());
  });
  watchReader();
  try {
    await program.parseAsync(["node", "protoipc", ...args]);
  } catch (error) {
    const isHelp = error instanceof CommanderError && error.exitCode === 0;
    if (isHelp || error instanceof ReaderGone) return;
    const { printError } = await import("./print-error.js");
    const { hintFor } = await import("./where.js");
    process.exitCode = printError(error, await hintFor(error, domain), asJson);
  }
}
