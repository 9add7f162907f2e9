import { createHash } from "node:crypto";
import { closeSync, constants, openSync } from "node:fs";
import { link, readdir } from "node:fs/promises";
import { join } from "node:path";
import { knock, listen, temporaryName } from "../bind-path.js";
import { errnoOf, transportErrorOf } from "../errno.js";
import { checkSocketPath, TEMPORARY_SUFFIX_BYTES } from "../socket-path.js";
import { type LockServer, lockServer } from "./lock-server.js";
import { lockPipe, takeWindowsLock } from "./lock-windows.js";
import { removeFile } from "./own-file.js";
import { readSecret, secretPath } from "./secret.js";

/** Gives a lock back. The end of the process does the same. */
export type Unlock = () => Promise<void>;

/**
 * Takes `flock(LOCK_EX | LOCK_NB)` on a file. Returns what gives it back, or `undefined` when another process has it. The
 * end of the process gives it back, too.
 */
export type FileLock = (path: string) => (() => void) | undefined;

/** The lock of files by native code: `lock` returns false where another process has it. */
export function fileLockBy(lock: (fd: number) => boolean): FileLock {
  return (path) => {
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      // The owner before has just removed it.
      if (errnoOf(error) === "ENOENT") return undefined;
      throw transportErrorOf(error, `cannot open ${path}`);
    }
    if (lock(fd)) return () => closeSync(fd);
    closeSync(fd);
    return undefined;
  };
}

/** All of `sun_path`: a shorter name would be another name in a program that pads it with zero bytes. */
const ABSTRACT_NAME_BYTES = 108;

/**
 * Takes the lock of a name, `undefined` when another process has it. It is a socket that is bound and never talked to,
 * so that the kernel gives it back when the process ends, however it ends. Connections to it are kept open until then:
 * their end tells of the owner's.
 */
export function takeLock(directory: string, secret: Uint8Array, name: string): Promise<Unlock | undefined> {
  if (process.platform === "win32") return takeWindowsLock(directory, secret, name);
  return process.platform === "linux" ? takeAbstractLock(secret, name) : takeNumberedLock(directory);
}

/**
 * Takes all locks of a name whose secret was read. `undefined` when another process has one of them, or the secret is no
 * longer the one that was read.
 */
export async function lockDirectory(
  directory: string,
  name: string,
  secret: Buffer,
  fileLock: FileLock | undefined,
): Promise<Unlock | undefined> {
  const unlock = await takeLock(directory, secret, name);
  if (unlock === undefined) return undefined;
  let unlockFile: (() => void) | undefined;
  const unlockAll = (): Promise<void> => {
    unlockFile?.();
    return unlock();
  };
  try {
    unlockFile = fileLock?.(secretPath(directory));
    if (fileLock !== undefined && unlockFile === undefined) {
      await unlock();
      return undefined;
    }
    // Only now: the owner before may have removed the secret until it let go of the last of its locks.
    const current = await readSecret(directory);
    if (current?.equals(secret)) return unlockAll;
  } catch (error) {
    await unlockAll();
    throw error;
  }
  await unlockAll();
  return undefined;
}

/** Where the lock of a name can be connected to; `undefined` where nobody has ever taken it. */
export async function lockAddress(
  directory: string,
  secret: Uint8Array,
  name: string,
): Promise<string | undefined> {
  if (process.platform === "win32") return lockPipe(secret, name);
  if (process.platform === "linux") return abstractName(secret, name);
  const last = (await lockNumbers(directory)).at(-1);
  return last === undefined ? undefined : lockPath(directory, last);
}

function abstractName(secret: Uint8Array, name: string): string {
  const hash = createHash("sha256").update(secret).update(name).digest("hex");
  return `\0protoipc-v1-${hash}`.padEnd(ABSTRACT_NAME_BYTES, "\0");
}

function takeAbstractLock(secret: Uint8Array, name: string): Promise<Unlock | undefined> {
  const { server, close } = lockServer();
  return new Promise((resolve, reject) => {
    server.on("error", (error) => {
      if (errnoOf(error) === "EADDRINUSE") resolve(undefined);
      else reject(transportErrorOf(error, "cannot lock the endpoint's name"));
    });
    server.listen({ path: abstractName(secret, name) }, () => resolve(close));
  });
}

/**
 * The lock where no abstract sockets are: sockets in the directory, numbered in the order in which they were made, of
 * which the last one counts. Who finds it stale makes the next, which only one process can. Nothing is ever replaced,
 * and the last one stays for good, so that no number counts twice.
 */
export async function takeNumberedLock(directory: string): Promise<Unlock | undefined> {
  const last = (await lockNumbers(directory)).at(-1) ?? -1;
  if (last >= 0 && (await knock(lockPath(directory, last))) !== "stale") return undefined;
  const own = last + 1;
  const path = lockPath(directory, own);
  checkSocketPath(path, TEMPORARY_SUFFIX_BYTES);
  const lock = lockServer();
  if (!(await listenAtNew(lock, path))) return undefined;
  const numbers = await lockNumbers(directory);
  if (numbers.at(-1) !== own) {
    // This number had been used and removed: others are further already.
    await removeFile(path);
    await lock.close();
    return undefined;
  }
  for (const number of numbers) {
    if (number < own) await removeFile(lockPath(directory, number));
  }
  return lock.close;
}

/** False when another process was quicker, in this or in removing the directory. */
async function listenAtNew({ server, close }: LockServer, path: string): Promise<boolean> {
  const temporary = temporaryName(path);
  try {
    await listen(server, temporary);
    await link(temporary, path);
    return true;
  } catch (error) {
    await close();
    const code = errnoOf(error);
    if (code === "EEXIST" || code === "ENOENT" || code === "EADDRINUSE") return false;
    throw transportErrorOf(error, `cannot lock ${path}`);
  } finally {
    await removeFile(temporary);
  }
}

/** The numbers of the locks in a directory, ascending. */
async function lockNumbers(directory: string): Promise<number[]> {
  const numbers: number[] = [];
  for (const file of await readdir(directory)) {
    const number = /^lock-(\d{1,15})$/.exec(file)?.[1];
    if (number !== undefined) numbers.push(Number(number));
  }
  return numbers.sort((a, b) => a - b);
}

function lockPath(directory: string, number: number): string {
  return join(directory, `lock-${number}`);
}
