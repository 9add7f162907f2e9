import { createHash } from "node:crypto";
import { closeSync, constants, openSync } from "node:fs";
import { link, readdir } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { knock, listen, temporaryName } from "../bind-path.js";
import { errnoOf, transportErrorOf } from "../errno.js";
import { checkSocketPath, TEMPORARY_SUFFIX_BYTES } from "../socket-path.js";
import { removeFile } from "./own-file.js";

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
 * so that the kernel gives it back when the process ends, however it ends.
 */
export function takeLock(directory: string, secret: Uint8Array, name: string): Promise<Unlock | undefined> {
  return process.platform === "linux" ? takeAbstractLock(secret, name) : takeNumberedLock(directory);
}

function abstractName(secret: Uint8Array, name: string): string {
  const hash = createHash("sha256").update(secret).update(name).digest("hex");
  return `\0protoipc-v1-${hash}`.padEnd(ABSTRACT_NAME_BYTES, "\0");
}

function takeAbstractLock(secret: Uint8Array, name: string): Promise<Unlock | undefined> {
  const server = lockServer();
  return new Promise((resolve, reject) => {
    server.on("error", (error) => {
      if (errnoOf(error) === "EADDRINUSE") resolve(undefined);
      else reject(transportErrorOf(error, "cannot lock the endpoint's name"));
    });
    server.listen({ path: abstractName(secret, name) }, () => resolve(() => closed(server)));
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
  const server = lockServer();
  if (!(await listenAtNew(server, path))) return undefined;
  const numbers = await lockNumbers(directory);
  if (numbers.at(-1) !== own) {
    // This number had been used and removed: others are further already.
    await removeFile(path);
    await closed(server);
    return undefined;
  }
  for (const number of numbers) {
    if (number < own) await removeFile(lockPath(directory, number));
  }
  return () => closed(server);
}

/** False when another process was quicker, in this or in removing the directory. */
async function listenAtNew(server: Server, path: string): Promise<boolean> {
  const temporary = temporaryName(path);
  try {
    await listen(server, temporary);
    await link(temporary, path);
    return true;
  } catch (error) {
    await closed(server);
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

/** Nobody has anything to say here. The lock alone is no reason to keep the process running. */
function lockServer(): Server {
  return createServer((socket) => socket.destroy()).unref();
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
