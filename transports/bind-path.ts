import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync, type Stats } from "node:fs";
import { link, lstat, rename, unlink } from "node:fs/promises";
import type { Server } from "node:net";
import { connectPath } from "./connect-path.js";
import { errnoOf, transportErrorOf } from "./errno.js";
import { TransportError } from "./transport.js";

const ATTEMPTS = 8;
const BACKLOG = 511;

/** Removes the file, if it is still the one that was bound. Whether nobody else has put another there. */
export type Unbind = () => Promise<boolean>;

/** What stands at a path where somebody may listen. */
export interface PathKind {
  /** For people. */
  readonly name: string;
  is(stats: Stats): boolean;
  /** Whether somebody listens at a path where one was seen. */
  knock(path: string): Promise<"alive" | "stale" | "gone">;
}

export const SOCKET: PathKind = { name: "socket", is: (stats) => stats.isSocket(), knock };

/** What is to listen. */
export interface Bindable {
  readonly kind: PathKind;
  /** Binds a path that is free, and listens there. Rejects with the system's error, or a `TransportError`. */
  listen(path: string): Promise<void>;
  /** Stops listening, also where `listen` failed. */
  close(): void;
}

/**
 * Makes a socket or a FIFO listen at a path. It is bound under a temporary name and put in place when it listens, so that
 * nobody meets one that does not listen yet, and so that Node, which unlinks the name that it has bound, never unlinks a
 * successor's. Rejects with a `TransportError`: "inUse" when a living one has the path, "denied" when something else has
 * that is none of this user. `inspect` sees the temporary path before anybody can connect, and may reject.
 */
export async function bindPath(
  socket: Bindable,
  path: string,
  inspect: (temporary: string) => Promise<void>,
): Promise<Unbind> {
  const temporary = temporaryName(path);
  try {
    await socket.listen(temporary);
    const own = await lstat(temporary);
    try {
      await inspect(temporary);
      await putInPlace(socket.kind, temporary, path);
    } finally {
      await unlink(temporary);
    }
    return async () => {
      const found = await lstatIfAny(path);
      if (isSameFile(own, found)) await unlink(path);
      return found === undefined || isSameFile(own, found);
    };
  } catch (error) {
    socket.close();
    throw transportErrorOf(error, `cannot listen on ${path}`);
  }
}

/** Makes a server listen at a path that is free. Rejects with the system's error. */
export function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path, backlog: BACKLOG }, () => {
      server.off("error", reject);
      // A connection that cannot be accepted is that client's loss; the next one may be.
      server.on("error", () => {});
      resolve();
    });
  });
}

/** Unlike a rename, a link never replaces what another process has put there in the meantime. */
async function putInPlace(kind: PathKind, temporary: string, path: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      await link(temporary, path);
      return;
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    await removeStale(kind, path);
  }
  throw new TransportError("busy", `cannot listen on ${path}: other processes keep replacing it`);
}

async function removeStale(kind: PathKind, path: string): Promise<void> {
  const found = await lstatIfAny(path);
  if (found === undefined) return;
  if (!kind.is(found)) throw new TransportError("denied", `${path} is in the way: it is no ${kind.name}`);
  if (found.uid !== process.geteuid?.()) {
    throw new TransportError("denied", `${path} is in the way: it belongs to user ${found.uid}`);
  }
  const state = await kind.knock(path);
  if (state === "alive") throw new TransportError("inUse", `another process listens on ${path}`);
  if (state === "gone") return;
  // Moved aside first: what is unlinked is then what was looked at, even if a successor was quicker.
  const aside = temporaryName(path);
  try {
    await rename(path, aside);
    if (!isSameFile(found, await lstatIfAny(aside))) await link(aside, path);
    await unlink(aside);
  } catch (error) {
    // Another process was quicker: the next attempt shows what it has put there.
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "EEXIST") throw error;
  }
}

/** Whether somebody listens at a path where a socket was seen. */
export async function knock(path: string): Promise<"alive" | "stale" | "gone"> {
  try {
    (await connectPath(path, undefined)).destroy();
    return "alive";
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ECONNREFUSED") return "stale";
    // Anything else, such as a full backlog, comes from a socket that somebody holds.
    return code === "ENOENT" ? "gone" : "alive";
  }
}

/** Whether somebody reads a FIFO that was seen at a path. It cannot be opened for writing otherwise: ENXIO. */
export function knockFifo(path: string): "alive" | "stale" | "gone" {
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW));
    return "alive";
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENXIO") return "stale";
    return code === "ENOENT" ? "gone" : "alive";
  }
}

export async function lstatIfAny(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export function isSameFile(a: Stats, b: Stats | undefined): boolean {
  return b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** A name beside a path, for what is not in its place yet, or no longer. */
export function temporaryName(path: string): string {
  return `${path}~${randomBytes(2).toString("hex")}`;
}
