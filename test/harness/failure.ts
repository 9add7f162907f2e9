import { IpcError } from "../../index.js";

/** The `IpcError` that a promise rejects with. Throws for any other outcome. */
export async function failureOf(promise: Promise<unknown> | PromiseLike<unknown>): Promise<IpcError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (error instanceof IpcError) return error;
    throw error;
  }
  throw new Error(`expected a failure, got ${JSON.stringify(value)}`);
}

/** The `IpcError` that a function throws. Throws for any other outcome. */
export function failureIn(run: () => unknown): IpcError {
  try {
    run();
  } catch (error) {
    if (error instanceof IpcError) return error;
    throw error;
  }
  throw new Error("expected a failure, there was none");
}

/** Reads an iterable to its end. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** Reads so many items, and ends the iteration. */
export async function take<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  if (count === 0) return taken;
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}
