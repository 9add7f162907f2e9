import type { Command } from "commander";
import { chooseDomain, chooseRoot, listDomain } from "../transports/directory/index.js";
import { describeAll, isTopicKind, itemsOf } from "./catalog.js";
import { CliError } from "./cli-error.js";
import { withEndpoint } from "./endpoint.js";

export const SHELLS = ["bash", "zsh", "fish"] as const;

const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  // Words are broken at ":" and "=" in bash; names have neither but for a transport in front, which may be left out.
  bash: `_protoipc() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(protoipc complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _protoipc protoipc
`,
  zsh: `#compdef protoipc
_protoipc() {
  local -a candidates
  candidates=("\${(@f)$(protoipc complete -- "\${(@)words[2,CURRENT]}" 2> /dev/null)}")
  compadd -a candidates
}
compdef _protoipc protoipc
`,
  fish: `complete -c protoipc -f -a '(protoipc complete -- (commandline -opc)[2..-1] (commandline -ct) 2> /dev/null)'
`,
};

/** A script for a shell. Throws a `CliError` for a shell that there is none for. */
export function completionScript(shell: string): string {
  const known = SHELLS.find((one) => one === shell);
  if (known === undefined)
    throw new CliError("INVALID_ARGUMENT", `there is no script for ${JSON.stringify(shell)}`, {
      suggestions: SHELLS,
    });
  return SCRIPTS[known];
}

const TIMEOUT_MS = 1_000;

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

async function addresses(): Promise<string[]> {
  const listed = await listDomain(await chooseRoot(), chooseDomain(undefined));
  return listed.filter(({ kind }) => kind === "alive").map(({ name }) => name);
}

async function names(isWanted: (isTopic: boolean) => boolean): Promise<string[]> {
  return withEndpoint({ timeout: TIMEOUT_MS }, async (endpoint) => {
    const { described } = await describeAll(endpoint, undefined, TIMEOUT_MS);
    const items = itemsOf(described).filter(({ method }) => isWanted(isTopicKind(method)));
    return [...new Set(items.map(({ method }) => method.fullName))];
  });
}
