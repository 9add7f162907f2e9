import { CommanderError } from "commander";
import { type ErrorDetail, IpcError } from "../runtime/error.js";
import { fromTransportError } from "../runtime/transport-errors.js";
import { TransportError } from "../transports/transport.js";
import { CliError } from "./cli-error.js";
import { plain, plainLine, printJson } from "./output.js";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** What a command has failed with, for a script: `{"error": …}`. */
interface Failure {
  readonly code: string;
  readonly message: string;
  readonly suggestions?: readonly string[];
  readonly hint?: string | undefined;
  readonly maybeExecuted?: boolean;
  readonly details?: readonly object[];
}

/**
 * Tells what went wrong, and what helps: on the error output for people, as JSON for scripts. Returns the exit code.
 */
export function printError(error: unknown, hint: string | undefined, asJson: boolean): number {
  // People have been told by Commander.
  if (error instanceof CommanderError && !asJson) return EXIT_USAGE;
  if (asJson) printJson({ error: { ...failureOf(error), hint } });
  else {
    const lines = [...linesOf(error), ...(hint === undefined ? [] : [`  ${hint}`])];
    process.stderr.write(`${plain(lines.join("\n"))}\n`);
  }
  const isUsage =
    error instanceof CommanderError || (error instanceof CliError && error.code === "INVALID_ARGUMENT");
  return isUsage ? EXIT_USAGE : EXIT_FAILED;
}

function linesOf(error: unknown): string[] {
  if (error instanceof CliError) {
    const { message, suggestions } = error;
    return suggestions.length === 0
      ? [message]
      : [message, `  did you mean: ${suggestions.map(plainLine).join(", ")}`];
  }
  const { message, details, maybeExecuted } = ipcErrorOf(error);
  const lines = [message, ...details.map((detail) => `  ${JSON.stringify(detailOf(detail))}`)];
  return maybeExecuted ? [...lines, "  the call may have been executed"] : lines;
}

function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) return usageOf(error);
  if (error instanceof CliError) {
    const { code, message, suggestions } = error;
    return { code, message, ...(suggestions.length === 0 ? {} : { suggestions }) };
  }
  const { code, rawMessage, maybeExecuted, details } = ipcErrorOf(error);
  return { code, message: rawMessage, maybeExecuted, details: details.map(detailOf) };
}

/** Commander puts what may be meant into its message. */
function usageOf({ message }: CommanderError): Failure {
  const [text = "", hint = ""] = message.replace(/^error: /, "").split("\n");
  const meant = /^\(Did you mean (?:one of )?(.*)\?\)$/.exec(hint)?.[1];
  return {
    code: "INVALID_ARGUMENT",
    message: text,
    ...(meant === undefined ? {} : { suggestions: meant.split(", ") }),
  };
}

/** What nobody has foreseen is a fault of ours. */
function ipcErrorOf(error: unknown): IpcError {
  return error instanceof TransportError ? fromTransportError(error) : IpcError.from(error, "INTERNAL");
}

function detailOf({ typeName, value }: ErrorDetail): object {
  return { "@type": typeName, base64: Buffer.from(value).toString("base64") };
}
