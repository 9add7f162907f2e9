import { lstat } from "node:fs/promises";
import { userInfo } from "node:os";
import { win32 } from "node:path";
import { errnoOf, transportErrorOf } from "./errno.js";
import { TransportError } from "./transport.js";

/**
 * Whether a directory exists on Windows. Throws a `TransportError` "denied" unless it is a directory, no link, in the
 * profile of this user. Node cannot read who may enter a directory there; but in a profile Windows lets in nobody but its
 * user, the system and administrators, unless that user has changed it.
 */
export async function isInOwnProfile(path: string): Promise<boolean> {
  const profile = ownProfile();
  if (!isBelow(profile, path)) {
    throw denied(
      path,
      `it is not in the profile of this user, ${profile}, and who else may enter it is not known`,
    );
  }
  try {
    const found = await lstat(path);
    // Junctions, too.
    if (found.isSymbolicLink()) throw denied(path, "it is a link");
    if (!found.isDirectory()) throw denied(path, "it is no directory");
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT") return false;
    // So it looks while it is being removed and somebody still has it open.
    if (code === "EPERM" || code === "EBUSY") {
      throw new TransportError("busy", `the directory ${path} is being removed by another process`);
    }
    throw transportErrorOf(error, `cannot use the directory ${path}`);
  }
}

/** Whether `path` lies below `folder`, by Windows' rules: no difference is made between small and capital letters. */
export function isBelow(folder: string, path: string): boolean {
  const way = win32.relative(folder.toLowerCase(), path.toLowerCase());
  return way !== "" && way !== ".." && !way.startsWith("..\\") && !win32.isAbsolute(way);
}

/** As the system has it for the account, not as the environment says. */
function ownProfile(): string {
  return userInfo().homedir;
}

function denied(path: string, why: string): TransportError {
  return new TransportError("denied", `the directory ${path} is not safe to use: ${why}`);
}
