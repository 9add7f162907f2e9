import { lstat, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, transportErrorOf } from "../errno.js";
import { TransportError } from "../transport.js";
import { isInOwnProfile } from "../windows-profile.js";

const GROUP_AND_OTHERS = 0o077;
const WRITE_BY_GROUP_AND_OTHERS = 0o022;
const STICKY = 0o1000;
const ROOT_UID = 0;

/** Makes a directory, and those above it that are missing, for this user alone, and checks it. */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  if (await isPrivateDirectory(path)) return;
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    // Another process may have made something of that name just now: it is looked at below.
    const code = errnoOf(error);
    // On Windows EPERM says that it is being removed.
    const mayBeThere = code === "EEXIST" || (code === "EPERM" && process.platform === "win32");
    if (!mayBeThere) throw transportErrorOf(error, `cannot make the directory ${path}`);
  }
  if (!(await isPrivateDirectory(path))) {
    throw new TransportError("busy", `the directory ${path} is being removed by another process`);
  }
}

/**
 * Whether the directory exists. Throws a `TransportError` "denied" unless it is a directory, no symbolic link, of this
 * user, that no other may enter or replace; on Windows, one in this user's profile.
 */
export async function isPrivateDirectory(path: string): Promise<boolean> {
  if (process.platform === "win32") return isInOwnProfile(path);
  const own = process.geteuid?.();
  if (own === undefined) {
    throw new TransportError("unavailable", "this system has no user ids, by which directories are checked");
  }
  try {
    const found = await lstat(path);
    if (found.isSymbolicLink()) throw denied(path, "it is a symbolic link");
    if (!found.isDirectory()) throw denied(path, "it is no directory");
    if (found.uid !== own) throw denied(path, `it belongs to user ${found.uid}, not to user ${own}`);
    if ((found.mode & GROUP_AND_OTHERS) !== 0) {
      throw denied(path, `its mode is ${octal(found.mode)}, which lets other users in; it must be 0700`);
    }
    const parent = await stat(dirname(path));
    const parentIsTrusted = parent.uid === own || parent.uid === ROOT_UID;
    const parentIsClosed = (parent.mode & WRITE_BY_GROUP_AND_OTHERS) === 0 || (parent.mode & STICKY) !== 0;
    if (!parentIsTrusted || !parentIsClosed) {
      throw denied(path, `other users can replace it, as ${dirname(path)} has mode ${octal(parent.mode)}`);
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw transportErrorOf(error, `cannot use the directory ${path}`);
  }
}

function denied(path: string, why: string): TransportError {
  return new TransportError("denied", `the directory ${path} is not safe to use: ${why}`);
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}
