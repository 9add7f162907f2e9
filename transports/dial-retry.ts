import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, transportErrorOf } from "./errno.js";
import { TransportError } from "./transport.js";

// A listener whose queue of connections is full is asked again: about a second in all.
const BUSY_ATTEMPTS = 6;
const FIRST_PAUSE_MS = 15;

/**
 * Connects by `connect`, and again for a while where that fails with EAGAIN. Rejects with a `TransportError`; where the
 * signal aborts, `connect` is expected to fail.
 */
export async function dialWithRetry<T>(
  path: string,
  signal: AbortSignal | undefined,
  connect: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect();
    } catch (error) {
      if (signal?.aborted) throw dialAborted(path, signal);
      if (errnoOf(error) !== "EAGAIN") throw transportErrorOf(error, `cannot connect to ${path}`);
      if (attempt === BUSY_ATTEMPTS) {
        throw new TransportError("busy", `the listener on ${path} is busy: it accepts no connection`, {
          cause: error,
        });
      }
    }
    await pause(FIRST_PAUSE_MS * 2 ** attempt, path, signal);
  }
}

/** Waits between half the time and the whole, so that many callers do not come back at once. */
async function pause(timeMs: number, path: string, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(timeMs * (0.5 + Math.random() / 2), undefined, { signal });
  } catch {
    throw dialAborted(path, signal);
  }
}

export function dialAborted(path: string, signal: AbortSignal | undefined): TransportError {
  return new TransportError("unavailable", `dialling ${path} was aborted`, { cause: signal?.reason });
}
