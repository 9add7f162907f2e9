import type { Code } from "../index.js";

interface CliErrorOptions extends ErrorOptions {
  /** What it is meant, or may be meant instead. */
  readonly suggestions?: readonly string[];
  /** Whether somebody or something was looked for, and not found. */
  readonly isSearch?: boolean;
}

/** Something that the user can correct. INVALID_ARGUMENT: the command was given something wrong. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: Code;
  readonly suggestions: readonly string[];
  readonly isSearch: boolean;

  constructor(code: Code, message: string, options: CliErrorOptions = {}) {
    const { suggestions = [], isSearch = false, ...rest } = options;
    super(message, rest);
    this.code = code;
    this.suggestions = suggestions;
    this.isSearch = isSearch;
  }
}
