import type { Command } from "commander";
import { SHELLS } from "./completion-scripts.js";

/** Prints what may stand for the last of the words, a line each. */
export async function complete(program: Command, words: readonly string[]): Promise<void> {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  const candidates = await candidatesFor(program, before, current);
  for (const candidate of candidates.sort()) {
    if (candidate.startsWith(current)) process.stdout.write(`${candidate}\n`);
  }
}

async function candidatesFor(
  program: Command,
  before: readonly string[],
  current: string,
): Promise<string[]> {
  const command = program.commands.find((one) => one.name() === before[0]);
  if (command === undefined)
    return program
      .createHelp()
      .visibleCommands(program)
      .map((one) => one.name());
  if (current.startsWith("-")) return command.options.flatMap(({ long }) => long ?? []);
  const { addresses, names } = await import("./candidates.js");
  const option = command.options.find(({ long, short }) => long === before.at(-1) || short === before.at(-1));
  if (option?.long === "--to") return addresses();
  if (option?.required === true) return [];
  const given = before.slice(1).filter((word) => !word.startsWith("-")).length;
  if (given > 0) return [];
  switch (command.name()) {
    case "ping":
      return addresses();
    case "call":
      return names((isTopic) => !isTopic);
    case "sub":
    case "pub":
      return names((isTopic) => isTopic);
    case "describe":
      return [...(await addresses()), ...(await names(() => true))];
    case "completion":
      return [...SHELLS];
    default:
      return [];
  }
}
