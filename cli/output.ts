import { stripVTControlCharacters } from "node:util";
import Table from "cli-table3";
import { type ErrorDetail, IpcError } from "../index.js";

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** Something that the user can correct. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;
  /** What it is meant, or may be meant instead. */
  readonly suggestions: readonly string[];

  constructor(message: string, exitCode: number = EXIT_FAILED, suggestions: readonly string[] = []) {
    super(message);
    this.exitCode = exitCode;
    this.suggestions = suggestions;
  }
}

/** Prints one thing for a script. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function printLine(text = ""): void {
  process.stdout.write(`${text}\n`);
}

/** JSON for people: over several lines where there is a terminal. */
export function printMessage(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, process.stdout.isTTY ? 2 : undefined)}\n`);
}

/** Prints a table with headings. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const table = new Table({
    head: head.map(bold),
    style: { head: [], border: [], compact: true },
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: "  ",
    },
  });
  table.push(...rows.map((row) => row.map(plain)));
  // Empty cells at the end of a line are nothing that one wants to copy.
  printLine(table.toString().replace(/[ \t]+$/gm, ""));
}

/** What a peer says of itself, without anything that would steer a terminal. */
export function plain(text: string): string {
  const isControl = (letter: string): boolean => (letter < " " && letter !== "\n") || letter === "\u007f";
  return Array.from(stripVTControlCharacters(text), (letter) => (isControl(letter) ? "?" : letter)).join("");
}

function isColoured(): boolean {
  return process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === "";
}

export function bold(text: string): string {
  return isColoured() ? `\u001b[1m${text}\u001b[22m` : text;
}

export function coloured(text: string, colour: "red" | "green" | "yellow"): string {
  const code = { red: 31, green: 32, yellow: 33 }[colour];
  return isColoured() ? `\u001b[${code}m${text}\u001b[39m` : text;
}

/** Tells what went wrong: on the error output for people, as JSON for scripts. */
export function printError(error: unknown, asJson: boolean): void {
  if (asJson) {
    printJson({ error: errorOf(error) });
    return;
  }
  if (error instanceof IpcError) {
    process.stderr.write(`${plain(error.message)}\n`);
    for (const detail of error.details)
      process.stderr.write(`  ${plain(JSON.stringify(detailOf(detail)))}\n`);
    if (error.maybeExecuted) process.stderr.write("  the call may have been executed\n");
    return;
  }
  process.stderr.write(`${plain(error instanceof Error ? error.message : String(error))}\n`);
  const suggestions = error instanceof CliError ? error.suggestions : [];
  if (suggestions.length > 0) process.stderr.write(`  did you mean: ${suggestions.map(plain).join(", ")}\n`);
}

function errorOf(error: unknown): object {
  if (error instanceof IpcError) {
    const { code, rawMessage, maybeExecuted, details } = error;
    return { code, message: rawMessage, maybeExecuted, details: details.map(detailOf) };
  }
  const message = error instanceof Error ? error.message : String(error);
  const suggestions = error instanceof CliError ? error.suggestions : [];
  return { code: "INVALID_ARGUMENT", message, ...(suggestions.length === 0 ? {} : { suggestions }) };
}

function detailOf({ typeName, value }: ErrorDetail): object {
  return { "@type": typeName, base64: Buffer.from(value).toString("base64") };
}
