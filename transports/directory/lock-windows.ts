import { createHash } from "node:crypto";
import { closeSync, constants, openSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { listen } from "../bind-path.js";
import { errnoOf, transportErrorOf } from "../errno.js";
import { TransportError } from "../transport.js";
import { entryPath, readEntry } from "./entry.js";
import type { Unlock } from "./lock.js";
import { lockServer } from "./lock-server.js";
import { removeFile } from "./own-file.js";

/** libuv's flag for a file that nobody else may open: no share mode. Node passes it on and has no name for it. */
const UV_FS_O_EXLOCK = 0x1000_0000;
/** Windows removes the file when it is closed, also by the end of the process. */
const UV_FS_O_TEMPORARY = 0x40;

/** The pipe by which others learn of the owner's end: a name that only those know who can read the secret. */
export function lockPipe(secret: Uint8Array, name: string): string {
  const hash = createHash("sha256").update(secret).update(name).digest("hex");
  return `\\\\.\\pipe\\protoipc-v1-${hash}`;
}

/**
 * Takes the lock of a name on Windows, `undefined` when another process has it. It is a file of the directory that is open
 * and that nobody else may open meanwhile: the system closes it when the process ends, however it ends. Beside it the
 * owner listens on a pipe, where its end is seen.
 */
export async function takeWindowsLock(
  directory: string,
  secret: Uint8Array,
  name: string,
): Promise<Unlock | undefined> {
  const file = openAlone(join(directory, "lock"));
  if (file === undefined) return undefined;
  const presence = lockServer();
  const unlock = async (): Promise<void> => {
    await presence.close();
    closeSync(file);
    removeIfEmpty(directory);
  };
  try {
    // Before anybody can see that there is an owner: what it reads then is of this one.
    if (await hasEntry(directory)) await removeFile(entryPath(directory));
    await listen(presence.server, lockPipe(secret, name));
    return unlock;
  } catch (error) {
    await unlock();
    const code = errnoOf(error);
    // A pipe of an owner that ends is there for a moment after its file was closed.
    if (code === "EADDRINUSE" || code === "EACCES") return undefined;
    throw transportErrorOf(error, "cannot lock the endpoint's name");
  }
}

/** What is no entry says of nobody that he is there: it is left to whoever has the lock. */
async function hasEntry(directory: string): Promise<boolean> {
  try {
    return (await readEntry(directory)) !== undefined;
  } catch (error) {
    // With a cause it is the system that denies, and it may be an entry after all.
    const isNone = error instanceof TransportError && error.kind === "denied" && error.cause === undefined;
    if (isNone) return false;
    throw error;
  }
}

function openAlone(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | UV_FS_O_EXLOCK | UV_FS_O_TEMPORARY, 0o600);
  } catch (error) {
    const code = errnoOf(error);
    // EBUSY: another process has it; the others: it, or the directory, is just being removed.
    if (code === "EBUSY" || code === "EPERM" || code === "EACCES" || code === "ENOENT") return undefined;
    throw transportErrorOf(error, `cannot lock ${path}`);
  }
}

/** The lock was the last file of a directory that its owner has left: only now can that go. */
function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // A successor has put something there, or somebody looks at it; whoever sweeps removes it.
  }
}
