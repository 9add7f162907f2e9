import type { Command, Option } from "commander";
import { SHELLS } from "./completion-scripts.js";

interface CompleteOptions {
  /** Words are those of bash, which breaks them at ":" and "=" and completes what is behind. */
  readonly bash?: boolean;
}

/** What is offered. Names come from peers, and a shell would carry out what stands in some. */
const HARMLESS = /^[\w.:=/-]+$/;

/** Prints what may stand for the last of the words, a line each. */
export async function complete(
  program: Command,
  typed: readonly string[],
  { bash }: CompleteOptions,
): Promise<void> {
  const words = bash === true ? joined(typed) : typed;
  const current = words.at(-1) ?? "";
  const candidates = await candidatesFor(program, words.slice(0, -1), current);
  const begun = bash === true ? current.search(/[^:=]*$/) : 0;
  for (const candidate of [...new Set(candidates)].sort()) {
    if (candidate.startsWith(current) && HARMLESS.test(candidate))
      process.stdout.write(`${candidate.slice(begun)}\n`);
  }
}

/** Puts together what bash has broken: `--domain = x`, `unix : market`. */
function joined(words: readonly string[]): string[] {
  const whole: string[] = [];
  let isOpen = false;
  for (const word of words) {
    const isBreak = /^[:=]+$/.test(word);
    if ((isBreak || isOpen) && whole.length > 0) whole.push(`${whole.pop()}${word}`);
    else whole.push(word);
    isOpen = isBreak;
  }
  return whole;
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
  const line = readLine(command, before.slice(1));
  if (line.open !== undefined) return valuesOf(line.open, line, current);
  if (line.isPastOptions || !current.startsWith("-")) return argumentsOf(command.name(), line, current);
  const [flag = "", ...rest] = current.split("=");
  const option = optionOf(command, flag);
  if (rest.length === 0 || option === undefined) return command.options.flatMap(({ long }) => long ?? []);
  return (await valuesOf(option, line, rest.join("="))).map((value) => `${flag}=${value}`);
}

/** What stands before the word that is completed. */
interface Line {
  readonly values: ReadonlyMap<string, string>;
  readonly positionals: readonly string[];
  /** An option whose value comes next. */
  readonly open: Option | undefined;
  /** "--" was there. */
  readonly isPastOptions: boolean;
}

function readLine(command: Command, words: readonly string[]): Line {
  const values = new Map<string, string>();
  const positionals: string[] = [];
  let open: Option | undefined;
  let isPastOptions = false;
  for (const word of words) {
    if (open !== undefined) {
      values.set(open.attributeName(), word);
      open = undefined;
    } else if (isPastOptions || !word.startsWith("-")) {
      positionals.push(word);
    } else if (word === "--") {
      isPastOptions = true;
    } else {
      const [flag = "", ...rest] = word.split("=");
      const option = optionOf(command, flag);
      if (option?.required === true && rest.length > 0) values.set(option.attributeName(), rest.join("="));
      else if (option?.required === true) open = option;
    }
  }
  return { values, positionals, open, isPastOptions };
}

function optionOf(command: Command, flag: string): Option | undefined {
  return command.options.find(({ long, short }) => long === flag || short === flag);
}

async function valuesOf(option: Option, { values }: Line, current: string): Promise<string[]> {
  if (option.argChoices !== undefined) return option.argChoices;
  const { addresses, domains } = await import("./candidates.js");
  if (option.long === "--to") return addresses(values.get("domain"), current);
  return option.long === "--domain" ? domains() : [];
}

async function argumentsOf(
  command: string,
  { values, positionals }: Line,
  current: string,
): Promise<string[]> {
  // Behind the first one stands JSON.
  if (positionals.length > 0) return [];
  if (command === "completion") return [...SHELLS];
  const { addresses, names } = await import("./candidates.js");
  const [domain, to] = [values.get("domain"), values.get("to")];
  switch (command) {
    case "ping":
      return addresses(domain, current);
    case "call":
      return names(domain, to, (isTopic) => !isTopic);
    case "sub":
    case "pub":
      return names(domain, to, (isTopic) => isTopic);
    case "describe":
      return [...(await addresses(domain, "")), ...(await names(domain, to, () => true))];
    default:
      return [];
  }
}
