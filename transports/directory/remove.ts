import { lstat, readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { knock } from "../bind-path.js";
import { errnoOf } from "../errno.js";
import { entryPath } from "./entry.js";
import { removeFile } from "./own-file.js";
import { secretPath } from "./secret.js";

/** What makes a folder of FIFOs, by its name: one request to a pipe's listener. */
const REQUEST = /^pipe-/;
const LOCK = /^lock-\d+$/;

/**
 * Removes what an owner has in its directory besides what its transports remove themselves. The caller holds the claim,
 * and has no right to the directory afterwards: the secret goes last, from then on another process may make a new one.
 */
export async function removeOwned(directory: string): Promise<void> {
  await removeFile(entryPath(directory));
  await removeTemporaryFiles(directory);
  await removeFile(secretPath(directory));
  await removeIfEmpty(directory);
}

/** As `removeOwned`, of an owner that died: what its transports have left goes as well. */
export async function removeLeft(directory: string): Promise<void> {
  for (const file of await readdir(directory)) {
    if (!file.includes("~") && !LOCK.test(file)) await removeIfLeft(join(directory, file), file);
  }
  await removeOwned(directory);
}

/** Removes what a process that died left half made. */
export async function removeTemporaryFiles(directory: string): Promise<void> {
  for (const file of await readdir(directory)) {
    if (file.includes("~")) await removeAny(join(directory, file));
  }
}

/** Sockets and FIFOs of our own that nobody listens on. Regular files are not a transport's, and stay. */
async function removeIfLeft(path: string, file: string): Promise<void> {
  const found = await lstatIfAny(path);
  // On Windows a pipe's listener has a file there, which says where the pipe is.
  if (found?.isFile() && file === "pipe" && process.platform === "win32") await removeFile(path);
  if (found === undefined || found.uid !== process.geteuid?.()) return;
  if (found.isSocket() && (await knock(path)) === "stale") await removeFile(path);
  else if (found.isFIFO()) await removeFile(path);
  else if (found.isDirectory() && REQUEST.test(file)) await removeAny(path);
}

/** A file, or a folder with files and nothing deeper. */
async function removeAny(path: string): Promise<void> {
  const found = await lstatIfAny(path);
  if (found === undefined) return;
  if (!found.isDirectory()) {
    await removeFile(path);
    return;
  }
  for (const file of await readdir(path)) {
    const inner = await lstatIfAny(join(path, file));
    if (inner?.isDirectory() === false) await removeFile(join(path, file));
  }
  await removeIfEmpty(path);
}

/** Removes a directory that has nothing in it. */
export async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "ENOENT") throw error;
  }
}

async function lstatIfAny(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
