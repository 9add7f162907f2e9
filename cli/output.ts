import { stripVTControlCharacters } from "node:util";

/** Prints one thing for a script. */
export function printJson(value: unknown): void {
  printLine(jsonText(value));
}

export function printLine(text = ""): void {
  process.stdout.write(`${text}\n`);
}

/** JSON for people: over several lines where there is a terminal. */
export function printMessage(value: unknown): void {
  printLine(jsonText(value, process.stdout.isTTY ? 2 : undefined));
}

/** What a peer says, without anything that would steer a terminal. Lines stay. */
export function plain(text: string): string {
  return Array.from(stripVTControlCharacters(text), (letter) =>
    isControl(letter) && letter !== "\n" ? "?" : letter,
  ).join("");
}

/** As `plain`, in one line. */
export function plainLine(text: string): string {
  return plain(text).replaceAll("\n", "?");
}

/** JSON whose texts steer no terminal: the control characters are escaped that JSON itself leaves. */
export function jsonText(value: unknown, indent?: number): string {
  const escaped = (letter: string): string => `\\u00${letter.charCodeAt(0).toString(16)}`;
  return JSON.stringify(value, undefined, indent).replace(/[\u007f-\u009f]/g, escaped);
}

/** C0, DEL, and C1, of which U+009B begins a sequence as ESC [ does. */
function isControl(letter: string): boolean {
  return letter < " " || (letter >= "\u007f" && letter <= "\u009f");
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
