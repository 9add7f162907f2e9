import type { Code } from "../index.js";

interface CliErrorOptions extends ErrorOptions {
  /** What it is meant, or may be meant instead. */
  readonly suggestions?: readonly string[];
}

/** Something that the user can correct. INVALID_ARGUMENT: the command was given something wrong. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: Code;
  readonly suggestions: readonly string[];

  constructor(code: Code, message: string, { suggestions = [], ...rest }: CliErrorOptions = {}) {
    super(message, rest);
    this.code = code;
    this.suggestions = suggestions;
  }
}
