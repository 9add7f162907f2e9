import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readEntry } from "./entry.js";
import { examine } from "./examine.js";
import { type FileLock, lockDirectory } from "./lock.js";
import { isPrivateDirectory } from "./private-directory.js";
import { removeLeft } from "./remove.js";
import type { Root } from "./root.js";
import { readSecret } from "./secret.js";

export interface SweepOptions {
  readonly root: Root;
  readonly domain: string;
  readonly name: string;
  readonly fileLock?: FileLock | undefined;
}

/** How long the locks of a process that ends may be held by what it has not closed yet. */
const LONGEST_END_MS = 1_000;

/**
 * As `sweepEndpoint`, of an endpoint that has just died: the kernel may take a moment to free all that it held. Gives up
 * where a successor has the name.
 */
export async function sweepDead(options: SweepOptions, incarnation: string): Promise<void> {
  const { root, domain, name } = options;
  const giveUpAt = performance.now() + LONGEST_END_MS;
  for (let pauseMs = 1; !(await sweepEndpoint(options)); pauseMs *= 2) {
    const examined = await examine(join(root.path, domain, name), name, undefined);
    if (examined.kind === "alive") examined.presence.stop();
    const isEnding = examined.kind === "dead" || examined.kind === "alive";
    if (!isEnding || examined.entry.incarnation !== incarnation || performance.now() > giveUpAt) return;
    await sleep(pauseMs);
  }
}

/**
 * Removes what an endpoint has left whose process is dead. Having its locks is the proof of that: nobody else can have
 * them then. False where somebody has, or where there is nothing. Rejects with a `TransportError`.
 */
export async function sweepEndpoint({ root, domain, name, fileLock }: SweepOptions): Promise<boolean> {
  const directory = join(root.path, domain, name);
  if (!(await isPrivateDirectory(directory))) return false;
  const secret = await readSecret(directory);
  if (secret === undefined) return false;
  const unlock = await lockDirectory(directory, name, secret, fileLock);
  if (unlock === undefined) return false;
  try {
    // Refused, and left as it is, where it is none.
    await readEntry(directory);
    await removeLeft(directory);
    return true;
  } finally {
    await unlock();
  }
}
