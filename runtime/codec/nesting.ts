import { IpcError } from "../error.js";
import { DEFAULT_LIMITS } from "../limits.js";

/** How deep messages may be nested where nobody says. */
export const DEFAULT_NESTING: number = DEFAULT_LIMITS.maxNesting;

/** What a codec throws for a message that is nested deeper than it may be. */
export function nestedTooDeep(typeName: string, maxNesting: number, cause?: unknown): IpcError {
  const text = `${typeName} is nested more than ${maxNesting} deep, the limit (maxNesting)`;
  return new IpcError("RESOURCE_EXHAUSTED", text, cause === undefined ? {} : { cause });
}

/** What a codec throws where a decoder that does not count, or is called on a full stack, came to the stack's end. */
export function nestedBeyondStack(typeName: string, maxNesting: number, cause: unknown): IpcError {
  const text = `${typeName} is nested deeper than the stack reaches; the limit is ${maxNesting} (maxNesting)`;
  return new IpcError("RESOURCE_EXHAUSTED", text, { cause });
}

/** Whether the error is that of the JavaScript engine for a stack that is full. */
export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message === "Maximum call stack size exceeded";
}
