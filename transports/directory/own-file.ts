import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, link, open, rename, unlink } from "node:fs/promises";
import { errnoOf, transportErrorOf } from "../errno.js";
import { TransportError } from "../transport.js";
import { checkWindowsFile, readWindowsFile, removeWindowsFile, renameOver } from "../windows-file.js";

const GROUP_AND_OTHERS_WRITE = 0o022;
/** There are no user ids and modes there, and files that are open stand in the way. */
const ON_WINDOWS = process.platform === "win32";

/**
 * Reads a small file of our own. `undefined` when there is none. Never waits, whatever stands at the path; throws a
 * `TransportError` "denied" for a link, a pipe, another user's file, or one of more than `maxBytes`.
 */
export async function readOwnFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  if (ON_WINDOWS) return readWindowsFile(path, maxBytes);
  return withOwnFile(path, async (file, size) => {
    if (size > maxBytes) throw denied(path, `has ${size} bytes, the limit is ${maxBytes}`);
    // The size is what fstat said; a file that grows meanwhile is not followed.
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    return bytes.subarray(0, bytesRead);
  });
}

/** Throws as `readOwnFile` does where something stands at the path that is no file of our own, whatever is in it. */
export async function checkOwnFile(path: string): Promise<void> {
  if (ON_WINDOWS) await checkWindowsFile(path);
  else await withOwnFile(path, () => Promise.resolve(undefined));
}

async function withOwnFile<T>(
  path: string,
  use: (file: FileHandle, size: number) => Promise<T>,
): Promise<T | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) throw denied(path, "is no regular file");
      if (found.uid !== process.geteuid?.()) throw denied(path, `belongs to user ${found.uid}`);
      if ((found.mode & GROUP_AND_OTHERS_WRITE) !== 0) throw denied(path, "can be written by other users");
      return await use(file, found.size);
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT") return undefined;
    if (code === "ELOOP") throw denied(path, "is a symbolic link");
    if (code === "ENXIO") throw denied(path, "is no regular file");
    throw transportErrorOf(error, `cannot read ${path}`);
  }
}

/** Writes a file whole: readers see the old one or the new one. */
export async function replaceFile(path: string, contents: string): Promise<void> {
  const temporary = temporaryName(path);
  await writeNew(temporary, contents);
  await (ON_WINDOWS ? renameOver(temporary, path) : rename(temporary, path));
}

/** Writes a file whole unless there is one already; who comes first decides. */
export async function createFile(path: string, contents: Uint8Array): Promise<void> {
  const temporary = temporaryName(path);
  await writeNew(temporary, contents);
  try {
    await link(temporary, path);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  } finally {
    await removeFile(temporary);
  }
}

/** Removes a file, if it is there. */
export async function removeFile(path: string): Promise<void> {
  if (ON_WINDOWS) return removeWindowsFile(path);
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

async function writeNew(path: string, contents: string | Uint8Array): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(contents);
  } finally {
    await file.close();
  }
}

function temporaryName(path: string): string {
  return `${path}~${randomBytes(4).toString("hex")}`;
}

function denied(path: string, why: string): TransportError {
  return new TransportError("denied", `the file ${path} ${why}`);
}
