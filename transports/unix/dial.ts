import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connectPath } from "../connect-path.js";
import { errnoOf, transportErrorOf } from "../errno.js";
import { checkSocketPath } from "../socket-path.js";
import { type PeerCredentials, type Place, TransportError } from "../transport.js";
import { vouchFor } from "./peer.js";

// A listener whose queue of connections is full is asked again: about a second in all.
const BUSY_ATTEMPTS = 6;
const FIRST_PAUSE_MS = 15;

/** Connects, and says who is known to be there. Rejects with a `TransportError`. */
export async function dialSocket(
  place: Place,
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ socket: Socket; vouched: PeerCredentials }> {
  checkSocketPath(path, 0);
  const vouched = await vouchFor(place, path);
  for (let attempt = 1; ; attempt++) {
    try {
      return { socket: await connectPath(path, signal), vouched };
    } catch (error) {
      if (signal?.aborted) throw aborted(path, signal);
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
    throw aborted(path, signal);
  }
}

function aborted(path: string, signal: AbortSignal | undefined): TransportError {
  return new TransportError("unavailable", `dialling ${path} was aborted`, { cause: signal?.reason });
}
