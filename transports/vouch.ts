import type { Stats } from "node:fs";
import { lstat, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { PathKind } from "./bind-path.js";
import { transportErrorOf } from "./errno.js";
import { type PeerCredentials, type Place, TransportError } from "./transport.js";

const NOBODY: PeerCredentials = { pid: undefined, uid: undefined, gid: undefined, verifiedBy: "nobody" };
const GROUP_AND_OTHERS = 0o077;
const WRITE_BY_GROUP_AND_OTHERS = 0o022;

/**
 * Who can be at the other end of a connection through this socket or FIFO, as far as its file and folder say: our own user
 * where no other can reach or replace it, otherwise nobody knows. Rejects with a `TransportError` when there is
 * none ("notFound"), or when the place is one that must not be used ("denied").
 */
export async function vouchFor(place: Place, path: string, kind: PathKind): Promise<PeerCredentials> {
  const { folder, file } = await inspect(place, path);
  if (!kind.is(file)) throw new TransportError("denied", `${path} is no ${kind.name}`);
  const own = process.geteuid?.();
  if (own === undefined) return NOBODY;
  const folderIsPrivate = folder.uid === own && (folder.mode & GROUP_AND_OTHERS) === 0;
  if (place.kind === "name" && !folderIsPrivate) {
    throw new TransportError(
      "denied",
      `${place.directory} is not private: it belongs to user ${folder.uid} with mode ${octal(folder.mode)}`,
    );
  }
  const fileIsOwn = file.uid === own && (file.mode & WRITE_BY_GROUP_AND_OTHERS) === 0;
  if (!folderIsPrivate && !fileIsOwn) return NOBODY;
  return { pid: undefined, uid: own, gid: undefined, verifiedBy: "directory" };
}

async function inspect(place: Place, path: string): Promise<{ folder: Stats; file: Stats }> {
  try {
    // In our own directories nothing is a symbolic link; a path of the user's may be one.
    if (place.kind === "name") return { folder: await lstat(place.directory), file: await lstat(path) };
    return { folder: await stat(dirname(path)), file: await stat(path) };
  } catch (error) {
    throw transportErrorOf(error, `nothing can be reached at ${path}`);
  }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

/** What the kernel says of a process in another pid namespace. */
const UNSEEN_PID = 0;

/** The peer, as the kernel told it. */
export function kernelCredentials([pid, uid, gid]: readonly [number, number, number]): PeerCredentials {
  return { pid: pid === UNSEEN_PID ? undefined : pid, uid, gid, verifiedBy: "kernel" };
}
