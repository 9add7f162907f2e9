import type { Socket } from "node:net";
import { connectPath } from "../connect-path.js";
import { errnoOf } from "../errno.js";
import { lockAddress } from "./lock.js";
import { readSecret } from "./secret.js";

/** A connection to the lock of a name, held for as long as its owner lives. */
export interface Presence {
  /** Resolves when the owner has given the name back or its process has ended. Never, after `stop`. */
  readonly ended: Promise<void>;
  stop(): void;
}

/** How long to wait, at most, before an owner that has no room for another connection is asked again. */
const LONGEST_PAUSE_MS = 1_000;

/**
 * Watches the owner of a name, by what the kernel does when it ends: no timer finds out, and no pid can be mistaken.
 * `undefined` where nobody owns it.
 */
export async function watchOwner(directory: string, name: string): Promise<Presence | undefined> {
  const secret = await readSecret(directory);
  if (secret === undefined) return undefined;
  const address = await lockAddress(directory, secret, name);
  if (address === undefined) return undefined;
  const first = await connectToLock(address);
  return first === "free" ? undefined : presenceOf(address, first);
}

function presenceOf(address: string, first: Socket | "busy"): Presence {
  const stop = new AbortController();
  return { ended: untilFree(address, first, stop.signal), stop: () => stop.abort() };
}

/**
 * A connection ends with its owner, or because that has too many: asking again tells which. A process that ends closes
 * one descriptor after the other, so that it may still seem to be there for a moment.
 */
async function untilFree(address: string, first: Socket | "busy", stop: AbortSignal): Promise<void> {
  let pauseMs = 0;
  for (let held: Socket | "busy" | "free" = first; held !== "free"; held = await connectToLock(address)) {
    const sinceMs = performance.now();
    if (held !== "busy") await closed(held, stop);
    if (performance.now() - sinceMs > LONGEST_PAUSE_MS) pauseMs = 0;
    if (pauseMs > 0) await pause(pauseMs, stop);
    pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(1, pauseMs * 2));
    if (stop.aborted) return new Promise(() => undefined);
  }
}

async function connectToLock(address: string): Promise<Socket | "busy" | "free"> {
  try {
    return await connectPath(address, undefined);
  } catch (error) {
    const code = errnoOf(error);
    return code === "ECONNREFUSED" || code === "ENOENT" ? "free" : "busy";
  }
}

function closed(socket: Socket, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      stop.removeEventListener("abort", end);
      socket.destroy();
      resolve();
    };
    socket.on("end", end);
    socket.on("close", end);
    stop.addEventListener("abort", end);
    socket.resume();
    socket.unref();
  });
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms).unref();
    stop.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
