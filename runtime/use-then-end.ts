import { isThenable } from "./message-queue.js";

/**
 * Calls `use`, and then `end`: when it has returned or thrown, or where it returned a promise, when that has settled. Returns
 * that promise, or nothing; throws what `use` threw.
 */
export function useThenEnd(use: () => unknown, end: () => void): unknown {
  let result: unknown;
  let isPending = false;
  try {
    result = use();
    isPending = isThenable(result);
  } finally {
    if (!isPending) end();
  }
  return isPending ? Promise.resolve(result).finally(end) : undefined;
}
