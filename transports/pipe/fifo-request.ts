import { randomBytes } from "node:crypto";
import {
  closeSync,
  fstatSync,
  lstatSync,
  openSync,
  rmdirSync,
  type Stats,
  unlinkSync,
  writeSync,
} from "node:fs";
import { lstat, mkdir, readdir, rename, rmdir, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { lstatIfAny } from "../bind-path.js";
import { errnoOf } from "../errno.js";
import { READ, WRITE } from "./fifo-door.js";
import type { MakeFifos } from "./make-fifos.js";

// A request is a folder beside the door with two FIFOs, one for each direction.
const TO_LISTENER = "to-listener";
const TO_DIALLER = "to-dialler";

/** The byte that a listener sends first: it has taken the request, and both its ends are open. */
export const ACCEPTED = 0x2b;

/** A request that is not in its place longer than this has lost its dialler. */
const STALE_MS = 60_000;
const GROUP_AND_OTHERS = 0o077;
const ID = /^[0-9a-f]{16}$/;

export interface Ends {
  /** The descriptor to read from, and the one to write to. Both do not wait. */
  readonly incoming: number;
  readonly outgoing: number;
}

/** A dialler's request, in its place. */
export interface Request extends Ends {
  readonly id: string;
  readonly folder: string;
}

export function requestFolder(door: string, id: string): string {
  return `${door}-${id}`;
}

/** Makes a request and opens the dialler's ends. Rejects with the system's error. */
export async function makeRequest(door: string, makeFifos: MakeFifos): Promise<Request> {
  const id = randomBytes(8).toString("hex");
  const temporary = `${door}~${id}`;
  const folder = requestFolder(door, id);
  await mkdir(temporary, { mode: 0o700 });
  let ends: Ends | undefined;
  try {
    await makeFifos([join(temporary, TO_LISTENER), join(temporary, TO_DIALLER)]);
    ends = openDiallersEnds(temporary);
    await rename(temporary, folder);
    return { ...ends, id, folder };
  } catch (error) {
    if (ends !== undefined) closeEnds(ends);
    await removeRequest(temporary);
    throw error;
  }
}

function openDiallersEnds(folder: string): Ends {
  const incoming = openSync(join(folder, TO_DIALLER), READ);
  try {
    // Nobody reads it yet, so that it could not be opened for writing: for that moment we do.
    const reader = openSync(join(folder, TO_LISTENER), READ);
    try {
      return { incoming, outgoing: openSync(join(folder, TO_LISTENER), WRITE) };
    } finally {
      closeSync(reader);
    }
  } catch (error) {
    closeSync(incoming);
    throw error;
  }
}

/**
 * Takes a request: opens the listener's ends, says so to the dialler, and removes the folder, so that nobody else can
 * join, nor the request be taken again. `undefined` where it is none, or its dialler is gone. Throws the system's error
 * where the listener has no means for it: then the request stays. It does not wait, and is short: a dozen system calls.
 */
export function takeRequest(door: string, id: string): Ends | undefined {
  if (!ID.test(id)) return undefined;
  const folder = requestFolder(door, id);
  if (!isOwnFolder(folder)) return undefined;
  const ends = openListenersEnds(folder);
  try {
    if (ends !== undefined) writeSync(ends.outgoing, Uint8Array.of(ACCEPTED));
    for (const file of [TO_LISTENER, TO_DIALLER]) ignoringLeftIn(() => unlinkSync(join(folder, file)));
    ignoringLeftIn(() => rmdirSync(folder));
    return ends;
  } catch {
    if (ends !== undefined) closeEnds(ends);
    return undefined;
  }
}

function openListenersEnds(folder: string): Ends | undefined {
  let outgoing: number | undefined;
  let incoming: number | undefined;
  try {
    outgoing = openSync(join(folder, TO_DIALLER), WRITE);
    incoming = openSync(join(folder, TO_LISTENER), READ);
    if (isOwnFifo(fstatSync(outgoing)) && isOwnFifo(fstatSync(incoming))) {
      const ends = { incoming, outgoing };
      outgoing = incoming = undefined;
      return ends;
    }
    return undefined;
  } catch (error) {
    if (isShortage(error)) throw error;
    return undefined;
  } finally {
    if (outgoing !== undefined) closeSync(outgoing);
    if (incoming !== undefined) closeSync(incoming);
  }
}

/** Whether it is the system that has nothing left, rather than the request that is wrong. */
function isShortage(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "EMFILE" || code === "ENFILE" || code === "ENOMEM";
}

function isOwnFolder(path: string): boolean {
  try {
    const found = lstatSync(path);
    return found.isDirectory() && isOurs(found);
  } catch {
    return false;
  }
}

function isOwnFifo(found: Stats): boolean {
  return found.isFIFO() && isOurs(found) && found.nlink === 1;
}

function isOurs(found: Stats): boolean {
  return found.uid === process.geteuid?.() && (found.mode & GROUP_AND_OTHERS) === 0;
}

export function closeEnds({ incoming, outgoing }: Ends): void {
  closeSync(incoming);
  closeSync(outgoing);
}

/** Removes a request's folder with its FIFOs, as far as it is there. What else is in it stays, and so does the folder. */
export async function removeRequest(folder: string): Promise<void> {
  for (const file of [TO_LISTENER, TO_DIALLER]) await ignoringLeft(unlink(join(folder, file)));
  await ignoringLeft(rmdir(folder));
}

/** Removes the requests at a door whose diallers are dead; with `all`, also those of the living, which sees them refused. */
export async function sweepRequests(door: string, all: boolean): Promise<void> {
  const start = basename(door);
  for (const file of await readdir(dirname(door))) {
    if (!file.startsWith(start) || !ID.test(file.slice(start.length + 1))) continue;
    const path = join(dirname(door), file);
    const mark = file[start.length];
    if (!isOwnFolder(path)) continue;
    if (mark === "-" ? all || isAbandoned(path) : mark === "~" && (await isOld(path)))
      await removeRequest(path);
  }
}

function isAbandoned(folder: string): boolean {
  try {
    closeSync(openSync(join(folder, TO_DIALLER), WRITE));
    return false;
  } catch (error) {
    return errnoOf(error) === "ENXIO" || errnoOf(error) === "ENOENT";
  }
}

async function isOld(path: string): Promise<boolean> {
  try {
    return Date.now() - (await lstat(path)).mtimeMs > STALE_MS;
  } catch {
    return false;
  }
}

/** Nothing there, or what we do not remove. */
const LEFT: ReadonlySet<string> = new Set(["ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR", "EISDIR", "EPERM"]);

function throwUnlessLeft(error: unknown): void {
  const code = errnoOf(error);
  if (code === undefined || !LEFT.has(code)) throw error;
}

function ignoringLeftIn(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    throwUnlessLeft(error);
  }
}

async function ignoringLeft(removed: Promise<void>): Promise<void> {
  await removed.catch(throwUnlessLeft);
}

export async function requestIsThere(folder: string): Promise<boolean> {
  return (await lstatIfAny(folder)) !== undefined;
}
