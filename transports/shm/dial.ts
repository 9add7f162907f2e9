import { SOCKET } from "../bind-path.js";
import { dialAborted, dialWithRetry } from "../dial-retry.js";
import { checkSocketPath } from "../socket-path.js";
import type { LinkLimits, Place } from "../transport.js";
import { vouchFor } from "../vouch.js";
import { attach, shmError } from "./attach.js";
import type { ShmBlocks } from "./blocks.js";
import type { Hub } from "./hub.js";

/** How links are made. */
export interface ShmSettings {
  readonly hub: Hub;
  readonly blocks: ShmBlocks;
  /** One of `Waiting`. */
  readonly waiting: number;
}

/** Of our own ring; 0: the library's default, 262,144. */
export const RING_BYTES = 0;
/**
 * The library's own limit for a payload, which ends a link without a word to the peer. It is above all that
 * `LinkLimits.maxRecordBytes` can be: the link checks that one itself, before it copies anything.
 */
export const MAX_BLOCK_BYTES = 4_294_967_296;

/** Connects, and hands over the id of an attached link. Rejects with a `TransportError`. */
export async function dialShm<T>(
  settings: ShmSettings,
  place: Place,
  path: string,
  limits: LinkLimits,
  signal: AbortSignal | undefined,
  onAttached: (id: number) => T,
): Promise<T> {
  checkSocketPath(path, 0);
  await vouchFor(place, path, SOCKET);
  const { hub, blocks } = settings;
  // The link's own arena, until the link itself retains it.
  const arena = blocks.retain();
  try {
    const id = await dialWithRetry(path, signal, async () => {
      signal?.throwIfAborted();
      return connect(settings, arena, path);
    });
    await attached(hub, id, path, limits.frameTimeoutMs, signal);
    return onAttached(id);
  } finally {
    blocks.drop();
  }
}

class Busy extends Error {
  readonly code = "EAGAIN";
}

function connect({ hub, waiting }: ShmSettings, arena: number, path: string): number {
  const id = hub.native.dial(path, arena, waiting, RING_BYTES, MAX_BLOCK_BYTES);
  if (id > 0) return id;
  const error = shmError(hub, id, `cannot connect to ${path}`);
  if (error.kind === "busy") throw new Busy(error.message);
  throw error;
}

function attached(
  hub: Hub,
  id: number,
  path: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      giveUp();
      reject(dialAborted(path, signal));
    };
    const settled = (): void => signal?.removeEventListener("abort", onAbort);
    const giveUp = attach({
      hub,
      id,
      path,
      timeoutMs,
      onAttached() {
        settled();
        resolve();
      },
      onFailed(error) {
        settled();
        reject(error);
      },
    });
    signal?.addEventListener("abort", onAbort);
  });
}
