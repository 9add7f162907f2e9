import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PROTOCOL_MAJOR } from "../../runtime/wire/preamble.js";
import { transportErrorOf } from "../errno.js";
import { TransportError } from "../transport.js";
import { livesElsewhere } from "./elsewhere.js";
import { type Entry, entryPath, readEntry, writeEntry } from "./entry.js";
import { type FileLock, lockDirectory, type Unlock } from "./lock.js";
import { checkEndpointName } from "./names.js";
import { checkOwnFile, removeFile } from "./own-file.js";
import { watchOwner } from "./presence.js";
import { removeOwned, removeTemporaryFiles } from "./remove.js";
import { ensurePrivateDirectory } from "./private-directory.js";
import { isRunning, processStart } from "./process-start.js";
import type { Root } from "./root.js";
import { agreeOnSecret } from "./secret.js";

export interface ClaimOptions {
  readonly root: Root;
  readonly domain: string;
  readonly name: string;
  /** The run of the endpoint, in hexadecimal. */
  readonly incarnation: string;
  /** The implementation, such as "typescript/0.1.0". */
  readonly implementation: string;
  /** Besides the lock that the kernel always has: tells apart processes that share only the file system. */
  readonly fileLock?: FileLock | undefined;
}

/** What the owner of a name says that others may use. */
export type Offered = Pick<Entry, "transports" | "services" | "topics">;

/** The right to an endpoint's name, until it is released or the process ends. */
export interface Claim {
  readonly name: string;
  /** The endpoint's directory. Only the holder of the claim changes anything in it. */
  readonly directory: string;
  /** Says in the entry what the endpoint offers. Entries are written in the order of the calls. */
  announce(offered: Offered): Promise<void>;
  /** Removes the entry and the directory, and gives the name back. Listeners are closed before. Idempotent. */
  release(): Promise<void>;
}

/** How long a name may look taken by nobody, while its owner starts or ends, before that is an error. */
const SETTLING_TIME_MS = 1_000;
const PAUSE_MS = 10;

/** The directory of an endpoint. Throws a `TransportError` "invalid" for a name that no endpoint can have. */
export function endpointDirectory(root: Root, domain: string, name: string): string {
  checkEndpointName(name);
  return join(root.path, domain, name);
}

/**
 * Claims an endpoint's name. Rejects with a `TransportError`: "inUse", naming the owner's pid, when another endpoint
 * has it; "denied" when the directory or what is in it cannot be trusted.
 */
export async function claimName(options: ClaimOptions): Promise<Claim> {
  const { root, domain, name } = options;
  const directory = endpointDirectory(root, domain, name);
  const giveUpAt = performance.now() + SETTLING_TIME_MS;
  for (;;) {
    const unlock = await tryToLock(options, directory);
    if (unlock !== undefined) return take(options, directory, unlock);
    const pid = await livingOwner(directory, name);
    if (pid !== undefined)
      throw inUse(options, directory, `process ${pid}${pid === process.pid ? " (this one)" : ""}`);
    if (performance.now() > giveUpAt) {
      const elsewhere = await ownerElsewhere(directory);
      if (elsewhere === undefined) throw inUse(options, directory, "a process that does not say its pid");
      throw inUse(options, directory, `process ${elsewhere} of another namespace`);
    }
    await sleep(PAUSE_MS * (0.5 + Math.random()));
  }
}

/** `undefined` when another process has the name, or is just changing its directory. */
async function tryToLock(options: ClaimOptions, directory: string): Promise<Unlock | undefined> {
  const { root, domain, name, fileLock } = options;
  await ensurePrivateDirectory(root.path);
  await ensurePrivateDirectory(join(root.path, domain));
  try {
    await ensurePrivateDirectory(directory);
  } catch (error) {
    if (error instanceof TransportError && error.kind === "busy") return undefined;
    throw error;
  }
  const secret = await agreeOnSecret(directory);
  const unlock = secret && (await lockDirectory(directory, name, secret, fileLock));
  if (unlock === undefined) return undefined;
  try {
    if ((await ownerElsewhere(directory)) === undefined) return unlock;
  } catch (error) {
    await unlock();
    throw error;
  }
  await unlock();
  return undefined;
}

/** The pid of an owner of the name whose lock is not seen from this network namespace. */
async function ownerElsewhere(directory: string): Promise<number | undefined> {
  if (process.platform !== "linux") return undefined;
  let entry: Entry | undefined;
  try {
    entry = await readEntry(directory);
  } catch (error) {
    // No entry at all. What it is instead is looked at by who takes the name.
    if (error instanceof TransportError && error.kind === "denied") return undefined;
    throw error;
  }
  return entry !== undefined && (await livesElsewhere(directory, entry, undefined)) ? entry.pid : undefined;
}

async function take(options: ClaimOptions, directory: string, unlock: Unlock): Promise<Claim> {
  const { name, incarnation, implementation } = options;
  const startTime = (await processStart(process.pid)) ?? "";
  const self = { name, pid: process.pid, startTime, incarnation, implementation };
  let written: Promise<void> = Promise.resolve();
  const announce = (offered: Offered): Promise<void> => {
    const write = (): Promise<void> =>
      releasing === undefined
        ? writeEntry(directory, { ...self, ...offered, protocol: PROTOCOL_MAJOR })
        : Promise.resolve();
    written = written.then(write, write);
    return written;
  };
  let releasing: Promise<void> | undefined;
  try {
    // An owner before has left a file, if anything; what is none was put there by somebody else, and stays.
    await checkOwnFile(entryPath(directory));
    await removeFile(entryPath(directory));
    await removeTemporaryFiles(directory);
    await announce({ transports: [], services: [], topics: [] });
  } catch (error) {
    await unlock();
    throw transportErrorOf(error, `cannot write into ${directory}`);
  }
  return {
    name,
    directory,
    announce,
    release() {
      // What is being written is written before: it would come back after it was removed.
      releasing ??= written
        .catch(() => undefined)
        .then(() => removeOwned(directory))
        .finally(unlock);
      return releasing;
    },
  };
}

/** The pid in the entry, if that process lives: an entry may be left from an owner that died. */
async function livingOwner(directory: string, name: string): Promise<number | undefined> {
  if (process.platform === "win32" && !(await isOwned(directory, name))) return undefined;
  const entry = await readEntry(directory);
  if (entry === undefined) return undefined;
  return (await isRunning(entry)) ? entry.pid : undefined;
}

/**
 * Whether an owner says that it is there. Windows tells nobody when a process was started, so that a pid that is used again
 * looks like that of the entry; but an owner there removes what its predecessor has written before it says so.
 */
async function isOwned(directory: string, name: string): Promise<boolean> {
  const presence = await watchOwner(directory, name);
  presence?.stop();
  return presence !== undefined;
}

function inUse(options: ClaimOptions, directory: string, owner: string): TransportError {
  return new TransportError(
    "inUse",
    `the endpoint name ${options.name} in domain ${options.domain} is taken by ${owner}; its directory is ${directory}`,
  );
}
