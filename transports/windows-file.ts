import { constants } from "node:fs";
import { lstat, open, rename, unlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, transportErrorOf } from "./errno.js";
import { TransportError } from "./transport.js";

/** How long a file that others have open, or that is being removed, is tried again. */
const LONGEST_WAIT_MS = 1_000;
/** The longest pause between two attempts: others have a file for a moment, one after the other, and a gap is to be met. */
const LONGEST_PAUSE_MS = 16;

/**
 * As `readOwnFile`, on Windows, for a file in a directory that was checked: no link, a regular file, of at most
 * `maxBytes`. That it is our own is what the directory says.
 */
export async function readWindowsFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    return await whileOthersHaveIt(() => readOnce(path, maxBytes));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw transportErrorOf(error, `cannot read ${path}`);
  }
}

/** As `checkOwnFile`, on Windows, for a file in a directory that was checked. */
export async function checkWindowsFile(path: string): Promise<void> {
  try {
    await whileOthersHaveIt(() => checkOnce(path));
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw transportErrorOf(error, `cannot look at ${path}`);
  }
}

async function checkOnce(path: string): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) throw denied(path, "is a symbolic link");
  if (!found.isFile()) throw denied(path, "is no regular file");
}

async function readOnce(path: string, maxBytes: number): Promise<Buffer> {
  await checkOnce(path);
  const file = await open(path, constants.O_RDONLY);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw denied(path, "is no regular file");
    if (found.size > maxBytes) throw denied(path, `has ${found.size} bytes, the limit is ${maxBytes}`);
    const bytes = Buffer.alloc(found.size);
    const { bytesRead } = await file.read(bytes, 0, found.size, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Renames over whatever file has the new name. Windows refuses that for as long as somebody has it open. */
export function renameOver(from: string, to: string): Promise<void> {
  return whileOthersHaveIt(() => rename(from, to));
}

/** Removes a file, if it is there. */
export async function removeWindowsFile(path: string): Promise<void> {
  try {
    await whileOthersHaveIt(() => unlink(path));
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

async function whileOthersHaveIt<T>(run: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + LONGEST_WAIT_MS;
  for (let pauseMs = 1; ; pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
    try {
      return await run();
    } catch (error) {
      const code = errnoOf(error);
      const isHeld = code === "EPERM" || code === "EBUSY" || code === "EACCES";
      if (!isHeld || performance.now() > giveUpAt) throw error;
    }
    await sleep(pauseMs * (0.5 + Math.random()));
  }
}

function denied(path: string, why: string): TransportError {
  return new TransportError("denied", `the file ${path} ${why}`);
}
