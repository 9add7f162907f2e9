import { readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PROTOCOL_MAJOR } from "../../runtime/wire/preamble.js";
import { errnoOf, transportErrorOf } from "../errno.js";
import { TransportError } from "../transport.js";
import { entryPath, readEntry, writeEntry } from "./entry.js";
import { type FileLock, takeLock, type Unlock } from "./lock.js";
import { checkEndpointName } from "./names.js";
import { removeFile } from "./own-file.js";
import { ensurePrivateDirectory } from "./private-directory.js";
import type { Root } from "./root.js";
import { agreeOnSecret, readSecret, secretPath } from "./secret.js";

export interface ClaimOptions {
  readonly root: Root;
  readonly domain: string;
  readonly name: string;
  /** The run of the endpoint, in hexadecimal. */
  readonly incarnation: string;
  /** Besides the lock that the kernel always has: tells apart processes that share only the file system. */
  readonly fileLock?: FileLock | undefined;
}

/** The right to an endpoint's name, until it is released or the process ends. */
export interface Claim {
  /** The endpoint's directory. Only the holder of the claim changes anything in it. */
  readonly directory: string;
  /** Says in the entry what the endpoint listens on, best first. */
  announce(transports: readonly string[]): Promise<void>;
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
    const pid = await livingOwner(directory);
    if (pid !== undefined)
      throw inUse(options, directory, `process ${pid}${pid === process.pid ? " (this one)" : ""}`);
    if (performance.now() > giveUpAt) throw inUse(options, directory, "a process that does not say its pid");
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
  if (secret === undefined) return undefined;
  const unlock = await takeLock(directory, secret, name);
  if (unlock === undefined) return undefined;
  // The owner before may have removed the secret after it was read here: then this is the lock of a name gone by.
  const current = await readSecret(directory);
  if (current === undefined || !current.equals(secret)) {
    await unlock();
    return undefined;
  }
  if (fileLock === undefined) return unlock;
  const unlockFile = fileLock(secretPath(directory));
  if (unlockFile === undefined) {
    await unlock();
    return undefined;
  }
  return async () => {
    unlockFile();
    await unlock();
  };
}

async function take(options: ClaimOptions, directory: string, unlock: Unlock): Promise<Claim> {
  const announce = (transports: readonly string[]): Promise<void> =>
    writeEntry(directory, {
      name: options.name,
      pid: process.pid,
      incarnation: options.incarnation,
      transports,
      protocol: PROTOCOL_MAJOR,
    });
  try {
    await removeFile(entryPath(directory));
    await removeTemporaryFiles(directory);
    await announce([]);
  } catch (error) {
    await unlock();
    throw transportErrorOf(error, `cannot write into ${directory}`);
  }
  let releasing: Promise<void> | undefined;
  return {
    directory,
    announce,
    release() {
      releasing ??= removeAll(directory).finally(unlock);
      return releasing;
    },
  };
}

/** The secret goes last: from then on another process may make a new one, and the directory is its own. */
async function removeAll(directory: string): Promise<void> {
  await removeFile(entryPath(directory));
  await removeTemporaryFiles(directory);
  await removeFile(secretPath(directory));
  try {
    await rmdir(directory);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "ENOENT") throw error;
  }
}

/** Removes what a process that died left half made. */
async function removeTemporaryFiles(directory: string): Promise<void> {
  for (const file of await readdir(directory)) {
    if (file.includes("~")) await removeFile(join(directory, file));
  }
}

/** The pid in the entry, if that process lives: an entry may be left from an owner that died. */
async function livingOwner(directory: string): Promise<number | undefined> {
  const entry = await readEntry(directory);
  if (entry === undefined) return undefined;
  try {
    process.kill(entry.pid, 0);
    return entry.pid;
  } catch (error) {
    return errnoOf(error) === "EPERM" ? entry.pid : undefined;
  }
}

function inUse(options: ClaimOptions, directory: string, owner: string): TransportError {
  return new TransportError(
    "inUse",
    `the endpoint name ${options.name} in domain ${options.domain} is taken by ${owner}; its directory is ${directory}`,
  );
}
