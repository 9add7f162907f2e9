import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { livesElsewhere } from "./elsewhere.js";
import { readEntry } from "./entry.js";
import { examine } from "./examine.js";
import { type FileLock, lockDirectory } from "./lock.js";
import { isPrivateDirectory } from "./private-directory.js";
import { removeIfEmpty, removeLeft } from "./remove.js";
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
 * where a successor has the name. False where it lives after all, in another network namespace.
 */
export async function sweepDead(options: SweepOptions, incarnation: string): Promise<boolean> {
  const { root, domain, name, fileLock } = options;
  const giveUpAt = performance.now() + LONGEST_END_MS;
  for (let pauseMs = 1; !(await sweepEndpoint(options)); pauseMs *= 2) {
    const examined = await examine(join(root.path, domain, name), name, undefined, fileLock);
    if (examined.kind === "alive") examined.presence.stop();
    const isNone = examined.kind === "absent" || examined.kind === "refused";
    if (isNone || examined.entry.incarnation !== incarnation) return true;
    if (performance.now() > giveUpAt) return examined.kind !== "elsewhere";
    await sleep(pauseMs);
  }
  return true;
}

/**
 * Removes what an endpoint has left whose process is dead. Having its locks is the proof of that: nobody else can have
 * them then, unless in another network namespace, from where there are other signs of life. False where somebody has, or
 * where there is nothing. Rejects with a `TransportError`.
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
    const entry = await readEntry(directory);
    // The lock of the file is our own by now, and says nothing.
    if (entry !== undefined && (await livesElsewhere(directory, entry, undefined))) return false;
    await removeLeft(directory);
    return true;
  } finally {
    await unlock();
  }
}

/**
 * As `sweepEndpoint`, of a directory that has been without an entry for a while. Also an empty one goes, which has no locks:
 * its owner died before it had made a secret, or could not remove the directory while others looked at it. Whoever is about
 * to take the name makes another one.
 */
export async function sweepWithoutEntry(options: SweepOptions): Promise<void> {
  const { root, domain, name } = options;
  if (!(await sweepEndpoint(options))) await removeIfEmpty(join(root.path, domain, name));
}
